"""`fleet token create|list|revoke`: tokens for programs and for `--server`."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from supervisor_easy.cli.commands.user import ROLES
from supervisor_easy.cli.context import App, Section, pass_app
from supervisor_easy.cli.tables import Column, Table
from supervisor_easy.units import parse_duration

if TYPE_CHECKING:
    from supervisor_easy.model import Actor
    from supervisor_easy.store import Store
    from supervisor_easy.store.tokens import TokenInfo, Tokens
    from supervisor_easy.wire import Json


#: Longest life of a token that ends at all.
_LONGEST_LIFE = timedelta(days=36500)
#: Largest number a token can have in any database.
_LAST_ID = 2**31 - 1


class _Span(click.ParamType[timedelta]):
    """A span of time such as 30d."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        try:
            span = parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if span > _LONGEST_LIFE:
            self.fail(f"{value} is longer than {_LONGEST_LIFE.days}d", param, ctx)
        return span


@click.group(cls=Section)
def token() -> None:
    """Tokens for programs that use the API, and for fleet --server.

    It works on the database: run it on the console's machine.
    """


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True)
@click.option("--user", metavar="NAME", help="Whose it is; it goes with that user.")
@click.option("--expires", type=_Span(), metavar="SPAN", help="Its life, such as 90d.")
@pass_app
def create(
    app: App, *, name: str, role: str, user: str | None, expires: timedelta | None
) -> None:
    """Make a token and print it: the only time it can be seen.

    NAME says what it is for.
    """
    from supervisor_easy.access import Role  # noqa: PLC0415 (with the store)

    with app.store() as store:
        made = _tokens(store).add(
            name, Role(role), user=user, lifetime=expires, by=_me()
        )
    document = {**_document(made.info), "token": made.secret}
    columns = (Column("TOKEN"),)
    app.out.show(document, Table(columns, [(made.secret,)], [made.secret]))
    app.out.hint("keep it now, it is shown only once; use it as FLEET_TOKEN")


@token.command("list")
@pass_app
def list_(app: App) -> None:
    """Show all tokens, without their secrets."""
    with app.store() as store:
        found = _tokens(store).list()
    columns = (
        Column("ID", is_number=True),
        Column("NAME"),
        Column("ROLE"),
        Column("USER"),
        Column("EXPIRES"),
        Column("LAST USED"),
    )
    rows = [
        (
            str(each.id),
            each.name,
            each.role.value,
            each.user or "-",
            _time(each.expires_at) or "never",
            _time(each.last_used_at) or "never",
        )
        for each in found
    ]
    names = [str(each.id) for each in found]
    app.out.show([_document(each) for each in found], Table(columns, rows, names))


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1, _LAST_ID))
@pass_app
def revoke(app: App, *, token_id: int) -> None:
    """End a token at once; its ID is in fleet token list."""
    with app.store() as store:
        _tokens(store).revoke(token_id, by=_me())
    app.out.say(f"token {token_id} is revoked")


def _tokens(store: "Store") -> "Tokens":
    from supervisor_easy.store.tokens import Tokens  # noqa: PLC0415 (slow)

    return Tokens(store)


def _me() -> "Actor":
    from supervisor_easy.cli.localstore import me  # noqa: PLC0415 (slow)

    return me()


def _document(info: "TokenInfo") -> "Json":
    return {
        "id": info.id,
        "name": info.name,
        "role": info.role.value,
        "user": info.user,
        "created_at": _time(info.created_at),
        "expires_at": _time(info.expires_at),
        "last_used_at": _time(info.last_used_at),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
