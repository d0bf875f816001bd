"""The API under `/api/v1`: what the console does, for programs; see docs/api.md."""

from flask import Blueprint

from supervisor_easy.web.api import acting, fleet, history, logs, streams

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

for _part in (fleet, acting, history, logs, streams):
    _part.register(blueprint)
