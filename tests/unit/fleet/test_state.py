"""The fleet in memory: what a look changes, and what is told of it."""

from datetime import timedelta

import pytest

from supervisor_easy.errors import (
    AuthenticationFailed,
    BadReply,
    HostUnreachable,
    RpcError,
    ShuttingDown,
    UnknownMethod,
)
from supervisor_easy.fleet.state import FleetState, HostChange, condition_of
from supervisor_easy.model import HostCondition, ProcessState
from tests.builders import START, FakeClock, a_host, a_process, an_observation

UNREACHABLE = HostUnreachable("no answer", host="scan01", reason="timeout")


@pytest.fixture
def state(clock: FakeClock) -> FleetState:
    state = FleetState(clock=clock)
    state.set_hosts([a_host("scan01"), a_host("scan02")])
    return state


@pytest.fixture
def told(state: FleetState) -> list[HostChange]:
    changes: list[HostChange] = []
    state.subscribe(changes.append)
    return changes


def test_a_host_not_asked_yet_is_pending_not_empty(state: FleetState) -> None:
    status = state.status("scan01")

    assert status is not None
    assert status.condition is HostCondition.PENDING
    assert status.is_stale


def test_the_last_good_answer_stays_and_is_stale(state: FleetState) -> None:
    state.observed(an_observation(a_process()))

    state.failed("scan01", UNREACHABLE)

    status = state.status("scan01")
    assert status is not None
    assert len(status.processes) == 1
    assert status.is_stale


def test_since_is_when_it_began_not_the_last_try(
    state: FleetState, clock: FakeClock
) -> None:
    state.failed("scan01", UNREACHABLE)
    clock.advance(timedelta(minutes=5))

    state.failed("scan01", UNREACHABLE)

    status = state.status("scan01")
    assert status is not None
    assert status.since == START
    assert status.failures == 2


def test_a_look_that_changes_nothing_tells_nobody(
    state: FleetState, told: list[HostChange]
) -> None:
    state.observed(an_observation(a_process()))
    told.clear()

    state.observed(an_observation(a_process(host_now=99)))

    assert told == []


def test_another_pid_is_told(state: FleetState, told: list[HostChange]) -> None:
    state.observed(an_observation(a_process(pid=1)))
    told.clear()

    state.observed(an_observation(a_process(pid=2)))

    [change] = told[0].processes
    assert change.before is not None
    assert change.after is not None
    assert (change.before.pid, change.after.pid) == (1, 2)


def test_a_clock_step_of_the_host_is_no_change(
    state: FleetState, told: list[HostChange]
) -> None:
    state.observed(an_observation(a_process(host_start=1000)))
    told.clear()

    state.observed(an_observation(a_process(host_start=500)))

    assert told == []


def test_a_process_that_went_is_told(state: FleetState, told: list[HostChange]) -> None:
    state.observed(an_observation(a_process()))
    told.clear()

    state.observed(an_observation(host="scan01"))

    [change] = told[0].processes
    assert change.after is None


def test_an_answer_that_was_overtaken_is_ignored(state: FleetState) -> None:
    newer = a_process(state=ProcessState.RUNNING)
    older = a_process(state=ProcessState.STOPPED)
    state.observed(an_observation(newer, asked_monotonic=7))

    state.observed(an_observation(older, asked_monotonic=6))

    [process] = state.snapshot().processes()
    assert process.state is ProcessState.RUNNING


def test_an_answer_counts_after_the_clock_was_set_back(state: FleetState) -> None:
    state.observed(an_observation(a_process(), observed_at=START, asked_monotonic=7))
    stopped = a_process(state=ProcessState.STOPPED)
    an_hour_ago = START - timedelta(hours=1)

    state.observed(an_observation(stopped, observed_at=an_hour_ago, asked_monotonic=8))

    [process] = state.snapshot().processes()
    assert process.state is ProcessState.STOPPED


def test_what_was_asked_later_counts_though_it_is_answered_first(
    state: FleetState,
) -> None:
    later = timedelta(seconds=5)
    state.observed(an_observation(a_process(pid=2), asked_monotonic=2))

    state.observed(
        an_observation(a_process(pid=1), observed_at=START + later, asked_monotonic=1)
    )

    [process] = state.snapshot().processes()
    assert process.pid == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {"dc": "sh"}},
        {"request_timeout": timedelta(seconds=1)},
        {"username": "fleet", "password": "sesame"},
        {"ca_file": "/etc/ca.pem"},
    ],
)
def test_what_is_known_of_a_host_outlives_an_edit_of_anything_but_its_address(
    state: FleetState, changes: dict[str, object]
) -> None:
    state.observed(an_observation(a_process()))
    state.failed("scan01", UNREACHABLE)
    edited = a_host("scan01", **changes)

    state.set_hosts([edited])

    status = state.status("scan01")
    assert status is not None
    assert status.host == edited
    assert status.condition is HostCondition.UNREACHABLE
    assert len(status.processes) == 1


def test_an_answer_of_a_host_that_left_the_inventory_is_ignored(
    state: FleetState,
) -> None:
    state.set_hosts([a_host("scan02")])

    state.observed(an_observation(a_process()))

    assert list(state.snapshot().hosts) == ["scan02"]


def test_hosts_stand_in_the_order_of_the_inventory(state: FleetState) -> None:
    state.set_hosts([a_host("scan02"), a_host("a-new-one"), a_host("scan01")])

    assert list(state.snapshot().hosts) == ["scan02", "a-new-one", "scan01"]


def test_a_host_whose_address_changed_begins_anew(state: FleetState) -> None:
    state.observed(an_observation(a_process()))

    state.set_hosts([a_host("scan01", url="http://elsewhere:9001")])

    status = state.status("scan01")
    assert status is not None
    assert status.condition is HostCondition.PENDING


def test_the_version_grows_with_each_change(
    state: FleetState, told: list[HostChange]
) -> None:
    state.observed(an_observation(a_process(pid=1)))
    state.observed(an_observation(a_process(pid=2)))

    versions = [change.version for change in told]
    assert versions == sorted(set(versions))
    assert state.snapshot().version == versions[-1]


def test_a_snapshot_does_not_move(state: FleetState) -> None:
    snapshot = state.snapshot()

    state.observed(an_observation(a_process()))

    assert snapshot.processes() == []


@pytest.mark.parametrize(
    ("error", "condition"),
    [
        (UNREACHABLE, HostCondition.UNREACHABLE),
        (AuthenticationFailed("x", host="h"), HostCondition.AUTHENTICATION_FAILED),
        (BadReply("x", host="h"), HostCondition.BAD_REPLY),
        (
            ShuttingDown("x", host="h", fault_code=6, fault_text=""),
            HostCondition.RESTARTING,
        ),
        (
            UnknownMethod("x", host="h", fault_code=1, fault_text=""),
            HostCondition.FAULT,
        ),
    ],
)
def test_each_error_says_what_is_wrong_with_the_host(
    error: RpcError, condition: HostCondition
) -> None:
    assert condition_of(error) is condition
