"""Who changed who may do what: kept in the history, with the change or not at all."""

from collections.abc import Callable

import pytest

from supervisor_easy.access import Role
from supervisor_easy.errors import AccountError, NotAuthenticated, TooManyAttempts
from supervisor_easy.model import Actor, EventKind
from supervisor_easy.store import Store
from supervisor_easy.store.accounts import Accounts
from supervisor_easy.store.events import Events
from supervisor_easy.store.sessions import Sessions
from supervisor_easy.store.tokens import Tokens
from tests.store.conftest import OpenStore

GOOD = "correct horse battery"
ROOT = Actor("root", "cli")
ADDRESS = "10.0.0.1"


@pytest.fixture
def tokens(store: Store) -> Tokens:
    return Tokens(store)


@pytest.fixture
def mei(accounts: Accounts) -> str:
    """The only user, an admin, added by nobody in particular."""
    return accounts.add_user("mei", GOOD, role=Role.ADMIN).name


def told(events: Events) -> list[tuple[str, str]]:
    found = events.query(kinds=[EventKind.ACCESS], after_id=0)
    return [(each.message, each.cause) for each in found]


def fail(accounts: Accounts, name: str, *, times: int) -> None:
    for _ in range(times):
        with pytest.raises((NotAuthenticated, TooManyAttempts)):
            accounts.verify(name, "wrong", address=ADDRESS)


Change = Callable[[Accounts, Tokens], object]
CHANGES: list[tuple[Change, str]] = [
    (
        lambda accounts, _: accounts.add_user(" Ann ", GOOD, role=Role.VIEWER, by=ROOT),
        "user ann added as viewer",
    ),
    (
        lambda accounts, _: accounts.set_password("Mei", GOOD, by=ROOT),
        "password of user mei changed",
    ),
    (
        lambda accounts, _: accounts.set_role("mei", Role.ADMIN, by=ROOT),
        "user mei is admin now",
    ),
    (
        lambda _, tokens: tokens.add("deploy", Role.OPERATOR, by=ROOT),
        "token deploy made, operator",
    ),
    (
        lambda _, tokens: tokens.add("laptop", Role.VIEWER, user="mei", by=ROOT),
        "token laptop made, viewer, of mei",
    ),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_change_is_told_with_who_made_it(
    accounts: Accounts,
    tokens: Tokens,
    events: Events,
    mei: str,
    change: Change,
    message: str,
) -> None:
    change(accounts, tokens)
    assert told(events) == [(message, "root via cli")]


def test_a_removal_is_told(
    accounts: Accounts, tokens: Tokens, events: Events, mei: str
) -> None:
    accounts.add_user("ann", GOOD, role=Role.VIEWER)
    token = tokens.add("laptop", Role.VIEWER, user="ann").info
    tokens.revoke(token.id, by=ROOT)
    accounts.remove_user("ann", by=ROOT)
    assert told(events) == [
        ("token laptop revoked, of ann", "root via cli"),
        ("user ann removed", "root via cli"),
    ]


def test_a_change_by_nobody_named_is_not_told(events: Events, mei: str) -> None:
    assert told(events) == []


def test_a_change_that_was_refused_is_not_told(
    accounts: Accounts, events: Events, mei: str
) -> None:
    with pytest.raises(AccountError):
        accounts.remove_user("mei", by=ROOT)
    assert told(events) == []


def test_a_login_is_told_with_its_address(
    accounts: Accounts, events: Events, mei: str
) -> None:
    accounts.verify("Mei", GOOD, address=ADDRESS)
    assert told(events) == [("mei logged in from 10.0.0.1", "mei via web")]


def test_the_failure_that_ends_all_tries_is_told_once(
    url: str, open_store: OpenStore
) -> None:
    store = open_store(url, login_attempts=3)
    accounts, events = Accounts(store), Events(store)
    accounts.add_user("mei", GOOD, role=Role.ADMIN)
    fail(accounts, "mei", times=2)
    assert told(events) == []
    fail(accounts, "mei", times=10)
    message = "too many failed logins as mei from 10.0.0.1"
    assert told(events) == [(message, "somebody via web")]


def test_a_right_password_at_the_last_try_is_a_login(
    url: str, open_store: OpenStore
) -> None:
    store = open_store(url, login_attempts=3)
    accounts, events = Accounts(store), Events(store)
    accounts.add_user("mei", GOOD, role=Role.ADMIN)
    fail(accounts, "mei", times=2)
    accounts.verify("mei", GOOD, address=ADDRESS)
    assert told(events) == [("mei logged in from 10.0.0.1", "mei via web")]


def test_what_was_typed_as_a_name_is_not_told(url: str, open_store: OpenStore) -> None:
    store = open_store(url, login_attempts=3)
    fail(Accounts(store), "my password", times=3)
    message = "too many failed logins from 10.0.0.1"
    assert told(Events(store)) == [(message, "somebody via web")]


def test_a_logout_is_told_once(
    accounts: Accounts, store: Store, events: Events, mei: str
) -> None:
    sessions = Sessions(store)
    secret = sessions.open("mei")
    sessions.end(secret)
    sessions.end(secret)
    assert told(events) == [("mei logged out", "mei via web")]


def test_a_session_that_somebody_else_ends_is_told(
    accounts: Accounts, store: Store, events: Events, mei: str
) -> None:
    sessions = Sessions(store)
    sessions.open("mei")
    sessions.revoke(sessions.list()[0].id, by=ROOT)
    assert told(events) == [("session of mei ended", "root via cli")]
