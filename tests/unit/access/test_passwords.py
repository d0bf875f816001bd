"""Which passwords are taken."""

import pytest

from supervisor_easy.access import check_password
from supervisor_easy.errors import AccountError


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "горшок с мёдом",
        "x7#kQ!m2pLw9",
        "password of the old lighthouse",
        "a" * 200 + "bcdefg",
    ],
)
def test_a_long_password_is_taken(password: str) -> None:
    check_password(password, name="mei")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("x7#kQ!m2pLw", "too short"),
        ("", "too short"),
        ("abcdefgh" * 33, "too long"),
        ("abababababab", "repeats itself"),
        ("supervisor-easy", "easy to guess"),
        ("PASSWORD-2026!", "easy to guess"),
        ("ChangeMeChangeMe", "easy to guess"),
        ("123456789012", "easy to guess"),
        ("mei.lin-mei.lin", "easy to guess"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(AccountError, match=why):
        check_password(password, name="mei.lin")


def test_a_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(AccountError) as caught:
        check_password("hunter2", name="mei")
    assert "hunter2" not in str(caught.value)
