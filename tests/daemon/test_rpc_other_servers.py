"""Supervisords of another kind: no multicall, no configuration, faults of their own."""

import re
import xmlrpc.client
from collections.abc import Callable

import pytest

from supervisor_easy.errors import NotRunning, UnknownMethod
from tests.daemon.conftest import ask, failure
from tests.hostile import Behaviour, Exchange, HostileHost

PROCESS = {"group": "g", "name": "p", "state": 20, "pid": 5, "now": 1_795_200_000}

Method = Callable[..., object]


def serves(methods: dict[str, Method]) -> Behaviour:
    """Answer as a server in Go does: plain calls, and its own words for unknown ones."""

    async def behave(exchange: Exchange) -> None:
        params, name = xmlrpc.client.loads(exchange.body)
        method = methods.get(re.sub("^supervisor.", "", name or ""))
        if method is None:
            fault = xmlrpc.client.Fault(-32500, f'rpc: can\'t find method "{name}"')
            body = xmlrpc.client.dumps(fault)
        else:
            try:
                result = method(*params)
                body = xmlrpc.client.dumps((result,), methodresponse=True)
            except xmlrpc.client.Fault as fault:
                body = xmlrpc.client.dumps(fault)
        await exchange.answer(body.encode())

    return behave


def calls(hostile: HostileHost) -> list[str]:
    return [str(xmlrpc.client.loads(each.body)[1]) for each in hostile.exchanges]


def not_running(name: str, _wait: object) -> bool:
    if name == "g:down":
        raise xmlrpc.client.Fault(70, "NOT_RUNNING")
    return True


PLAIN: dict[str, Method] = {
    "getSupervisorVersion": lambda: "3.0",
    "getAllProcessInfo": lambda: [PROCESS],
    "stopProcess": not_running,
}


def test_a_host_without_multicall_is_asked_one_by_one() -> None:
    with HostileHost(serves(PLAIN)) as hostile:
        observation = ask(hostile.host, lambda s: s.observe())

    assert [each.namespec for each in observation.processes] == ["g:p"]
    assert (observation.identification, observation.supervisord_pid) == ("", 0)


def test_the_lack_of_multicall_is_remembered() -> None:
    with HostileHost(serves(PLAIN)) as hostile:
        ask(hostile.host, lambda s: s.observe(), lambda s: s.observe())

    assert calls(hostile).count("system.multicall") == 1


def test_commands_go_one_by_one_and_each_gets_its_answer() -> None:
    with HostileHost(serves(PLAIN)) as hostile:
        first, second = ask(hostile.host, lambda s: s.stop_many(["g:p", "g:down"]))

    assert first is None
    assert isinstance(second, NotRunning)
    assert calls(hostile).count("supervisor.stopProcess") == 2


def test_a_host_without_configuration_is_asked_for_it_once() -> None:
    async def twice(supervisor: object) -> None:
        for _ in range(2):
            with pytest.raises(UnknownMethod):
                await supervisor.configs()  # type: ignore[attr-defined]

    with HostileHost(serves(PLAIN)) as hostile:
        ask(hostile.host, twice)

    assert calls(hostile).count("supervisor.getAllConfigInfo") == 1


def test_a_host_without_any_of_it_is_no_supervisord_to_us() -> None:
    with HostileHost(serves({})) as hostile:
        error = failure(hostile.host)

    assert isinstance(error, UnknownMethod)
