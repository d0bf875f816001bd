"""The history: attribution, queries, retention."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event as sqlalchemy_event

from supervisor_easy.errors import StoreError
from supervisor_easy.model import (
    Action,
    Event,
    EventKind,
    OperationStatus,
    OutcomeKind,
    Target,
)
from supervisor_easy.store import Store
from supervisor_easy.store.events import Events
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner
from tests.builders import START
from tests.fake_clock import FakeClock
from tests.store.conftest import OpenStore
from tests.store.values import (
    UP,
    UP_AGAIN,
    an_event,
    an_operation,
    an_outcome,
    begin,
    close,
    record,
    some_targets,
)

A, B, C = some_targets(3)
SECOND = timedelta(seconds=1)
OURS = "mei via web: restart"


def causes(events: Events) -> list[str]:
    return [each.cause for each in events.query(after_id=0)]


def names(found: list[Event]) -> list[str]:
    return [each.name for each in found]


@pytest.fixture
def operation_id(journal: Journal, owner: Owner, clock: FakeClock) -> str:
    """A restart of A that began at START and ended ten seconds later.

    It was asked for, and had to wait, for a minute before that.
    """
    wanted = an_operation(A)
    clock.set_back(60 * SECOND)
    journal.open(wanted, owner=owner)
    clock.advance(60)
    begin(journal, owner, wanted.id, {A: UP})
    clock.advance(10)
    record(journal, owner, wanted.id, [an_outcome(A)])
    close(journal, owner, wanted.id, OperationStatus.DONE)
    return wanted.id


@pytest.mark.parametrize(
    ("seconds", "cause"),
    [
        (-30, "external"),
        (-1.001, "external"),
        (-1, OURS),
        (0, OURS),
        (9, OURS),
        (15, OURS),
        (15.001, "external"),
    ],
)
def test_a_change_is_ours_from_the_intent_until_after_the_outcome(
    events: Events, operation_id: str, seconds: float, cause: str
) -> None:
    seen = an_event(A, at=START + timedelta(seconds=seconds))
    events.append([seen])
    assert events.query(kinds=[EventKind.PROCESS])[0].cause == cause


def test_a_change_of_ours_names_the_operation(
    events: Events, operation_id: str
) -> None:
    events.append([an_event(A)])
    assert events.query(kinds=[EventKind.PROCESS])[0].operation_id == operation_id


def test_a_change_of_another_process_is_external(
    events: Events, operation_id: str
) -> None:
    namesake = replace(A, host="elsewhere")
    events.append([an_event(B), an_event(namesake)])
    assert [each.cause for each in events.query(kinds=[EventKind.PROCESS])] == [
        "external",
        "external",
    ]


def test_a_change_during_an_unfinished_operation_is_ours(
    journal: Journal, events: Events, owner: Owner
) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    begin(journal, owner, wanted.id, {A: UP})
    events.append([an_event(A, at=START + timedelta(hours=3))])
    assert causes(events) == [OURS]


def test_a_change_while_a_step_waits_for_its_turn_is_external(
    journal: Journal, events: Events, owner: Owner
) -> None:
    wanted = an_operation(A, B)
    journal.open(wanted, owner=owner)
    begin(journal, owner, wanted.id, {A: UP})
    events.append([an_event(B, at=START + SECOND)])
    assert causes(events) == ["external"]


def test_an_outcome_without_an_intent_caused_nothing(
    journal: Journal, events: Events, owner: Owner
) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    record(journal, owner, wanted.id, [an_outcome(A, kind=OutcomeKind.UNCHANGED)])
    events.append([an_event(A, at=START)])
    assert events.query(kinds=[EventKind.PROCESS])[0].cause == "external"


def test_an_operation_that_found_its_target_busy_caused_nothing(
    journal: Journal, events: Events, owner: Owner, clock: FakeClock
) -> None:
    first = an_operation(A)
    journal.open(first, owner=owner)
    begin(journal, owner, first.id, {A: UP})
    clock.advance(1)
    journal.open(an_operation(A, action=Action.STOP), owner=owner)
    events.append([an_event(A, at=START + 2 * SECOND)])
    assert causes(events) == [OURS]


def test_of_two_operations_the_later_one_caused_it(
    journal: Journal, events: Events, owner: Owner, clock: FakeClock
) -> None:
    first, second = an_operation(A), an_operation(A, action=Action.STOP)
    journal.open(first, owner=owner)
    begin(journal, owner, first.id, {A: UP})
    record(journal, owner, first.id, [an_outcome(A)])
    clock.advance(2)
    journal.open(second, owner=owner)
    begin(journal, owner, second.id, {A: UP_AGAIN})
    events.append([an_event(A, at=START), an_event(A, at=START + 3 * SECOND)])
    found = events.query(kinds=[EventKind.PROCESS], after_id=0)
    assert [each.cause for each in found] == [OURS, "mei via web: stop"]


def test_a_cause_that_is_given_stays(events: Events, operation_id: str) -> None:
    events.append([an_event(A, cause="rolling run 7")])
    assert events.query(kinds=[EventKind.PROCESS])[0].cause == "rolling run 7"


def test_only_process_events_are_given_a_cause(events: Events) -> None:
    kinds = [kind for kind in EventKind if kind is not EventKind.PROCESS]
    events.append([an_event(kind=kind) for kind in kinds])
    assert causes(events) == [""] * len(kinds)


def test_attribution_takes_as_many_queries_for_one_as_for_many(
    store: Store, events: Events, operation_id: str
) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, text: str, *_rest: object) -> None:
        statements.append(text)

    sqlalchemy_event.listen(store._engine, "before_cursor_execute", note)
    events.append([an_event(A)])
    for_one = len(statements)
    events.append([an_event(each) for each in some_targets(600, hosts=600)])
    assert len(statements) == 2 * for_one


# -- queries


def test_an_event_reads_back_as_it_was_written(events: Events) -> None:
    written = an_event(
        outcome=OutcomeKind.FAILED, cause="x", operation_id="op", log_tail="tail"
    )
    last = events.append([written])
    assert events.query() == [replace(written, id=last)]


def test_hostile_text_is_stored_in_part(events: Events) -> None:
    hostile = Target("scan01", "g\0\ud800", "n" * 5000)
    events.append([an_event(hostile, message="m" * 10_000 + "\0")])
    found = events.query()[0]
    assert (found.group, len(found.name), len(found.message)) == (
        "g\ufffd\ufffd",
        200,
        4000,
    )


def test_a_moment_without_a_zone_is_refused(events: Events) -> None:
    with pytest.raises(StoreError, match="without a time zone"):
        events.append([an_event(at=START.replace(tzinfo=None))])


def test_moments_are_kept_to_the_microsecond_in_utc(events: Events) -> None:
    at = START + timedelta(microseconds=123456)
    events.append([an_event(at=at.astimezone())])
    found = events.query()[0].at
    assert (found, found.utcoffset()) == (at, timedelta(0))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [C, B, A]),
        ({"hosts": [A.host, B.host]}, [B, A]),
        ({"hosts": []}, []),
        ({"targets": [A, C]}, [C, A]),
        ({"targets": []}, []),
        ({"targets": [replace(A, group="other")]}, []),
        ({"kinds": [EventKind.HOST]}, [C]),
        ({"since": START + SECOND}, [C, B]),
        ({"until": START + SECOND}, [A]),
        ({"limit": 2}, [C, B]),
        ({"limit": 2, "after_id": 0}, [A, B]),
        ({"targets": [A, B], "kinds": [EventKind.PROCESS], "limit": 1}, [B]),
    ],
)
def test_a_query_returns_what_fulfils_every_condition(
    events: Events, conditions: dict[str, object], expected: list[Target]
) -> None:
    events.append(
        [
            an_event(A),
            an_event(B, at=START + SECOND),
            an_event(C, at=START + 2 * SECOND, kind=EventKind.HOST),
        ]
    )
    found = events.query(**conditions)  # type: ignore[arg-type]
    assert names(found) == [each.name for each in expected]


def test_pages_forward_and_back_miss_nothing(events: Events) -> None:
    events.append([an_event(each) for each in some_targets(25)])
    forward = events.query(after_id=0, limit=10)
    while page := events.query(after_id=forward[-1].id, limit=10):
        forward += page
    back = events.query(limit=10)
    while page := events.query(before_id=back[-1].id, limit=10):
        back += page
    assert (len(forward), forward) == (25, back[::-1])


def test_a_follower_misses_nothing_while_several_write(
    url: str, open_store: OpenStore, events: Events
) -> None:
    def write(number: int) -> None:
        writer = Events(open_store(url))
        for _ in range(20):
            writer.append([an_event(cause=f"writer {number}")] * 3)

    followed: list[Event] = []
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, number) for number in range(4)]
        while len(followed) < 240:
            last = followed[-1].id if followed else 0
            is_over = all(each.done() for each in writing)
            page = events.query(after_id=last)
            if is_over and not page:
                break
            followed += page
    assert len(followed) == 240


def test_thousands_of_targets_can_be_asked_for(events: Events) -> None:
    targets = some_targets(5000, hosts=300)
    events.append([an_event(each) for each in targets[::1000]])
    found = events.query(targets=targets, limit=3)
    assert names(found) == names(events.query(limit=3))


def test_counts_name_every_kind(events: Events) -> None:
    events.append(
        [an_event(at=START - SECOND), an_event(), an_event(kind=EventKind.HOST)]
    )
    counts = {kind.value: count for kind, count in events.counts_since(START).items()}
    assert counts == {kind.value: 0 for kind in EventKind} | {"process": 1, "host": 1}


def test_changes_are_counted_for_each_process(events: Events) -> None:
    events.append(
        [an_event(A), an_event(B), an_event(B), an_event(C, kind=EventKind.ACTION)]
    )
    assert events.changes_since(START).most_common() == [(B, 2), (A, 1)]


# -- retention


def test_old_events_go(events: Events, clock: FakeClock) -> None:
    events.append([an_event(A), an_event(B, at=START + SECOND)])
    assert events.prune(START + timedelta(days=30) + SECOND) == 1
    assert names(events.query()) == [B.name]


def test_of_too_many_events_the_oldest_go(url: str, open_store: OpenStore) -> None:
    events = Events(open_store(url, event_rows=10))
    events.append([an_event(each) for each in some_targets(25)])
    assert events.prune(START) == 15
    kept = [each.name for each in some_targets(25)[:14:-1]]
    assert names(events.query()) == kept


def test_many_batches_are_pruned_at_once(url: str, open_store: OpenStore) -> None:
    events = Events(open_store(url, event_rows=1))
    events.append([an_event() for _ in range(10_001)])
    assert events.prune(START) == 10_000


def test_an_id_is_never_used_twice(url: str, open_store: OpenStore) -> None:
    events = Events(open_store(url))
    last = events.append([an_event()])
    events.prune(START + timedelta(days=60))
    assert events.append([an_event()]) > last
