"""Errors as answers: one status and one shape each, JSON for programs, a page else.

Nothing of a traceback, a setting or a request's body ever reaches an answer.
"""

import logging
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from flask import Flask, Response, g, jsonify, redirect, render_template, request
from flask import url_for as flask_url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from supervisor_easy.errors import (
    AccountError,
    ActionError,
    BadReply,
    EmptySelection,
    Fault,
    FleetError,
    HostUnreachable,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RpcError,
    SelectorError,
    StaleRequest,
    StoreError,
    TooManyAttempts,
)
from supervisor_easy.fleet.logs import BadPattern

logger = logging.getLogger(__name__)


class BadRequest(FleetError):
    """The request cannot be understood; `details` name each problem."""

    code = "bad_request"
    status: ClassVar[int] = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Keep a code of its own where a program should tell it apart."""
        self.own_code = code or self.code
        self.details = details or {}
        super().__init__(message)


class TooLarge(BadRequest):
    """The body is larger than `max_request_bytes`."""

    code = "too_large"
    status = 413


class WrongType(BadRequest):
    """The body is not JSON."""

    code = "unsupported_media_type"
    status = 415


class Forbidden(BadRequest):
    """The request comes from another site, or under a name that is not ours."""

    code = "forbidden"
    status = 403


class StaleTargets(StaleRequest):
    """Processes changed since the caller looked; `targets` names them."""

    def __init__(self, message: str, *, targets: Sequence[str]) -> None:
        """Keep the names of what changed."""
        self.targets = tuple(targets)
        super().__init__(message)


class HostCallsBusy(FleetError):
    """Too many requests wait for hosts."""

    code = "busy"


class NoRoomForStream(FleetError):
    """All event streams are taken, or this server cannot stream."""

    code = "too_many_streams"


#: The first class that fits decides.
STATUSES: tuple[tuple[type[BaseException], int], ...] = (
    (TooManyAttempts, 429),
    (NotAuthenticated, 401),
    (PermissionDenied, 403),
    (EmptySelection, 404),
    (SelectorError, 400),
    (BadPattern, 400),
    (AccountError, 400),
    (NotFound, 404),
    (StaleRequest, 409),
    (ActionError, 409),
    (HostUnreachable, 504),
    (Fault, 502),
    (BadReply, 502),
    (RpcError, 502),
    (HostCallsBusy, 503),
    (NoRoomForStream, 503),
    (StoreError, 503),
    (TimeoutError, 504),
)


def wants_json() -> bool:
    """Say whether the caller is a program: whatever asks under /api does."""
    return request.path.startswith("/api/")


def error_body(code: str, message: str, details: dict[str, Any]) -> dict[str, Any]:
    """Return the one shape of every error."""
    return {"error": {"code": code, "message": message, "details": details}}


def register(app: Flask) -> None:
    """Answer every error from here."""
    app.register_error_handler(FleetError, _fleet_error)
    app.register_error_handler(TimeoutError, _timeout)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def describe(error: FleetError) -> tuple[int, str, dict[str, Any]]:
    """Return status, code and details of one of our errors."""
    if isinstance(error, BadRequest):
        return error.status, error.own_code, error.details
    status = next((s for kind, s in STATUSES if isinstance(error, kind)), 500)
    return status, error.code, _details(error)


def _details(error: FleetError) -> dict[str, Any]:
    if isinstance(error, SelectorError):
        return {"nearest": list(error.nearest)}
    if isinstance(error, StaleTargets):
        return {"targets": list(error.targets)}
    if isinstance(error, TooManyAttempts):
        return {"retry_after_s": round(error.retry_after.total_seconds())}
    if isinstance(error, RpcError):
        return {"host": error.host}
    return {}


def _fleet_error(error: FleetError) -> Response:
    status, code, details = describe(error)
    if status == 401 and not wants_json():
        return _to_login()
    if status >= 500:
        text = " ".join(str(error).split())
        logger.warning("request failed path=%s code=%s: %s", _path(), code, text)
    message = _STORE_FAILED if isinstance(error, StoreError) else str(error)
    response = _answer(status, code, message, details)
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(details["retry_after_s"])
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="supervisor-easy"'
    return response


def _path() -> str:
    """Return the request's path for the log: one line, whatever was sent."""
    return quote(request.path, safe="/:@+,~")[:200]


def _to_login() -> Response:
    target = flask_url_for("auth.login")
    if request.method == "GET" and request.path != "/":
        wanted = request.full_path.rstrip("?")
        target = flask_url_for("auth.login", next=wanted)
    response = redirect(target, 303)
    assert isinstance(response, Response)
    return response


def _timeout(_: TimeoutError) -> Response:
    message = "this took too long and was given up; nothing more is known"
    return _answer(504, "timeout", message, {})


def _csrf(_: CSRFError) -> Response:
    message = "the form is out of date or not ours: go back, reload, and send it again"
    return _answer(400, "csrf", message, {})


def _http_error(error: HTTPException) -> Response:
    if error.response is not None:  # a redirect of the routing, for example
        found = error.get_response()
        assert isinstance(found, Response)
        return found
    status = error.code or 500
    code, message = _WORDS.get(status, (f"http_{status}", error.name.lower()))
    response = _answer(status, code, message, {})
    for name, value in error.get_headers():
        if name in {"Allow", "Location"}:
            response.headers[name] = value
    if error.code is not None and 300 <= error.code < 400:
        found = error.get_response()
        assert isinstance(found, Response)
        return found
    return response


#: Where it is and what was asked of it is for those who run the console.
_STORE_FAILED = "the database cannot be used; the console's log says more"
_WORDS = {
    400: ("bad_request", "the request cannot be understood"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take this method"),
    413: ("too_large", "the request is too large"),
    415: ("unsupported_media_type", "send JSON, with Content-Type: application/json"),
    500: ("internal", "something went wrong in the console; its log says more"),
}


def _unexpected(error: Exception) -> Response:
    # The edge of the web: whatever it is, the log has it and the caller learns nothing.
    logger.error("request failed unexpectedly path=%s", _path(), exc_info=error)
    return _answer(500, *_WORDS[500], {})


def _answer(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    if wants_json():
        response = jsonify(error_body(code, message, details))
    else:
        page = render_template(
            "error.html",
            status=status,
            code=code,
            message=message,
            details=details,
            is_known=g.get("identity") is not None,
        )
        response = Response(page)
    response.status_code = status
    return response
