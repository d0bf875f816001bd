"""An operation while this console works on it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from supervisor_easy.clock import Clock
from supervisor_easy.errors import TargetBusy
from supervisor_easy.fleet.steps import Step
from supervisor_easy.model import (
    ErrorInfo,
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    Sighting,
    Target,
)


class LiveOperation:
    """An operation in progress; `view` may be called from any thread."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._outcomes: dict[Target, Outcome] = {
            outcome.target: outcome for outcome in operation.outcomes
        }
        self.is_cancelled = False
        self._waiting: dict[str, str] = {}
        self.task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The operation's id."""
        return self._operation.id

    def view(self) -> Operation:
        """Return the operation as it stands, outcomes in the order of the targets."""
        done = dict(self._outcomes)
        outcomes = tuple(done[t] for t in self._operation.targets if t in done)
        return replace(self._operation, outcomes=outcomes)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes; the first one of a target stays."""
        for outcome in outcomes:
            self._outcomes.setdefault(outcome.target, outcome)

    def end(self, status: OperationStatus, clock: Clock) -> None:
        """Mark the end."""
        self._operation = replace(
            self._operation, status=status, finished_at=clock.now()
        )

    def pending(self) -> list[Target]:
        """Return the targets that have no outcome yet."""
        return [t for t in self._operation.targets if t not in self._outcomes]

    def explain(self, host: str, reason: str) -> None:
        """Note why a host's part waits; an empty reason: it does not."""
        if reason:
            self._waiting[host] = reason
        else:
            self._waiting.pop(host, None)

    def waiting(self) -> dict[str, str]:
        """Return, by host, why the operation waits."""
        return dict(self._waiting)


def resume(
    steps: Iterable[Step],
    baseline: Mapping[Target, Sighting],
    *,
    ours: Collection[str],
    now: float,
) -> None:
    """Make steps go on where a dead console left them.

    `baseline` holds the targets that it may have touched, `ours` the hosts that have
    the same addresses here.
    """
    for step in steps:
        target = step.target
        if target.host not in ours:
            text = (
                f"the console died, and {target.host} has another address now; "
                f"look whether {target} runs"
            )
            step.finish(OutcomeKind.UNKNOWN, now, "abandoned", text)
        elif target in baseline:
            step.resume(baseline[target])
        else:
            text = (
                f"the console ended before it began with {target}; "
                "nothing was done; ask again if you still want it"
            )
            step.finish(OutcomeKind.FAILED, now, "interrupted", text)


def busy_outcome(target: Target, holder: str) -> Outcome:
    """Return the outcome of a target that another operation has in its hands."""
    text = f"{target} is in the hands of operation {holder}; wait for its end"
    error = ErrorInfo(TargetBusy.code, text)
    return Outcome(target, OutcomeKind.FAILED, error=error)
