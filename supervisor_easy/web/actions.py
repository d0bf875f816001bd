"""Acting from pages: show exactly what would be done, do it once, watch it."""

import json
import secrets
from collections import Counter
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission, require
from supervisor_easy.fleet.preview import Preview
from supervisor_easy.model import Action, Operation, OutcomeKind, Target
from supervisor_easy.web import acting
from supervisor_easy.web.context import identity, services, web
from supervisor_easy.web.errors import BadRequest
from supervisor_easy.web.filters import why
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import (
    PARAMETERS,
    find,
    number,
    query_of,
    refuse_unknown,
    targets_of,
)

blueprint = Blueprint("actions", __name__)

#: Operations a page shows.
PAGE, MAX_PAGE = 50, 200
#: Longest reason, in characters.
MAX_REASON = 500
#: Signals a page offers; a program may send any.
SIGNALS = ("HUP", "USR1", "USR2", "INT", "TERM", "QUIT", "KILL")


@dataclass(frozen=True, slots=True)
class Draft:
    """An action as the confirming page shows it, before anything was done."""

    action: Action
    signal: str
    lines: list[Preview]
    blind: list[tuple[str, str]]
    key: str
    reason: str = ""

    @property
    def expected(self) -> str:
        """Return the targets with their pids, for the form to send back."""
        return json.dumps({str(each.target): each.process.pid for each in self.lines})

    @property
    def counts(self) -> Counter[str]:
        """Count the targets by what will be done."""
        return Counter(each.will for each in self.lines)


@blueprint.get("/actions")
@needs(Permission.VIEW)
def listing() -> ResponseReturnValue:
    """Show the operations, newest first."""
    refuse_unknown(request.args, ("limit", "before"))
    limit = number("limit", PAGE, high=MAX_PAGE)
    before = request.args.get("before") or None
    found = services().journal.list(limit=limit + 1, before=before)
    has_more = len(found) > limit
    return render_template(
        "actions/listing.html", operations=found[:limit], has_more=has_more
    )


@blueprint.get("/actions/new")
@needs(Permission.ACT)
def draft() -> ResponseReturnValue:
    """Show what an action on a selection would do; this does nothing yet."""
    refuse_unknown(request.args, (*PARAMETERS, "action", "signal"))
    query = query_of(request.args)
    if not query:
        raise BadRequest("say which processes: nothing is selected")
    action = _action(request.args.get("action", ""))
    found = find(services(), query)
    blind = [(each.name, why(each)) for each in found.blind]
    return _confirm(action, targets_of(found.processes), blind=blind)


@blueprint.post("/actions/new")
@needs(Permission.ACT)
def draft_of_chosen() -> ResponseReturnValue:
    """Show what an action on chosen processes would do; this does nothing yet."""
    action = _action(request.form.get("action", ""))
    chosen = request.form.getlist("target")
    if not chosen:
        raise BadRequest("choose at least one process first")
    return _confirm(action, list(acting.parse_targets(chosen)), blind=[])


@blueprint.post("/actions")
@needs(Permission.ACT)
def act() -> ResponseReturnValue:
    """Begin an operation that a person has seen and confirmed."""
    form = request.form
    action = _action(form.get("action", ""))
    expected = _expected(form.get("expected", ""))
    targets = acting.parse_targets(list(expected))
    _check_count(len(targets), typed=form.get("count", ""))
    order = acting.Order(
        action=action,
        targets=targets,
        signal=acting.check_signal(action, form.get("signal", "")),
        reason=form.get("reason", "").strip()[:MAX_REASON],
        key=acting.check_key(form.get("key") or None),
        expected=expected,
    )
    operation = acting.submit(web(), identity(), order)
    return redirect(url_for("actions.show", operation_id=operation.id), 303)


@blueprint.get("/actions/<operation_id>")
@needs(Permission.VIEW)
def show(operation_id: str) -> ResponseReturnValue:
    """Show an operation with its progress and outcomes."""
    operation = acting.find_operation(web(), operation_id)
    done = {outcome.target: outcome for outcome in operation.outcomes}
    return render_template(
        "actions/show.html",
        operation=operation,
        rows=[(target, done.get(target)) for target in operation.targets],
        summary=operation.summary(),
        waiting=acting.waiting(web(), operation),
        failed=_failed(operation),
        may_act=_may_repeat(operation),
    )


@blueprint.post("/actions/<operation_id>/cancel")
@needs(Permission.ACT)
def cancel(operation_id: str) -> ResponseReturnValue:
    """Send nothing more; what was begun goes on to its end."""
    acting.cancel(web(), operation_id)
    return redirect(url_for("actions.show", operation_id=operation_id), 303)


def _confirm(
    action: Action, targets: list[Target], *, blind: list[tuple[str, str]]
) -> ResponseReturnValue:
    require(identity(), acting.permission_for(action))
    signal = ""
    if action is Action.SIGNAL:
        wanted = request.values.get("signal") or SIGNALS[0]
        signal = acting.check_signal(action, wanted)
    snapshot = services().state.snapshot()
    lines = acting.plan(action, targets, snapshot=snapshot) if targets else []
    made = Draft(action, signal, lines, blind, key=secrets.token_urlsafe(16))
    return render_template(
        "actions/confirm.html",
        draft=made,
        snapshot=snapshot,
        confirm_above=services().settings.confirm_above,
        signals=SIGNALS,
    )


def _action(name: str) -> Action:
    if name not in {each.value for each in acting.ON_PROCESSES}:
        raise BadRequest(f"{name[:30]!r} is not an action on processes")
    return Action(name)


def _expected(text: str) -> dict[str, int]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(type(v) is int for v in found.values()):
        raise BadRequest("the form is incomplete: open the page again")
    return found


def _check_count(count: int, *, typed: str) -> None:
    """See that who acts on many has typed how many."""
    if count > services().settings.confirm_above and typed.strip() != str(count):
        raise BadRequest(
            f"this acts on {count} processes: go back and type {count} to confirm",
            code="not_confirmed",
        )


def _failed(operation: Operation) -> list[Target]:
    bad = (OutcomeKind.FAILED, OutcomeKind.UNKNOWN)
    return [outcome.target for outcome in operation.outcomes if outcome.kind in bad]


def _may_repeat(operation: Operation) -> bool:
    return operation.action in acting.ON_PROCESSES
