"""`XmlRpcSupervisor`: the seam's real implementation, over XML-RPC.

Stateless but for what it learnt of the host (which calls it lacks). It never retries
what changes something, and never stops and starts in one request: if we went away in
between, supervisord would drop the start.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from supervisor_easy.clock import Clock
from supervisor_easy.errors import (
    BadReply,
    Fault,
    HostUnreachable,
    NotRunning,
    RpcError,
    UnknownMethod,
)
from supervisor_easy.model import Host, Observation, ProcessConfig, Stream
from supervisor_easy.rpc import replies
from supervisor_easy.rpc.codec import (
    FaultItem,
    Malformed,
    Param,
    Value,
    decode_multicall,
    decode_reply,
    encode_call,
    encode_multicall,
)
from supervisor_easy.rpc.faults import fault_error
from supervisor_easy.rpc.network import unusable_reply
from supervisor_easy.rpc.supervisor import ConfigDiff, LogTail, UndecodableLog
from supervisor_easy.rpc.transport import Connections, Exchange
from supervisor_easy.settings import Settings

T = TypeVar("T")

_Call = tuple[str, tuple[Param, ...]]

#: What `observe` asks in one round trip.
_OBSERVE: tuple[_Call, ...] = (
    ("supervisor.getSupervisorVersion", ()),
    ("supervisor.getIdentification", ()),
    ("supervisor.getPID", ()),
    ("supervisor.getAllProcessInfo", ()),
)
#: The `wait` of start and stop: a waiting call would hold a connection for minutes.
_NO_WAIT = False
#: Bytes that a process takes in a reply.
_PROCESS_BYTES = 1200
#: Replies up to this many bytes do not stall on a kept connection.
_SMALL = 2048
#: Most bytes that one byte of a log takes in a reply (`&` is sent as `&amp;`).
_ESCAPED = 5
#: Bytes by which a slice may begin inside a UTF-8 character.
_IN_CHARACTER = 3
#: The largest offset worth asking for when a log's size must be searched.
_MAX_LOG = 2**45


class _NoMulticall(Exception):
    """The host turned out to have no `system.multicall`; ask one by one."""


def observe_request() -> bytes:
    """Return the body that `observe` sends, for measuring."""
    return encode_multicall(_OBSERVE)


class XmlRpcSupervisor:
    """One host's supervisord, over the shared connections."""

    def __init__(
        self, host: Host, connections: Connections, *, settings: Settings, clock: Clock
    ) -> None:
        """Bind a host to the connections; nothing is sent yet."""
        self._host = host
        self._connections = connections
        self._settings = settings
        self._clock = clock
        self._version = ""
        self._has_multicall = True
        self._has_configs = True

    @property
    def host(self) -> Host:
        """The host this talks to."""
        return self._host

    async def fetch(self) -> bytes:
        """Return the raw reply to `observe`'s question, for measuring."""
        return await self._post(observe_request(), Exchange.POLL)

    async def observe(self) -> Observation:
        """Return version, pid and all processes, in one round trip where it can."""
        asked_at, began = self._clock.now(), self._clock.monotonic()
        items = await self._items(_OBSERVE, Exchange.POLL)
        latency = timedelta(seconds=max(0.0, self._clock.monotonic() - began))
        version, identification, pid, found = items
        for (method, _), item in zip(_OBSERVE, items, strict=True):
            # The rest may be missing; a supervisord that shuts down says so in each.
            if isinstance(item, FaultItem) and (item is found or item.code == 6):
                raise self._fault(item, method)
        limit = self._settings.max_processes_per_host
        processes = await self._read(
            lambda: replies.processes(found, host=self._host.name, limit=limit),
            size=_PROCESS_BYTES * len(found) if isinstance(found, list) else 0,
        )
        self._meet(replies.line(version))
        return Observation(
            host=self._host.name,
            observed_at=asked_at + latency,
            latency=latency,
            processes=processes,
            supervisor_version=self._version,
            identification=replies.line(identification),
            supervisord_pid=replies.pid(pid),
            clock_skew=replies.clock_skew(
                processes, asked_at=asked_at, latency=latency
            ),
            asked_monotonic=began,
        )

    def _meet(self, version: str) -> None:
        if self._version not in ("", version):
            # Another supervisord may know what the last one did not.
            self._has_multicall = self._has_configs = True
        self._version = version

    async def configs(self) -> tuple[ProcessConfig, ...]:
        """Return the configuration of every process."""
        method = "supervisor.getAllConfigInfo"
        if not self._has_configs:
            raise self._fault(FaultItem(1, "UNKNOWN_METHOD"), method)
        try:
            value = await self._call(method, (), Exchange.POLL)
        except UnknownMethod:
            self._has_configs = False
            raise
        return await self._read(
            lambda: replies.configs(
                value,
                host=self._host.name,
                limit=self._settings.max_processes_per_host,
            )
        )

    async def start_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Ask for each process to start, not waiting."""
        return await self._command("startProcess", namespecs, _NO_WAIT)

    async def stop_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Ask for each process to stop, not waiting."""
        return await self._command("stopProcess", namespecs, _NO_WAIT)

    async def signal_many(
        self, namespecs: Sequence[str], signal: str
    ) -> list[RpcError | None]:
        """Send a signal to each process."""
        return await self._command("signalProcess", namespecs, signal)

    async def clear_logs_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Empty both logs of each process."""
        return await self._command("clearProcessLogs", namespecs)

    async def read_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> bytes:
        """Return exactly the bytes [offset, offset + length) that exist now."""
        method = f"supervisor.readProcess{stream.capitalize()}Log"
        return await self._slice(method, (namespec,), offset, length)

    async def read_main_log(self, *, offset: int, length: int) -> bytes:
        """Return a slice of supervisord's own log, as `read_log` does."""
        return await self._slice("supervisor.readLog", (), offset, length)

    async def tail_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> LogTail:
        """Return supervisord's tail: with length 0 it is the cheap size probe."""
        method = f"supervisor.tailProcess{stream.capitalize()}Log"
        try:
            value = await self._log_call(method, (namespec, offset, length), length)
        except BadReply as error:
            if error.status != 500 or length:
                raise
            # Supervisord cannot say a size of 2 GiB or more; XML-RPC's ints end
            # there. Reading still works, so the end can be searched.
            size = await self._search_size(namespec, stream)
            return LogTail(b"", size, has_overflow=True)
        return await self._read(lambda: replies.log_tail(value))

    async def tails(
        self, namespecs: Sequence[str], *, length: int
    ) -> list[bytes | None]:
        """Return the last `length` bytes of many stdout logs; None where it fails."""
        tails: dict[str, bytes] = {}
        # A slice that begins inside a character is refused: begin up to three later.
        for shift in range(_IN_CHARACTER + 1):
            missing = [name for name in dict.fromkeys(namespecs) if name not in tails]
            found = await self._some_tails(missing, length - shift)
            tails |= {name: data for name, data in found.items() if data is not None}
            if not any(data is None for data in found.values()):
                break
        return [tails.get(name) for name in namespecs]

    async def _some_tails(
        self, namespecs: Sequence[str], length: int
    ) -> dict[str, bytes | None]:
        """Return tails by name: None for one to ask again, nothing where it fails."""
        if length <= 0:
            return {}
        room = self._settings.max_reply_bytes // (length * _ESCAPED + 1024)
        step = max(1, min(self._settings.action_batch, room))
        found: dict[str, bytes | None] = {}
        for at in range(0, len(namespecs), step):
            batch = namespecs[at : at + step]
            method = "supervisor.readProcessStdoutLog"
            calls = [(method, (name, -length, 0)) for name in batch]
            items = await self._items(calls, Exchange.POLL)
            for name, item in zip(batch, items, strict=True):
                if isinstance(item, str):
                    found[name] = replies.as_bytes(item)[-length:]
                elif isinstance(item, FaultItem) and isinstance(
                    self._fault(item, method), UndecodableLog
                ):
                    found[name] = None
        return found

    async def reload_config(self) -> ConfigDiff:
        """Have supervisord read its configuration again; nothing running changes."""
        value = await self._call("supervisor.reloadConfig", (), Exchange.LONE_COMMAND)
        return await self._read(lambda: replies.config_diff(value))

    async def stop_group(self, group: str) -> None:
        """Ask for every process of a group to stop, not waiting."""
        # Not by stopProcessGroup: for its deferred answers supervisord announces the
        # length in characters and sends bytes, so a name beyond ASCII breaks them.
        observation = await self.observe()
        members = [each for each in observation.processes if each.group == group]
        if not members:
            raise self._fault(FaultItem(10, "BAD_NAME"), "stopProcessGroup", group)
        running = [each.namespec for each in members if not each.state.is_down]
        for error in await self.stop_many(running):
            if error is not None and not isinstance(error, NotRunning):
                raise error

    async def remove_group(self, group: str) -> None:
        """Remove a stopped process group from the running configuration."""
        await self._call("supervisor.removeProcessGroup", (group,), Exchange.COMMAND)

    async def add_group(self, group: str) -> None:
        """Add a process group of the read configuration; autostart ones start."""
        await self._call("supervisor.addProcessGroup", (group,), Exchange.COMMAND)

    async def restart(self) -> None:
        """Restart supervisord itself; it answers ShuttingDown for a while."""
        await self._call("supervisor.restart", (), Exchange.LONE_COMMAND)

    async def _command(
        self, name: str, namespecs: Sequence[str], *params: Param
    ) -> list[RpcError | None]:
        """Send one command for each name in batches; every name gets its answer."""
        method = f"supervisor.{name}"
        answers: list[RpcError | None] = []
        while len(answers) < len(namespecs):
            size = self._settings.action_batch if self._has_multicall else 1
            batch = namespecs[len(answers) : len(answers) + size]
            calls = [(method, (each, *params)) for each in batch]
            try:
                items = await self._batch(calls, Exchange.COMMAND)
            except _NoMulticall:
                continue
            except RpcError as error:
                answers += [error] * len(batch)
                rest = len(namespecs) - len(answers)
                return answers + [_never_sent(error)] * rest
            answers += [
                self._fault(item, method, each) if isinstance(item, FaultItem) else None
                for each, item in zip(batch, items, strict=True)
            ]
        return answers

    async def _items(self, calls: Sequence[_Call], exchange: Exchange) -> list[Value]:
        """Ask many questions; faults come as items."""
        if self._has_multicall:
            try:
                return await self._batch(calls, exchange)
            except _NoMulticall:
                pass
        return [(await self._batch([call], exchange))[0] for call in calls]

    async def _batch(self, calls: Sequence[_Call], exchange: Exchange) -> list[Value]:
        """Make one request; faults come as items."""
        if not self._has_multicall:
            (call,) = calls
            body = await self._post(encode_call(*call), exchange)
            return [await self._read(lambda: decode_reply(body), size=len(body))]
        body = await self._post(encode_multicall(calls), exchange)
        items = await self._read(
            lambda: decode_multicall(body, count=len(calls)), size=len(body)
        )
        if isinstance(items, FaultItem):
            error = self._fault(items, "system.multicall")
            if isinstance(error, UnknownMethod):
                self._has_multicall = False
                raise _NoMulticall
            raise error
        return items

    async def _call(
        self, method: str, params: tuple[Param, ...], exchange: Exchange
    ) -> Value:
        body = await self._post(encode_call(method, params), exchange)
        value = await self._read(lambda: decode_reply(body), size=len(body))
        if isinstance(value, FaultItem):
            raise self._fault(value, method, _named(params))
        return value

    async def _log_call(
        self, method: str, params: tuple[Param, ...], length: int
    ) -> Value:
        """Ask for log text; as a multicall, whose faults tell what went wrong."""
        exchange = Exchange.QUERY if abs(length) <= _SMALL else Exchange.POLL
        try:
            (value,) = await self._items([(method, params)], exchange)
        except BadReply as error:
            if error.status == 500 and length and not self._has_multicall:
                raise self._fault(FaultItem(30, "UnicodeDecodeError"), method) from None
            raise
        if isinstance(value, FaultItem):
            raise self._fault(value, method, _named(params))
        return value

    async def _slice(
        self, method: str, named: tuple[str, ...], offset: int, length: int
    ) -> bytes:
        if length < 0 or (offset < 0 and length):
            raise ValueError("a negative offset needs length 0")
        if length == 0 and offset >= 0:
            # To supervisord this means "everything", however large.
            return b""
        most = length or -offset
        value = await self._log_call(method, (*named, offset, length), most)
        data = await self._read(lambda: replies.log_bytes(value))
        return data[:length] if length else data[offset:]

    async def _search_size(self, namespec: str, stream: Stream) -> int:
        """Find the end of a log by reading single bytes of it."""
        low, high = 0, _MAX_LOG
        while low < high:
            middle = (low + high) // 2
            if await self._has_byte(namespec, stream, middle):
                low = middle + 1
            else:
                high = middle
        return low

    async def _has_byte(self, namespec: str, stream: Stream, offset: int) -> bool:
        try:
            return bool(await self.read_log(namespec, stream, offset=offset, length=1))
        except UndecodableLog:
            return True  # a byte from the middle of a character
        except Fault as error:
            if error.fault_code == 30:
                return False  # beyond what this file system can hold
            raise

    async def _post(self, body: bytes, exchange: Exchange) -> bytes:
        return await self._connections.post(self._host, body, exchange=exchange)

    async def _read(self, read: Callable[[], T], *, size: int = 0) -> T:
        """Run a reading function, in a thread if it has much to do."""
        try:
            if size > self._settings.parse_thread_bytes:
                return await asyncio.to_thread(read)
            return read()
        except Malformed as exc:
            raise unusable_reply(self._host, str(exc)) from exc

    def _fault(self, fault: FaultItem, method: str, process: str = "") -> RpcError:
        return fault_error(fault, host=self._host.name, method=method, process=process)


def _named(params: tuple[Param, ...]) -> str:
    return params[0] if params and isinstance(params[0], str) else ""


def _never_sent(error: RpcError) -> RpcError:
    """Return the error for commands that were not sent, since the host failed."""
    return HostUnreachable(
        f"not sent, because an earlier request failed: {error}",
        host=error.host,
        reason=error.reason if isinstance(error, HostUnreachable) else "closed",
    )
