"""Acting for programs: dry runs, operations, cancelling, previews of updates."""

import asyncio
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission, require
from supervisor_easy.errors import HostUnreachable
from supervisor_easy.fleet.updates import UpdatePreview, preview_update
from supervisor_easy.model import Action, HostStatus, Operation, Target
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.web import acting
from supervisor_easy.web.api.fleet import blind_to_dict
from supervisor_easy.web.api.models import (
    ActionBody,
    UpdatePreviewBody,
    no_body,
    read_body,
)
from supervisor_easy.web.context import identity, services, web
from supervisor_easy.web.errors import BadRequest
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import (
    Query,
    find,
    number,
    refuse_blank,
    refuse_unknown,
    targets_of,
)
from supervisor_easy.wire import operation_to_dict

#: Operations in one answer.
PAGE, MAX_PAGE = 50, 500


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.post("/actions")(act)
    blueprint.get("/actions")(operations)
    blueprint.get("/actions/<operation_id>")(operation)
    blueprint.post("/actions/<operation_id>/cancel")(cancel)
    blueprint.post("/updates/preview")(preview_updates)


@needs(Permission.ACT)
def act() -> ResponseReturnValue:
    """Begin an operation, or with `dry_run` say what it would do."""
    body = read_body(ActionBody)
    require(identity(), acting.permission_for(body.action))
    signal = acting.check_signal(body.action, body.signal)
    targets, blind = _targets(body)
    blind_hosts = [blind_to_dict(each) for each in blind]
    if body.dry_run:
        lines = _dry_run(body.action, targets)
        return jsonify(
            {"action": body.action, "targets": lines, "blind_hosts": blind_hosts}
        )
    if not targets and blind:
        first = blind[0]
        raise HostUnreachable(
            f"nothing is known of {first.name}: {blind_hosts[0]['error']}",
            host=first.name,
            reason="blind",
        )
    order = acting.Order(
        action=body.action,
        targets=targets,
        signal=signal,
        reason=body.reason,
        key=acting.check_key(request.headers.get("Idempotency-Key")),
        expected=body.expected,
    )
    begun = acting.submit(web(), identity(), order)
    return jsonify({**_with_waiting(begun), "blind_hosts": blind_hosts}), 202


@needs(Permission.VIEW)
def operations() -> ResponseReturnValue:
    """Return the newest operations; `before` asks for those older than one."""
    refuse_unknown(request.args, ("limit", "before"))
    refuse_blank(request.args, ("limit", "before"))
    limit = number("limit", PAGE, high=MAX_PAGE)
    before = request.args.get("before") or None
    found = services().journal.list(limit=limit + 1, before=before)
    shown = found[:limit]
    return jsonify(
        {
            "actions": [operation_to_dict(each) for each in shown],
            "next_before": shown[-1].id if len(found) > limit else None,
        }
    )


@needs(Permission.VIEW)
def operation(operation_id: str) -> ResponseReturnValue:
    """Return one operation as it stands."""
    refuse_unknown(request.args, ())
    return jsonify(_with_waiting(acting.find_operation(web(), operation_id)))


@needs(Permission.ACT)
def cancel(operation_id: str) -> ResponseReturnValue:
    """Begin nothing more of an operation."""
    no_body()
    is_cancelled = acting.cancel(web(), operation_id)
    found = acting.find_operation(web(), operation_id)
    return jsonify({**_with_waiting(found), "cancelled": is_cancelled})


@needs(Permission.UPDATE_CONFIG)
def preview_updates() -> ResponseReturnValue:
    """Have hosts read their configuration again; nothing running changes."""
    body = read_body(UpdatePreviewBody)
    chosen = find(services(), Query(hosts=tuple(body.hosts)))
    names = {each.host for each in chosen.processes} | {s.name for s in chosen.blind}
    hosts = [name for name in chosen.snapshot.hosts if name in names]
    supervisors = [services().supervisor(name) for name in hosts]
    found = web().ask_hosts(
        lambda: _preview_all(supervisors), timeout=services().settings.host_wait
    )
    return jsonify([acting.update_to_dict(each) for each in found])


async def _preview_all(supervisors: list[Supervisor]) -> list[UpdatePreview]:
    return list(await asyncio.gather(*map(preview_update, supervisors)))


def _targets(body: ActionBody) -> tuple[tuple[Target, ...], tuple[HostStatus, ...]]:
    """Return the exact targets, and the hosts of which nothing is known."""
    query = Query(
        tuple(body.selectors),
        tuple(body.groups),
        tuple(body.hosts),
        tuple(body.labels),
        tuple(body.states),
    )
    if body.targets and query:
        raise BadRequest("send targets or selectors, not both")
    if body.targets:
        return acting.parse_targets(body.targets), ()
    if not query:
        raise BadRequest("nothing is selected: send selectors or targets")
    if body.action not in acting.ON_PROCESSES:
        raise BadRequest(f"{body.action} takes targets, not selectors")
    found = find(services(), query)
    return tuple(targets_of(found.processes)), found.blind


def _dry_run(action: Action, targets: tuple[Target, ...]) -> list[dict[str, Any]]:
    snapshot = services().state.snapshot()
    if not targets:
        return []
    if action in acting.ON_PROCESSES:
        lines = acting.plan(action, targets, snapshot=snapshot)
        return [acting.preview_to_dict(each) for each in lines]
    acting.check_targets(action, targets, snapshot=snapshot)
    return [
        {"target": str(t), "state": None, "pid": None, "will": action, "note": ""}
        for t in targets
    ]


def _with_waiting(found: Operation) -> dict[str, Any]:
    return {**operation_to_dict(found), "waiting": acting.waiting(web(), found)}
