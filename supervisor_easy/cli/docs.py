"""Makes docs/cli.md and docs/settings.md out of the commands and the settings.

`python -m supervisor_easy.cli.docs` writes both; a test fails when they are not what
this would write.
"""

import inspect
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from supervisor_easy.cli.root import COMMANDS, fleet
from supervisor_easy.settings import PREFIX, Settings
from supervisor_easy.units import format_duration, format_size

_MADE = "<!-- made by python -m supervisor_easy.cli.docs; edit the code instead -->"
#: Settings whose default is computed; what to say instead.
_COMPUTED = {
    "inventory": "`./inventory.yaml`",
    "database_url": "SQLite in the state folder",
}

_CLI_HEAD = f"""{_MADE}

# The command line: `fleet`

Data goes to stdout, talk to stderr. On a terminal there are tables and colours;
piped, plain lines: one row a line, cells between tabs, no header, no colour.
`-o json` and `-o yaml` are for programs ([shapes](#json)), `-o name` gives names only.

What to act on is named by [selectors](selectors.md). An action prints its exact
targets first. Above `FLEET_CONFIRM_ABOVE` targets it asks; without a terminal it then
refuses, unless `--yes` is given. `--dry-run` only shows.

While an action runs, Ctrl-C cancels what has not begun and waits for what has; a
second Ctrl-C leaves at once. Nothing that was stopped for a restart stays down:
whatever ends this program, the next `fleet status`, the next action or the console
goes on with it.

## Exit codes

| code | means |
| --- | --- |
| 0 | every target is fine |
| 1 | some target failed, or some host did not answer |
| 2 | bad usage, config, inventory or selector |
| 3 | refused: every failed target was in the hands of another operation, what was \
seen is out of date, or a question was answered with no |
| 4 | no permission |
| 130 | interrupted by Ctrl-C |
| 141 | nobody read the output to its end (`fleet status \\| head -1`) |

## JSON

`fleet status -o json` is a list of

    {{"host", "group", "name", "state", "pid", "uptime_s", "started_at", "exit_status",
     "spawn_error", "memory_bytes", "stale", "observed_at"}}

and an action is

    {{"id", "action", "outcomes": [{{"host", "process", "outcome", "error", "before",
     "after", "duration_s", "log_tail"}}], "summary": {{"changed": 1, …}},
     "blind_hosts"}}

with `outcome` one of `changed`, `unchanged`, `skipped`, `failed`, `unknown`; `error`
null or `{{"code", "message"}}`; `before` and `after` null or `{{"pid", "state"}}`.
`blind_hosts` were selected and do not answer: nothing was done there. Logs, and what
`-f` follows, are one document a line. New keys may come; none of these goes.

## Global options

Every command takes them, before or behind its name."""

_SETTINGS_HEAD = f"""{_MADE}

# Settings

A setting comes from, in order: an option of the command, the environment variable
below, the TOML file that `FLEET_CONFIG` names (its keys are the names in lower case
without `FLEET_`), the default. Spans of time are written `500ms`, `3s`, `1h30m`,
`7d`; sizes `64KiB`, `50MB`. A `FLEET_…` variable that is nearly the name of a setting
is warned about.

| variable | default | meaning |
| --- | --- | --- |
"""


def cli_page() -> str:
    """Return docs/cli.md."""
    root = click.Context(fleet, info_name="fleet")
    lines = [_CLI_HEAD, *_options(fleet, root, is_root=True)]
    for heading, section in COMMANDS.items():
        lines += ["", f"## {heading}"]
        for name in section:
            command = fleet.get_command(root, name)
            assert command is not None
            lines += _command(command, root, name, level=3)
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return docs/settings.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        shown = _COMPUTED.get(name) or _default(name, field.default)
        words = " ".join((field.description or "").split())
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {words} |")
    return _SETTINGS_HEAD + "\n".join(rows) + "\n"


def _command(
    command: click.Command, parent: click.Context, name: str, *, level: int
) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield ""
    yield f"{'#' * level} `{context.command_path}`"
    yield ""
    yield from _help(command)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from _command(below, context, each, level=level + 1)
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("", f"    {context.command_path} {usage}")
    yield from _options(command, context, is_root=False)


def _help(command: click.Command) -> Iterator[str]:
    text = inspect.cleandoc(command.help or "").replace("\b\n", "```\n")
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        yield paragraph + ("\n```" if paragraph.startswith("```") else "")


def _options(
    command: click.Command, context: click.Context, *, is_root: bool
) -> Iterator[str]:
    records = [
        record
        for param in command.get_params(context)
        if (record := param.get_help_record(context)) is not None
        and (is_root or not getattr(param, "hidden", False))
        and isinstance(param, click.Option)
        and "--help" not in param.opts
    ]
    if not records:
        return
    yield ""
    yield "| option | |"
    yield "| --- | --- |"
    for names, words in records:
        yield f"| `{names.replace('|', chr(92) + '|')}` | {words} |"


def _default(name: str, value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    if name.endswith("_bytes") and isinstance(value, int):
        return f"`{format_size(value).replace(' ', '')}`"
    return f"`{value}`"


def write(folder: Path) -> None:
    """Write both pages into `folder`."""
    (folder / "cli.md").write_text(cli_page(), encoding="utf-8")
    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs"))
