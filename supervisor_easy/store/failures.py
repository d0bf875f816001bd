"""Turn SQLAlchemy's errors into `StoreError`s that name cause and cure.

No message ever holds a password of the URL, whatever the driver wrote.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supervisor_easy.errors import StoreError

_OUTDATED = "schema out of date: run fleet db upgrade"
#: What SQLite says (it has no codes worth using) -> cause and cure.
_SQLITE = {
    "disk is full": "its disk is full; free some space, then try again",
    "readonly database": "it can only be read; check the rights of file and folder",
    "database is locked": "another process kept it locked; try again",
    "no such table": _OUTDATED,
    "no such column": _OUTDATED,
    "has no column named": _OUTDATED,
    "unable to open database file": "there is no such file, or it cannot be opened; "
    "run fleet db upgrade to create it",
    "not a database": "the file is not a SQLite database; restore a backup",
    "malformed": "the file is damaged; restore a backup",
    "disk i/o error": "its disk fails; check the disk",
}
#: What we and psycopg say of a server that is silent -> cause and cure.
_SILENCE = dict.fromkeys(
    ("no answer within", "connection timeout expired"),
    "it does not answer; see whether its server runs, and the network to it",
)
#: SQLSTATEs, or their first two characters -> cause and cure.
_POSTGRES = {
    "42P01": _OUTDATED,
    "42703": _OUTDATED,
    "55P03": "another process kept it locked; try again",
    "57014": "a statement took too long; try again",
    "53100": "its disk is full; free some space, then try again",
    "53300": "it has no connection left; raise its max_connections",
    "25006": "it can only be read; connect to the primary",
    "28": "it refused user name or password; check FLEET_DATABASE_URL",
    "3D": "there is no such database; create it, then run fleet db upgrade",
    "42501": "the user may not do this; grant the rights on its tables",
}


class Failures:
    """Speaks about one database."""

    def __init__(self, url: URL) -> None:
        """Keep what may be shown of the URL, and what may not."""
        self._name = display(url)
        self._secrets = _secrets(url)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise a StoreError in place of whatever SQLAlchemy raises."""
        try:
            yield
        except SQLAlchemyError as exc:
            message = f"the database {self._name} failed: {self._explain(exc)}"
            is_safe = not any(secret in str(exc) for secret in self._secrets)
            raise StoreError(self._scrub(message)) from (exc if is_safe else None)

    def _explain(self, error: SQLAlchemyError) -> str:
        if isinstance(error, PoolTimeout):
            return "all its connections are in use; try again"
        if not isinstance(error, DBAPIError) or error.orig is None:
            # The first words only: the rest is the statement with its values.
            return str(error.args[0] if error.args else "").partition("\n")[0][:200]
        text = " ".join(str(error.orig).split())
        state = str(getattr(error.orig, "sqlstate", None) or "")
        cure = _POSTGRES.get(state) or _POSTGRES.get(state[:2])
        texts = {**_SQLITE, **_SILENCE}
        cure = cure or next((c for part, c in texts.items() if part in text), None)
        return f"{cure} ({text})" if cure else text

    def _scrub(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def display(url: URL) -> str:
    """Return the URL for people: no password, and no query, which may hold one."""
    return URL.create(
        url.get_backend_name(),
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
    ).render_as_string()


def _secrets(url: URL) -> list[str]:
    plain = [str(url.password)] if url.password else []
    plain += [str(value) for key, value in url.query.items() if "pass" in key.lower()]
    forms = {form for each in plain for form in (each, quote(each), quote_plus(each))}
    # Longest first: one form may be a part of another.
    return sorted(forms, key=len, reverse=True)
