"""A hostile host costs its own deadline and an error, never more."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from supervisor_easy.errors import (
    AuthenticationFailed,
    BadReply,
    HostUnreachable,
    RpcError,
)
from supervisor_easy.model import Host
from supervisor_easy.settings import Settings
from tests.builders import a_host
from tests.daemon.conftest import ask, failure
from tests.hostile import (
    OK_REPLY,
    Behaviour,
    HostileHost,
    answers,
    answers_then_closes,
    closes,
    drips,
    floods,
    hangs,
    resets,
    sends,
)

#: Seconds after which a test has hung rather than waited for a deadline.
HUNG = 8.0

XML = b"<?xml version='1.0'?>"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"


def reply(value: bytes) -> bytes:
    return (
        XML + b"<methodResponse><params><param>" + value + b"</param></params>"
        b"</methodResponse>"
    )


BOMB = (
    XML + b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">'
    b"]><methodResponse><params><param><value>&b;</value></param></params>"
    b"</methodResponse>"
)

BAD_BODIES = {
    "entity bomb": BOMB,
    "document type in another encoding": BOMB.decode().encode("utf-16"),
    "nothing": b"",
    "a web page": b"<html><body>Welcome to nginx!</body></html>",
    "garbage": bytes(range(256)) * 20,
    "cut off": OK_REPLY[:-20],
    "another root": XML + b"<methodCall><methodName>x</methodName></methodCall>",
    "deep nesting": reply(
        b"<value><array><data>" * 5000 + b"</data></array></value>" * 5000
    ),
    "very deep nesting": reply(b"<value>" * 300_000 + b"</value>" * 300_000),
    "too many tags": reply(b"<value/>" * 1_700_000),
    "no type of ours": reply(b"<value><evil>1</evil></value>"),
    "a number that is none": reply(b"<value><int>12x</int></value>"),
    "an endless number": reply(b"<value><int>" + b"9" * 100_000 + b"</int></value>"),
    "a boolean of two": reply(b"<value><boolean>2</boolean></value>"),
    "a struct without values": reply(
        b"<value><struct><member><name>a</name></member></struct></value>"
    ),
    "an array without data": reply(b"<value><array/></value>"),
    "a fault without code": XML + b"<methodResponse><fault><value>no</value></fault>"
    b"</methodResponse>",
    "fewer answers than questions": reply(b"<value><array><data/></array></value>"),
    "a boolean for processes": OK_REPLY,
    "a latin-1 declaration": b"<?xml version='1.0' encoding='latin-1'?><a>\xe9</a>",
}

UNREACHABLE: dict[str, tuple[Behaviour, str]] = {
    "closes": (closes, "closed"),
    "resets": (resets, "closed"),
    "hangs": (hangs, "timeout"),
    "one byte at a time": (
        drips(HEAD + b"Content-Length: 1000000\r\n\r\n" + XML),
        "timeout",
    ),
    "one header at a time": (drips(HEAD, drop=b"X: y\r\n", every=0.02), "timeout"),
    "slow status line": (drips(b"HTTP/1.1 200 O", drop=b"K"), "timeout"),
    "waiting chunks": (
        drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", drop=b"1\r\nx\r\n"),
        "timeout",
    ),
}

BAD_HTTP: dict[str, Behaviour] = {
    "no HTTP": sends(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "shorter than announced": sends(HEAD + b"Content-Length: 9999\r\n\r\n" + OK_REPLY),
    "broken chunks": sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a negative length": sends(HEAD + b"Content-Length: -5\r\n\r\n" + OK_REPLY),
    "an endless header": floods(HEAD + b"X: ", b"y" * 4096),
    "endless headers": floods(HEAD, b"X-Y: z\r\n" * 512),
    "an endless body": floods(HEAD + b"\r\n", b" " * 65536),
    "endless chunks": floods(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"1000\r\n" + b"x" * 4096 + b"\r\n",
    ),
    "a compressed body": answers(b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}),
}


def within_deadline(host_error: Callable[[], RpcError]) -> RpcError:
    began = time.monotonic()
    error = host_error()
    assert time.monotonic() - began < HUNG, "it outlived its deadline"
    return error


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_no_reply_is_a_bad_reply(name: str) -> None:
    with HostileHost(answers(BAD_BODIES[name])) as hostile:
        error = within_deadline(lambda: failure(hostile.host))

    assert isinstance(error, BadReply)
    assert str(error).startswith("hostile: ")


@pytest.mark.parametrize("name", BAD_HTTP)
def test_an_answer_that_is_no_proper_http_is_a_bad_reply(
    name: str, settings: Settings
) -> None:
    small = settings.model_copy(update={"max_reply_bytes": 1 << 20})
    with HostileHost(BAD_HTTP[name]) as hostile:
        error = within_deadline(lambda: failure(hostile.host, settings=small))

    assert isinstance(error, BadReply)


@pytest.mark.parametrize("name", UNREACHABLE)
def test_no_full_answer_within_the_deadline_is_unreachable(name: str) -> None:
    behaviour, reason = UNREACHABLE[name]
    with HostileHost(behaviour) as hostile:
        error = within_deadline(lambda: failure(hostile.impatient))

    assert isinstance(error, HostUnreachable)
    assert error.reason == reason


def test_the_deadline_names_what_was_waited_for() -> None:
    with HostileHost(hangs) as hostile:
        error = failure(hostile.impatient)

    assert "took the request and did not finish its answer in 400ms" in str(error)


def test_an_announced_size_above_the_bound_is_refused_unread(
    settings: Settings,
) -> None:
    huge = sends(HEAD + b"Content-Length: 99999999999\r\n\r\n", is_closing=False)
    with HostileHost(huge) as hostile:
        error = failure(hostile.host, settings=settings)

    assert isinstance(error, BadReply)
    assert "max_reply_bytes" in str(error)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_password_is_told_apart(status: int) -> None:
    with HostileHost(answers(b"", status=status)) as hostile:
        error = failure(hostile.host)

    assert isinstance(error, AuthenticationFailed)


@pytest.mark.parametrize(
    ("status", "words"),
    [(500, "its own log"), (404, "/RPC2"), (400, "/RPC2"), (502, "proxy")],
)
def test_an_http_status_comes_with_advice(status: int, words: str) -> None:
    with HostileHost(answers(b"", status=status)) as hostile:
        error = failure(hostile.host)

    assert isinstance(error, BadReply)
    assert error.status == status
    assert words in str(error)


def test_a_redirect_is_not_followed_and_says_where_to() -> None:
    location = "http://me:s3cret@elsewhere.test/RPC2?token=s3cret"
    with HostileHost(
        answers(b"", status=302, headers={"Location": location})
    ) as hostile:
        error = failure(hostile.host)

    assert isinstance(error, BadReply)
    assert "http://elsewhere.test/RPC2" in str(error)
    assert "s3cret" not in str(error)
    assert len(hostile.exchanges) == 1


def test_a_stale_kept_connection_is_retried_once_for_a_question() -> None:
    with HostileHost(answers_then_closes(1)) as hostile:

        async def two_questions(supervisor: object) -> list[object]:
            read = supervisor.read_main_log  # type: ignore[attr-defined]
            first = await _attempt(read)
            return [first, await _attempt(read)]

        ask(hostile.host, two_questions)

    # The first, the second on the stale connection, and its one retry.
    assert len(hostile.exchanges) == 3


async def _attempt(read: Callable[..., object]) -> object:
    try:
        return await read(offset=0, length=10)  # type: ignore[misc]
    except RpcError as error:
        return error


def test_a_command_is_never_sent_twice() -> None:
    with HostileHost(answers_then_closes(1)) as hostile:
        answer = ask(
            hostile.host,
            lambda s: s.signal_many(["a:b"], "HUP"),
            lambda s: s.signal_many(["a:b"], "HUP"),
        )

    (error,) = answer
    assert isinstance(error, HostUnreachable)
    assert error.maybe_executed
    assert len(hostile.exchanges) == 2


def test_commands_after_a_failed_batch_are_not_sent(settings: Settings) -> None:
    two = settings.model_copy(update={"action_batch": 2})
    names = [f"a:{number}" for number in range(5)]
    with HostileHost(closes) as hostile:
        answer = ask(hostile.host, lambda s: s.stop_many(names), settings=two)

    assert len(hostile.exchanges) == 1
    assert [error.maybe_executed for error in answer] == [True] * 2 + [False] * 3


def test_a_refused_connection_was_certainly_not_carried_out() -> None:
    with HostileHost(closes) as hostile:
        host = hostile.host

    (error,) = ask(host, lambda s: s.stop_many(["a:b"]))

    assert isinstance(error, HostUnreachable)
    assert (error.reason, error.maybe_executed) == ("refused", False)


def test_polls_use_a_connection_of_their_own_each() -> None:
    with HostileHost(answers()) as hostile:
        ask(hostile.host, lambda s: s.fetch(), lambda s: s.fetch())

    assert hostile.connections == 2


def test_commands_share_a_connection() -> None:
    many = reply(b"<value><array><data><value>x</value></data></array></value>")
    with HostileHost(answers(many)) as hostile:
        ask(
            hostile.host,
            lambda s: s.stop_many(["a:b"]),
            lambda s: s.stop_many(["a:b"]),
        )

    assert hostile.connections == 1


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", "/RPC2"),
        ("/", "/RPC2"),
        ("/web1", "/web1/RPC2"),
        ("/web1/", "/web1/RPC2"),
        ("/web1/RPC2", "/web1/RPC2"),
    ],
)
def test_the_path_of_the_url_comes_before_supervisords_own(
    path: str, asked: str
) -> None:
    with HostileHost(answers()) as hostile:
        prefixed = replace(hostile.host, url=f"{hostile.host.url}{path}")
        ask(prefixed, lambda s: s.fetch())

    assert [each.path for each in hostile.exchanges] == [asked]


def test_credentials_go_as_utf8_in_a_header_of_ours() -> None:
    with HostileHost(answers()) as hostile:
        ask(hostile.host, lambda s: s.fetch())

    assert (
        b"Authorization: Basic ZmxlZXQ6czNjcmV0LVDDpHNzd29yZA=="
        in hostile.exchanges[0].head
    )


def test_cookies_are_not_sent_back() -> None:
    with HostileHost(answers(headers={"Set-Cookie": "a=b"})) as hostile:
        ask(hostile.host, lambda s: s.fetch(), lambda s: s.fetch())

    assert b"cookie" not in hostile.exchanges[1].head.lower()


def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with HostileHost(answers()) as hostile:
        ask(hostile.host, lambda s: s.fetch())

    assert len(hostile.exchanges) == 1


@pytest.mark.parametrize(
    "host",
    [
        a_host(url="http://scan..test:9001"),
        a_host(url=f"http://{'a' * 64}.test:9001"),
        a_host(url="http://xn--a:9001"),
        a_host(url="http://scan01.test:70000"),
        a_host(url="http://[::1"),
        a_host(username="fleet", password="hunter2\udc80"),
        a_host(url="https://127.0.0.1:1", ca_file="/etc/\0"),
        a_host(url="unix:///run/a%00b"),
    ],
    ids=lambda host: f"{host.url[:30]} {host.ca_file} {host.username}",
)
def test_what_cannot_be_sent_is_an_error_of_its_host_without_its_password(
    host: Host,
) -> None:
    error = failure(host)

    assert isinstance(error, HostUnreachable)
    assert not error.maybe_executed
    assert "hunter2" not in f"{error} {error.__cause__!r}"
