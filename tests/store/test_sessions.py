"""Logins of browsers."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from supervisor_easy.access import Identity, Role
from supervisor_easy.errors import NotAuthenticated
from supervisor_easy.store import Store
from supervisor_easy.store.accounts import Accounts
from supervisor_easy.store.sessions import Sessions
from supervisor_easy.store.tables import session
from tests.fake_clock import FakeClock

GOOD = "correct horse battery"


@pytest.fixture
def sessions(store: Store, accounts: Accounts) -> Sessions:
    """The sessions of mei and ann."""
    accounts.add_user("mei", GOOD, role=Role.ADMIN)
    accounts.add_user("ann", GOOD, role=Role.VIEWER)
    return Sessions(store)


def is_open(sessions: Sessions, secret: str) -> bool:
    try:
        sessions.identify(secret)
    except NotAuthenticated:
        return False
    return True


def test_a_session_is_its_user(sessions: Sessions) -> None:
    secret = sessions.open("mei", address="10.0.0.1", user_agent="Firefox")
    assert sessions.identify(secret) == Identity("mei", Role.ADMIN, "web")


def test_secrets_have_256_bits_and_differ(sessions: Sessions) -> None:
    secrets = {sessions.open("mei") for _ in range(3)}
    assert [len(each) for each in secrets] == [43] * 3


def test_the_secret_is_not_in_the_database(store: Store, sessions: Sessions) -> None:
    secret = sessions.open("mei")
    with store.read() as connection:
        assert secret not in str(connection.execute(select(session)).all())


@pytest.mark.parametrize("secret", ["", "x", "\0", "\ud800", "x" * 10_000])
def test_any_other_secret_is_nobody(sessions: Sessions, secret: str) -> None:
    assert not is_open(sessions, secret)


def test_the_listed_id_is_no_secret(sessions: Sessions) -> None:
    sessions.open("mei")
    assert not is_open(sessions, sessions.list()[0].id)


def test_a_session_ends_by_itself(sessions: Sessions, clock: FakeClock) -> None:
    secret = sessions.open("mei")
    clock.advance(timedelta(hours=12) - timedelta(seconds=1))
    assert is_open(sessions, secret)
    clock.advance(1)
    assert not is_open(sessions, secret)


def test_ended_sessions_leave_no_rows(
    store: Store, sessions: Sessions, clock: FakeClock
) -> None:
    sessions.open("mei")
    clock.advance(timedelta(hours=13))
    sessions.open("ann")
    with store.read() as connection:
        assert len(connection.execute(select(session)).all()) == 1


def test_logging_out_ends_this_session_only(sessions: Sessions) -> None:
    one, other = sessions.open("mei"), sessions.open("mei")
    sessions.end(one)
    assert (is_open(sessions, one), is_open(sessions, other)) == (False, True)


def test_a_listed_session_can_be_revoked(sessions: Sessions) -> None:
    secret = sessions.open("mei", address="10.0.0.1", user_agent="Firefox")
    listed = sessions.list("mei")[0]
    assert (listed.user, listed.address) == ("mei", "10.0.0.1")
    sessions.revoke(listed.id)
    assert not is_open(sessions, secret)


def test_a_changed_password_ends_the_user_s_sessions(
    sessions: Sessions, accounts: Accounts
) -> None:
    mine, hers = sessions.open("mei"), sessions.open("ann")
    accounts.set_password("mei", "staple of an old lighthouse")
    assert (is_open(sessions, mine), is_open(sessions, hers)) == (False, True)


def test_a_removed_user_s_sessions_end(sessions: Sessions, accounts: Accounts) -> None:
    secret = sessions.open("ann")
    accounts.remove_user("ann")
    assert not is_open(sessions, secret)


def test_a_changed_role_counts_in_open_sessions(
    sessions: Sessions, accounts: Accounts
) -> None:
    secret = sessions.open("ann")
    accounts.set_role("ann", Role.OPERATOR)
    assert sessions.identify(secret).role is Role.OPERATOR


def test_nobody_gets_no_session(sessions: Sessions) -> None:
    with pytest.raises(NotAuthenticated):
        sessions.open("nobody")
