"""Who may send what: the checks before every view, the headers after it.

Every view says what it needs (`needs`) or that it is for anybody (`public`); one that
says neither is refused, so that a forgotten line closes a door instead of opening it.
"""

import ipaddress
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect

from supervisor_easy.access import Permission, require
from supervisor_easy.errors import NotAuthenticated
from supervisor_easy.settings import Settings
from supervisor_easy.web.context import identity, services, web
from supervisor_easy.web.credentials import cookie_name, find_credential
from supervisor_easy.web.errors import Forbidden

logger = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

#: Methods that change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Endpoints of Flask's own that anybody may read.
_OPEN_ENDPOINTS = frozenset({"static"})
_MISSING = object()

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "worker-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; "
    "base-uri 'none'"
)
#: On every answer, also on those that Flask never saw.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
#: Seconds that a browser remembers to come by https only.
_HSTS = "max-age=31536000"

csrf = CSRFProtect()


def needs(permission: Permission) -> Callable[[View], View]:
    """Mark a view: only who has this permission."""

    def mark(view: View) -> View:
        view.fleet_needs = permission  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Mark a view: anybody, logged in or not."""
    view.fleet_needs = None  # type: ignore[attr-defined]
    return view


def needed_by(app: Flask, endpoint: str) -> Permission | None:
    """Return what an endpoint needs, None for anybody.

    Raises:
        LookupError: the view does not say.
    """
    if endpoint in _OPEN_ENDPOINTS:
        return None
    found = getattr(app.view_functions[endpoint], "fleet_needs", _MISSING)
    if found is _MISSING:
        raise LookupError(f"{endpoint} does not say who may use it")
    assert found is None or isinstance(found, Permission)
    return found


def register(app: Flask) -> None:
    """Put the checks before and the headers after every view."""
    csrf.init_app(app)
    app.session_interface = FormSession()
    app.before_request(_check_name)
    app.before_request(_check_site)
    app.before_request(_identify)
    app.before_request(_check_permission)
    app.before_request(_check_form)
    app.after_request(_add_headers)


class FormSession(SecureCookieSessionInterface):
    """Flask's signed cookie, used for the form tokens and one-off messages only."""

    def get_cookie_name(self, app: Flask) -> str:
        """Return a name of this console's own."""
        name = f"fleet_form_{app.config['FLEET_COOKIE_SUFFIX']}"
        return f"__Host-{name}" if _may_pin() else name

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """Say whether the browser came by https."""
        return request.is_secure

    def get_cookie_path(self, app: Flask) -> str:  # noqa: ARG002
        """Return where the cookie is sent: to this console only."""
        return cookie_path()


def session_cookie() -> str:
    """Return the name of the login's cookie for this request."""
    return cookie_name(
        current_app.config["FLEET_COOKIE_SUFFIX"],
        is_secure=request.is_secure,
        prefix=request.script_root,
    )


def cookie_path() -> str:
    """Return the path of our cookies."""
    return request.script_root or "/"


def _may_pin() -> bool:
    return request.is_secure and not request.script_root


# -- before


def _check_name() -> None:
    """Refuse names that are not ours: somebody's DNS may point at this machine."""
    allowed = current_app.config["FLEET_HOST_NAMES"]
    name = host_name(request.host)
    if (
        allowed is None
        or name in allowed
        or (allowed == LOOPBACK_ONLY and is_loopback(name))
    ):
        return
    logger.warning("request for a name that is not ours host=%r", name[:100])
    raise Forbidden(
        "this console is not known under that name; open it under its own, or add "
        "the name to FLEET_ALLOWED_HOSTS",
        code="unknown_host_name",
    )


LOOPBACK_ONLY: frozenset[str] = frozenset({"localhost"})


def host_names(settings: Settings) -> frozenset[str] | None:
    """Return the names in a request's Host that are ours; None means any.

    A console on loopback is a target for DNS rebinding (a page of somebody's whose
    name is made to point at 127.0.0.1), so it takes loopback names only. Elsewhere
    the cookies belong to the right name already, and a proxy has checked it.
    """
    if settings.allowed_hosts:
        return frozenset(
            host_name(each.strip()) for each in settings.allowed_hosts.split(",")
        )
    address = settings.bind.rpartition(":")[0].strip("[]")
    is_local = not settings.bind.startswith("unix:") and is_loopback(address)
    return LOOPBACK_ONLY if is_local and not settings.trusted_proxies else None


def host_name(host: str) -> str:
    """Return the name of `name:port` or `[address]:port`, lower case."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") < 2 else host


def is_loopback(name: str) -> bool:
    """Say whether a name or an address always means this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_site() -> None:
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "none") == "cross-site":
        raise Forbidden(
            "this came from another site and was refused", code="cross_site"
        )


def _identify() -> None:
    g.identity = g.credential = None
    # Before the view looks: a page may show newer than it says, never older.
    g.version = services().state.snapshot().version
    if request.endpoint in _OPEN_ENDPOINTS:
        return
    found = find_credential(request, cookie=session_cookie())
    if found is None:
        return
    try:
        g.identity = found.identify(services())
    except NotAuthenticated:
        # For a page this means the login form, for the public pages nothing.
        if found.is_token:
            raise
        return
    g.credential = found


def _check_permission() -> None:
    if request.endpoint is None:
        return
    needed = needed_by(current_app, request.endpoint)
    if needed is not None:
        require(identity(), needed)


def _check_form() -> None:
    """See that an unsafe request of a browser comes from a page of ours."""
    is_by_token = g.credential is not None and g.credential.is_token
    if request.method not in SAFE_METHODS and not is_by_token:
        csrf.protect()


# -- after


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", _HSTS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Fleet-Run"] = web().run_id
    return response
