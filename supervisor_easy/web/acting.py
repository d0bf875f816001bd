"""From what somebody wants done to an operation: checked, exact, at most once."""

import re
import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor_easy.access import Identity, Permission, require
from supervisor_easy.errors import NotFound
from supervisor_easy.fleet.actions import Request
from supervisor_easy.fleet.preview import Preview, preview
from supervisor_easy.fleet.updates import UpdatePreview
from supervisor_easy.model import Action, Operation, OperationStatus, Snapshot, Target
from supervisor_easy.web.context import JOURNAL_WAIT, Deed, Web
from supervisor_easy.web.errors import BadRequest, StaleTargets
from supervisor_easy.wire import target_from_text

#: Idempotency keys are short words of printable ASCII.
_KEY = re.compile(r"[\x21-\x7e]{1,100}")
#: Names that a message lists before it only counts.
_NAMED = 5

#: Actions on processes; the others are on process groups and hosts.
ON_PROCESSES = (
    Action.START,
    Action.STOP,
    Action.RESTART,
    Action.SIGNAL,
    Action.CLEAR_LOGS,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to exactly these targets.

    `expected` tells the pid that somebody saw of some or all targets.
    """

    action: Action
    targets: tuple[Target, ...]
    signal: str = ""
    reason: str = ""
    key: str | None = None
    expected: Mapping[str, int] | None = None

    @property
    def deed(self) -> Deed:
        """Return what a repeat under the same key must be, too."""
        return Deed(self.action, frozenset(self.targets), self.signal)


def permission_for(action: Action) -> Permission:
    """Return what somebody needs to do this."""
    return {
        Action.UPDATE: Permission.UPDATE_CONFIG,
        Action.RESTART_SUPERVISORD: Permission.MANAGE_HOST,
    }.get(action, Permission.ACT)


def parse_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """Read `host/group:name` texts, each once.

    Raises:
        BadRequest: one is no target; the message names it.
    """
    return tuple(dict.fromkeys(_target(text) for text in texts))


def check_signal(action: Action, name: str) -> str:
    """Return a signal's name as supervisord takes it; empty for other actions.

    Raises:
        BadRequest: no signal where one is needed, or there is none of this name.
    """
    if action is not Action.SIGNAL:
        if name:
            raise BadRequest("only the action signal takes a signal")
        return ""
    short = name.strip().upper().removeprefix("SIG")
    if f"SIG{short}" not in signals.Signals.__members__:
        raise BadRequest(f"{name[:30]!r} is not a signal; write HUP, USR1, TERM …")
    return short


def check_key(key: str | None) -> str | None:
    """Return an idempotency key.

    Raises:
        BadRequest: it is too long or holds what no header holds.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key is 1 to 100 printable ASCII characters")
    return key


def plan(
    action: Action, targets: Sequence[Target], *, snapshot: Snapshot
) -> list[Preview]:
    """Say what an action would do to processes as they are known now.

    Raises:
        NotFound: a process or host is not there.
    """
    check_targets(action, targets, snapshot=snapshot)
    by_key = {
        process.target: process
        for name in {target.host for target in targets}
        for process in snapshot.hosts[name].processes
    }
    return preview(action, [by_key[target] for target in targets])


def submit(web: Web, identity: Identity, order: Order) -> Operation:
    """Begin the operation, or return the one that this key began already.

    Raises:
        PermissionDenied: the role may not.
        NotFound: a target is not there.
        StaleTargets: a process is not what the caller saw; nothing was done.
        StaleRequest: the key stands for another action or other targets.
    """
    require(identity, permission_for(order.action))
    if order.key is not None:
        made = web.keys.find(identity, order.key, order.deed)
        if made is not None:
            return find_operation(web, made)
    snapshot = web.services.state.snapshot()
    if order.expected is not None:
        _refuse_stale(order.expected, snapshot)
    check_targets(order.action, order.targets, snapshot=snapshot)
    request = Request(
        action=order.action,
        targets=order.targets,
        actor=identity.actor,
        signal=order.signal,
        reason=order.reason,
        idempotency_key=order.key,
    )
    actions = web.services.actions
    operation = web.engine.call(lambda: actions.submit(request), timeout=JOURNAL_WAIT)
    if order.key is not None:
        web.keys.add(identity, order.key, order.deed, operation_id=operation.id)
    return operation


def find_operation(web: Web, operation_id: str) -> Operation:
    """Return an operation, from memory or from the journal.

    Raises:
        NotFound: there is none of this id.
    """
    actions = web.services.actions
    live = actions.live(operation_id)
    if live is not None:
        return live
    return web.engine.call(
        lambda: actions.operation(operation_id), timeout=JOURNAL_WAIT
    )


def waiting(web: Web, operation: Operation) -> dict[str, str]:
    """Return, by host, why an operation waits; after its end it waits for nothing."""
    if operation.status is not OperationStatus.RUNNING:
        return {}
    return dict(web.services.actions.waiting(operation.id))


def cancel(web: Web, operation_id: str) -> bool:
    """Begin nothing more of an operation; say whether there was anything to cancel.

    Raises:
        NotFound: there is none of this id.
    """
    find_operation(web, operation_id)

    async def on_loop() -> bool:
        return web.services.actions.cancel(operation_id)

    return web.engine.call(on_loop, timeout=JOURNAL_WAIT)


def check_targets(
    action: Action, targets: Sequence[Target], *, snapshot: Snapshot
) -> None:
    """See that each target is there and of the kind that the action takes.

    Raises:
        BadRequest: no targets, or of the wrong kind.
        NotFound: a host or process that is not there.
    """
    if not targets:
        raise BadRequest("no targets: say which processes")
    known = {
        process.target
        for name in {target.host for target in targets}
        if name in snapshot.hosts
        for process in snapshot.hosts[name].processes
    }
    for target in targets:
        if not _fits(action, target):
            raise BadRequest(f"{str(target)[:200]!r} is no target of {action}")
    lost = [
        str(target)
        for target in targets
        if target.host not in snapshot.hosts
        or (action in ON_PROCESSES and target not in known)
    ]
    if lost:
        raise NotFound(f"there is no {_some(lost)}")


def preview_to_dict(each: Preview) -> dict[str, Any]:
    """Return what an action would do to one process."""
    return {
        "target": str(each.target),
        "state": each.process.state.name,
        "pid": each.process.pid,
        "will": each.will,
        "note": each.note,
    }


def update_to_dict(each: UpdatePreview) -> dict[str, Any]:
    """Return what an update would do to one host."""
    return {
        "host": each.host,
        "added": list(each.diff.added),
        "changed": list(each.diff.changed),
        "removed": list(each.diff.removed),
        "restarts": [process.namespec for process in each.restarts],
        "error": str(each.error) if each.error else None,
    }


def _refuse_stale(expected: Mapping[str, int], snapshot: Snapshot) -> None:
    changed = []
    for text, pid in expected.items():
        process = snapshot.find(_target(text))
        if process is None or process.pid != pid:
            changed.append(text)
    if changed:
        raise StaleTargets(
            f"{_some(changed)} changed since you looked; nothing was done. "
            "Look again, then ask again",
            targets=changed,
        )


def _fits(action: Action, target: Target) -> bool:
    if action is Action.RESTART_SUPERVISORD:
        return bool(target.host) and not target.group and not target.name
    if action is Action.UPDATE:
        return bool(target.host and target.group) and target.name == "*"
    return bool(target.host and target.group and target.name)


def _target(text: str) -> Target:
    target = target_from_text(text)
    if not target.host or ("/" in text and not (target.group and target.name)):
        raise BadRequest(f"{text[:200]!r} is no target; write host/group:name")
    return target


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
