"""What an inventory is once it has been read: frozen values, nothing to check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from supervisor_easy.errors import Problem
from supervisor_easy.model import Host


@dataclass(frozen=True, slots=True)
class Amount:
    """So many, or so many percent of a whole."""

    number: int
    is_percent: bool = False

    def of(self, total: int) -> int:
        """Return how many of `total` it is, rounded down, in whole numbers only."""
        return self.number * total // 100 if self.is_percent else self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.is_percent else str(self.number)


class RestartOrder(StrEnum):
    """Which processes a rolling restart takes first; unhealthy ones always lead."""

    OLDEST = "oldest"
    LARGEST = "largest"  # by memory
    INVENTORY = "inventory"


@dataclass(frozen=True, slots=True)
class RollingPolicy:
    """How the processes of a group are to be restarted in turn.

    None means: derived when the plan is made (from `startsecs`, the slowest unit).
    """

    max_unavailable: Amount = Amount(1)
    max_failures: Amount = Amount(0)
    stages: tuple[Amount, ...] = (Amount(1), Amount(100, is_percent=True))
    min_healthy: timedelta | None = None
    healthy_deadline: timedelta = timedelta(minutes=5)
    progress_deadline: timedelta | None = None
    per_host: int = 1
    order: RestartOrder = RestartOrder.OLDEST
    pause_between: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of processes across hosts: the selectors of its members."""

    name: str
    members: tuple[str, ...]
    rolling: RollingPolicy | None = None


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """When a group is to be restarted, as the file says it."""

    name: str
    group: str
    cron: str
    timezone: str = "UTC"
    start_within: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything one inventory file says; `digest` is the SHA-256 of its bytes.

    `hosts` are in the order of the file. `warnings` are what a person should know
    though the inventory is usable.
    """

    hosts: Mapping[str, Host]
    groups: Mapping[str, Group]
    schedules: Mapping[str, ScheduleSpec]
    warnings: tuple[Problem, ...]
    path: Path
    digest: str

    def members(self) -> dict[str, tuple[str, ...]]:
        """Return each group's member selectors: what a selector catalog takes."""
        return {group.name: group.members for group in self.groups.values()}
