"""Pages of events: filtered by selectors, newest first, with a bound on the search."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from supervisor_easy.model import Event, EventKind, Host
from supervisor_easy.selector import matcher
from supervisor_easy.services import Services
from supervisor_easy.web.selection import Query

#: Events read in one query, and queries made for one page of a filtered search.
_BATCH, _MOST_BATCHES = 1000, 20


@dataclass(frozen=True, slots=True)
class Wish:
    """Which events, and which page of them."""

    query: Query
    since: datetime | None = None
    kinds: Collection[EventKind] = ()
    limit: int = 100
    before_id: int | None = None
    after_id: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first (with `after_id`: oldest first).

    `next_id` is where the next page goes on (as `before_id` or `after_id`); None when
    nothing is left.
    """

    events: tuple[Event, ...]
    next_id: int | None


def find_events(services: Services, wish: Wish) -> Page:
    """Return one page; a search that finds little stops after a while, and says where.

    Raises:
        SelectorError: a selector is malformed or names an unknown group.
    """
    wanted = _Wanted(services, wish.query)
    found: list[Event] = []
    before_id, after_id = wish.before_id, wish.after_id
    for _ in range(_MOST_BATCHES):
        size = _BATCH if wanted.is_picky else wish.limit + 1
        batch = services.events.query(
            kinds=list(wish.kinds) or None,
            since=wish.since,
            before_id=before_id,
            after_id=after_id,
            limit=size,
        )
        found += (each for each in batch if wanted.has(each))
        if len(found) > wish.limit:
            kept = found[: wish.limit]
            return Page(tuple(kept), kept[-1].id)
        if len(batch) < size:
            return Page(tuple(found), None)
        if wish.after_id is None:
            before_id = batch[-1].id
        else:
            after_id = batch[-1].id
    return Page(tuple(found), after_id if wish.after_id is not None else before_id)


class _Wanted:
    """What a query says about events: each condition must hold.

    Events outlive their processes, so selectors are matched by name here.
    """

    def __init__(self, services: Services, query: Query) -> None:
        inventory = services.inventory.current
        self._hosts = inventory.hosts
        asked = (
            query.selectors,
            [f"@{name.removeprefix('@')}" for name in query.groups],
            query.hosts,
            [",".join(query.labels)] if query.labels else [],
        )
        self._matchers = [
            matcher(list(texts), inventory.members()) for texts in asked if texts
        ]

    @property
    def is_picky(self) -> bool:
        """Not every event is wanted."""
        return bool(self._matchers)

    def has(self, event: Event) -> bool:
        """Say whether an event is wanted."""
        if not self._matchers:
            return True
        host = self._hosts.get(event.host) or Host(event.host, "")
        return bool(event.host) and all(
            each.matches(host, event.group, event.name) for each in self._matchers
        )
