"""What tests on real sockets share: a way to ask one host one thing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from supervisor_easy.clock import SystemClock
from supervisor_easy.errors import RpcError
from supervisor_easy.model import Host
from supervisor_easy.rpc.client import XmlRpcSupervisor
from supervisor_easy.rpc.transport import Connections
from supervisor_easy.settings import Settings

T = TypeVar("T")


def ask(
    host: Host,
    *questions: Callable[[XmlRpcSupervisor], Awaitable[Any]],
    settings: Settings | None = None,
) -> Any:
    """Ask a host in one go over the same connections; return the last answer."""
    settings = settings or Settings()

    async def go() -> Any:
        async with Connections(settings) as connections:
            supervisor = XmlRpcSupervisor(
                host, connections, settings=settings, clock=SystemClock()
            )
            answer = None
            for question in questions:
                answer = await question(supervisor)
            return answer

    return asyncio.run(go())


def failure(
    host: Host,
    *questions: Callable[[XmlRpcSupervisor], Awaitable[Any]],
    settings: Settings | None = None,
) -> RpcError:
    """Return the error that asking a host raises (`observe` unless given)."""
    with pytest.raises(RpcError) as caught:
        ask(host, *(questions or (lambda s: s.observe(),)), settings=settings)
    return caught.value
