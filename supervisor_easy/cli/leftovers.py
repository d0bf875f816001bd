"""Finishing what a dead console or `fleet` has begun, before we look or leave."""

import threading
from collections.abc import Sequence

from supervisor_easy.cli.render import Output
from supervisor_easy.engine import Engine
from supervisor_easy.fleet.actions import Actions
from supervisor_easy.model import Operation, OperationStatus

#: Between looks at an operation that ends.
_LOOK_SECONDS = 0.05
#: How long a host that does not answer is waited for; then the next one goes on.
_PATIENCE_SECONDS = 5.0


def finish_leftovers(
    leftovers: Sequence[Operation], actions: Actions, engine: Engine, *, out: Output
) -> None:
    """Wait until the engine has finished what it took over, where hosts answer."""
    for operation in leftovers:
        pending = len(operation.targets) - len(operation.outcomes)
        out.say(
            f"finishing operation {operation.id}: {operation.action.value} of "
            f"{pending} process{'es' * (pending != 1)}, left by a console that ended"
        )
        _finish(operation.id, actions, engine, out=out)


def _finish(
    operation_id: str, actions: Actions, engine: Engine, *, out: Output
) -> None:
    pause = threading.Event()
    waited = 0.0
    while (live := actions.live(operation_id)) is not None:
        if live.status is not OperationStatus.RUNNING or not engine.is_healthy:
            return
        waiting = actions.waiting(operation_id)
        done = {outcome.target for outcome in live.outcomes}
        owed = {target.host for target in live.targets if target not in done}
        waited = waited + _LOOK_SECONDS if owed and owed <= set(waiting) else 0.0
        if waited >= _PATIENCE_SECONDS:
            for host in sorted(owed):
                out.warn(
                    f"{host} does not answer; the next fleet command or the console "
                    f"goes on with operation {operation_id}: {waiting[host]}"
                )
            return
        pause.wait(_LOOK_SECONDS)
