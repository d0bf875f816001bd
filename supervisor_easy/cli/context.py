"""What every command has at hand: the global options, the output, a backend."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from supervisor_easy.cli.backend import Backend, Journal
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.render import Format, Output, SafeHandler, abandon_stdout
from supervisor_easy.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from supervisor_easy.settings import Settings
    from supervisor_easy.store import Store


class App:
    """One run of the program; nothing is read or opened before it is asked for."""

    def __init__(self) -> None:
        """Begin with no option given."""
        self.out = Output()
        self.overrides: dict[str, object] = {}
        self.verbosity = 0
        self._settings: Settings | None = None

    @property
    def settings(self) -> "Settings":
        """The settings, read once; misspelt variables are named on stderr.

        Raises:
            ConfigError: a value is unusable.
        """
        if self._settings is None:
            from supervisor_easy.settings import (  # noqa: PLC0415 (pydantic is slow)
                load_settings,
                misspelt,
            )

            for warning in misspelt():
                self.out.warn(f"fleet: {warning}")
            self._settings = load_settings(self.overrides)
        return self._settings

    @contextmanager
    def backend(self, *, journal: Journal = Journal.UNUSED) -> Iterator[Backend]:
        """Open what does the work: this machine, or the console of `--server`.

        Raises:
            FleetError: it cannot be opened.
        """
        settings = self.settings
        if settings.server:
            from supervisor_easy.cli.remote import (  # noqa: PLC0415 (loaded if used)
                RemoteBackend,
            )

            yield RemoteBackend(settings)
            return
        from supervisor_easy.cli.local import LocalBackend  # noqa: PLC0415 (slow)

        with LocalBackend(settings, journal=journal, out=self.out) as backend:
            yield backend

    @contextmanager
    def store(self, *, is_ready: bool = True) -> Iterator["Store"]:
        """Open the database of this machine, by default with its schema made.

        Raises:
            ConfigError: a console is named, on whose machine this has to be run.
            StoreError: it is out of reach, or of another version.
        """
        if self.settings.server:
            raise ConfigError(
                "this works on the database itself: run it on the console's "
                "machine, without --server and FLEET_SERVER"
            )
        from supervisor_easy.cli.localstore import open_store  # noqa: PLC0415 (slow)

        with open_store(self.settings, is_ready=is_ready) as store:
            yield store

    def now(self) -> "datetime":
        """Return the time."""
        from supervisor_easy.clock import SystemClock  # noqa: PLC0415 (asyncio)

        return SystemClock().now()

    def configure_logging(self) -> None:
        """Send our own log to stderr: warnings, with -v decisions, with -vv calls."""
        levels = (logging.WARNING, logging.INFO, logging.DEBUG)
        handler = SafeHandler()
        form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
        if not self.verbosity:
            form = "fleet: %(message)s"
        handler.setFormatter(logging.Formatter(form))
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(logging.ERROR if self.out.is_quiet else logging.WARNING)
        ours = logging.getLogger("supervisor_easy")
        if self.verbosity:
            ours.setLevel(levels[min(self.verbosity, 2)])
        else:
            ours.setLevel(logging.NOTSET)


#: What commands are given as their first argument.
pass_app = click.make_pass_decorator(App, ensure=True)


def _store(name: str) -> Any:
    """Return the callback that keeps a global option, wherever it was written."""

    def keep(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        app = ctx.find_root().ensure_object(App)
        if value is None or value is False or value == 0:
            return
        match name:
            case "output":
                app.out.format = Format(value)
            case "no_color":
                app.out.may_color = False
            case "quiet":
                app.out.is_quiet = True
            case "verbose":
                app.verbosity += int(value)
            case _:
                app.overrides[name] = value

    return keep


#: The global options: declarations and what click is told of each.
_GLOBALS: tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...] = (
    (
        ("--inventory",),
        {
            "metavar": "FILE",
            "type": click.Path(dir_okay=False),
            "help": "The inventory file (FLEET_INVENTORY).",
        },
    ),
    (
        ("--database-url",),
        {"metavar": "URL", "help": "The database (FLEET_DATABASE_URL)."},
    ),
    (
        ("--server",),
        {
            "metavar": "URL",
            "help": "Act through this console, with the token in FLEET_TOKEN "
            "(FLEET_SERVER).",
        },
    ),
    (
        ("-o", "--output"),
        {
            "type": click.Choice([each.value for each in Format]),
            "help": "How data is written: a table, JSON, YAML, or names only.",
        },
    ),
    (("--no-color",), {"is_flag": True, "help": "No colours (NO_COLOR)."}),
    (("-q", "--quiet"), {"is_flag": True, "help": "Only data and errors."}),
    (("-v", "--verbose"), {"count": True, "help": "Say more; twice: every call."}),
)


def global_options(*, is_hidden: bool) -> list[click.Option]:
    """Return the global options; every command takes them, the program shows them."""
    return [
        click.Option(
            names,
            expose_value=False,
            hidden=is_hidden,
            callback=_store(names[-1].lstrip("-").replace("-", "_")),
            **told,
        )
        for names, told in _GLOBALS
    ]


class Command(click.Command):
    """A command that also takes the global options, behind its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the global options."""
        super().__init__(*args, **kwargs)
        self.params += global_options(is_hidden=True)

    def invoke(self, ctx: click.Context) -> Any:
        """Set up logging, run, and return the exit code."""
        ctx.find_root().ensure_object(App).configure_logging()
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Here, because click would make it an ordinary failure.
            abandon_stdout()
            return ExitCode.BROKEN_PIPE
        return ExitCode.OK if code is None else code


class Section(click.Group):
    """A command with commands below it, such as `fleet inventory check`."""

    command_class = Command
    group_class = type
