"""The hosts, one host with its processes, and one process."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.errors import NotFound
from supervisor_easy.fleet.logs import LogSource
from supervisor_easy.model import HostCondition, HostStatus, Process, Stream
from supervisor_easy.selector import exact
from supervisor_easy.web.context import services, web
from supervisor_easy.web.history import Wish, find_events
from supervisor_easy.web.logtext import entry_to_dict
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import Query, is_trouble
from supervisor_easy.wire import counts_by_state

blueprint = Blueprint("hosts", __name__)

#: Events on a page about something else, and lines of a log on a page.
_EVENTS, LOG_LINES = 30, 200


@blueprint.get("/hosts")
@needs(Permission.VIEW)
def listing() -> ResponseReturnValue:
    """Show every host, reachable or why not."""
    statuses = list(services().state.snapshot().hosts.values())
    rows = [
        (
            status,
            counts_by_state(status.processes),
            sum(map(is_trouble, status.processes)),
        )
        for status in statuses
    ]
    silent = sum(s.condition is not HostCondition.UP for s in statuses)
    return render_template("hosts/listing.html", rows=rows, silent=silent)


@blueprint.get("/hosts/<host>")
@needs(Permission.VIEW)
def show(host: str) -> ResponseReturnValue:
    """Show one host with its processes and events."""
    status = _status(host)
    page = find_events(services(), Wish(Query(hosts=(host,)), limit=_EVENTS))
    return render_template(
        "hosts/show.html",
        status=status,
        rows=[(process, status) for process in status.processes],
        counts=counts_by_state(status.processes),
        events=page.events,
        selector=host,
    )


@blueprint.get("/hosts/<host>/<namespec:namespec>", merge_slashes=False)
@needs(Permission.VIEW)
def process(host: str, namespec: str) -> ResponseReturnValue:
    """Show one process."""
    status = _status(host)
    found = _process(status, namespec)
    events = services().events.query(targets=[found.target], limit=_EVENTS)
    return render_template(
        "hosts/process.html",
        status=status,
        process=found,
        events=events,
        selector=exact(found.target),
    )


@blueprint.get("/hosts/<host>/<namespec:namespec>/log", merge_slashes=False)
@needs(Permission.VIEW_LOGS)
def log(host: str, namespec: str) -> ResponseReturnValue:
    """Show the end of a process's logs, for browsers without scripts."""
    status = _status(host)
    target = _process(status, namespec).target
    sources = [LogSource(target, stream) for stream in Stream]
    logs = services().logs
    found = web().ask_hosts(
        lambda: logs.last(sources, lines=LOG_LINES),
        timeout=services().settings.host_wait,
    )
    shown = [
        (source.stream.value, [entry_to_dict(each) for each in entries])
        for source, entries in found.items()
    ]
    return render_template("hosts/log.html", target=target, logs=shown)


def _status(host: str) -> HostStatus:
    status = services().state.status(host)
    if status is None:
        raise NotFound(f"the inventory has no host {host}")
    return status


def _process(status: HostStatus, namespec: str) -> Process:
    for each in status.processes:
        if each.namespec == namespec:
            return each
    raise NotFound(f"{status.name} has no process {namespec} (any more)")
