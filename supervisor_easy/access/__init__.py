"""Who may do what: roles, permissions, and what a password must be. Pure rules."""

from supervisor_easy.access.passwords import check_password
from supervisor_easy.access.roles import (
    PERMISSIONS,
    Identity,
    Permission,
    Role,
    allows,
    require,
)

__all__ = [
    "PERMISSIONS",
    "Identity",
    "Permission",
    "Role",
    "allows",
    "check_password",
    "require",
]
