"""Server-sent events: the fleet's state with operations, and followed logs."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.fleet.logs import LineFilter
from supervisor_easy.web.api.logs import MAX_LINES, sources_of_request
from supervisor_easy.web.context import credential, services
from supervisor_easy.web.feeds import LogFeed, StateFeed, handover
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import PARAMETERS, number, refuse_unknown

#: Longest event id that a browser sends back, in characters.
_ID_LENGTH = 50


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.get("/stream")(state_stream)
    blueprint.get("/logs/stream")(log_stream)


@needs(Permission.VIEW)
def state_stream() -> ResponseReturnValue:
    """Stream changes of the fleet and the progress of operations."""
    refuse_unknown(request.args, ("last_event_id",))
    last_id = request.headers.get("Last-Event-ID") or request.args.get(
        "last_event_id", ""
    )
    return handover(StateFeed(credential(), last_id[:_ID_LENGTH]))


@needs(Permission.VIEW_LOGS)
def log_stream() -> ResponseReturnValue:
    """Stream the last lines of the selected logs, then all that comes."""
    refuse_unknown(request.args, (*PARAMETERS, "lines", "stream", "grep"))
    _, sources = sources_of_request()
    grep = request.args.get("grep") or None
    reader = services()
    if grep is not None:
        # Refused now: once the stream has begun there is no status to say it with.
        LineFilter(grep, settings=reader.settings, clock=reader.clock)
    return handover(
        LogFeed(
            credential(),
            logs=reader.logs,
            sources=sources,
            lines=number("lines", 0, low=0, high=MAX_LINES),
            grep=grep,
        )
    )
