"""The users: names, roles and hashed passwords, and the check of a login.

Argon2 runs outside any transaction, so a burst of logins holds no writer up.
"""

import logging
import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from supervisor_easy.access import Identity, Role, check_password
from supervisor_easy.errors import AccountError, NotAuthenticated, NotFound
from supervisor_easy.model import Actor
from supervisor_easy.store.audit import note_access
from supervisor_easy.store.hashing import Passwords
from supervisor_easy.store.rows import Record
from supervisor_easy.store.store import Store
from supervisor_easy.store.tables import app_user, session
from supervisor_easy.store.throttle import begin_attempt, forgive_attempts

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """A user as it is listed."""

    name: str
    role: Role
    created_at: datetime
    password_changed_at: datetime


class Accounts:
    """The users, in the database. Names are lower case; any case is taken."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store
        self._passwords = Passwords(
            concurrency=store.settings.password_hashes,
            timeout=store.settings.store_timeout,
        )

    def add_user(
        self, name: str, password: str, *, role: Role, by: Actor | None = None
    ) -> User:
        """Add a user.

        Raises:
            AccountError: the name is taken or unusable, or the password too weak.
        """
        name = _user_name(name)
        check_password(password, name=name)
        hashed = self._passwords.hash(password)
        now = self._store.clock.now()
        with self._store.begin() as connection:
            if _find(connection, name) is not None:
                raise AccountError(f"there is a user {name} already")
            connection.execute(
                insert(app_user).values(
                    name=name,
                    role=role.value,
                    password_hash=hashed,
                    created_at=now,
                    password_changed_at=now,
                )
            )
            note_access(connection, f"user {name} added as {role}", by=by, at=now)
        return User(name, role, now, now)

    def remove_user(self, name: str, *, by: Actor | None = None) -> None:
        """Remove a user with all sessions and tokens.

        Raises:
            NotFound: no such user.
            AccountError: it is the last admin.
        """
        now = self._store.clock.now()
        with self._store.begin() as connection:
            row = _get(connection, name)
            _keep_an_admin(connection, row)
            connection.execute(delete(app_user).where(app_user.c.id == row.id))
            note_access(connection, f"user {row.name} removed", by=by, at=now)

    def set_password(
        self, name: str, password: str, *, by: Actor | None = None
    ) -> None:
        """Change a password and end all of the user's sessions.

        Raises:
            NotFound: no such user.
            AccountError: the password is too weak.
        """
        check_password(password, name=name.strip().lower())
        hashed = self._passwords.hash(password)
        now = self._store.clock.now()
        with self._store.begin() as connection:
            row = _get(connection, name)
            connection.execute(
                update(app_user)
                .where(app_user.c.id == row.id)
                .values(password_hash=hashed, password_changed_at=now)
            )
            connection.execute(delete(session).where(session.c.user_id == row.id))
            message = f"password of user {row.name} changed"
            note_access(connection, message, by=by, at=now)

    def set_role(self, name: str, role: Role, *, by: Actor | None = None) -> None:
        """Change a role; it counts from the next request.

        Raises:
            NotFound: no such user.
            AccountError: it is the last admin.
        """
        now = self._store.clock.now()
        with self._store.begin() as connection:
            row = _get(connection, name)
            if role is not Role.ADMIN:
                _keep_an_admin(connection, row)
            connection.execute(
                update(app_user).where(app_user.c.id == row.id).values(role=role.value)
            )
            message = f"user {row.name} is {role} now"
            note_access(connection, message, by=by, at=now)

    def list_users(self) -> list[User]:
        """Return all users by name."""
        query = select(app_user).order_by(app_user.c.name)
        with self._store.read() as connection:
            return [
                User(row.name, Role(row.role), row.created_at, row.password_changed_at)
                for row in connection.execute(query)
            ]

    def verify(
        self, name: str, password: str, *, address: str, via: str = "web"
    ) -> Identity:
        """Check a login; an unknown name takes as long as a wrong password.

        The history tells of those that were right, and of the failure after which
        more are refused; the refused ones are not told, or who guesses could fill it.

        Raises:
            NotAuthenticated: wrong; the message does not say what.
            TooManyAttempts: this name or address has failed too often.
        """
        name = name.strip().lower()
        with self._store.begin() as connection:
            attempt = begin_attempt(
                connection,
                name,
                address=address,
                limit=self._store.settings.login_attempts,
                now=self._store.clock.now(),
            )
            row = _find(connection, name)
        stored = None if row is None else row.password_hash
        is_right = self._passwords.is_right(password, stored=stored)
        now = self._store.clock.now()
        with self._store.begin() as connection:
            # Checking took a while: the user may be gone, or the password changed.
            row = _find(connection, name)
            known = row if is_right and row and row.password_hash == stored else None
            if known is not None:
                forgive_attempts(connection, attempt.id, name=name, address=address)
                message, by = f"{known.name} logged in", Actor(known.name, via)
            else:
                whose = f" as {row.name}" if row else ""
                message, by = f"too many failed logins{whose}", Actor("somebody", via)
            if known is not None or attempt.is_last:
                message += f" from {address or 'a local socket'}"
                note_access(connection, message, by=by, at=now)
        if known is None:
            logger.warning("login failed address=%r", address)
            raise NotAuthenticated("wrong user name or password")
        self._renew_hash(known, password)
        return Identity(known.name, Role(known.role), via)

    def _renew_hash(self, row: Record, password: str) -> None:
        if not self._passwords.is_outdated(row.password_hash):
            return
        hashed = self._passwords.hash(password)
        with self._store.begin() as connection:
            connection.execute(
                update(app_user)
                # Not over a password that was changed just now.
                .where(
                    app_user.c.id == row.id,
                    app_user.c.password_hash == row.password_hash,
                )
                .values(password_hash=hashed)
            )


def _user_name(name: str) -> str:
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise AccountError(
            "a user name has up to 64 letters, digits and . _ @ - and begins with a "
            "letter or digit"
        )
    return name


def _find(connection: Connection, name: str) -> "Record | None":
    query = select(app_user).where(app_user.c.name == name.strip().lower())
    return connection.execute(query).first()


def _get(connection: Connection, name: str) -> Record:
    row = _find(connection, name)
    if row is None:
        raise NotFound(f"there is no user {name}")
    return row


def _keep_an_admin(connection: Connection, row: Record) -> None:
    if row.role != Role.ADMIN.value:
        return
    is_admin = app_user.c.role == Role.ADMIN.value
    count = select(func.count()).select_from(app_user).where(is_admin)
    if connection.scalar(count) == 1:
        raise AccountError(
            f"{row.name} is the last admin; make another user admin first"
        )
