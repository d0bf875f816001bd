"""Leases, orphans and adoption: what a dead process leaves behind."""

import os
import secrets
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from supervisor_easy.clock import SystemClock
from supervisor_easy.model import OperationStatus
from supervisor_easy.store import Store, tables
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner, Owners
from tests.fake_clock import FakeClock
from tests.store.conftest import OpenStore
from tests.store.processes import answers, running
from tests.store.values import (
    UP,
    an_operation,
    an_outcome,
    close,
    record,
    some_targets,
)

TERM = timedelta(seconds=20)


@pytest.fixture
def elsewhere(owner: Owner) -> Owner:
    """An owner on another machine."""
    return replace(owner, id="elsewhere", hostname="other", boot_id="another boot")


@pytest.fixture
def me(owner: Owner) -> Owner:
    """Another owner on this machine, the one that looks for orphans."""
    return replace(owner, id="me")


def an_open_operation(journal: Journal, owner: Owner) -> str:
    wanted = an_operation(*some_targets(2))
    journal.open(wanted, owner=owner)
    return wanted.id


def orphans(journal: Journal, me: Owner) -> list[str]:
    return [each.id for each in journal.orphans(me)]


def test_an_operation_of_a_live_process_is_no_orphan(
    journal: Journal, owner: Owner, me: Owner
) -> None:
    an_open_operation(journal, owner)
    assert orphans(journal, me) == []


def test_one_s_own_operations_are_never_orphans(
    journal: Journal, owner: Owner, clock: FakeClock
) -> None:
    an_open_operation(journal, owner)
    clock.advance(TERM * 10)
    assert orphans(journal, owner) == []


def test_a_lease_lasts_its_term_after_the_last_renewal(
    journal: Journal, owners: Owners, elsewhere: Owner, me: Owner, clock: FakeClock
) -> None:
    mine = an_open_operation(journal, elsewhere)
    clock.advance(TERM / 2)
    assert owners.renew(elsewhere)
    clock.advance(TERM - timedelta(seconds=1))
    assert orphans(journal, me) == []
    clock.advance(1)
    assert orphans(journal, me) == [mine]


def test_a_renewal_after_the_term_says_that_it_had_run_out(
    owners: Owners, owner: Owner, clock: FakeClock
) -> None:
    owners.register(owner)
    clock.advance(TERM)
    assert not owners.renew(owner)
    assert owners.renew(owner)


def test_a_released_lease_leaves_orphans_at_once(
    journal: Journal, owners: Owners, elsewhere: Owner, me: Owner
) -> None:
    mine = an_open_operation(journal, elsewhere)
    owners.release(elsewhere)
    assert orphans(journal, me) == [mine]


def test_leases_of_the_dead_leave_no_rows(
    store: Store, owners: Owners, elsewhere: Owner, me: Owner, clock: FakeClock
) -> None:
    owners.register(elsewhere)
    clock.advance(timedelta(days=2))
    owners.register(me)
    with store.read() as connection:
        assert connection.scalars(select(tables.owner.c.id)).all() == ["me"]


def test_ended_operations_are_no_orphans(
    journal: Journal, elsewhere: Owner, me: Owner, clock: FakeClock
) -> None:
    mine = an_open_operation(journal, elsewhere)
    close(journal, elsewhere, mine, OperationStatus.DONE)
    clock.advance(TERM)
    assert orphans(journal, me) == []


@pytest.mark.parametrize(
    "changes", [{"pid": 2**22 + 1}, {"process_started": "another time"}]
)
def test_a_process_of_this_machine_that_is_gone_is_seen_at_once(
    journal: Journal, owner: Owner, me: Owner, changes: dict[str, object]
) -> None:
    gone = replace(owner, **changes)  # type: ignore[arg-type]
    assert orphans(journal, me) == []
    mine = an_open_operation(journal, gone)
    assert orphans(journal, me) == [mine]


@pytest.mark.parametrize("changes", [{"hostname": "other"}, {"boot_id": "x"}])
def test_a_pid_of_another_machine_or_boot_proves_nothing(
    journal: Journal, owner: Owner, me: Owner, changes: dict[str, object]
) -> None:
    far = replace(owner, pid=2**22 + 1, **changes)  # type: ignore[arg-type]
    an_open_operation(journal, far)
    assert orphans(journal, me) == []


def test_a_killed_process_leaves_its_intents_to_others(
    url: str, open_store: OpenStore
) -> None:
    journal, me = Journal(open_store(url)), Owner.this_process(SystemClock())
    operation_id = secrets.token_hex(16)
    with running("open", url, operation_id) as process:
        # The lease is real; the clock of this test stands still, in its past.
        assert orphans(journal, me) == []
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # Dead and not reaped yet: a zombie counts as gone.
        assert orphans(journal, me) == [operation_id]
    assert orphans(journal, me) == [operation_id]
    assert journal.begun(operation_id) == dict.fromkeys(some_targets(3), UP)


def test_a_living_process_of_this_machine_is_no_orphan_when_the_clock_leaps(
    journal: Journal, owner: Owner, me: Owner, clock: FakeClock
) -> None:
    operation_id = an_open_operation(journal, owner)
    clock.advance(timedelta(days=2))
    assert orphans(journal, me) == []
    assert not journal.adopt(operation_id, me)


def test_the_lease_of_a_living_process_of_this_machine_is_never_forgotten(
    journal: Journal, owners: Owners, owner: Owner, me: Owner, clock: FakeClock
) -> None:
    an_open_operation(journal, owner)
    clock.advance(timedelta(days=2))
    owners.register(me)
    assert orphans(journal, me) == []


def test_a_suspended_process_keeps_its_intents_until_its_lease_ends(
    url: str, open_store: OpenStore, clock: FakeClock
) -> None:
    journal, me = Journal(open_store(url)), Owner.this_process(SystemClock())
    operation_id = secrets.token_hex(16)
    with running("open", url, operation_id) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert orphans(journal, me) == []
        clock.advance(SystemClock().now() + TERM - clock.now())
        assert orphans(journal, me) == [operation_id]
        os.kill(process.pid, signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
        assert orphans(journal, me) == []


def test_of_adopting_processes_exactly_one_wins(url: str) -> None:
    operation_id = secrets.token_hex(16)
    with running("open", url, operation_id) as process:
        process.kill()
    said = answers(*[("adopt", url, operation_id)] * 4)
    assert said.count("True") == 1


def test_of_adopting_threads_exactly_one_wins(
    url: str, open_store: OpenStore, owner: Owner, elsewhere: Owner, clock: FakeClock
) -> None:
    operation_id = an_open_operation(Journal(open_store(url)), elsewhere)
    clock.advance(TERM)
    at_once = threading.Barrier(8)

    def adopt(number: int) -> bool:
        journal = Journal(open_store(url))
        at_once.wait(10)
        return journal.adopt(operation_id, replace(owner, id=f"rival {number}"))

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(adopt, range(8)))
    assert won.count(True) == 1


def test_a_living_owner_is_not_robbed(
    journal: Journal, elsewhere: Owner, me: Owner
) -> None:
    assert not journal.adopt(an_open_operation(journal, elsewhere), me)


def test_what_has_ended_cannot_be_adopted(
    journal: Journal, elsewhere: Owner, me: Owner, clock: FakeClock
) -> None:
    operation_id = an_open_operation(journal, elsewhere)
    close(journal, elsewhere, operation_id, OperationStatus.DONE)
    clock.advance(TERM)
    assert not journal.adopt(operation_id, me)


def test_an_orphan_keeps_its_targets_until_somebody_ends_it(
    journal: Journal, elsewhere: Owner, me: Owner, clock: FakeClock
) -> None:
    operation_id = an_open_operation(journal, elsewhere)
    clock.advance(TERM)
    opened = journal.open(an_operation(*some_targets(2)), owner=me)
    assert set(opened.busy.values()) == {operation_id}


def test_an_owner_that_lost_its_operation_can_record_nothing(
    journal: Journal, elsewhere: Owner, me: Owner, clock: FakeClock
) -> None:
    operation_id = an_open_operation(journal, elsewhere)
    clock.advance(TERM)
    assert journal.adopt(operation_id, me)
    outcomes = [an_outcome(each) for each in some_targets(2)]
    told = {operation_id: outcomes}
    assert journal.write([], told, [], owner=elsewhere) == {operation_id}
    assert journal.get(operation_id).outcomes == ()
    record(journal, me, operation_id, outcomes)
    assert journal.get(operation_id).outcomes == tuple(outcomes)
