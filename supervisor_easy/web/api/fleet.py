"""The fleet as it is known now: hosts, groups, processes, and who is asking."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.model import HostStatus
from supervisor_easy.web.context import identity, services
from supervisor_easy.web.groupcounts import group_views
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import (
    PARAMETERS,
    find,
    query_of,
    refuse_unknown,
    why_blind,
)
from supervisor_easy.wire import host_to_dict, process_to_dict


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.get("/me")(me)
    blueprint.get("/hosts")(hosts)
    blueprint.get("/groups")(groups)
    blueprint.get("/processes")(processes)


@needs(Permission.VIEW)
def me() -> ResponseReturnValue:
    """Return who is asking, and what a client should know of this console."""
    known = identity()
    return jsonify(
        {
            "name": known.name,
            "role": known.role.value,
            "via": known.via,
            "confirm_above": services().settings.confirm_above,
        }
    )


@needs(Permission.VIEW)
def hosts() -> ResponseReturnValue:
    """Return every host."""
    refuse_unknown(request.args, ())
    snapshot = services().state.snapshot()
    found = [host_to_dict(status) for status in snapshot.hosts.values()]
    return jsonify({"hosts": found, "version": snapshot.version})


@needs(Permission.VIEW)
def groups() -> ResponseReturnValue:
    """Return every group of the inventory."""
    refuse_unknown(request.args, ())
    return jsonify({"groups": [each.to_dict() for each in group_views(services())]})


@needs(Permission.VIEW)
def processes() -> ResponseReturnValue:
    """Return the processes that the URL selects."""
    refuse_unknown(request.args, PARAMETERS)
    found = find(services(), query_of(request.args))
    return jsonify(
        {
            "processes": [
                process_to_dict(each, found.status(each)) for each in found.processes
            ],
            "blind_hosts": [blind_to_dict(each) for each in found.blind],
            "version": found.snapshot.version,
        }
    )


def blind_to_dict(status: HostStatus) -> dict[str, str]:
    """Return a host that was chosen and of which nothing is known."""
    return {"host": status.name, "error": why_blind(status)}
