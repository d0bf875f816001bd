"""Users and logins."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from supervisor_easy.access import Identity, Role
from supervisor_easy.errors import (
    AccessError,
    AccountError,
    NotAuthenticated,
    NotFound,
    TooManyAttempts,
)
from supervisor_easy.store import Store
from supervisor_easy.store.accounts import Accounts
from supervisor_easy.store.hashing import Passwords
from supervisor_easy.store.tables import app_user, login_attempt
from supervisor_easy.store.throttle import network_of
from tests.fake_clock import FakeClock
from tests.store.conftest import OpenStore

GOOD = "correct horse battery"
BETTER = "staple of an old lighthouse"
WINDOW = timedelta(minutes=15)


@pytest.fixture
def mei(accounts: Accounts) -> str:
    """The only user, an admin."""
    return accounts.add_user("mei", GOOD, role=Role.ADMIN).name


def hash_of(store: Store, name: str) -> str:
    with store.read() as connection:
        query = select(app_user.c.password_hash).where(app_user.c.name == name)
        return str(connection.scalar(query))


def fail(accounts: Accounts, name: str = "mei", address: str = "10.0.0.1") -> None:
    with pytest.raises(NotAuthenticated):
        accounts.verify(name, "wrong", address=address)


def is_throttled(accounts: Accounts, name: str, address: str) -> bool:
    try:
        accounts.verify(name, "wrong", address=address)
    except TooManyAttempts:
        return True
    except NotAuthenticated:
        return False
    raise AssertionError("a wrong password was taken")


def test_a_right_password_tells_who_it_is(accounts: Accounts, mei: str) -> None:
    found = accounts.verify("mei", GOOD, address="10.0.0.1")
    assert found == Identity("mei", Role.ADMIN, "web")


def test_a_name_is_known_in_any_case(accounts: Accounts, mei: str) -> None:
    assert accounts.verify(" MEI ", GOOD, address="").name == "mei"


@pytest.mark.parametrize(
    ("name", "password"),
    [("mei", "wrong"), ("nobody", GOOD), ("", ""), ("mei", "\ud800"), ("\0", "\0")],
)
def test_a_wrong_login_does_not_say_what_was_wrong(
    accounts: Accounts, mei: str, name: str, password: str
) -> None:
    with pytest.raises(NotAuthenticated, match=r"^wrong user name or password$"):
        accounts.verify(name, password, address="10.0.0.1")


def test_a_password_is_hashed_as_owasp_asks(
    store: Store, accounts: Accounts, mei: str
) -> None:
    assert hash_of(store, "mei").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_outdated_hash_is_renewed_at_login(
    store: Store, accounts: Accounts, mei: str
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(GOOD)
    with store.begin() as connection:
        connection.execute(update(app_user).values(password_hash=weak))
    accounts.verify("mei", GOOD, address="")
    assert "m=19456" in hash_of(store, "mei")
    assert accounts.verify("mei", GOOD, address="").name == "mei"


def test_users_are_listed_by_name(accounts: Accounts, mei: str) -> None:
    accounts.add_user("ann", GOOD, role=Role.VIEWER)
    listed = [(user.name, user.role) for user in accounts.list_users()]
    assert listed == [("ann", Role.VIEWER), ("mei", Role.ADMIN)]


def test_a_name_is_taken_once_in_any_case(accounts: Accounts, mei: str) -> None:
    with pytest.raises(AccountError, match="mei already"):
        accounts.add_user("Mei", GOOD, role=Role.VIEWER)


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 65, "a\nb", "<b>", "é"])
def test_an_impossible_name_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="user name"):
        accounts.add_user(name, GOOD, role=Role.VIEWER)


def test_a_weak_password_adds_nobody(accounts: Accounts) -> None:
    with pytest.raises(AccountError, match="too short"):
        accounts.add_user("mei", "short", role=Role.VIEWER)
    assert accounts.list_users() == []


def test_a_changed_password_replaces_the_old_one(accounts: Accounts, mei: str) -> None:
    accounts.set_password("mei", BETTER)
    fail(accounts)
    assert accounts.verify("mei", BETTER, address="").name == "mei"


def test_a_changed_role_counts_at_once(accounts: Accounts, mei: str) -> None:
    accounts.add_user("ann", GOOD, role=Role.VIEWER)
    accounts.set_role("ann", Role.OPERATOR)
    assert accounts.verify("ann", GOOD, address="").role is Role.OPERATOR


def test_a_removed_user_is_unknown(accounts: Accounts, mei: str) -> None:
    accounts.add_user("ann", GOOD, role=Role.ADMIN)
    accounts.remove_user("mei")
    fail(accounts, "mei")


@pytest.mark.parametrize(
    ("change", "values"),
    [("remove_user", []), ("set_role", [Role.ADMIN]), ("set_password", [GOOD])],
)
def test_an_unknown_user_cannot_be_changed(
    accounts: Accounts, change: str, values: list[object]
) -> None:
    with pytest.raises(NotFound, match="there is no user x"):
        getattr(accounts, change)("x", *values)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, None])
def test_the_last_admin_stays(accounts: Accounts, mei: str, role: Role | None) -> None:
    accounts.add_user("ann", GOOD, role=Role.OPERATOR)
    with pytest.raises(AccountError, match="mei is the last admin"):
        accounts.set_role("mei", role) if role else accounts.remove_user("mei")
    assert accounts.verify("mei", GOOD, address="").role is Role.ADMIN


def test_the_last_admin_may_be_made_admin_again(accounts: Accounts, mei: str) -> None:
    accounts.set_role("mei", Role.ADMIN)


def test_of_two_admins_removed_at_once_one_stays(
    url: str, open_store: OpenStore, accounts: Accounts, mei: str
) -> None:
    accounts.add_user("ann", GOOD, role=Role.ADMIN)
    at_once = threading.Barrier(2)

    def remove(name: str) -> str:
        rival = Accounts(open_store(url))
        at_once.wait(10)
        try:
            rival.remove_user(name)
        except AccountError:
            return "kept"
        return "removed"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, ["ann", "mei"])) == ["kept", "removed"]


# -- throttling


def test_too_many_failures_of_a_name_stop_even_the_right_password(
    accounts: Accounts, mei: str
) -> None:
    for number in range(10):
        fail(accounts, address=f"10.0.0.{number}")
    with pytest.raises(TooManyAttempts):
        accounts.verify("mei", GOOD, address="10.0.0.99")


def test_too_many_failures_from_an_address_stop_every_name(
    accounts: Accounts, mei: str
) -> None:
    for number in range(10):
        fail(accounts, f"guess{number}")
    assert is_throttled(accounts, "mei", "10.0.0.1")


def test_other_names_and_addresses_are_free(accounts: Accounts, mei: str) -> None:
    for _ in range(10):
        fail(accounts, "ann", "10.0.0.1")
    assert accounts.verify("mei", GOOD, address="10.0.0.2").name == "mei"


def test_throttling_ends_when_the_oldest_failure_is_old(
    accounts: Accounts, mei: str, clock: FakeClock
) -> None:
    fail(accounts)
    clock.advance(WINDOW / 3)
    for _ in range(9):
        fail(accounts)
    with pytest.raises(TooManyAttempts) as caught:
        accounts.verify("mei", GOOD, address="10.0.0.1")
    assert caught.value.retry_after == WINDOW * 2 / 3
    clock.advance(caught.value.retry_after)
    assert accounts.verify("mei", GOOD, address="10.0.0.1").name == "mei"


def test_tries_at_the_same_moment_all_count(
    url: str, open_store: OpenStore, accounts: Accounts, mei: str
) -> None:
    rival = Accounts(open_store(url, login_attempts=3))
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(is_throttled, rival, "mei", "10.0.0.1") for _ in range(12)]
        assert sorted(each.result() for each in tries) == [False] * 3 + [True] * 9


def test_a_right_login_forgives_this_name_from_this_address(
    accounts: Accounts, mei: str
) -> None:
    for _ in range(9):
        fail(accounts)
    accounts.verify("mei", GOOD, address="10.0.0.1")
    assert not is_throttled(accounts, "mei", "10.0.0.1")


def test_a_right_login_does_not_forgive_guesses_at_other_names(
    accounts: Accounts, mei: str
) -> None:
    for number in range(9):
        fail(accounts, f"guess{number}")
    accounts.verify("mei", GOOD, address="10.0.0.1")
    fail(accounts, "guess9")
    assert is_throttled(accounts, "guess10", "10.0.0.1")


def test_right_logins_are_never_throttled(accounts: Accounts, mei: str) -> None:
    for _ in range(12):
        accounts.verify("mei", GOOD, address="10.0.0.1")


def test_what_was_typed_as_a_name_is_not_kept(
    store: Store, accounts: Accounts, mei: str
) -> None:
    fail(accounts, GOOD)
    with store.read() as connection:
        rows = connection.execute(select(login_attempt)).all()
    assert len(rows) == 1
    assert GOOD not in str(rows)


def test_old_failures_leave_no_rows(
    store: Store, accounts: Accounts, mei: str, clock: FakeClock
) -> None:
    for number in range(5):
        fail(accounts, f"guess{number}")
    clock.advance(WINDOW)
    accounts.verify("mei", GOOD, address="10.0.0.1")
    with store.read() as connection:
        assert connection.execute(select(login_attempt)).all() == []


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("unix", "unix"),
        ("", ""),
        ("x" * 1000, "x" * 200),
    ],
)
def test_an_address_is_counted_with_its_network(address: str, counted_as: str) -> None:
    assert network_of(address) == counted_as


def test_only_so_many_hashes_run_at_once() -> None:
    passwords = Passwords(concurrency=1, timeout=timedelta(milliseconds=10))
    with passwords._slot(), pytest.raises(TooManyAttempts):
        passwords.is_right(GOOD, stored=None)


def test_no_error_of_an_account_is_an_error_of_the_store(accounts: Accounts) -> None:
    with pytest.raises(AccessError):
        accounts.add_user("mei", "short", role=Role.VIEWER)
