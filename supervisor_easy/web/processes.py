"""The processes, filtered by what the URL says."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.errors import EmptySelection, SelectorError
from supervisor_easy.model import ProcessState
from supervisor_easy.web.context import services
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import (
    PARAMETERS,
    Found,
    find,
    query_of,
    refuse_unknown,
)
from supervisor_easy.wire import counts_by_state

blueprint = Blueprint("processes", __name__)


@blueprint.get("/processes")
@needs(Permission.VIEW)
def listing() -> ResponseReturnValue:
    """Show the processes that are selected, or why none is."""
    refuse_unknown(request.args, PARAMETERS)
    query = query_of(request.args, is_typed=True)
    status, error = 200, None
    try:
        found = find(services(), query)
    except SelectorError as exc:
        status = 404 if isinstance(exc, EmptySelection) else 400
        found, error = Found(services().state.snapshot(), (), ()), exc
    limit = services().settings.table_rows
    shown = found.processes[:limit]
    page = render_template(
        "processes/listing.html",
        query=query,
        found=found,
        rows=[(process, found.status(process)) for process in shown],
        counts=counts_by_state(found.processes),
        limit=limit,
        error=error,
        states=list(ProcessState),
        groups=list(services().inventory.current.groups),
    )
    return page, status
