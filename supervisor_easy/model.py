"""The values that every layer speaks: hosts, processes, targets, actions, outcomes.

All are frozen; nothing here does I/O or knows where a value came from. Seconds that
begin with `host_` count on the host's clock, which may differ from ours by hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit


class ProcessState(IntEnum):
    """Supervisord's process states, with its own numbers.

    Source: the supervisord documentation, "Process States".
    """

    STOPPED = 0
    STARTING = 10
    RUNNING = 20
    BACKOFF = 30
    STOPPING = 40
    EXITED = 100
    FATAL = 200
    UNKNOWN = 1000

    @property
    def is_down(self) -> bool:
        """No child runs and none will by itself: a start is accepted now."""
        return self in (
            ProcessState.STOPPED,
            ProcessState.EXITED,
            ProcessState.FATAL,
            ProcessState.UNKNOWN,
        )

    @property
    def is_problem(self) -> bool:
        """A person should look: it fails to start, or nobody knows."""
        return self in (
            ProcessState.BACKOFF,
            ProcessState.FATAL,
            ProcessState.UNKNOWN,
        )


class Stream(StrEnum):
    """Which of the two logs of a process."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One process on one host: the only true key, (host, group, name)."""

    host: str
    group: str
    name: str

    @property
    def namespec(self) -> str:
        """Supervisor's full name, `group:name`; always sent in this long form."""
        return f"{self.group}:{self.name}"

    def __str__(self) -> str:
        """Return the selector that means exactly this target."""
        return f"{self.host}/{self.namespec}" if self.group else self.host


@dataclass(frozen=True, slots=True)
class Process:
    """One supervised process as its host reported it.

    `host_start`, `host_stop` and `host_now` are whole seconds on the host's clock
    (0: never); `pid` is 0 when nothing runs. The pid is the identity: `host_start`
    repeats within a second and moves when the host's clock is set back.
    """

    host: str
    group: str
    name: str
    state: ProcessState
    pid: int
    host_start: int
    host_stop: int
    host_now: int
    exit_status: int
    spawn_error: str
    description: str
    stdout_logfile: str
    stderr_logfile: str

    @property
    def target(self) -> Target:
        """Return the key of this process."""
        return Target(self.host, self.group, self.name)

    @property
    def namespec(self) -> str:
        """Supervisor's full name, `group:name`."""
        return f"{self.group}:{self.name}"

    @property
    def uptime(self) -> timedelta | None:
        """How long it has run by its host's clock; None unless it runs."""
        if self.pid == 0 or self.host_start == 0:
            return None
        return timedelta(seconds=max(0, self.host_now - self.host_start))


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """What the host's configuration says about one process, spans in whole seconds.

    After a `reread` without an `update` these are the pending values, not those in
    force. A field the host's supervisord does not report has supervisord's default.
    """

    host: str
    group: str
    name: str
    command: str = ""
    autostart: bool = True
    startsecs: int = 1
    startretries: int = 3
    stopwaitsecs: int = 10
    stopsignal: int = 15
    exitcodes: tuple[int, ...] = (0,)
    killasgroup: bool = False
    redirect_stderr: bool = False
    stdout_logfile: str = ""
    stderr_logfile: str = ""
    stdout_logfile_maxbytes: int = 0
    stderr_logfile_maxbytes: int = 0
    priority: int = 999
    is_in_use: bool = True

    @property
    def target(self) -> Target:
        """Return the key of the process this configures."""
        return Target(self.host, self.group, self.name)


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the inventory, and how to reach its supervisord.

    `url` is `http://…`, `https://…` or `unix:///path`, without user and password.
    `password` is kept out of every representation.
    """

    name: str
    url: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connect_timeout: timedelta = timedelta(seconds=3)
    request_timeout: timedelta = timedelta(seconds=10)
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify_tls: bool = True

    @property
    def display_url(self) -> str:
        """Return the URL for people: never a password."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class HostCondition(StrEnum):
    """What we can honestly say about a host."""

    PENDING = "pending"  # not asked yet
    UP = "up"
    RESTARTING = "restarting"  # supervisord answers, but only SHUTDOWN_STATE
    UNREACHABLE = "unreachable"
    AUTHENTICATION_FAILED = "authentication_failed"
    BAD_REPLY = "bad_reply"
    FAULT = "fault"  # it answers and refuses, e.g. no rpcinterface section


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as a value: a stable word and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One successful answer of a host, in one round trip.

    `latency` is the whole exchange; `clock_skew` is the host's clock minus ours at
    the middle of the exchange (± latency / 2 ± 1 s, since hosts tell whole seconds),
    None where no process told a time. `supervisord_pid` survives supervisord's own
    restart, so it proves nothing about one. `asked_monotonic` is when it was asked, in
    seconds of this program's monotonic clock: what puts answers into their order.
    """

    host: str
    observed_at: datetime
    latency: timedelta
    processes: tuple[Process, ...]
    supervisor_version: str
    identification: str
    supervisord_pid: int
    clock_skew: timedelta | None
    asked_monotonic: float = 0.0


@dataclass(frozen=True, slots=True)
class HostStatus:
    """What is known of one host now.

    `processes` are those of the last good answer, however old: whoever shows them
    says since when (`observed_at`) and whether they are `is_stale`.
    """

    host: Host
    condition: HostCondition = HostCondition.PENDING
    since: datetime | None = None
    error: ErrorInfo | None = None
    last: Observation | None = None
    failures: int = 0
    next_poll_at: datetime | None = None

    @property
    def name(self) -> str:
        """The host's name in the inventory."""
        return self.host.name

    @property
    def processes(self) -> tuple[Process, ...]:
        """The processes of the last good answer; empty if there was none."""
        return self.last.processes if self.last else ()

    @property
    def observed_at(self) -> datetime | None:
        """When the last good answer came; None if never."""
        return self.last.observed_at if self.last else None

    @property
    def is_stale(self) -> bool:
        """The processes shown are not what the host says now."""
        return self.condition is not HostCondition.UP


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole fleet at one version of the state, by host name in inventory order."""

    version: int
    taken_at: datetime
    hosts: Mapping[str, HostStatus]

    def processes(self) -> list[Process]:
        """Return every known process of every host, hosts in inventory order."""
        return [each for status in self.hosts.values() for each in status.processes]

    def find(self, target: Target) -> Process | None:
        """Return the process of this key, or None."""
        status = self.hosts.get(target.host)
        if status is None:
            return None
        return next((p for p in status.processes if p.target == target), None)


class Action(StrEnum):
    """What can be done in bulk: to processes, to process groups, to hosts.

    An `UPDATE` has one target a process group, `Target(host, group, "*")`; a
    `RESTART_SUPERVISORD` one a host, `Target(host, "", "")`.
    """

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    SIGNAL = "signal"
    CLEAR_LOGS = "clear_logs"
    UPDATE = "update"
    RESTART_SUPERVISORD = "restart_supervisord"


class OutcomeKind(StrEnum):
    """How an action ended for one target.

    `unknown` means that nobody can say: the host went away in the middle. It never
    counts as good.
    """

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_fine(self) -> bool:
        """Nothing is left for a person to do."""
        return self in (
            OutcomeKind.CHANGED,
            OutcomeKind.UNCHANGED,
            OutcomeKind.SKIPPED,
        )


@dataclass(frozen=True, slots=True)
class Sighting:
    """A process's pid and state as seen at one moment."""

    pid: int
    state: ProcessState

    @classmethod
    def of(cls, process: Process) -> "Sighting":
        """Return what identifies this process now."""
        return cls(process.pid, process.state)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did to one target, proven by observation, not by a return value.

    `log_tail` is the end of its stdout log: before a restart, after a failed start.
    """

    target: Target
    kind: OutcomeKind
    error: ErrorInfo | None = None
    before: Sighting | None = None
    after: Sighting | None = None
    duration: timedelta = timedelta(0)
    log_tail: str = ""


class OperationStatus(StrEnum):
    """Where an operation stands."""

    RUNNING = "running"
    DONE = "done"  # every target has an outcome
    CANCELLED = "cancelled"  # ended early by a person; every target has an outcome
    INTERRUPTED = "interrupted"  # its console died; recovery gave the rest an outcome


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked, and through what: `web`, `api`, `cli`, `schedule`, `recovery`."""

    name: str
    via: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One request to act on some targets, as it stands in the journal.

    `targets` is the exact list that was decided; `outcomes` grows to one for each.
    `signal` is the signal's name for `Action.SIGNAL`, else empty. `scope` is a digest
    of the addresses of its hosts: who knows them under others must not go on with it.
    """

    id: str
    action: Action
    targets: tuple[Target, ...]
    actor: Actor
    requested_at: datetime
    status: OperationStatus = OperationStatus.RUNNING
    signal: str = ""
    reason: str = ""
    outcomes: tuple[Outcome, ...] = ()
    finished_at: datetime | None = None
    idempotency_key: str | None = None
    scope: str = ""

    def summary(self) -> dict[str, int]:
        """Count outcomes by kind, every kind named; `pending` are those without one."""
        counts = {kind.value: 0 for kind in OutcomeKind}
        for outcome in self.outcomes:
            counts[outcome.kind.value] += 1
        counts["pending"] = len(self.targets) - len(self.outcomes)
        return counts


class EventKind(StrEnum):
    """What sort of thing happened."""

    PROCESS = "process"  # a process changed its state or pid
    HOST = "host"  # a host came, went, or restarted its supervisord
    ACTION = "action"  # an action ended for one target
    CONFIG = "config"  # an update of a host's configuration, a changed inventory
    ACCESS = "access"  # a login, a changed user or token
    NOTICE = "notice"  # the console's own: events dropped, recovery


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, kept in the history.

    `id` is 0 until it is stored, then grows with every event. `cause` says who or
    what: an actor's name and means, `external` where nobody of ours did it.
    """

    at: datetime
    kind: EventKind
    message: str
    host: str = ""
    group: str = ""
    name: str = ""
    before: Sighting | None = None
    after: Sighting | None = None
    outcome: OutcomeKind | None = None
    cause: str = ""
    operation_id: str | None = None
    log_tail: str = ""
    id: int = 0
