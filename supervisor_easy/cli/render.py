"""The only place that prints: data to stdout, talk to stderr.

On a terminal there are tables and colours; piped, plain lines with tabs. Text from
hosts never reaches a terminal with its control characters. Rich is loaded only for
a terminal.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from supervisor_easy.cli.tables import Table, style_of, text_of
from supervisor_easy.cli.yamltext import to_yaml

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

#: What JSON and YAML may hold unescaped and a terminal may act upon.
_DRIVES_A_TERMINAL = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff]"
)
#: Colours for the labels of hosts; readable on dark and light ground.
_LABEL_COLORS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
#: Refreshes of a live display a second.
_REFRESH_RATE = 8


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Output:
    """How this run of the program talks to whoever started it."""

    def __init__(self) -> None:
        """Begin with the defaults; the global options change the attributes."""
        self.format = Format.TABLE
        self.is_quiet = False
        self.may_color = True

    # -- what we write to

    @property
    def shows_tables(self) -> bool:
        """Data goes to a person at a terminal."""
        return self.format is Format.TABLE and sys.stdout.isatty()

    @property
    def streams_lines(self) -> bool:
        """Data goes to a program that reads plain lines."""
        return self.format is Format.TABLE and not sys.stdout.isatty()

    @property
    def can_ask(self) -> bool:
        """There is a person to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def shows_progress(self) -> bool:
        """Talk goes to a terminal, where a bar can move."""
        return sys.stderr.isatty() and not self.is_quiet

    # -- data

    def show(self, document: object, table: Table) -> None:
        """Print data: `document` for programs, `table` for people and pipes."""
        match self.format:
            case Format.JSON:
                text = json.dumps(document, indent=2, ensure_ascii=False)
                self.line(harmless(text))
            case Format.YAML:
                self.line(harmless(to_yaml(document)).rstrip("\n"))
            case Format.NAME:
                self.lines(table.names)
            case Format.TABLE if sys.stdout.isatty():
                self._console(sys.stdout).print(rich_table(table))
            case Format.TABLE:
                self.lines(plain_row(row) for row in table.rows)

    def entry(self, document: object) -> None:
        """Print one of many documents that come one by one: a line of JSON, or YAML."""
        if self.format is Format.YAML:
            self.line("---\n" + harmless(to_yaml(document)).rstrip("\n"))
        else:
            text = json.dumps(document, ensure_ascii=False)
            self.line(harmless(text))

    def line(self, text: str) -> None:
        """Print a line of data, as it is and at once."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def lines(self, texts: Iterable[str]) -> None:
        """Print many lines of data."""
        sys.stdout.writelines(f"{safe(text)}\n" for text in texts)
        sys.stdout.flush()

    def labelled(self, label: str, text: str, *, key: str, width: int) -> None:
        """Print a line of a log behind its label, coloured by `key`."""
        if not self._has_color(sys.stdout):
            self.line(
                f"{safe(label)}\t{safe(text)}"
                if self.streams_lines
                else f"{safe(label):<{width}} │ {safe(text)}"
            )
            return
        color = _LABEL_COLORS[sum(key.encode()) % len(_LABEL_COLORS)]
        self.line(f"\x1b[{color}m{safe(label):<{width}} │\x1b[0m {colored(text)}")

    def marker(self, label: str, text: str, *, width: int) -> None:
        """Print a word of ours between the lines of a log; nobody's output."""
        if self.streams_lines:
            self.line(f"{safe(label)}\t--- {safe(text)} ---")
            return
        words = f"{safe(label):<{width}} ┄ {safe(text)} ┄"
        self.line(f"\x1b[7;2m{words}\x1b[0m" if self._has_color(sys.stdout) else words)

    # -- talk

    def say(self, text: str = "", *, always: bool = False) -> None:
        """Tell something that is not data; `-q` silences it, unless `always`."""
        if always or not self.is_quiet:
            self._talk(text)

    def warn(self, text: str) -> None:
        """Tell what went wrong, whatever `-q` says."""
        self._talk(text, style="yellow")

    def fail(self, text: str) -> None:
        """Tell why the program ends."""
        self._talk(f"fleet: {text}", style="bold red")

    def hint(self, text: str) -> None:
        """Tell something by the way."""
        if not self.is_quiet:
            self._talk(text, style="dim")

    def show_talk(self, table: Table, *, always: bool = False) -> None:
        """Show a table that is not this command's data, such as what will be done."""
        if self.is_quiet and not always:
            return
        if sys.stderr.isatty():
            self._console(sys.stderr).print(rich_table(table))
        else:
            for row in table.rows:
                self._talk("  ".join(text_of(cell) for cell in row if text_of(cell)))

    def ask(self, question: str) -> str:
        """Ask a person and return the answer; an end of input is an empty answer."""
        sys.stderr.write(safe(question) + " ")
        sys.stderr.flush()
        return sys.stdin.readline().strip()

    # -- what moves

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator["Bar"]:
        """Show a bar on a terminal, and nothing elsewhere."""
        if not self.shows_progress:
            yield Bar(None, None)
            return
        from rich import progress  # noqa: PLC0415 (only on a terminal)

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=30),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[note]}", style="yellow", markup=False),
        )
        console = self._console(sys.stderr)
        with progress.Progress(
            *columns, console=console, transient=True, refresh_per_second=_REFRESH_RATE
        ) as bar:
            yield Bar(bar, bar.add_task(safe(title), total=total, note=""))

    @contextmanager
    def live(self) -> Iterator["Screen"]:
        """Take the terminal's other screen for a table that changes."""
        from rich.live import Live  # noqa: PLC0415 (only on a terminal)

        console = self._console(sys.stdout)
        with Live(
            console=console, screen=True, auto_refresh=False, redirect_stderr=False
        ) as live:
            yield Screen(lambda what: live.update(what, refresh=True), console)

    # -- inside

    def _talk(self, text: str, *, style: str = "") -> None:
        for each in text.split("\n"):
            words = safe(each)
            if style and self._has_color(sys.stderr):
                codes = {"yellow": "33", "bold red": "1;31", "dim": "2"}
                words = f"\x1b[{codes[style]}m{words}\x1b[0m"
            sys.stderr.write(words + "\n")
        sys.stderr.flush()

    def _has_color(self, stream: TextIO) -> bool:
        return (
            self.may_color
            and stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )

    def _console(self, stream: TextIO) -> "Console":
        from rich.console import Console  # noqa: PLC0415 (only on a terminal)

        return Console(
            file=stream,
            no_color=not self._has_color(stream),
            highlight=False,
            markup=False,
            emoji=False,
        )


class Bar:
    """A progress bar, or nothing where there is no terminal."""

    def __init__(self, progress: "Progress | None", task: "TaskID | None") -> None:
        """Move this task of this bar."""
        self._progress = progress
        self._task = task

    def move(self, completed: int, *, note: str = "") -> None:
        """Show how many are done, and what is waited for."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=completed, note=safe(note))


class Screen:
    """A table that changes in place, with a line above it."""

    def __init__(self, update: "object", console: "Console") -> None:
        """Draw through `update`."""
        self._update = update
        self._console = console

    def draw(self, head: str, table: Table) -> None:
        """Replace what is shown; rows that do not fit are counted."""
        from rich.console import Group  # noqa: PLC0415 (only on a terminal)
        from rich.text import Text  # noqa: PLC0415

        room = max(1, self._console.size.height - 5)
        shown = Table(table.columns, table.rows[:room])
        left = len(table.rows) - len(shown.rows)
        foot = (
            f"… and {left} more; narrow it with a selector or --state" if left else ""
        )
        parts: list[RenderableType] = [
            Text(safe(head), style="bold"),
            rich_table(shown),
            Text(foot, style="dim"),
        ]
        assert callable(self._update)
        self._update(Group(*parts))


class SafeHandler(logging.Handler):
    """Writes log records to stderr as it is at that moment, neutralised.

    Lines behind the first are indented: none of them passes for a record of its own.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        first, *more = self.format(record).split("\n")
        lines = [first, *(f"    {line}" for line in more)]
        sys.stderr.writelines(f"{safe(line)}\n" for line in lines)
        sys.stderr.flush()


def rich_table(table: Table) -> "RenderableType":
    """Return a table for a terminal."""
    from rich.table import Table as RichTable  # noqa: PLC0415 (only on a terminal)
    from rich.text import Text  # noqa: PLC0415

    drawn = RichTable(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim"
    )
    for column in table.columns:
        drawn.add_column(
            column.title,
            no_wrap=not column.can_wrap,
            overflow="fold",
            justify="right" if column.is_number else "left",
        )
    for row in table.rows:
        drawn.add_row(
            *(Text(safe(text_of(cell)), style=style_of(cell)) for cell in row)
        )
    return drawn


def plain_row(row: Iterable[object]) -> str:
    """Return a row for a pipe: cells between tabs, none of them holding one."""
    cells = (text_of(cell) for cell in row)  # type: ignore[arg-type]
    return "\t".join(safe(cell).replace("\t", " ") for cell in cells)


def safe(text: str) -> str:
    """Return text from anywhere so that a terminal only shows it."""
    if text.isascii() and text.isprintable():
        return text
    from supervisor_easy.fleet.logs.text import (  # noqa: PLC0415 (rarely needed)
        plain,
        terminal_safe,
    )

    return plain(terminal_safe(plain(text)))


def colored(text: str) -> str:
    """Return text from a log with its colours and nothing else that acts."""
    if text.isascii() and text.isprintable():
        return text
    from supervisor_easy.fleet.logs.text import (  # noqa: PLC0415 (rarely needed)
        terminal_safe,
    )

    return terminal_safe(text)


def abandon_stdout() -> None:
    """Write no more: nobody reads, and the interpreter must not complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def harmless(text: str) -> str:
    """Return JSON or YAML with what could drive a terminal escaped, the same data."""
    return _DRIVES_A_TERMINAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
