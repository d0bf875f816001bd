"""Looks at supervisords by other means than the program under test.

Plain sockets and the standard library's XML-RPC; it knows nothing of our code, so it
judges ours and others' alike.
"""

import asyncio
import re
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

#: Seconds for one exchange.
PATIENCE = 60.0
#: Hosts asked at the same moment.
PARALLEL = 16
#: Seconds between two looks at those that are not done.
PAUSE = 0.2

Address = tuple[str, int]
#: (host's address, "group:name")
Key = tuple[Address, str]

_ENTERED_RUNNING = re.compile(
    r"^(\S+ \S+),(\d+) INFO success: (\S+) entered RUNNING state", re.MULTILINE
)


@dataclass(frozen=True)
class Seen:
    """One process as its host reports it."""

    state: str
    pid: int


def request_body(method: str, *params: object) -> bytes:
    """Return the body of a call."""
    return xmlrpc.client.dumps(params, method).encode()  # type: ignore[arg-type]


async def exchange(address: Address, body: bytes) -> bytes:
    """Post one body on a connection of its own and return the reply's."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(*address)
        try:
            head = f"POST /RPC2 HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            reply = await reader.read()
        finally:
            writer.close()
    return reply[reply.index(b"\r\n\r\n") + 4 :]


async def call(address: Address, method: str, *params: object) -> Any:
    """Call one method of supervisord."""
    reply = await exchange(address, request_body(f"supervisor.{method}", *params))
    (value,), _ = xmlrpc.client.loads(reply.decode())
    return value


async def look(addresses: Iterable[Address], *, group: str = "") -> dict[Key, Seen]:
    """Return the processes of these hosts, those of one group if it is named."""
    slots = asyncio.Semaphore(PARALLEL)
    seen: dict[Key, Seen] = {}

    async def ask(address: Address) -> None:
        async with slots:
            for each in await call(address, "getAllProcessInfo"):
                if not group or each["group"] == group:
                    key = (address, f"{each['group']}:{each['name']}")
                    seen[key] = Seen(each["statename"], each["pid"])

    await asyncio.gather(*(ask(address) for address in addresses))
    return seen


def replaced(before: Mapping[Key, Seen], after: Mapping[Key, Seen]) -> set[Key]:
    """Return those that run under another pid than before."""
    return {
        key
        for key, was in before.items()
        if key in after
        and after[key].state == "RUNNING"
        and after[key].pid not in (0, was.pid)
    }


async def await_replacement(before: Mapping[Key, Seen], *, within: float) -> set[Key]:
    """Look again and again until all run under new pids; return those that do not.

    Only hosts that still owe something are asked, so that looking costs them little.
    """
    give_up_at = asyncio.get_running_loop().time() + within
    missing = set(before)
    while missing:
        seen = await look(sorted({address for address, _ in missing}))
        missing -= replaced(before, seen)
        if not missing or asyncio.get_running_loop().time() >= give_up_at:
            break
        await asyncio.sleep(PAUSE)
    return missing


async def await_running(
    addresses: Iterable[Address], *, processes: int, within: float
) -> None:
    """Wait until each host reports so many processes, all RUNNING."""
    waiting = set(addresses)
    give_up_at = asyncio.get_running_loop().time() + within
    while waiting:
        seen = await look(sorted(waiting))
        for address in tuple(waiting):
            mine = [each for (where, _), each in seen.items() if where == address]
            if len(mine) >= processes and all(e.state == "RUNNING" for e in mine):
                waiting.discard(address)
        if asyncio.get_running_loop().time() >= give_up_at and waiting:
            raise TimeoutError(f"{len(waiting)} hosts are not up after {within:g} s")
        await asyncio.sleep(PAUSE)


def running_times(log: Path, *, since: float) -> dict[str, float]:
    """Return when each process last became RUNNING, by supervisord's own log.

    The log tells milliseconds and costs the host nothing, which asking it would.
    """
    text = log.read_text(errors="replace")
    times: dict[str, float] = {}
    for second, thousandths, name in _ENTERED_RUNNING.findall(text):
        # supervisord writes local time without a zone, on this very machine.
        at = datetime.fromisoformat(second).timestamp() + int(thousandths) / 1000
        if at >= since:
            times[name] = at
    return times
