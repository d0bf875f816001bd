"""What happened, and who or what did it."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.errors import SelectorError
from supervisor_easy.model import EventKind
from supervisor_easy.web.context import services
from supervisor_easy.web.errors import BadRequest
from supervisor_easy.web.history import Page, Wish, find_events
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import (
    PARAMETERS,
    moment,
    number,
    query_of,
    refuse_blank,
    refuse_unknown,
)

blueprint = Blueprint("events", __name__)

#: The largest id that a page may ask for.
MAX_ID = 10**18 - 1
#: Events a page, when nobody asks for another number; and at most.
PAGE, MAX_PAGE = 100, 5000


@blueprint.get("/events")
@needs(Permission.VIEW)
def listing() -> ResponseReturnValue:
    """Show events, newest first, filtered by what the URL says."""
    error: SelectorError | None = None
    wish = wish_of_request(is_typed=True)
    try:
        page = find_events(services(), wish)
    except SelectorError as exc:
        page, error = Page((), None), exc
    return render_template(
        "events/listing.html",
        page=page,
        wish=wish,
        error=error,
        since=request.args.get("since", ""),
        kinds=list(EventKind),
    ), 400 if error else 200


def wish_of_request(*, is_typed: bool = False) -> Wish:
    """Read which events the URL asks for.

    Raises:
        BadRequest: it cannot be understood.
    """
    others = ("since", "kind", "limit", "before_id", "after_id")
    known = [*(name for name in PARAMETERS if name != "state"), *others]
    refuse_unknown(request.args, known)
    if not is_typed:
        refuse_blank(request.args, known)
    before = number("before_id", 0, high=MAX_ID) or None
    after = number("after_id", 0, low=0, high=MAX_ID) if _has("after_id") else None
    if before is not None and after is not None:
        raise BadRequest("before_id and after_id do not go together")
    return Wish(
        query_of(request.args, is_typed=is_typed),
        since=moment("since", now=services().clock.now()),
        kinds=_kinds(),
        limit=number("limit", PAGE, high=MAX_PAGE),
        before_id=before,
        after_id=after,
    )


def _has(name: str) -> bool:
    return name in request.args


def _kinds() -> tuple[EventKind, ...]:
    names = [name for name in request.args.getlist("kind") if name]
    for name in names:
        if name not in set(EventKind):
            kinds = ", ".join(EventKind)
            raise BadRequest(f"{name[:30]!r} is no kind of event; there are {kinds}")
    return tuple(EventKind(name) for name in names)
