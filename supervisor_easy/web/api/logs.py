"""The ends of logs for programs, and of supervisord's own."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.errors import NotFound
from supervisor_easy.fleet.logs import LogSource
from supervisor_easy.model import Stream
from supervisor_easy.web.api.fleet import blind_to_dict
from supervisor_easy.web.context import services, web
from supervisor_easy.web.errors import BadRequest
from supervisor_easy.web.logtext import entry_to_dict
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import (
    PARAMETERS,
    Found,
    find,
    number,
    query_of,
    refuse_blank,
    refuse_unknown,
)

#: Lines of each log, when nobody asks for another number; and at most.
LINES, MAX_LINES = 100, 10_000
#: Bytes of supervisord's own log.
MAIN_BYTES, MAX_MAIN_BYTES = 16 << 10, 1 << 20


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.get("/logs")(logs)
    blueprint.get("/logs/main")(main_log)


@needs(Permission.VIEW_LOGS)
def logs() -> ResponseReturnValue:
    """Return the last lines of the selected logs, log by log."""
    refuse_unknown(request.args, (*PARAMETERS, "lines", "stream", "grep"))
    found, sources = sources_of_request()
    lines = number("lines", LINES, low=0, high=MAX_LINES)
    grep = request.args.get("grep") or None
    reader = services().logs
    entries = web().ask_hosts(
        lambda: reader.last(sources, lines=lines, grep=grep),
        timeout=services().settings.host_wait,
    )
    return jsonify(
        {
            "entries": [
                entry_to_dict(each) for some in entries.values() for each in some
            ],
            "blind_hosts": [blind_to_dict(each) for each in found.blind],
        }
    )


@needs(Permission.VIEW_LOGS)
def main_log() -> ResponseReturnValue:
    """Return the end of supervisord's own log on one host."""
    refuse_unknown(request.args, ("host", "bytes"))
    refuse_blank(request.args, ("host",))
    host = request.args.get("host", "")
    if host not in services().inventory.current.hosts:
        raise NotFound(f"the inventory has no host {host[:200]}")
    size = number("bytes", MAIN_BYTES, high=MAX_MAIN_BYTES)
    supervisor = services().supervisor(host)
    data = web().ask_hosts(
        lambda: supervisor.read_main_log(offset=-size, length=0),
        timeout=services().settings.host_wait,
    )
    return jsonify({"host": host, "text": data.decode("utf-8", "replace")})


def sources_of_request() -> tuple[Found, list[LogSource]]:
    """Return what the URL selects, and the logs of it.

    Raises:
        BadRequest: no such stream, nothing selected, or too many logs.
    """
    refuse_blank(request.args, (*PARAMETERS, "stream", "grep"))
    name = request.args.get("stream", Stream.STDOUT.value)
    if name not in set(Stream):
        raise BadRequest(f"{name[:30]!r} is no stream; there are stdout and stderr")
    query = query_of(request.args)
    if not query:
        raise BadRequest("say whose logs: selector=HOST/PROCESS")
    found = find(services(), query)
    limit = services().settings.stream_logs
    if len(found.processes) > limit:
        raise BadRequest(
            f"{len(found.processes)} logs are more than one request reads; narrow the "
            f"selector to {limit} or fewer",
            code="too_many_logs",
        )
    return found, [LogSource(each.target, Stream(name)) for each in found.processes]
