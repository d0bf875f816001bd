"""One simulated process and its logs, as supervisord would run them.

Pure bookkeeping on times given from outside: `at` counts monotonic seconds, `host_now`
is the host's own clock. `fake` puts it behind the seam.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from supervisor_easy.model import Process, ProcessConfig, ProcessState, Stream
from supervisor_easy.rpc.codec import FaultItem
from supervisor_easy.rpc.supervisor import LogTail

_RUNNING_STATES = (ProcessState.RUNNING, ProcessState.BACKOFF, ProcessState.STARTING)
_SIGNALLABLE = (ProcessState.RUNNING, ProcessState.STARTING, ProcessState.STOPPING)
#: Seconds after which an ended program comes back, if it does.
_RESPAWN_TIME = 0.2
#: Signals that end a program which does not care for them.
_DEADLY = frozenset({"TERM", "INT", "QUIT", "KILL", "ABRT", "HUP"})

#: What a multicall of supervisord says about a log that is not UTF-8.
UNDECODABLE = FaultItem(30, "FAILED: <class 'UnicodeDecodeError'>:utf-8")


@dataclass(frozen=True, slots=True)
class FakeProgram:
    """How a simulated program is configured, and how it behaves; spans in seconds.

    `fails_after` is how long it lives when it cannot start properly: 0 means that it
    ends before the start call answers. `stop_time` is how long it takes to end after
    its stop signal; more than `stopwaitsecs` gets it killed.
    """

    name: str
    group: str = ""
    command: str = "/usr/bin/worker"
    autostart: bool = True
    autorestart: str = "unexpected"
    startsecs: int = 1
    startretries: int = 3
    stopwaitsecs: int = 10
    stop_time: float = 0.0
    fails_after: float | None = None
    is_missing: bool = False
    ignores: frozenset[str] = frozenset()
    has_log: bool = True
    redirect_stderr: bool = False
    log_maxbytes: int = 1 << 20

    @property
    def group_name(self) -> str:
        """The process group: the program's own unless one is given."""
        return self.group or self.name

    def config(self, host: str, *, is_in_use: bool) -> ProcessConfig:
        """Return it as the host's configuration shows it."""
        return ProcessConfig(
            host=host,
            group=self.group_name,
            name=self.name,
            command=self.command,
            autostart=self.autostart,
            startsecs=self.startsecs,
            startretries=self.startretries,
            stopwaitsecs=self.stopwaitsecs,
            redirect_stderr=self.redirect_stderr,
            stdout_logfile=self.log_path(Stream.STDOUT),
            stderr_logfile=self.log_path(Stream.STDERR),
            stdout_logfile_maxbytes=self.log_maxbytes,
            stderr_logfile_maxbytes=self.log_maxbytes,
            is_in_use=is_in_use,
        )

    def log_path(self, stream: Stream) -> str:
        """Return where the log is; empty where there is none."""
        if not self.has_log or (stream is Stream.STDERR and self.redirect_stderr):
            return ""
        return f"/var/log/supervisor/{self.name}-{stream.value}.log"


@dataclass(slots=True)
class FakeLog:
    """One log file: bytes, rotated once they reach `maxbytes` (0: never)."""

    maxbytes: int = 0
    data: bytes = b""

    def write(self, data: bytes) -> None:
        """Append, and rotate as supervisord does: after the write."""
        self.data += data
        if self.maxbytes and len(self.data) >= self.maxbytes:
            self.data = b""

    def read(self, offset: int, length: int) -> bytes | FaultItem:
        """Return a slice as `readProcessStdoutLog` does."""
        data = self.data[offset:] if offset < 0 else self.data[offset : offset + length]
        return data if _is_utf8(data) else UNDECODABLE

    def tail(self, offset: int, length: int) -> LogTail | FaultItem:
        """Return a tail as `tailProcessStdoutLog` does, its arithmetic included."""
        size, has_overflow = len(self.data), False
        if size > offset + length:
            has_overflow, offset = True, size - 1
        if offset + length > size:
            length = 0 if offset > size - 1 else length
            offset = size - length
        offset = max(0, offset)
        data = self.data[offset : offset + length] if length > 0 else b""
        return LogTail(data, size, has_overflow) if _is_utf8(data) else UNDECODABLE


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(slots=True)
class FakeProcess:
    """A simulated process; `settle` carries out what is due by now."""

    program: FakeProgram
    pids: Iterator[int]
    state: ProcessState = ProcessState.STOPPED
    pid: int = 0
    exit_status: int = 0
    spawn_error: str = ""
    host_start: int = 0
    host_stop: int = 0
    backoff: int = 0
    is_killing: bool = False
    signals: list[str] = field(default_factory=list)
    logs: dict[Stream, FakeLog] = field(default_factory=dict)
    _up_at: float | None = None
    _dies_at: float | None = None
    _death_status: int = 0
    _retry_at: float | None = None

    #: Signals remembered for a test to look at.
    MAX_SIGNALS: ClassVar[int] = 100

    def __post_init__(self) -> None:
        """Give it the logs that its program has."""
        for stream in Stream:
            if self.program.log_path(stream):
                self.logs[stream] = FakeLog(self.program.log_maxbytes)

    def start(self, at: float, host_now: int) -> FaultItem | None:
        """Do as `startProcess` without waiting."""
        if self.program.is_missing:
            return FaultItem(20, f"NO_FILE: can't find command '{self._command}'")
        if self.state in _RUNNING_STATES:
            return FaultItem(60, f"ALREADY_STARTED: {self.program.name}")
        if self.state is ProcessState.UNKNOWN:
            return FaultItem(30, f"FAILED: {self.program.name}")
        if self.state is ProcessState.STOPPING:
            return None  # supervisord takes it and does nothing
        self.spawn(at, host_now)
        self.settle(at, host_now)
        return FaultItem(50, "SPAWN_ERROR") if self.spawn_error else None

    def spawn(self, at: float, host_now: int) -> None:
        """Start the child, or fail to."""
        program = self.program
        self.exit_status, self.spawn_error = 0, ""
        self.is_killing, self._retry_at = False, None
        self.host_start = host_now
        if program.is_missing:
            self.spawn_error = f"can't find command '{self._command}'"
            self._back_off(at)
            return
        self.state, self.pid = ProcessState.STARTING, next(self.pids)
        self._up_at = at + program.startsecs
        if program.fails_after is not None:
            self._dies_at, self._death_status = at + program.fails_after, 1

    def stop(self, at: float, host_now: int) -> FaultItem | None:
        """Do as `stopProcess` without waiting."""
        if self.state not in _RUNNING_STATES:
            return FaultItem(70, f"NOT_RUNNING: {self.program.name}")
        if self.state is ProcessState.BACKOFF:
            self.state, self._retry_at = ProcessState.STOPPED, None
            return None
        self.is_killing, self._up_at = True, None
        self.state = ProcessState.STOPPING
        patience = self.program.stopwaitsecs
        is_slow = self.program.stop_time > patience
        self._dies_at = at + min(self.program.stop_time, patience)
        self._death_status = -1 if is_slow else 0
        self.settle(at, host_now)
        return None

    def signal(self, name: str, at: float, host_now: int) -> FaultItem | None:
        """Do as `signalProcess`; `name` without SIG."""
        if self.state not in _SIGNALLABLE:
            return FaultItem(70, f"NOT_RUNNING: {self.program.name}")
        if len(self.signals) < self.MAX_SIGNALS:
            self.signals.append(name)
        if name in _DEADLY and name not in self.program.ignores:
            delay = 0.0 if name == "KILL" else self.program.stop_time
            status = -1 if name == "KILL" else 0
            self.die(status, at + delay)
            self.settle(at, host_now)
        return None

    def die(self, status: int, at: float) -> None:
        """Have the child end at a moment, with an exit status."""
        if self.pid and (self._dies_at is None or at < self._dies_at):
            self._dies_at, self._death_status = at, status

    def settle(self, at: float, host_now: int) -> None:
        """Carry out, in order, everything that is due at `at`."""
        # Bounded: each round is one transition, and retries take a second each.
        for _ in range(10_000):
            due = self._next_due()
            if due is None or due > at:
                return
            self._step(due, host_now - int(at - due))

    def _next_due(self) -> float | None:
        moments = (self._dies_at, self._up_at, self._retry_at)
        return min((each for each in moments if each is not None), default=None)

    def _step(self, due: float, host_then: int) -> None:
        if self._up_at == due:
            # Alive for startsecs: up, even if it ends in the same moment.
            self._up_at, self.backoff = None, 0
            self.state = ProcessState.RUNNING
        elif self._dies_at == due:
            self._end(due, host_then)
        elif self.backoff <= self.program.startretries:
            self.spawn(due, host_then)
        else:
            self._retry_at, self.backoff = None, 0
            self.state = ProcessState.FATAL

    def _end(self, at: float, host_then: int) -> None:
        status = self._death_status
        self.pid, self._dies_at, self.host_stop = 0, None, host_then
        if self.is_killing:
            self.is_killing = False
            self.state, self.exit_status = ProcessState.STOPPED, status
        elif self._up_at is not None:
            self._up_at = None
            self.spawn_error = "Exited too quickly (process log may have details)"
            self._back_off(at)
        else:
            self.state, self.exit_status = ProcessState.EXITED, status
            self.spawn_error = f"Bad exit code {status}" if status else ""
            if self._comes_back(status):
                self._retry_at = at + _RESPAWN_TIME

    def _comes_back(self, status: int) -> bool:
        wish = self.program.autorestart
        return wish == "true" or (wish == "unexpected" and status != 0)

    def _back_off(self, at: float) -> None:
        self.state = ProcessState.BACKOFF
        self.backoff += 1
        # The last failure is given up at once, the others wait longer each time.
        is_last = self.backoff > self.program.startretries
        self._retry_at = at if is_last else at + self.backoff

    @property
    def _command(self) -> str:
        return self.program.command.split(" ", 1)[0]

    def to_process(self, host: str, host_now: int) -> Process:
        """Return it as `getAllProcessInfo` shows it."""
        return Process(
            host=host,
            group=self.program.group_name,
            name=self.program.name,
            state=self.state,
            pid=self.pid,
            host_start=self.host_start,
            host_stop=self.host_stop,
            host_now=host_now,
            exit_status=self.exit_status,
            spawn_error=self.spawn_error,
            description=self._describe(host_now),
            stdout_logfile=self.program.log_path(Stream.STDOUT),
            stderr_logfile=self.program.log_path(Stream.STDERR),
        )

    def _describe(self, host_now: int) -> str:
        if self.state is ProcessState.RUNNING:
            seconds = max(0, host_now - self.host_start)
            hours, rest = divmod(seconds, 3600)
            return f"pid {self.pid}, uptime {hours}:{rest // 60:02}:{rest % 60:02}"
        if self.state in (ProcessState.FATAL, ProcessState.BACKOFF):
            return self.spawn_error
        if self.state.is_down and not self.host_start:
            return "Not started"
        return ""
