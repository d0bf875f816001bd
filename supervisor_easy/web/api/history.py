"""Events for programs."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.web.context import services
from supervisor_easy.web.events import wish_of_request
from supervisor_easy.web.history import find_events
from supervisor_easy.web.security import needs
from supervisor_easy.wire import event_to_dict


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.get("/events")(events)


@needs(Permission.VIEW)
def events() -> ResponseReturnValue:
    """Return events, newest first; with `after_id`, oldest first from the next one."""
    page = find_events(services(), wish_of_request())
    return jsonify(
        {
            "events": [event_to_dict(each) for each in page.events],
            "next_id": page.next_id,
        }
    )
