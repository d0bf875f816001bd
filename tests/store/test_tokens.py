"""Tokens of programs."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from supervisor_easy.access import Identity, Role
from supervisor_easy.errors import AccountError, NotAuthenticated, NotFound
from supervisor_easy.store import Store
from supervisor_easy.store.accounts import Accounts
from supervisor_easy.store.tables import token
from supervisor_easy.store.tokens import Tokens
from tests.builders import START
from tests.fake_clock import FakeClock
from tests.store.conftest import OpenStore

GOOD = "correct horse battery"


@pytest.fixture
def tokens(store: Store) -> Tokens:
    return Tokens(store)


def is_known(tokens: Tokens, secret: str) -> bool:
    try:
        tokens.identify(secret)
    except NotAuthenticated:
        return False
    return True


def test_a_token_is_known_by_its_name(tokens: Tokens) -> None:
    made = tokens.add("deploy", Role.OPERATOR)
    expected = Identity("token:deploy", Role.OPERATOR, "api")
    assert tokens.identify(made.secret) == expected


def test_a_secret_is_recognisable_and_has_256_bits(tokens: Tokens) -> None:
    secret = tokens.add("deploy", Role.VIEWER).secret
    assert (secret[:6], len(secret)) == ("fleet_", 49)


def test_a_secret_is_shown_once(store: Store, tokens: Tokens) -> None:
    made = tokens.add("deploy", Role.VIEWER)
    with store.read() as connection:
        kept = str(connection.execute(select(token)).all())
    assert [made.secret in text for text in (kept, repr(made), str(tokens.list()))] == [
        False
    ] * 3


@pytest.mark.parametrize("secret", ["", "fleet_", "fleet_x", "x", "\0", "fleet_\ud800"])
def test_any_other_secret_is_nobody(tokens: Tokens, secret: str) -> None:
    tokens.add("deploy", Role.VIEWER)
    assert not is_known(tokens, secret)


def test_a_secret_without_its_prefix_is_nobody(tokens: Tokens) -> None:
    assert not is_known(tokens, tokens.add("x", Role.VIEWER).secret[6:])


def test_a_token_ends_after_its_lifetime(tokens: Tokens, clock: FakeClock) -> None:
    secret = tokens.add("x", Role.VIEWER, lifetime=timedelta(days=1)).secret
    clock.advance(timedelta(hours=23))
    assert is_known(tokens, secret)
    clock.advance(timedelta(hours=1))
    assert not is_known(tokens, secret)


def test_a_revoked_token_is_nobody(tokens: Tokens) -> None:
    made = tokens.add("x", Role.VIEWER)
    tokens.revoke(made.info.id)
    assert not is_known(tokens, made.secret)


def test_an_unknown_token_cannot_be_revoked(tokens: Tokens) -> None:
    with pytest.raises(NotFound, match="no token 7"):
        tokens.revoke(7)


def test_use_is_noted_once_a_minute(tokens: Tokens, clock: FakeClock) -> None:
    secret = tokens.add("x", Role.VIEWER).secret
    seen = [tokens.list()[0].last_used_at]
    for seconds in (0, 59, 1):
        clock.advance(seconds)
        tokens.identify(secret)
        seen.append(tokens.list()[0].last_used_at)
    minute = timedelta(minutes=1)
    assert seen == [None, START, START, START + minute]


def test_a_database_that_cannot_be_written_locks_no_program_out(
    own_url: str, open_store: OpenStore, clock: FakeClock
) -> None:
    store = open_store(own_url, store_timeout="100ms")
    tokens = Tokens(store)
    secret = tokens.add("x", Role.VIEWER).secret
    # A writer that never ends keeps the use from being noted.
    with open_store(own_url).begin():
        assert is_known(tokens, secret)


def test_a_token_without_a_name_is_refused(tokens: Tokens) -> None:
    with pytest.raises(AccountError, match="needs a name"):
        tokens.add(" ", Role.VIEWER)


def test_a_token_of_a_user_acts_as_that_user(
    tokens: Tokens, accounts: Accounts
) -> None:
    accounts.add_user("mei", GOOD, role=Role.ADMIN)
    made = tokens.add("laptop", Role.OPERATOR, user="mei")
    assert tokens.identify(made.secret) == Identity("mei", Role.OPERATOR, "api")
    assert [each.name for each in tokens.list("mei")] == ["laptop"]


def test_a_token_never_outranks_its_user(tokens: Tokens, accounts: Accounts) -> None:
    accounts.add_user("mei", GOOD, role=Role.OPERATOR)
    with pytest.raises(AccountError, match="mei is operator"):
        tokens.add("laptop", Role.ADMIN, user="mei")
    made = tokens.add("laptop", Role.OPERATOR, user="mei")
    accounts.set_role("mei", Role.VIEWER)
    assert tokens.identify(made.secret).role is Role.VIEWER


def test_a_removed_user_s_tokens_end(tokens: Tokens, accounts: Accounts) -> None:
    accounts.add_user("mei", GOOD, role=Role.VIEWER)
    secret = tokens.add("laptop", Role.VIEWER, user="mei").secret
    accounts.remove_user("mei")
    assert not is_known(tokens, secret)


def test_a_token_of_an_unknown_user_is_refused(tokens: Tokens) -> None:
    with pytest.raises(NotFound, match="no user mei"):
        tokens.add("laptop", Role.VIEWER, user="mei")
