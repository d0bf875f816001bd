"""Operations: written down before they are done, and read back as they were."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from supervisor_easy.errors import ActionError, NotFound, StaleRequest
from supervisor_easy.model import (
    Action,
    Actor,
    ErrorInfo,
    EventKind,
    OperationStatus,
    OutcomeKind,
    ProcessState,
    Sighting,
    Target,
)
from supervisor_easy.store.events import Events
from supervisor_easy.store.journal import Journal, Opened
from supervisor_easy.store.owners import Owner
from tests.builders import START
from tests.fake_clock import FakeClock
from tests.store.conftest import OpenStore
from tests.store.processes import answers
from tests.store.values import (
    UP,
    an_operation,
    an_outcome,
    begin,
    close,
    record,
    some_targets,
)

A, B, C = some_targets(3)


def test_an_operation_reads_back_as_it_was_opened(
    journal: Journal, owner: Owner
) -> None:
    wanted = an_operation(
        B,
        A,
        action=Action.SIGNAL,
        signal="HUP",
        reason="new config",
        idempotency_key="k",
        scope="0123456789abcdef",
    )
    journal.open(wanted, owner=owner)
    assert journal.get(wanted.id) == wanted


def test_intents_are_durable_before_write_returns(
    url: str, open_store: OpenStore, journal: Journal, owner: Owner
) -> None:
    wanted = an_operation(A, B)
    journal.open(wanted, owner=owner)
    begin(journal, owner, wanted.id, {A: UP})
    elsewhere = Journal(open_store(url))
    assert elsewhere.begun(wanted.id) == {A: UP}


def test_outcomes_read_back_as_they_were_recorded(
    journal: Journal, owner: Owner
) -> None:
    wanted = an_operation(A, B)
    journal.open(wanted, owner=owner)
    failed = an_outcome(
        A,
        kind=OutcomeKind.FAILED,
        error=ErrorInfo("spawn_failed", "no such file"),
        after=Sighting(0, ProcessState.FATAL),
        duration=timedelta(seconds=1, microseconds=234567),
    )
    record(journal, owner, wanted.id, [an_outcome(B), failed])
    assert journal.get(wanted.id).outcomes == (failed, an_outcome(B))


def test_an_outcome_without_a_sighting_keeps_that_of_the_intent(
    journal: Journal, owner: Owner
) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    begin(journal, owner, wanted.id, {A: UP})
    record(journal, owner, wanted.id, [an_outcome(A, before=None)])
    assert journal.get(wanted.id).outcomes[0].before == UP


def test_text_that_no_database_takes_is_stored_in_part(
    journal: Journal, owner: Owner
) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    record(
        journal, owner, wanted.id, [an_outcome(A, log_tail="nul \0 lone \ud800 end")]
    )
    assert journal.get(wanted.id).outcomes[0].log_tail == "nul \ufffd lone \ufffd end"


def test_a_log_is_cut_at_its_beginning(journal: Journal, owner: Owner) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    record(
        journal, owner, wanted.id, [an_outcome(A, log_tail="x" * 100_000 + "last line")]
    )
    kept = journal.get(wanted.id).outcomes[0].log_tail
    assert (len(kept), kept[-9:]) == (65_536, "last line")


def test_the_first_outcome_of_a_target_stands(journal: Journal, owner: Owner) -> None:
    wanted = an_operation(A, B)
    journal.open(wanted, owner=owner)
    record(journal, owner, wanted.id, [an_outcome(A)])
    again = [an_outcome(A, kind=OutcomeKind.UNKNOWN), an_outcome(B)]
    record(journal, owner, wanted.id, again)
    assert journal.get(wanted.id).outcomes == (an_outcome(A), an_outcome(B))


def test_each_outcome_is_told_once_in_the_history(
    journal: Journal, events: Events, owner: Owner
) -> None:
    wanted = an_operation(A, B)
    journal.open(wanted, owner=owner)
    record(journal, owner, wanted.id, [an_outcome(A)])
    record(journal, owner, wanted.id, [an_outcome(A), an_outcome(B)])
    told = [
        (each.kind, each.host, each.name, each.outcome, each.cause, each.operation_id)
        for each in events.query(after_id=0)
    ]
    assert told == [
        (
            EventKind.ACTION,
            each.host,
            each.name,
            OutcomeKind.CHANGED,
            "mei via web: restart",
            wanted.id,
        )
        for each in (A, B)
    ]


def test_the_event_of_a_failure_says_why(
    journal: Journal, events: Events, owner: Owner
) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    error = ErrorInfo("spawn_failed", "no such file")
    record(
        journal, owner, wanted.id, [an_outcome(A, kind=OutcomeKind.FAILED, error=error)]
    )
    assert events.query()[0].message == "restart: failed: no such file"


def test_an_outcome_of_a_foreign_target_is_refused(
    journal: Journal, owner: Owner
) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    with pytest.raises(NotFound, match=str(B)):
        record(journal, owner, wanted.id, [an_outcome(A), an_outcome(B)])
    assert journal.get(wanted.id).outcomes == ()


@pytest.mark.parametrize("ask", ["get", "progress"])
def test_an_unknown_operation_is_not_found(journal: Journal, ask: str) -> None:
    with pytest.raises(NotFound, match="there is no operation nope"):
        getattr(journal, ask)("nope")


# -- reservations


def test_a_target_in_other_hands_is_busy(journal: Journal, owner: Owner) -> None:
    first, second = an_operation(A, B), an_operation(B, C)
    journal.open(first, owner=owner)
    opened = journal.open(second, owner=owner)
    assert opened.busy == {B: first.id}


def test_an_outcome_frees_the_target(journal: Journal, owner: Owner) -> None:
    first = an_operation(A, B)
    journal.open(first, owner=owner)
    record(journal, owner, first.id, [an_outcome(A)])
    opened = journal.open(an_operation(A, B), owner=owner)
    assert opened.busy == {B: first.id}


def test_the_outcome_of_a_busy_target_does_not_free_it(
    journal: Journal, owner: Owner
) -> None:
    first, second = an_operation(A), an_operation(A)
    journal.open(first, owner=owner)
    journal.open(second, owner=owner)
    record(journal, owner, second.id, [an_outcome(A, kind=OutcomeKind.SKIPPED)])
    opened = journal.open(an_operation(A), owner=owner)
    assert opened.busy == {A: first.id}


def test_closing_frees_what_is_left(journal: Journal, owner: Owner) -> None:
    first = an_operation(A, B)
    journal.open(first, owner=owner)
    close(journal, owner, first.id, OperationStatus.CANCELLED)
    assert journal.open(an_operation(A, B), owner=owner).busy == {}


def test_the_same_name_on_another_host_is_another_target(
    journal: Journal, owner: Owner
) -> None:
    journal.open(an_operation(A), owner=owner)
    other = replace(A, host="elsewhere")
    assert journal.open(an_operation(other), owner=owner).busy == {}


def test_of_many_operations_at_once_each_target_gets_one(
    url: str, open_store: OpenStore, owner: Owner
) -> None:
    targets = some_targets(40)
    rivals = [an_operation(*targets[n::-1], *targets[n + 1 :]) for n in range(8)]
    at_once = threading.Barrier(len(rivals))

    def open_one(number: int) -> Opened:
        journal = Journal(open_store(url))
        at_once.wait(10)
        return journal.open(rivals[number], owner=owner)

    with ThreadPoolExecutor(len(rivals)) as pool:
        opened = list(pool.map(open_one, range(len(rivals))))
    held = [set(each.operation.targets) - set(each.busy) for each in opened]
    assert sorted(len(each) for each in held) == [0] * 7 + [40]


@pytest.mark.parametrize(
    "targets", [(A, A), (Target("h", "g", "n" * 201),), (Target("h" * 201, "g", "n"),)]
)
def test_targets_that_cannot_be_kept_apart_are_refused(
    journal: Journal, owner: Owner, targets: tuple[Target, ...]
) -> None:
    with pytest.raises(ActionError):
        journal.open(an_operation(*targets), owner=owner)
    assert journal.list() == []


# -- idempotency


def test_a_repeated_key_returns_the_first_operation(
    journal: Journal, owner: Owner
) -> None:
    first = an_operation(A, B, idempotency_key="k")
    journal.open(first, owner=owner)
    record(journal, owner, first.id, [an_outcome(A)])
    again = journal.open(replace(first, id="other"), owner=owner)
    assert (again.is_repeat, again.operation) == (True, journal.get(first.id))


def test_a_repeated_key_reserves_nothing(journal: Journal, owner: Owner) -> None:
    first = an_operation(A, idempotency_key="k")
    journal.open(first, owner=owner)
    record(journal, owner, first.id, [an_outcome(A)])
    journal.open(replace(first, id="other"), owner=owner)
    assert journal.open(an_operation(A), owner=owner).busy == {}


@pytest.mark.parametrize(
    "changes",
    [{"action": Action.STOP}, {"targets": (A,)}, {"signal": "HUP"}],
)
def test_a_key_for_something_else_is_refused(
    journal: Journal, owner: Owner, changes: dict[str, object]
) -> None:
    journal.open(an_operation(A, B, idempotency_key="k"), owner=owner)
    other = an_operation(A, B, **{"idempotency_key": "k", **changes})
    with pytest.raises(StaleRequest, match="use a new key"):
        journal.open(other, owner=owner)


def test_the_same_key_of_another_actor_is_another_key(
    journal: Journal, owner: Owner
) -> None:
    journal.open(an_operation(A, idempotency_key="k"), owner=owner)
    other = an_operation(B, idempotency_key="k", actor=Actor("li", "web"))
    assert not journal.open(other, owner=owner).is_repeat


def test_of_processes_with_one_key_exactly_one_acts(url: str) -> None:
    said = [each.split() for each in answers(*[("open_with_key", url, "k")] * 4)]
    assert len({operation_id for operation_id, _ in said}) == 1
    assert sorted(is_repeat for _, is_repeat in said) == ["False"] + ["True"] * 3


# -- ends, lists, history


def test_closing_sets_status_and_time(
    journal: Journal, owner: Owner, clock: FakeClock
) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    clock.advance(7)
    close(journal, owner, wanted.id, OperationStatus.DONE)
    closed = journal.get(wanted.id)
    assert (closed.status, closed.finished_at) == (
        OperationStatus.DONE,
        START + timedelta(seconds=7),
    )


def test_the_first_end_stands(journal: Journal, owner: Owner) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    close(journal, owner, wanted.id, OperationStatus.CANCELLED)
    close(journal, owner, wanted.id, OperationStatus.DONE)
    assert journal.get(wanted.id).status is OperationStatus.CANCELLED


def test_progress_counts_every_kind(journal: Journal, owner: Owner) -> None:
    wanted = an_operation(A, B, C)
    journal.open(wanted, owner=owner)
    record(journal, owner, wanted.id, [an_outcome(A)])
    progress = journal.progress(wanted.id)
    assert progress.counts == journal.get(wanted.id).summary()
    assert progress.status is OperationStatus.RUNNING


def test_the_list_goes_on_where_the_last_page_ended(
    journal: Journal, owner: Owner
) -> None:
    # Two a second, so that a page ends between operations of the same moment.
    moments = [START + timedelta(seconds=n // 2) for n in range(7)]
    wanted = [an_operation(A, requested_at=moment) for moment in moments]
    for each in wanted:
        journal.open(each, owner=owner)
    pages = [journal.list(3)]
    while pages[-1]:
        pages.append(journal.list(3, before=pages[-1][-1].id))
    ids = [each.id for page in pages for each in page]
    newest_first = sorted(wanted, key=lambda each: (each.requested_at, each.id))[::-1]
    assert ids == [each.id for each in newest_first]


def test_the_list_leaves_logs_out(journal: Journal, owner: Owner) -> None:
    wanted = an_operation(A)
    journal.open(wanted, owner=owner)
    record(journal, owner, wanted.id, [an_outcome(A)])
    assert [each.log_tail for each in journal.list()[0].outcomes] == [""]


def test_old_operations_go_and_running_ones_stay(
    journal: Journal, owner: Owner, clock: FakeClock
) -> None:
    old = [an_operation(A) for _ in range(60)]
    for each in old:
        journal.open(each, owner=owner)
        close(journal, owner, each.id, OperationStatus.DONE)
    stuck = an_operation(B)
    journal.open(stuck, owner=owner)
    clock.advance(timedelta(days=31))
    fresh = an_operation(C, requested_at=clock.now())
    journal.open(fresh, owner=owner)
    close(journal, owner, fresh.id, OperationStatus.DONE)
    assert journal.prune(clock.now()) == 60
    assert {each.id for each in journal.list()} == {stuck.id, fresh.id}


def test_a_large_operation_is_one_of_many_values(
    journal: Journal, owner: Owner
) -> None:
    targets = some_targets(3000, hosts=700)
    wanted = an_operation(*targets)
    journal.open(wanted, owner=owner)
    begin(journal, owner, wanted.id, dict.fromkeys(targets, UP))
    record(journal, owner, wanted.id, [an_outcome(each) for each in targets])
    counts = len(journal.begun(wanted.id)), len(journal.get(wanted.id).outcomes)
    assert counts == (3000, 3000)
