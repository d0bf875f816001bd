"""Events of a selection, out of the database of this machine."""

from collections.abc import Iterator
from itertools import islice

from supervisor_easy.cli.backend import EventQuery, Json, Query
from supervisor_easy.inventory import Inventory
from supervisor_easy.model import Event, EventKind, Host
from supervisor_easy.selector import Matcher, matcher
from supervisor_easy.store.events import Events
from supervisor_easy.wire import event_to_dict

#: Events read in one query.
_PAGE = 1000


def find_events(events: Events, asked: EventQuery, inventory: Inventory) -> list[Json]:
    """Return the newest events asked for, oldest of them first.

    With `after_id`, the first ones behind it.
    """
    wanted = _Wanted(asked.query, inventory)
    found = (each for each in _pages(events, asked) if wanted.matches(each))
    chosen = list(islice(found, asked.limit))
    if asked.after_id is None:
        chosen.reverse()
    return [event_to_dict(each) for each in chosen]


class _Wanted:
    """What a query says about events: each condition must hold."""

    def __init__(self, query: Query, inventory: Inventory) -> None:
        self._hosts = inventory.hosts
        groups = {name: group.members for name, group in inventory.groups.items()}
        asked = (
            query.selectors,
            [f"@{name.removeprefix('@')}" for name in query.groups],
            query.hosts,
            [",".join(query.labels)] if query.labels else (),
        )
        self._matchers: list[Matcher] = [
            matcher(list(texts), groups) for texts in asked if texts
        ]

    def matches(self, event: Event) -> bool:
        if not self._matchers:
            return True
        host = self._hosts.get(event.host) or Host(event.host, "")
        return bool(event.host) and all(
            each.matches(host, event.group, event.name) for each in self._matchers
        )


def _pages(events: Events, asked: EventQuery) -> Iterator[Event]:
    kinds = [EventKind(kind) for kind in asked.kinds] or None
    after_id, before_id = asked.after_id, None
    while True:
        page = events.query(
            kinds=kinds,
            since=asked.since,
            after_id=after_id,
            before_id=before_id,
            limit=_PAGE,
        )
        yield from page
        if len(page) < _PAGE:
            return
        if after_id is None:
            before_id = page[-1].id
        else:
            after_id = page[-1].id
