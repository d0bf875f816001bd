"""The seam between commands and what does the work: this machine, or a console.

Both speak the shapes of `supervisor_easy.wire`, so a command never knows which it
has. Every method may raise `FleetError`s and has a deadline.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol

from supervisor_easy.errors import SelectorError

if TYPE_CHECKING:
    from supervisor_easy.model import ProcessConfig

Json = dict[str, Any]


class Journal(Enum):
    """What a command needs of the database."""

    UNUSED = auto()
    WANTED = auto()  # out of reach is a warning
    NEEDED = auto()  # nothing is done without it


@dataclass(frozen=True, slots=True)
class Query:
    """What was selected, as it was written."""

    selectors: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was selected."""
        return any(self._parts)

    def refuse_blanks(self) -> None:
        """See that no part is blank: a blank never means everything.

        Raises:
            SelectorError: one is.
        """
        if any(not text.strip() for part in self._parts for text in part):
            raise SelectorError(
                "a selector, host, group, label or state is empty; "
                "write * for everything"
            )

    @property
    def _parts(self) -> tuple[tuple[str, ...], ...]:
        return (self.selectors, self.groups, self.hosts, self.labels, self.states)


@dataclass(frozen=True, slots=True)
class BlindHost:
    """A host that was selected and does not answer, and why."""

    host: str
    error: str


@dataclass(frozen=True, slots=True)
class Found:
    """Processes (`wire.process_to_dict`), and the hosts that do not answer."""

    processes: Sequence[Json]
    blind_hosts: Sequence[BlindHost] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do: `target`, `state`, `pid`, `will`, `note` each."""

    targets: Sequence[Json]
    blind_hosts: Sequence[BlindHost] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """An action on exactly these targets (`host/group:name`).

    `key` makes a repeated order the same one. `expected` tells, by target, the pid
    that somebody was shown and agreed to; if one is another by now, nothing is done.
    """

    action: str
    targets: tuple[str, ...]
    key: str
    signal: str = ""
    reason: str = ""
    expected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which logs, and how much of them."""

    query: Query
    lines: int
    stream: str
    grep: str | None = None
    since_start: bool = False
    is_followed: bool = False
    main_hosts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events."""

    query: Query
    since: datetime | None = None
    kinds: tuple[str, ...] = ()
    limit: int = 500
    after_id: int | None = None


class Backend(Protocol):
    """What does the work."""

    @property
    def name(self) -> str:
        """Who goes on with what we leave: for talk."""
        ...

    @property
    def confirm_above(self) -> int:
        """Targets above which a person is asked."""
        ...

    def processes(self, query: Query) -> Found:
        """Look now and return the processes selected; an empty query means all."""
        ...

    def watch(self, query: Query) -> Iterator[Found]:
        """Yield the processes selected, again and again, until closed."""
        ...

    def hosts(self) -> list[Json]:
        """Look now and return every host."""
        ...

    def groups(self) -> list[Json]:
        """Look now and return every group of the inventory with its counts."""
        ...

    def plan(self, action: str, query: Query, *, signal: str = "") -> Plan:
        """Say what an action would do; nothing is done."""
        ...

    def plan_update(self, hosts: Sequence[str]) -> list[Json]:
        """Have hosts read their configuration again and say what would change.

        Raises:
            SelectorError: no host is named, or one that is not there.
        """
        ...

    def act(self, order: Order) -> Json:
        """Begin an operation and return it.

        Raises:
            StaleRequest: a process is not what `expected` says; nothing was done.
        """
        ...

    def operation(self, operation_id: str) -> Json:
        """Return an operation as it stands, with `waiting`: reasons by host."""
        ...

    def cancel(self, operation_id: str) -> None:
        """Begin nothing more of an operation."""
        ...

    def logs(self, logs: LogQuery) -> "LogStream":
        """Return log entries, and the hosts that do not answer."""
        ...

    def events(self, events: EventQuery) -> list[Json]:
        """Return events, oldest first."""
        ...

    def configs(self) -> "Mapping[str, Sequence[ProcessConfig]] | None":
        """Return each host's process configuration; None where it cannot be had."""
        ...

    def inventory_warnings(self) -> list[str]:
        """Return what the inventory warns about."""
        ...


@dataclass(frozen=True, slots=True)
class LogStream:
    """Entries as they come, to be closed; `labels` are the sources known beforehand."""

    entries: Generator[Json, None, None]
    labels: Sequence[str] = ()
    blind_hosts: Sequence[BlindHost] = ()
