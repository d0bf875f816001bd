"""`FakeSupervisor`: a whole supervisord in memory, for tests and simulated fleets.

It obeys the injected clock and the facts of the real one: what a start during a stop
answers, how tails count, what a reread changes. The contract tests run on both.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from supervisor_easy.clock import Clock
from supervisor_easy.errors import RpcError
from supervisor_easy.model import Host, Observation, ProcessConfig, Stream
from supervisor_easy.rpc.codec import FaultItem
from supervisor_easy.rpc.fake_names import by_group, signal_name, split_namespec
from supervisor_easy.rpc.fake_process import FakeLog, FakeProcess, FakeProgram
from supervisor_easy.rpc.fake_trouble import Trouble, lost_reply, trouble_error
from supervisor_easy.rpc.faults import fault_error
from supervisor_easy.rpc.supervisor import ConfigDiff, LogTail

#: Calls remembered for a test to look at.
_MAX_CALLS = 10_000
#: Seconds that supervisord's own restart takes at least.
_RESTART_TIME = 0.5


class FakeSupervisor:
    """A simulated supervisord behind the seam."""

    def __init__(
        self,
        host: Host,
        *,
        clock: Clock,
        programs: Iterable[FakeProgram] = (),
        latency: timedelta = timedelta(0),
        skew: timedelta = timedelta(0),
        version: str = "4.3.0",
        has_configs: bool = True,
    ) -> None:
        """Boot it: autostart programs start now, on the clock that is given."""
        self.trouble = Trouble.NONE
        self.latency = latency
        self.skew = skew
        self.version = version
        self.identification = "supervisor"
        self.supervisord_pid = 1
        #: What was asked: method, and the process or group if there is one.
        self.calls: deque[tuple[str, str]] = deque(maxlen=_MAX_CALLS)
        self.main_log = FakeLog()
        self._host = host
        self._clock = clock
        self._has_configs = has_configs
        self._pids = itertools.count(1000)
        self._file = tuple(programs)
        self._config_error = ""
        self._boots_at: float | None = None
        self._boot()

    @property
    def host(self) -> Host:
        """The host this pretends to be."""
        return self._host

    def process(self, namespec: str) -> FakeProcess:
        """Return the live process behind a name, brought up to now.

        Raises:
            KeyError: there is none.
        """
        self._settle()
        process = self._find(namespec)
        if process is None:
            raise KeyError(namespec)
        return process

    def exit(self, namespec: str, status: int = 0) -> None:
        """Have a process end by itself, as a crash or a finished job does."""
        self.process(namespec).die(status, self._at)
        self._settle()

    def write(self, namespec: str, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        """Have a process write to a log."""
        process = self.process(namespec)
        if stream is Stream.STDERR and process.program.redirect_stderr:
            stream = Stream.STDOUT
        if stream in process.logs:
            process.logs[stream].write(data)

    def rotate(self, namespec: str, stream: Stream = Stream.STDOUT) -> None:
        """Rotate a log: it is empty afterwards."""
        self.process(namespec).logs[stream].data = b""

    def configure(self, programs: Iterable[FakeProgram], *, error: str = "") -> None:
        """Edit the host's configuration file; with `error` it cannot be read."""
        self._file, self._config_error = tuple(programs), error

    def reboot(self) -> None:
        """Start supervisord anew: another pid, every process from the beginning."""
        self.supervisord_pid += 1
        self._boot()

    async def observe(self) -> Observation:
        """Return version, pid and all processes."""
        asked_at, began = self._clock.now(), self._clock.monotonic()
        await self._enter("observe")
        host_now = self._host_now
        processes = tuple(
            each.to_process(self._host.name, host_now) for each in self._all()
        )
        latency = timedelta(seconds=self._clock.monotonic() - began)
        return Observation(
            host=self._host.name,
            observed_at=asked_at + latency,
            latency=latency,
            processes=processes,
            supervisor_version=self.version,
            identification=self.identification,
            supervisord_pid=self.supervisord_pid,
            clock_skew=self.skew if processes else None,
            asked_monotonic=began,
        )

    async def configs(self) -> tuple[ProcessConfig, ...]:
        """Return the configuration last read, in force or not."""
        await self._enter("getAllConfigInfo")
        if not self._has_configs:
            raise self._fault(FaultItem(1, "UNKNOWN_METHOD"), "getAllConfigInfo")
        return tuple(
            program.config(
                self._host.name, is_in_use=program.group_name in self._active
            )
            for program in sorted(self._read, key=lambda each: each.name)
        )

    async def start_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Ask for each process to start, not waiting."""
        return await self._each(
            "startProcess", namespecs, lambda p: p.start(self._at, self._host_now)
        )

    async def stop_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Ask for each process to stop, not waiting."""
        return await self._each(
            "stopProcess", namespecs, lambda p: p.stop(self._at, self._host_now)
        )

    async def signal_many(
        self, namespecs: Sequence[str], signal: str
    ) -> list[RpcError | None]:
        """Send a signal to each process."""
        name = signal_name(signal)

        def send(process: FakeProcess) -> FaultItem | None:
            if not name:
                return FaultItem(11, f"BAD_SIGNAL: {signal}")
            return process.signal(name, self._at, self._host_now)

        return await self._each("signalProcess", namespecs, send)

    async def clear_logs_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Empty both logs of each process; nothing happens to one that is down."""

        def clear(process: FakeProcess) -> None:
            if process.pid:
                for log in process.logs.values():
                    log.data = b""

        return await self._each("clearProcessLogs", namespecs, clear, has_groups=False)

    async def read_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> bytes:
        """Return exactly the bytes [offset, offset + length) that exist now."""
        log = await self._log("readProcessLog", namespec, stream)
        if log is None:
            raise self._fault(FaultItem(20, "NO_FILE"), "readProcessLog", namespec)
        return self._slice(log, offset, length, namespec)

    async def tail_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> LogTail:
        """Return supervisord's tail."""
        log = await self._log("tailProcessLog", namespec, stream)
        if log is None:
            return LogTail(b"", 0, has_overflow=False)
        tail = log.tail(offset, length)
        if isinstance(tail, FaultItem):
            raise self._fault(tail, "tailProcessLog", namespec)
        return tail

    async def tails(
        self, namespecs: Sequence[str], *, length: int
    ) -> list[bytes | None]:
        """Return the last `length` bytes of many stdout logs; None where it fails."""
        await self._enter("tails")
        return [self._tail(namespec, length) for namespec in namespecs]

    async def read_main_log(self, *, offset: int, length: int) -> bytes:
        """Return a slice of supervisord's own log."""
        await self._enter("readLog")
        return self._slice(self.main_log, offset, length, "")

    async def reload_config(self) -> ConfigDiff:
        """Read the configuration again; nothing running changes."""
        await self._enter("reloadConfig")
        if self._config_error:
            fault = FaultItem(92, f"CANT_REREAD: {self._config_error}")
            raise self._fault(fault, "reloadConfig")
        self._read = self._file
        wanted, active = by_group(self._read), by_group(self._in_force)
        return ConfigDiff(
            added=tuple(name for name in wanted if name not in active),
            changed=tuple(
                name
                for name in wanted
                if active.get(name, wanted[name]) != wanted[name]
            ),
            removed=tuple(name for name in active if name not in wanted),
        )

    async def stop_group(self, group: str) -> None:
        """Ask for every process of a group to stop, not waiting."""
        await self._enter("stopProcessGroup", group, is_command=True)
        for process in self._group(group, "stopProcessGroup").values():
            process.stop(self._at, self._host_now)
        self._leave()

    async def remove_group(self, group: str) -> None:
        """Remove a stopped process group from the running configuration."""
        await self._enter("removeProcessGroup", group, is_command=True)
        members = self._group(group, "removeProcessGroup")
        if not all(each.state.is_down for each in members.values()):
            raise self._fault(
                FaultItem(91, "STILL_RUNNING"), "removeProcessGroup", group
            )
        del self._active[group]
        self._leave()

    async def add_group(self, group: str) -> None:
        """Add a process group of the read configuration; autostart ones start."""
        await self._enter("addProcessGroup", group, is_command=True)
        if group in self._active:
            raise self._fault(FaultItem(90, "ALREADY_ADDED"), "addProcessGroup", group)
        members = by_group(self._read).get(group)
        if members is None:
            raise self._fault(FaultItem(10, "BAD_NAME"), "addProcessGroup", group)
        self._add(group, members)
        self._leave()

    async def restart(self) -> None:
        """Restart supervisord itself; it answers ShuttingDown for a while."""
        await self._enter("restart", is_command=True)
        times = [
            min(each.program.stop_time, each.program.stopwaitsecs)
            for each in self._all()
            if each.pid
        ]
        self._boots_at = self._at + max([_RESTART_TIME, *times])
        self._leave()

    @property
    def _at(self) -> float:
        return self._clock.monotonic()

    @property
    def _host_now(self) -> int:
        return int((self._clock.now() + self.skew).timestamp())

    def _boot(self) -> None:
        self._boots_at = None
        self._read = self._file
        self._active: dict[str, dict[str, FakeProcess]] = {}
        for group, members in by_group(self._read).items():
            self._add(group, members)

    def _add(self, group: str, members: Sequence[FakeProgram]) -> None:
        self._active[group] = {
            program.name: FakeProcess(program, self._pids) for program in members
        }
        for process in self._active[group].values():
            if process.program.autostart:
                process.spawn(self._at, self._host_now)
        self._settle()

    def _settle(self) -> None:
        at, host_now = self._at, self._host_now
        if self._boots_at is not None and self._boots_at <= at:
            self._boot()
        for process in self._all():
            process.settle(at, host_now)

    def _all(self) -> list[FakeProcess]:
        return [
            members[name]
            for _, members in sorted(self._active.items())
            for name in sorted(members)
        ]

    @property
    def _in_force(self) -> list[FakeProgram]:
        return [each.program for each in self._all()]

    async def _enter(
        self, method: str, subject: str = "", *, is_command: bool = False
    ) -> None:
        """Be asked something: wait, fail as the trouble says, settle what is due."""
        self.calls.append((method, subject))
        if self.latency:
            await self._clock.sleep(self.latency)
        if self.trouble is Trouble.HANG:
            await self._clock.sleep(self._host.request_timeout)
        self._settle()
        error = trouble_error(self.trouble, self._host, is_command=is_command)
        if error is not None:
            raise error
        if self._boots_at is not None:
            raise self._fault(FaultItem(6, "SHUTDOWN_STATE"), method)

    def _leave(self) -> None:
        """Lose the answer to a command that was carried out."""
        if self.trouble is Trouble.LOST_REPLY:
            raise lost_reply(self._host)

    async def _each(
        self,
        method: str,
        namespecs: Sequence[str],
        act: Callable[[FakeProcess], FaultItem | None],
        *,
        has_groups: bool = True,
    ) -> list[RpcError | None]:
        if not namespecs:
            return []
        answers: list[RpcError | None] = []
        try:
            await self._enter(method, ",".join(namespecs), is_command=True)
            for namespec in namespecs:
                fault = self._apply(namespec, act, has_groups=has_groups)
                answers.append(self._fault(fault, method, namespec) if fault else None)
            self._leave()
        except RpcError as error:
            return [error] * len(namespecs)
        return answers

    def _apply(
        self,
        namespec: str,
        act: Callable[[FakeProcess], FaultItem | None],
        *,
        has_groups: bool,
    ) -> FaultItem | None:
        group, name = split_namespec(namespec)
        members = self._active.get(group, {})
        if name is None and has_groups and members:
            for process in members.values():
                act(process)
            return None
        if name not in members:
            return FaultItem(10, f"BAD_NAME: {namespec}")
        return act(members[name])

    async def _log(self, method: str, namespec: str, stream: Stream) -> FakeLog | None:
        await self._enter(method, namespec)
        process = self._find(namespec)
        if process is None:
            raise self._fault(FaultItem(10, f"BAD_NAME: {namespec}"), method, namespec)
        return process.logs.get(stream)

    def _find(self, namespec: str) -> FakeProcess | None:
        group, name = split_namespec(namespec)
        return self._active.get(group, {}).get(name or "")

    def _slice(self, log: FakeLog, offset: int, length: int, namespec: str) -> bytes:
        if length < 0 or (offset < 0 and length):
            raise ValueError("a negative offset needs length 0")
        data = log.read(offset, length)
        if isinstance(data, FaultItem):
            raise self._fault(data, "readLog", namespec)
        return data

    def _tail(self, namespec: str, length: int) -> bytes | None:
        process = self._find(namespec)
        log = process.logs.get(Stream.STDOUT) if process else None
        slices = (log.read(n - length, 0) for n in range(min(4, length)) if log)
        return next((each for each in slices if isinstance(each, bytes)), None)

    def _group(self, group: str, method: str) -> dict[str, FakeProcess]:
        if group not in self._active:
            raise self._fault(FaultItem(10, f"BAD_NAME: {group}"), method, group)
        return self._active[group]

    def _fault(self, fault: FaultItem, method: str, process: str = "") -> RpcError:
        return fault_error(
            fault,
            host=self._host.name,
            method=f"supervisor.{method}",
            process=process,
        )
