"""Arguments and options that several commands share, and the query they make."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from supervisor_easy.cli.backend import Query
from supervisor_easy.cli.complete import (
    complete_group,
    complete_host,
    complete_selector,
)

F = TypeVar("F", bound=Callable[..., Any])

_STATES = (
    "STOPPED",
    "STARTING",
    "RUNNING",
    "BACKOFF",
    "STOPPING",
    "EXITED",
    "FATAL",
    "UNKNOWN",
)


def _complete_state(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[str]:
    done, comma, last = incomplete.upper().rpartition(",")
    return [f"{done}{comma}{each}" for each in _STATES if each.startswith(last)]


def takes_selection(command: F) -> F:
    """Give a command SELECTOR… and the narrowing options; it gets one `query`."""

    @click.argument(
        "selectors",
        nargs=-1,
        metavar="[SELECTOR]...",
        shell_complete=complete_selector,
    )
    @click.option(
        "--group",
        "groups",
        multiple=True,
        metavar="G",
        shell_complete=complete_group,
        help="Only processes of this group of the inventory.",
    )
    @click.option(
        "--host",
        "hosts",
        multiple=True,
        metavar="H",
        shell_complete=complete_host,
        help="Only on this host; globs allowed.",
    )
    @click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="K=V",
        help="Only on hosts with this label.",
    )
    @click.option(
        "--state",
        "states",
        multiple=True,
        metavar="STATE",
        shell_complete=_complete_state,
        help="Only processes in this state, or these: FATAL,BACKOFF.",
    )
    @wraps(command)
    def with_query(
        *args: Any,
        selectors: tuple[str, ...],
        groups: tuple[str, ...],
        hosts: tuple[str, ...],
        labels: tuple[str, ...],
        states: tuple[str, ...],
        **rest: Any,
    ) -> Any:
        query = Query(selectors, groups, hosts, labels, states)
        return command(*args, query=query, **rest)

    return with_query  # type: ignore[return-value]


def need_selection(query: Query) -> None:
    """Refuse an empty selection: nothing given never means everything.

    Raises:
        UsageError: nothing was selected.
    """
    if not query:
        raise click.UsageError(
            "say which processes: a SELECTOR such as web1/celery, or --group, --host, "
            "--label or --state; '*' is everything"
        )
