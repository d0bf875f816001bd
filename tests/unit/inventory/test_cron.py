"""What counts as a cron expression."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.inventory.cron import check_cron


@pytest.mark.parametrize(
    "text",
    [
        *("0 4 * * *", "*/5 * * * *", "0 0-6,22 * * 1-5", "0 3 * * 7", "@daily"),
        *("0 3 L * *", "0 3 * * 5#2", "0 3 * * 5L", "0 3 * JAN-mar Mon", "0 3 29 2 *"),
        *("0 3 31 2 mon", "@Monthly", " 0  4 * * * "),
    ],
)
def test_it_is_cron(text: str) -> None:
    check_cron(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has 0 fields"),
        ("0 4 * * * *", "has 6 fields"),
        ("60 4 * * *", "'60' is no minute"),
        ("0 4 0 * *", "'0' is no day of month"),
        ("0 4 * 13 *", "'13' is no month"),
        ("0 4 * * 8", "'8' is no weekday"),
        ("0 4 * * xyz", "'xyz' is no weekday"),
        ("5-1 4 * * *", "runs backwards"),
        ("*/0 4 * * *", "least step is 1"),
        ("1,,2 4 * * *", "'' is no minute"),
        ("@reboot", "is not known"),
        ("0 4 31 feb,apr *", "never fires"),
        ("0 4 ² * *", "no day of month"),
    ],
)
def test_it_is_not_cron(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_cron(text)

    assert says in str(caught.value)


@given(st.text("0159*/-,#LW@janmo ", max_size=24))
def test_any_text_is_cron_or_a_value_error(text: str) -> None:
    try:
        check_cron(text)
    except ValueError:
        return
