"""What happened lately, in few lines: all that one operation did is one of them.

What nobody of ours did keeps a line of its own for each event.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from supervisor_easy.errors import NotFound
from supervisor_easy.model import Action, Event, Operation, OutcomeKind
from supervisor_easy.services import Services
from supervisor_easy.web.history import Wish, find_events
from supervisor_easy.web.selection import Query

#: Events read at once, and how often; a larger restart fills more than that.
_BATCH, _MOST_BATCHES = 500, 6
_ON_OTHERS = (Action.UPDATE, Action.RESTART_SUPERVISORD)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The events of one operation on several targets, told as one."""

    at: datetime
    operation: Operation

    @property
    def message(self) -> str:
        """Say what was done and how it ended: `restart: 20 processes changed`."""
        operation = self.operation
        what = operation.action.value.replace("_", " ")
        counts = [(n, kind) for kind, n in operation.summary().items() if n]
        ends = [f"{n} {kind}" for n, kind in counts]
        if counts:
            count, kind = counts[0]
            ends[0] = f"{count} {self._noun(count)} {kind}"
        return f"{f'{what} {operation.signal}'.strip()}: {', '.join(ends)}"

    @property
    def cause(self) -> str:
        """Say who did it, and through what."""
        return f"{self.operation.actor.name} via {self.operation.actor.via}"

    @property
    def tone(self) -> str:
        """Whether it is good, bad or neither."""
        summary = self.operation.summary()
        if any(summary[kind] for kind in OutcomeKind if not kind.is_fine):
            return "bad"
        return "" if summary["pending"] else "good"

    def _noun(self, count: int) -> str:
        word = "target" if self.operation.action in _ON_OTHERS else "process"
        if count == 1:
            return word
        return "processes" if word == "process" else "targets"


Line = Event | Bundle


@dataclass(frozen=True, slots=True)
class Timeline:
    """The newest lines, and whether older ones were left out."""

    lines: list[Line]
    has_more: bool


def recent(
    services: Services, *, since: datetime, limit: int, known: Iterable[Operation] = ()
) -> Timeline:
    """Return the newest lines since then; `known` operations are not read again."""
    operations = {each.id: each for each in known}

    def find(operation_id: str) -> Operation | None:
        if operation_id not in operations:
            try:
                operations[operation_id] = services.journal.get(operation_id)
            except NotFound:  # its time was over before that of its events
                return None
        return operations[operation_id]

    gathering = _Gathering(find)
    before_id = None
    for _ in range(_MOST_BATCHES):
        wish = Wish(Query(), since=since, limit=_BATCH, before_id=before_id)
        page = find_events(services, wish)
        for event in page.events:
            gathering.add(event)
            if len(gathering.lines) > limit:
                return Timeline(gathering.lines[:limit], has_more=True)
        before_id = page.next_id
        if before_id is None:
            break
    return Timeline(gathering.lines, has_more=before_id is not None)


class _Gathering:
    """Takes events, newest first, and makes lines of them."""

    def __init__(self, find: Callable[[str], Operation | None]) -> None:
        self._find = find
        self._places: dict[str, int] = {}
        self.lines: list[Line] = []

    def add(self, event: Event) -> None:
        """Take the next older event."""
        operation_id = event.operation_id or ""
        if operation_id in self._places:
            self._add_to(self._places[operation_id], event)
            return
        operation = self._find(operation_id) if operation_id else None
        if operation is None:
            self.lines.append(event)
            return
        self._places[operation_id] = len(self.lines)
        is_single = len(operation.targets) == 1
        self.lines.append(event if is_single else Bundle(event.at, operation))

    def _add_to(self, place: int, event: Event) -> None:
        shown = self.lines[place]
        if isinstance(shown, Bundle):
            # Events are written in batches, so their order is not quite that of time.
            self.lines[place] = replace(shown, at=max(shown.at, event.at))
        elif shown.outcome is None and event.outcome:
            # For a single target the outcome says the most, with its reason and log.
            self.lines[place] = event
