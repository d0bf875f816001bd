"""What changed since the last message, gathered on the engine's loop.

Between two messages only the last word counts: a process that changed five times is
sent once. The size is bounded by that of the fleet.
"""

import threading
from collections.abc import Callable
from typing import Any

from supervisor_easy.fleet.actions import Actions
from supervisor_easy.fleet.state import FleetState, HostChange
from supervisor_easy.model import OperationStatus, Target
from supervisor_easy.wire import (
    host_to_dict,
    outcome_to_dict,
    process_to_dict,
)

Json = dict[str, Any]


class Changes:
    """Gathers on the engine's loop, is emptied on the web server's."""

    def __init__(
        self, state: FleetState, actions: Actions, *, wake: Callable[[], None]
    ) -> None:
        """Call `wake` (from the engine's loop) when there is the first news."""
        self._state = state
        self._actions = actions
        self._wake = wake
        self._lock = threading.Lock()
        self._hosts: dict[str, None] = {}
        self._processes: dict[Target, None] = {}
        self._operations: dict[str, None] = {}
        self._version = 0
        #: Which targets' outcomes were told already, of the running operations.
        self._sent: dict[str, set[Target]] = {}

    def subscribe(self) -> Callable[[], None]:
        """Listen from now on; on the engine's loop. Return what ends it."""
        ends = (
            self._state.subscribe(self._host_changed),
            self._actions.subscribe(self._operation_moved),
        )

        def end() -> None:
            for each in ends:
                each()

        return end

    def _host_changed(self, change: HostChange) -> None:
        with self._lock:
            self._hosts[change.host] = None
            for each in change.processes:
                self._processes[each.target] = None
            self._version = change.version
        self._wake()

    def _operation_moved(self, operation_id: str) -> None:
        with self._lock:
            self._operations[operation_id] = None
        self._wake()

    def take(self) -> list[tuple[str, Json]]:
        """Return the messages that tell all that gathered, as (event, data)."""
        with self._lock:
            hosts, self._hosts = self._hosts, {}
            processes, self._processes = self._processes, {}
            operations, self._operations = self._operations, {}
            version = self._version
        messages: list[tuple[str, Json]] = []
        if hosts:
            messages.append(("state", self._state_message(hosts, processes, version)))
        messages += [
            ("operation", message)
            for each in operations
            if (message := self._operation_message(each)) is not None
        ]
        return messages

    def _state_message(
        self, hosts: dict[str, None], targets: dict[Target, None], version: int
    ) -> Json:
        # Read after the version was noted: what is newer than it does no harm.
        snapshot = self._state.snapshot()
        statuses = {h: snapshot.hosts[h] for h in hosts if h in snapshot.hosts}
        wanted = {target.host for target in targets}
        found = {
            process.target: process
            for name in wanted
            if name in snapshot.hosts
            for process in snapshot.hosts[name].processes
        }
        return {
            "version": version,
            "hosts": [host_to_dict(status) for status in statuses.values()],
            "hosts_gone": [name for name in hosts if name not in statuses],
            "processes": [
                process_to_dict(found[target], snapshot.hosts[target.host])
                for target in targets
                if target in found
            ],
            "processes_gone": [str(t) for t in targets if t not in found],
        }

    def _operation_message(self, operation_id: str) -> Json | None:
        operation = self._actions.live(operation_id)
        if operation is None:
            return None
        sent = self._sent.setdefault(operation_id, set())
        fresh = [each for each in operation.outcomes if each.target not in sent]
        sent.update(each.target for each in fresh)
        is_over = operation.status is not OperationStatus.RUNNING
        if is_over:
            del self._sent[operation_id]
        return {
            "id": operation.id,
            "action": operation.action.value,
            "status": operation.status.value,
            "actor": operation.actor.name,
            "via": operation.actor.via,
            "targets": len(operation.targets),
            "summary": operation.summary(),
            "waiting": {} if is_over else dict(self._actions.waiting(operation_id)),
            "is_over": is_over,
            # Log tails are fetched with the operation; a stream is for what is short.
            "outcomes": [outcome_to_dict(each) | {"log_tail": ""} for each in fresh],
        }
