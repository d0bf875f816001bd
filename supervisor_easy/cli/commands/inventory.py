"""`fleet inventory check|show|schema|import`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor_easy.cli.context import App, Section, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.tables import Column, Table
from supervisor_easy.cli.views import plural

if TYPE_CHECKING:
    from supervisor_easy.inventory import Inventory
    from supervisor_easy.wire import Json

_FORMS = ("config.py", "supervisorctl", "ansible")


@click.group(cls=Section)
def inventory() -> None:
    """Check, show or make an inventory; no host is asked."""


@inventory.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@pass_app
def check(app: App, *, file: Path | None) -> ExitCode:
    """Read FILE, by default the inventory, and name every problem in it.

    The exit code is 2 if it cannot be used; warnings do not count.
    """
    found = _load(app, file)
    for warning in found.warnings:
        app.out.warn(f"warning: {warning.to_text(str(found.path))}")
    app.out.say(
        f"{found.path} is good: {plural(len(found.hosts), 'host')}, "
        f"{plural(len(found.groups), 'group')}, "
        f"{plural(len(found.schedules), 'schedule')}"
    )
    return ExitCode.OK


@inventory.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@pass_app
def show(app: App, *, file: Path | None) -> None:
    """Show what the inventory means: ranges expanded, defaults filled in."""
    found = _load(app, file)
    columns = (
        Column("HOST"),
        Column("URL", can_wrap=True),
        Column("USER"),
        Column("LABELS", can_wrap=True),
        Column("GROUPS", can_wrap=True),
    )
    groups = _groups_of_hosts(found)
    rows = [
        (
            host.name,
            host.display_url,
            host.username or "-",
            ",".join(f"{key}={value}" for key, value in host.labels.items()) or "-",
            " ".join(groups[host.name]) or "-",
        )
        for host in found.hosts.values()
    ]
    app.out.show(_document(found), Table(columns, rows, list(found.hosts)))


@inventory.command()
@pass_app
def schema(app: App) -> None:
    """Print the JSON Schema of inventory.yaml, for editors."""
    import json  # noqa: PLC0415 (only here)

    from supervisor_easy.inventory import inventory_schema  # noqa: PLC0415 (slow)

    app.out.line(json.dumps(inventory_schema(), indent=2, ensure_ascii=False))


@inventory.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "form",
    type=click.Choice(_FORMS),
    help="What FILE is, where its name does not tell.",
)
@click.option(
    "--keep-passwords",
    is_flag=True,
    help="Write passwords into the inventory, instead of references to variables.",
)
@pass_app
def import_(
    app: App, *, file: Path, form: str | None, keep_passwords: bool
) -> ExitCode:
    """Make an inventory out of what you have; it is printed.

    FILE is the config.py of the original supervisor-easy (read, never executed), a
    supervisord.conf or supervisorctl config, or an Ansible inventory (YAML or INI):

    fleet inventory import config.py > inventory.yaml

    What could not be taken over is told on stderr, with exit code 1.
    """
    from supervisor_easy.inventory import importers  # noqa: PLC0415 (slow)

    read = {
        "config.py": importers.import_config_py,
        "supervisorctl": importers.import_supervisorctl,
        "ansible": importers.import_ansible,
    }[form or _form_of(file)]
    imported = read(file, keep_passwords=keep_passwords)
    app.out.line(imported.to_yaml().rstrip("\n"))
    for problem in imported.problems:
        app.out.warn(f"not taken over: {problem.to_text(str(file))}")
    for note in imported.notes:
        app.out.say(note)
    return ExitCode.FAILED if imported.problems else ExitCode.OK


def _form_of(file: Path) -> str:
    """Tell by its name and its sections what a file is."""
    if file.suffix == ".py":
        return "config.py"
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "ansible"  # whose reader says what is wrong with the file
    return "supervisorctl" if "[supervisorctl]" in text else "ansible"


def _load(app: App, file: Path | None) -> "Inventory":
    from supervisor_easy.inventory import load_inventory  # noqa: PLC0415 (slow)

    return load_inventory(file or app.settings.inventory)


def _groups_of_hosts(found: "Inventory") -> dict[str, list[str]]:
    """Return the groups that may have processes on each host."""
    from supervisor_easy.errors import SelectorError  # noqa: PLC0415 (with the rest)
    from supervisor_easy.selector import Catalog, select  # noqa: PLC0415

    members = {name: group.members for name, group in found.groups.items()}
    catalog = Catalog(hosts=found.hosts, groups=members, processes=())
    groups: dict[str, list[str]] = {name: [] for name in found.hosts}
    for name in found.groups:
        try:
            chosen = select([f"@{name}"], catalog)
        except SelectorError:
            continue
        for host in chosen.blind_hosts:
            groups[host].append(name)
    return groups


def _document(found: "Inventory") -> "Json":
    return {
        "path": str(found.path),
        "hosts": [
            {
                "name": host.name,
                "url": host.display_url,
                "username": host.username,
                "labels": dict(host.labels),
                "connect_timeout_s": host.connect_timeout.total_seconds(),
                "request_timeout_s": host.request_timeout.total_seconds(),
            }
            for host in found.hosts.values()
        ],
        "groups": [
            {"name": group.name, "members": list(group.members)}
            for group in found.groups.values()
        ],
        "warnings": [each.to_text(str(found.path)) for each in found.warnings],
    }
