"""The console's own figures as Prometheus text, written by hand.

Only counts: no name of a host or process becomes a label, so their number is fixed.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from supervisor_easy.fleet.actions import Actions
from supervisor_easy.model import (
    Action,
    HostCondition,
    OperationStatus,
    OutcomeKind,
    ProcessState,
    Snapshot,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class OperationMetrics:
    """Counts operations as they begin and end; written on the engine's loop."""

    def __init__(self, actions: Actions) -> None:
        """Count what `actions` does from `subscribe` on."""
        self._actions = actions
        self._lock = threading.Lock()
        self._running: dict[str, Action] = {}
        self._ended: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def subscribe(self) -> Callable[[], None]:
        """Listen from now on; on the engine's loop. Return what ends it."""
        return self._actions.subscribe(self._moved)

    def _moved(self, operation_id: str) -> None:
        operation = self._actions.live(operation_id)
        if operation is None:
            return
        with self._lock:
            if operation.status is OperationStatus.RUNNING:
                self._running[operation.id] = operation.action
            elif self._running.pop(operation.id, None) is not None:
                action = operation.action.value
                self._ended[action, operation.status.value] += 1
                for each in operation.outcomes:
                    self._outcomes[action, each.kind.value] += 1

    def lines(self) -> Iterable[str]:
        """Return the figures as lines."""
        with self._lock:
            running = Counter(self._running.values())
            ended, outcomes = Counter(self._ended), Counter(self._outcomes)
        yield from _head("fleet_operations_running", "gauge", "Operations under way.")
        for action in Action:
            yield _line("fleet_operations_running", running[action], action=action)
        yield from _head("fleet_operations_total", "counter", "Operations ended.")
        for action in Action:
            for status in OperationStatus:
                if status is not OperationStatus.RUNNING:
                    count = ended[action.value, status.value]
                    labels = {"action": action, "status": status}
                    yield _line("fleet_operations_total", count, **labels)
        yield from _head("fleet_outcomes_total", "counter", "Outcomes of operations.")
        for action in Action:
            for kind in OutcomeKind:
                count = outcomes[action.value, kind.value]
                yield _line("fleet_outcomes_total", count, action=action, outcome=kind)


def render(
    snapshot: Snapshot, *, operations: OperationMetrics, streams: int, is_healthy: bool
) -> str:
    """Return everything as one text."""
    conditions = Counter(status.condition for status in snapshot.hosts.values())
    states = Counter(process.state for process in snapshot.processes())
    stale = sum(
        len(status.processes) for status in snapshot.hosts.values() if status.is_stale
    )
    lines = [
        *_head("fleet_hosts", "gauge", "Hosts of the inventory by condition."),
        *(_line("fleet_hosts", conditions[c], condition=c) for c in HostCondition),
        *_head("fleet_processes", "gauge", "Processes by state, as last known."),
        *(
            _line("fleet_processes", states[state], state=state.name)
            for state in ProcessState
        ),
        *_head("fleet_processes_stale", "gauge", "Processes whose host is silent."),
        _line("fleet_processes_stale", stale),
        *operations.lines(),
        *_head("fleet_streams", "gauge", "Open event streams."),
        _line("fleet_streams", streams),
        *_head("fleet_engine_healthy", "gauge", "1 while the background work lives."),
        _line("fleet_engine_healthy", int(is_healthy)),
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _line(name: str, value: int, **labels: str) -> str:
    return f"{name}{_braces(labels)} {value}"


def _braces(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{key}="{value!s}"' for key, value in labels.items())
    return "{" + inside + "}"
