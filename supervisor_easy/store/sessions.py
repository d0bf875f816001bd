"""Logins of browsers: a random secret in a cookie, its SHA-256 in the database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from supervisor_easy.access import Identity, Role
from supervisor_easy.errors import NotAuthenticated
from supervisor_easy.model import Actor
from supervisor_easy.store.audit import note_access
from supervisor_easy.store.hashing import digest, new_secret
from supervisor_easy.store.store import Store
from supervisor_easy.store.tables import app_user, session


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A login as it is listed; `id` ends it and is not the secret."""

    id: str
    user: str
    created_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


class Sessions:
    """The logins, in the database."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def open(self, name: str, *, address: str = "", user_agent: str = "") -> str:
        """Begin a session of the user and return its secret, which nobody keeps.

        Raises:
            NotAuthenticated: the user was removed in the meantime.
        """
        secret, now = new_secret(), self._store.clock.now()
        with self._store.begin() as connection:
            user_id = connection.scalar(
                select(app_user.c.id).where(app_user.c.name == name)
            )
            if user_id is None:
                raise NotAuthenticated("this user is gone; log in again")
            connection.execute(delete(session).where(session.c.expires_at <= now))
            connection.execute(
                insert(session).values(
                    digest=digest(secret),
                    user_id=user_id,
                    created_at=now,
                    expires_at=now + self._store.settings.session_lifetime,
                    address=address,
                    user_agent=user_agent,
                )
            )
        return secret

    def identify(self, secret: str) -> Identity:
        """Return who this secret is, in the role the user has now.

        Raises:
            NotAuthenticated: no such session, or it has ended.
        """
        query = (
            select(app_user.c.name, app_user.c.role)
            .join(session, session.c.user_id == app_user.c.id)
            .where(
                session.c.digest == digest(secret),
                session.c.expires_at > self._store.clock.now(),
            )
        )
        with self._store.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotAuthenticated("the session has ended; log in again")
        return Identity(row.name, Role(row.role), "web")

    def end(self, secret: str) -> None:
        """Log out of the session of this secret; one that is gone is fine."""
        now = self._store.clock.now()
        with self._store.begin() as connection:
            user = _delete(connection, digest(secret))
            if user is not None:
                by = Actor(user, "web")
                note_access(connection, f"{user} logged out", by=by, at=now)

    def revoke(self, session_id: str, *, by: Actor | None = None) -> None:
        """End a listed session; one that is gone is fine."""
        now = self._store.clock.now()
        with self._store.begin() as connection:
            user = _delete(connection, session_id)
            if user is not None:
                note_access(connection, f"session of {user} ended", by=by, at=now)

    def list(self, name: str | None = None) -> list[SessionInfo]:
        """Return the live sessions, of one user or all, newest first."""
        query = (
            select(session, app_user.c.name)
            .join(app_user, session.c.user_id == app_user.c.id)
            .where(session.c.expires_at > self._store.clock.now())
            .order_by(session.c.created_at.desc(), session.c.digest)
        )
        if name is not None:
            query = query.where(app_user.c.name == name)
        with self._store.read() as connection:
            return [
                SessionInfo(
                    id=row.digest,
                    user=row.name,
                    created_at=row.created_at,
                    expires_at=row.expires_at,
                    address=row.address,
                    user_agent=row.user_agent,
                )
                for row in connection.execute(query)
            ]


def _delete(connection: Connection, session_id: str) -> str | None:
    """Delete a session; return whose it was."""
    same = session.c.digest == session_id
    user = connection.scalar(select(app_user.c.name).join(session).where(same))
    connection.execute(delete(session).where(same))
    return None if user is None else str(user)
