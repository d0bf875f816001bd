"""`fleet db upgrade|current|backup`: the database that CLI and console share."""

from pathlib import Path

import click

from supervisor_easy.cli.context import App, Section, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.tables import Column, Table


@click.group(cls=Section)
def db() -> None:
    """The database of this machine: journal, history, users, tokens."""


@db.command()
@pass_app
def upgrade(app: App) -> None:
    """Bring the schema up to date; a SQLite file does so by itself."""
    with app.store(is_ready=False) as store:
        before = store.current_revision()
        store.upgrade()
        after = store.current_revision()
    if before == after:
        app.out.say(f"the schema is up to date: revision {after}")
    else:
        app.out.say(f"upgraded from revision {before or 'none'} to {after}")


@db.command()
@pass_app
def current(app: App) -> ExitCode:
    """Show where the database is and its revision; 1 if it is not up to date."""
    from supervisor_easy.errors import StoreError  # noqa: PLC0415 (with the store)

    with app.store(is_ready=False) as store:
        revision = store.current_revision()
        url = store.display_url
        trouble = ""
        if revision is not None:
            try:
                store.check()
            except StoreError as error:
                trouble = str(error)
    document = {"url": url, "revision": revision, "is_current": not trouble}
    columns = (Column("REVISION"), Column("DATABASE", can_wrap=True))
    rows = [(revision or "none yet", url)]
    app.out.show(document, Table(columns, rows, [revision or ""]))
    if trouble:
        app.out.warn(trouble)
    return ExitCode.FAILED if trouble else ExitCode.OK


@db.command()
@click.argument("path", type=click.Path(path_type=Path))
@pass_app
def backup(app: App, *, path: Path) -> None:
    """Copy the SQLite database to PATH, whole, while others use it."""
    with app.store(is_ready=False) as store:
        store.backup(path)
    app.out.say(f"copied to {path}")
