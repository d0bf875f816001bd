"""What several operations have to say at once, in one transaction."""

from dataclasses import replace
from datetime import timedelta

import pytest

from supervisor_easy.errors import NotFound
from supervisor_easy.model import OperationStatus, OutcomeKind
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner
from tests.fake_clock import FakeClock
from tests.store.values import (
    UP,
    UP_AGAIN,
    an_operation,
    an_outcome,
    begin,
    some_targets,
)

A, B, C = some_targets(3)


@pytest.fixture
def ids(journal: Journal, owner: Owner) -> tuple[str, str]:
    """Two open operations: on A and B, and on C."""
    both = an_operation(A, B), an_operation(C)
    for each in both:
        journal.open(each, owner=owner)
    return both[0].id, both[1].id


def test_nothing_has_begun_before_it_is_said(
    journal: Journal, ids: tuple[str, str]
) -> None:
    assert journal.begun(ids[0]) == {}


def test_what_has_begun_is_known_with_its_baseline(
    journal: Journal, owner: Owner, ids: tuple[str, str]
) -> None:
    first, second = ids
    lost = journal.write(
        [(first, {A: UP}), (second, {C: UP_AGAIN})], {}, [], owner=owner
    )
    assert lost == frozenset()
    assert (journal.begun(first), journal.begun(second)) == ({A: UP}, {C: UP_AGAIN})


def test_the_first_baseline_of_a_target_stands(
    journal: Journal, owner: Owner, ids: tuple[str, str]
) -> None:
    begin(journal, owner, ids[0], {A: UP})
    begin(journal, owner, ids[0], {A: UP_AGAIN, B: UP_AGAIN})
    assert journal.begun(ids[0]) == {A: UP, B: UP_AGAIN}


def test_outcomes_and_ends_of_several_operations_go_together(
    journal: Journal, owner: Owner, ids: tuple[str, str]
) -> None:
    first, second = ids
    told = {first: [an_outcome(B)], second: [an_outcome(C)]}
    journal.write([], told, [(second, OperationStatus.DONE)], owner=owner)
    found = [
        (journal.get(each).status, len(journal.get(each).outcomes)) for each in ids
    ]
    assert found == [(OperationStatus.RUNNING, 1), (OperationStatus.DONE, 1)]


def test_a_batch_tried_again_changes_nothing(
    journal: Journal, owner: Owner, ids: tuple[str, str]
) -> None:
    told = {ids[0]: [an_outcome(A)]}
    journal.write([], told, [], owner=owner)
    again = {ids[0]: [an_outcome(A, kind=OutcomeKind.UNKNOWN)]}
    journal.write([], again, [], owner=owner)
    assert journal.get(ids[0]).outcomes == (an_outcome(A),)


def test_one_bad_outcome_keeps_the_whole_batch_out(
    journal: Journal, owner: Owner, ids: tuple[str, str]
) -> None:
    told = {ids[0]: [an_outcome(A)], ids[1]: [an_outcome(A)]}
    with pytest.raises(NotFound):
        journal.write([], told, [], owner=owner)
    assert [journal.get(each).outcomes for each in ids] == [(), ()]


def test_nothing_is_written_for_an_operation_that_was_taken_over(
    journal: Journal, owner: Owner, ids: tuple[str, str], clock: FakeClock
) -> None:
    first, second = ids
    clock.advance(timedelta(seconds=20))
    assert journal.adopt(first, replace(owner, id="other", hostname="elsewhere"))
    lost = journal.write(
        [(first, {A: UP}), (second, {C: UP})],
        {first: [an_outcome(B)]},
        [(first, OperationStatus.DONE)],
        owner=owner,
    )
    assert lost == {first}
    assert (journal.begun(first), journal.begun(second)) == ({}, {C: UP})
    untouched = journal.get(first)
    assert (untouched.status, untouched.outcomes) == (OperationStatus.RUNNING, ())
