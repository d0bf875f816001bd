"""Tokens for programs: shown once, kept as SHA-256, with a role and an end.

A token of a user never outranks that user and goes with them.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, insert, select, update

from supervisor_easy.access import Identity, Role
from supervisor_easy.errors import AccountError, NotAuthenticated, NotFound, StoreError
from supervisor_easy.model import Actor
from supervisor_easy.store.audit import note_access
from supervisor_easy.store.hashing import digest, new_secret
from supervisor_easy.store.rows import Record
from supervisor_easy.store.store import Store
from supervisor_easy.store.tables import NAME_LIMIT, app_user, token

logger = logging.getLogger(__name__)

#: What secret scanners look for.
PREFIX = "fleet_"
#: How exact `last_used_at` is; each exact use would be a write.
_USE_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as it is listed; `user` is empty for one that belongs to nobody."""

    id: int
    name: str
    role: Role
    user: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the only time its secret is there to be shown."""

    info: TokenInfo
    secret: str = field(repr=False)


class Tokens:
    """The tokens, in the database."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def add(
        self,
        name: str,
        role: Role,
        *,
        user: str | None = None,
        lifetime: timedelta | None = None,
        by: Actor | None = None,
    ) -> NewToken:
        """Make a token, of a user or of nobody, for ever or for `lifetime`.

        Raises:
            AccountError: no name, or the role is above the user's.
            NotFound: no such user.
        """
        name = name.strip()
        if not 0 < len(name) <= NAME_LIMIT:
            raise AccountError("a token needs a name that says what it is for")
        now, secret = self._store.clock.now(), PREFIX + new_secret()
        values: dict[str, object] = {
            "name": name,
            "digest": digest(secret),
            "role": role.value,
            "created_at": now,
            "expires_at": None if lifetime is None else now + lifetime,
        }
        with self._store.begin() as connection:
            if user is not None:
                found = select(app_user).where(app_user.c.name == user)
                owner = connection.execute(found).first()
                values["user_id"] = _owner_id(owner, user=user, role=role)
            connection.execute(insert(token).values(values))
            same = _listed().where(token.c.digest == values["digest"])
            info = _info(connection.execute(same).one())
            message = f"token {info.name} made, {info.role}{_of(info.user)}"
            note_access(connection, message, by=by, at=now)
        return NewToken(info, secret)

    def identify(self, secret: str) -> Identity:
        """Return who this token is.

        Raises:
            NotAuthenticated: no such token, or it has ended.
        """
        now = self._store.clock.now()
        row = None
        if secret.startswith(PREFIX):
            with self._store.read() as connection:
                same = _listed().where(token.c.digest == digest(secret))
                row = connection.execute(same).first()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            raise NotAuthenticated("the token is unknown, revoked or expired")
        if row.last_used_at is None or row.last_used_at <= now - _USE_STEP:
            self._note_use(row.id, now)
        role = Role(row.role)
        if row.user_role is not None:
            role = role.at_most(Role(row.user_role))
        return Identity(row.user_name or f"token:{row.name}", role, "api")

    def list(self, user: str | None = None) -> list[TokenInfo]:
        """Return all tokens, or those of one user, oldest first."""
        query = _listed().order_by(token.c.id)
        if user is not None:
            query = query.where(app_user.c.name == user)
        with self._store.read() as connection:
            return [_info(row) for row in connection.execute(query)]

    def revoke(self, token_id: int, *, by: Actor | None = None) -> None:
        """End a token.

        Raises:
            NotFound: no such token.
        """
        now = self._store.clock.now()
        with self._store.begin() as connection:
            found = connection.execute(_listed().where(token.c.id == token_id)).first()
            if found is None:
                raise NotFound(f"there is no token {token_id}")
            connection.execute(delete(token).where(token.c.id == token_id))
            info = _info(found)
            message = f"token {info.name} revoked{_of(info.user)}"
            note_access(connection, message, by=by, at=now)

    def _note_use(self, token_id: int, now: datetime) -> None:
        # On a full disk people must still be able to look and to act on hosts.
        try:
            with self._store.begin() as connection:
                connection.execute(
                    update(token).where(token.c.id == token_id).values(last_used_at=now)
                )
        except StoreError as exc:
            logger.warning("use of a token not noted token=%s: %s", token_id, exc)


def _listed() -> "Select[*tuple[object, ...]]":
    user = (app_user.c.name.label("user_name"), app_user.c.role.label("user_role"))
    return select(token, *user).outerjoin(app_user, token.c.user_id == app_user.c.id)


def _owner_id(owner: "Record | None", *, user: str, role: Role) -> int:
    if owner is None:
        raise NotFound(f"there is no user {user}")
    if role.rank > Role(owner.role).rank:
        raise AccountError(f"{user} is {owner.role}: no token of the role {role}")
    return int(owner.id)


def _of(user: str) -> str:
    return f", of {user}" if user else ""


def _info(row: Record) -> TokenInfo:
    return TokenInfo(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        user=row.user_name or "",
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
