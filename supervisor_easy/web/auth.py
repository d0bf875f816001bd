"""Logging in and out."""

import logging
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Response,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue

from supervisor_easy.errors import NotAuthenticated, TooManyAttempts
from supervisor_easy.web.context import credential, services, web
from supervisor_easy.web.errors import BadRequest
from supervisor_easy.web.security import cookie_path, public, session_cookie

logger = logging.getLogger(__name__)

blueprint = Blueprint("auth", __name__)

#: Characters of a browser's description that are kept with its session.
_AGENT_LENGTH = 200


@blueprint.get("/login")
@public
def login() -> ResponseReturnValue:
    """Show the form, or go on for who is logged in."""
    wanted = safe_next(request.args.get("next", ""))
    if g.identity is not None:
        return redirect(request.script_root + wanted, 303)
    has_users = bool(services().accounts.list_users())
    return render_template("auth/login.html", wanted=wanted, has_users=has_users)


@blueprint.post("/login")
@public
def log_in() -> ResponseReturnValue:
    """Begin a session and go where the browser wanted to go."""
    wanted = safe_next(request.form.get("next", ""))
    if g.credential is not None and g.credential.is_token:
        raise BadRequest("a token needs no login")
    try:
        response = _open_session(wanted)
    except (NotAuthenticated, TooManyAttempts) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 401
        page = render_template(
            "auth/login.html", wanted=wanted, has_users=True, error=str(error)
        )
        answer = Response(page, status)
        if isinstance(error, TooManyAttempts):
            seconds = round(error.retry_after.total_seconds())
            answer.headers["Retry-After"] = str(seconds)
        return answer
    return response


@blueprint.post("/logout")
@public
def log_out() -> ResponseReturnValue:
    """End the session everywhere: here, in the database, in its streams."""
    if g.credential is not None and not g.credential.is_token:
        services().sessions.end(credential().secret)
        web().hub.end_streams_of(credential())
    session.clear()
    response = redirect(url_for("auth.login"), 303)
    response.delete_cookie(
        session_cookie(), path=cookie_path(), secure=request.is_secure, httponly=True
    )
    return response


def _open_session(wanted: str) -> Response:
    address = request.remote_addr or ""
    known = services().accounts.verify(
        request.form.get("name", ""), request.form.get("password", ""), address=address
    )
    secret = services().sessions.open(
        known.name,
        address=address,
        user_agent=request.user_agent.string[:_AGENT_LENGTH],
    )
    logger.info("logged in user=%s address=%s", known.name, address)
    # The form token of before the login must not be good after it.
    session.clear()
    response = redirect(request.script_root + wanted, 303)
    assert isinstance(response, Response)
    response.set_cookie(
        session_cookie(),
        secret,
        max_age=services().settings.session_lifetime,
        path=cookie_path(),
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def safe_next(wanted: str) -> str:
    """Return a path of this console; `/` for whatever could lead elsewhere.

    Browsers read a backslash as `/` and skip control characters: neither may be there.
    """
    is_path = wanted.startswith("/") and not wanted.startswith("//")
    if not is_path or "\\" in wanted or not wanted.isprintable():
        return "/"
    parts = urlsplit(wanted)
    return "/" if parts.scheme or parts.netloc else wanted
