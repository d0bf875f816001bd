"""What a browser or a program shows to be known: a session cookie or a token."""

import hashlib
from dataclasses import dataclass, field

from flask import Request

from supervisor_easy.access import Identity
from supervisor_easy.errors import NotAuthenticated
from supervisor_easy.services import Services
from supervisor_easy.web.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Credential:
    """One session or token; `secret` is kept out of every representation."""

    is_token: bool
    secret: str = field(repr=False)

    def identify(self, services: Services) -> Identity:
        """Return whose it is now.

        Raises:
            NotAuthenticated: unknown, ended, revoked.
        """
        if self.is_token:
            return services.tokens.identify(self.secret)
        return services.sessions.identify(self.secret)

    def is_good(self, services: Services) -> bool:
        """Say whether it still counts."""
        try:
            self.identify(services)
        except NotAuthenticated:
            return False
        return True


def cookie_suffix(secret_key: str) -> str:
    """Return what tells this console's cookies from another's on the same host.

    Cookies do not know ports, so two consoles on one machine would log each other
    out all day.
    """
    return hashlib.sha256(f"cookie {secret_key}".encode()).hexdigest()[:8]


def cookie_name(suffix: str, *, is_secure: bool, prefix: str) -> str:
    """Return the session cookie's name.

    `__Host-` makes the browser refuse one that a sibling domain planted; it demands
    https and the path `/`.
    """
    name = f"fleet_session_{suffix}"
    return f"__Host-{name}" if is_secure and not prefix else name


def find_credential(request: Request, *, cookie: str) -> Credential | None:
    """Return what the request shows, or None.

    Raises:
        BadRequest: a token together with a cookie. Tokens are exempt from the check
            against forged requests, so a browser's cookie must not ride along.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    session = request.cookies.get(cookie)
    if scheme.lower() == "bearer":
        if request.cookies:
            raise BadRequest("send a token or a cookie, not both", code="two_logins")
        return Credential(is_token=True, secret=token.strip())
    return Credential(is_token=False, secret=session) if session else None
