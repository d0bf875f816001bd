"""Errors name host and process, help, and never hold a password."""

import asyncio
import errno
import ssl

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.errors import (
    AlreadyStarted,
    Fault,
    NotRunning,
    RpcError,
    ShuttingDown,
    SpawnFailed,
    StoppedEarly,
    UnknownMethod,
    UnknownProcess,
)
from supervisor_easy.model import Host
from supervisor_easy.rpc.codec import FaultItem
from supervisor_easy.rpc.faults import MAX_TEXT, fault_error, tidy
from supervisor_easy.rpc.network import (
    network_error,
    status_error,
    timeout_error,
    unusable_reply,
)
from supervisor_easy.rpc.supervisor import UndecodableLog
from tests.builders import a_host

SECRET = "hunter2-Geheim"

EXCEPTIONS = (
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError(f"not all data {SECRET}"),
    aiohttp.ClientError(f"something with {SECRET}"),
    aiohttp.InvalidURL(f"http://u:{SECRET}@h"),
    ConnectionRefusedError(errno.ECONNREFUSED, SECRET),
    OSError(errno.EHOSTUNREACH, SECRET),
    FileNotFoundError(errno.ENOENT, SECRET),
    ssl.SSLError(1, f"[SSL] {SECRET}"),
    TimeoutError(SECRET),
    asyncio.IncompleteReadError(b"", 5),
)


def secretive() -> Host:
    return a_host(
        url=f"https://fleet:{SECRET}@scan01.test:9001/RPC2",
        username="fleet",
        password=SECRET,
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, UnknownMethod),
        (6, ShuttingDown),
        (10, UnknownProcess),
        (20, SpawnFailed),
        (21, SpawnFailed),
        (40, StoppedEarly),
        (50, SpawnFailed),
        (60, AlreadyStarted),
        (70, NotRunning),
        (30, Fault),
        (4711, Fault),
    ],
)
def test_a_fault_code_has_its_error(code: int, kind: type[Fault]) -> None:
    error = fault_error(FaultItem(code, "T: x"), host="h", method="m", process="g:p")

    assert type(error) is kind
    assert isinstance(error, Fault)
    assert error.fault_code == code
    assert str(error).startswith("h/g:p: ")


def test_a_method_lacked_by_another_server_is_unknown() -> None:
    fault = FaultItem(-32500, 'rpc: can\'t find method "system.multicall"')

    assert isinstance(fault_error(fault, host="h", method="m"), UnknownMethod)


def test_a_slip_over_log_bytes_is_an_undecodable_log() -> None:
    text = (
        "FAILED: <class 'AttributeError'>:type object 'Faults' has no attribute 'utf-8'"
    )

    error = fault_error(FaultItem(30, text), host="h", method="m")

    assert isinstance(error, UndecodableLog)


@given(st.text(max_size=2000))
def test_texts_of_hosts_become_one_short_printable_line(text: str) -> None:
    line = tidy(text)

    assert len(line) <= MAX_TEXT
    assert not any(ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 for each in line)
    line.encode()


@pytest.mark.parametrize("exc", EXCEPTIONS, ids=lambda exc: type(exc).__name__)
@pytest.mark.parametrize("was_sent", [False, True])
def test_no_network_error_holds_the_password(exc: Exception, *, was_sent: bool) -> None:
    error = network_error(exc, secretive(), was_sent=was_sent)

    assert_secretive(error)


@given(st.integers(100, 599))
def test_no_status_error_holds_the_password(status: int) -> None:
    location = f"https://fleet:{SECRET}@elsewhere.test/x?password={SECRET}#{SECRET}"

    assert_secretive(status_error(status, location, secretive()))


def test_no_other_error_holds_the_password() -> None:
    assert_secretive(timeout_error(secretive(), was_sent=True))
    assert_secretive(unusable_reply(secretive(), "it is garbage"))


def assert_secretive(error: RpcError) -> None:
    assert SECRET not in f"{error} {error!r} {vars(error)}"
    assert str(error).startswith("scan01: ")
