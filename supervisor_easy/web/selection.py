"""From a URL or a request's body to processes: the same for pages and programs."""

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import request
from werkzeug.datastructures import MultiDict

from supervisor_easy.errors import EmptySelection
from supervisor_easy.model import (
    HostCondition,
    HostStatus,
    Process,
    ProcessState,
    Snapshot,
    Target,
)
from supervisor_easy.selector import Catalog, Narrowing, Selection, select
from supervisor_easy.services import Services
from supervisor_easy.units import parse_duration
from supervisor_easy.web.errors import BadRequest

#: The parameters that select, in a URL.
PARAMETERS = ("selector", "group", "host", "label", "state")
#: Most selectors in one request, and most characters of each.
MAX_SELECTORS, MAX_LENGTH = 1_000, 1_000


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for, as it was written."""

    selectors: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.selectors or self.narrowing)

    @property
    def narrowing(self) -> Narrowing:
        """What narrows the selectors."""
        return Narrowing(self.groups, self.hosts, self.labels, self.states)

    @property
    def text(self) -> str:
        """The selectors as the search box shows them."""
        return " ".join(self.selectors)

    def to_args(self) -> dict[str, list[str]]:
        """Return the query as parameters of a URL."""
        values = (self.selectors, self.groups, self.hosts, self.labels, self.states)
        return {
            name: list(value)
            for name, value in zip(PARAMETERS, values, strict=True)
            if value
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What a query chose, out of one snapshot."""

    snapshot: Snapshot
    processes: tuple[Process, ...]
    blind: tuple[HostStatus, ...]

    def status(self, process: Process) -> HostStatus:
        """Return what is known of a process's host."""
        return self.snapshot.hosts[process.host]


def query_of(args: "MultiDict[str, str]", *, is_typed: bool = False) -> Query:
    """Read the selecting parameters of a URL.

    What a person typed into one box may be several selectors, with blanks between, and
    a form sends its empty boxes, too. A program that sends an empty value has lost what
    it meant, and that is never everything.

    Raises:
        BadRequest: too many or too long, or an empty one that no form sent.
    """
    if not is_typed:
        refuse_blank(args, PARAMETERS)
    texts = _words(args.getlist("selector"))
    if is_typed:
        texts = tuple(word for text in texts for word in text.split())
    others = [_words(args.getlist(name)) for name in PARAMETERS[1:]]
    values = [texts, *others]
    if sum(map(len, values)) > MAX_SELECTORS or any(
        len(text) > MAX_LENGTH for value in values for text in value
    ):
        raise BadRequest("too many selectors, or one that is too long")
    return Query(*values)


def find(services: Services, query: Query) -> Found:
    """Return what the query chooses; an empty one chooses everything.

    Raises:
        SelectorError: it is malformed, or nothing fits; it names what is near.
    """
    snapshot = services.state.snapshot()
    inventory = services.inventory.current
    known = {
        name: snapshot.hosts[name] for name in inventory.hosts if name in snapshot.hosts
    }
    if not query:
        blind = tuple(status for status in known.values() if is_blind(status))
        processes = [each for status in known.values() for each in status.processes]
        return Found(snapshot, tuple(processes), blind)
    catalog = Catalog(
        hosts={name: status.host for name, status in known.items()},
        groups=inventory.members(),
        processes=[each for status in known.values() for each in status.processes],
    )
    chosen = select(query.selectors, catalog, narrow=query.narrowing)
    blind = tuple(known[h] for h in chosen.blind_hosts if is_blind(known[h]))
    if not chosen.processes and not blind:
        names = ", ".join(chosen.blind_hosts)
        raise EmptySelection(f"nothing is selected: {names} has no process")
    return Found(snapshot, chosen.processes, blind)


def members_of_group(services: Services, name: str) -> Selection:
    """Return what a group of the inventory holds now; nothing is no error here."""
    try:
        return select([f"@{name}"], services.catalog())
    except EmptySelection:
        return Selection()


def is_blind(status: HostStatus) -> bool:
    """Nothing is known of the host, so nothing can be done there."""
    return status.condition is not HostCondition.UP and not status.processes


def why_blind(status: HostStatus) -> str:
    """Say why nothing is known of a host."""
    return status.error.message if status.error else "it has not been asked yet"


def refuse_unknown(args: Collection[str], known: Iterable[str]) -> None:
    """Refuse misspelt parameters: `?selectr=x` must not mean everything.

    Raises:
        BadRequest: there is one; the message names the nearest.
    """
    names = list(known)
    for name in args:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            # The name comes from outside, so it is quoted and cut.
            raise BadRequest(f"unknown parameter {name[:50]!r}{hint}")


def refuse_blank(args: "MultiDict[str, str]", names: Iterable[str]) -> None:
    """Refuse parameters without a value: `?host=` must not mean every host.

    Raises:
        BadRequest: there is one; the message names it.
    """
    for name in names:
        if any(not text.strip() for text in args.getlist(name)):
            raise BadRequest(f"{name} is empty: say what you mean, or leave it out")


def number(name: str, default: int, *, low: int = 1, high: int) -> int:
    """Return a whole number of the URL, within its limits.

    Raises:
        BadRequest: it is none, or beyond them.
    """
    text = request.args.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise BadRequest(f"{name} is a whole number from {low} to {high}")
    return int(text)


def moment(name: str, *, now: datetime) -> datetime | None:
    """Return a moment of the URL: ISO with a zone, or a span back from now.

    Raises:
        BadRequest: it is neither.
    """
    text = request.args.get(name, "").strip()
    if not text:
        return None
    found = _back(text, now=now) or _utc(text)
    if found is None:
        raise BadRequest(
            f"{name} is a span such as 1h30m, or a moment such as "
            "2026-11-20T12:00:00+00:00"
        )
    return found


def targets_of(processes: Sequence[Process]) -> list[Target]:
    """Return the keys of processes."""
    return [process.target for process in processes]


def is_trouble(process: Process) -> bool:
    """Say whether a person should look: failed, unknown, or ended with an error."""
    if process.state is ProcessState.EXITED:
        return process.exit_status != 0
    return process.state.is_problem


def _back(text: str, *, now: datetime) -> datetime | None:
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        return None


def _utc(text: str) -> datetime | None:
    """Return a moment in UTC; None if it is none, or one that UTC cannot hold."""
    try:
        # A + of a zone arrives as a blank where nobody escaped it.
        found = datetime.fromisoformat(text.replace(" ", "+"))
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _words(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text.strip())
