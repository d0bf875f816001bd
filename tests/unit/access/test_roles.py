"""The table of roles, whole."""

import pytest

from supervisor_easy.access import Identity, Permission, Role, allows, require
from supervisor_easy.errors import PermissionDenied
from supervisor_easy.model import Actor

#: Every permission, and the least role that has it.
LEAST = {
    Permission.VIEW: Role.VIEWER,
    Permission.VIEW_LOGS: Role.VIEWER,
    Permission.OWN_TOKENS: Role.VIEWER,
    Permission.ACT: Role.OPERATOR,
    Permission.UPDATE_CONFIG: Role.OPERATOR,
    Permission.MANAGE_HOST: Role.ADMIN,
    Permission.MANAGE_USERS: Role.ADMIN,
}


def test_the_table_is_whole() -> None:
    assert set(LEAST) == set(Permission)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_a_role_may_what_the_least_role_may(role: Role, permission: Permission) -> None:
    assert allows(role, permission) is (role.rank >= LEAST[permission].rank)


def test_roles_are_ranked() -> None:
    assert sorted(Role, key=lambda role: role.rank) == [
        Role.VIEWER,
        Role.OPERATOR,
        Role.ADMIN,
    ]


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        (Role.ADMIN, Role.VIEWER, Role.VIEWER),
        (Role.VIEWER, Role.ADMIN, Role.VIEWER),
        (Role.OPERATOR, Role.OPERATOR, Role.OPERATOR),
    ],
)
def test_the_lesser_of_two_roles(one: Role, other: Role, least: Role) -> None:
    assert one.at_most(other) is least


def test_what_is_allowed_goes_on() -> None:
    require(Identity("mei", Role.OPERATOR, "web"), Permission.ACT)


def test_a_refusal_names_the_role_that_may() -> None:
    with pytest.raises(
        PermissionDenied,
        match="mei is viewer and may not update config: that needs the role operator",
    ):
        require(Identity("mei", Role.VIEWER, "web"), Permission.UPDATE_CONFIG)


def test_an_identity_is_the_actor_of_the_journal() -> None:
    assert Identity("mei", Role.ADMIN, "api").actor == Actor("mei", "api")
