"""`fleet user add|list|passwd|role|remove`: who may log in to the console."""

import getpass
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from supervisor_easy.cli.context import App, Section, pass_app
from supervisor_easy.cli.tables import Column, Table

if TYPE_CHECKING:
    from supervisor_easy.model import Actor
    from supervisor_easy.store import Store
    from supervisor_easy.store.accounts import Accounts

ROLES = ("viewer", "operator", "admin")


@click.group(cls=Section)
def user() -> None:
    """Who may log in to the console, and in which role.

    A viewer looks, an operator acts on processes, an admin does everything. It works
    on the database: run it on the console's machine.
    """


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True)
@pass_app
def add(app: App, *, name: str, role: str) -> None:
    """Add a user; the password is asked for, or read from stdin's first line."""
    from supervisor_easy.access import Role  # noqa: PLC0415 (with the store)

    with app.store() as store:
        _accounts(store).add_user(name, _new_password(), role=Role(role), by=_me())
    app.out.say(f"{name} may log in as {role}")


@user.command("list")
@pass_app
def list_(app: App) -> None:
    """Show all users."""
    with app.store() as store:
        users = _accounts(store).list_users()
    documents = [
        {
            "name": each.name,
            "role": each.role.value,
            "created_at": each.created_at.isoformat(timespec="seconds"),
        }
        for each in users
    ]
    rows = [(d["name"], d["role"], d["created_at"]) for d in documents]
    columns = (Column("NAME"), Column("ROLE"), Column("SINCE"))
    app.out.show(documents, Table(columns, rows, [d["name"] for d in documents]))
    if not users:
        app.out.hint("nobody yet; add the first: fleet user add NAME --role admin")


@user.command()
@click.argument("name")
@pass_app
def passwd(app: App, *, name: str) -> None:
    """Change a password; the user's sessions end."""
    with app.store() as store:
        _accounts(store).set_password(name, _new_password(), by=_me())
    app.out.say(f"{name} has a new password and has to log in again")


@user.command()
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@pass_app
def role(app: App, *, name: str, role: str) -> None:
    """Change a user's role; it counts at once."""
    from supervisor_easy.access import Role  # noqa: PLC0415 (with the store)

    with app.store() as store:
        _accounts(store).set_role(name, Role(role), by=_me())
    app.out.say(f"{name} is {role} now")


@user.command()
@click.argument("name")
@pass_app
def remove(app: App, *, name: str) -> None:
    """Remove a user with all sessions and tokens."""
    with app.store() as store:
        _accounts(store).remove_user(name, by=_me())
    app.out.say(f"{name} is gone, with all sessions and tokens")


def _accounts(store: "Store") -> "Accounts":
    from supervisor_easy.store.accounts import Accounts  # noqa: PLC0415 (slow)

    return Accounts(store)


def _me() -> "Actor":
    from supervisor_easy.cli.localstore import me  # noqa: PLC0415 (slow)

    return me()


def _new_password(ask: Callable[[str], str] = getpass.getpass) -> str:
    """Ask twice on a terminal; else read one line.

    Raises:
        UsageError: the two differ, or there is nothing to read.
    """
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise click.UsageError("no password: write it to stdin, one line")
        return password
    password = ask("New password: ")
    if password != ask("Once more: "):
        raise click.UsageError("the two differ; nothing was changed")
    return password
