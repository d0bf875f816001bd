"""Roles and what each may do, as one table; it knows neither users nor requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from supervisor_easy.errors import PermissionDenied
from supervisor_easy.model import Actor


class Role(StrEnum):
    """What a user or a token is; each may do all that the one before may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """The role's place, from the one that may least."""
        return list(Role).index(self)

    def at_most(self, other: "Role") -> "Role":
        """Return the lesser of the two: a token never outranks its user."""
        return min(self, other, key=lambda role: role.rank)


class Permission(StrEnum):
    """One sort of thing that can be allowed."""

    VIEW = "view"  # states, events, operations, inventory
    VIEW_LOGS = "view_logs"  # logs may hold customers' data
    OWN_TOKENS = "own_tokens"  # make and revoke tokens for oneself, up to one's role
    ACT = "act"  # start, stop, restart, signal, clear logs; cancel an operation
    UPDATE_CONFIG = "update_config"  # have a host apply its changed configuration
    MANAGE_HOST = "manage_host"  # restart a supervisord itself
    MANAGE_USERS = "manage_users"  # users, roles, everybody's tokens and sessions


_VIEWER = frozenset({Permission.VIEW, Permission.VIEW_LOGS, Permission.OWN_TOKENS})
_OPERATOR = _VIEWER | {Permission.ACT, Permission.UPDATE_CONFIG}
_ADMIN = _OPERATOR | {Permission.MANAGE_HOST, Permission.MANAGE_USERS}

#: All rules: what is not named here is not allowed.
PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {Role.VIEWER: _VIEWER, Role.OPERATOR: _OPERATOR, Role.ADMIN: _ADMIN}
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody known: a user or a token, in which role, through what (`web`, `api`)."""

    name: str
    role: Role
    via: str

    @property
    def actor(self) -> Actor:
        """Return the same as the journal writes it."""
        return Actor(self.name, self.via)


def allows(role: Role, permission: Permission) -> bool:
    """Say whether the role may."""
    return permission in PERMISSIONS[role]


def require(identity: Identity, permission: Permission) -> None:
    """Go on only if the identity may.

    Raises:
        PermissionDenied: it may not; the message names the least role that may.
    """
    if allows(identity.role, permission):
        return
    needed = next(role for role in Role if allows(role, permission))
    raise PermissionDenied(
        f"{identity.name} is {identity.role} and may not {_words(permission)}: "
        f"that needs the role {needed}"
    )


def _words(permission: Permission) -> str:
    return permission.value.replace("_", " ")
