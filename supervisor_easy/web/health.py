"""For machines: does the process live, does its work go on, and figures."""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.errors import StoreError
from supervisor_easy.web.context import services, web
from supervisor_easy.web.metrics import CONTENT_TYPE, render
from supervisor_easy.web.security import needs, public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """Say that the process lives and answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
@public
def readyz() -> ResponseReturnValue:
    """Say whether database and engine work; no detail, anybody may ask."""
    parts = {"engine": web().engine.is_healthy, "database": _has_database()}
    is_ready = all(parts.values())
    words = {name: "ok" if works else "failed" for name, works in parts.items()}
    body = {"status": "ok" if is_ready else "failed", **words}
    return jsonify(body), 200 if is_ready else 503


@blueprint.get("/metrics")
@needs(Permission.VIEW)
def metrics() -> ResponseReturnValue:
    """Return the console's figures for Prometheus."""
    text = render(
        services().state.snapshot(),
        operations=web().metrics,
        streams=web().hub.count,
        is_healthy=web().engine.is_healthy,
    )
    return Response(text, content_type=CONTENT_TYPE)


def _has_database() -> bool:
    try:
        return services().store.current_revision() is not None
    except StoreError:
        return False
