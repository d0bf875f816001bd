"""What makes two consoles mean the same machines."""

import pytest

from supervisor_easy.fleet.scope import hosts_in_scope, scope_of
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.model import Snapshot, Target
from tests.builders import FakeClock, a_host

A, B = Target("a", "web", "web"), Target("b", "web", "web")


def a_fleet(**urls: str) -> Snapshot:
    state = FleetState(clock=FakeClock())
    state.set_hosts(a_host(name, url=url) for name, url in urls.items())
    return state.snapshot()


HERE = a_fleet(a="http://10.0.0.1:9001", b="http://10.0.0.2:9001")


def test_a_scope_is_always_the_same() -> None:
    # Other processes, of other releases too, compare with what is stored.
    assert scope_of([A, B], HERE) == "20a90a94608d a\n50f99bf03f83 b"


def test_all_hosts_are_in_scope_where_nothing_changed() -> None:
    assert hosts_in_scope(scope_of([A, B], HERE), HERE) == {"a", "b"}


def test_a_host_with_another_address_takes_no_other_out_of_scope() -> None:
    moved = a_fleet(a="http://10.0.0.1:9001", b="http://10.9.9.9:9001")
    assert hosts_in_scope(scope_of([A, B], HERE), moved) == {"a"}


def test_a_host_that_left_the_inventory_is_out_of_scope() -> None:
    alone = a_fleet(b="http://10.0.0.2:9001")
    assert hosts_in_scope(scope_of([A, B], HERE), alone) == {"b"}


@pytest.mark.parametrize(
    "targets", [[B, A], [A, A, B], [A, B, Target("a", "celery", "celery_01")]]
)
def test_order_and_number_of_processes_do_not_matter(targets: list[Target]) -> None:
    assert scope_of(targets, HERE) == scope_of([A, B], HERE)


def test_hosts_that_are_not_concerned_do_not_matter() -> None:
    alone = a_fleet(a="http://10.0.0.1:9001")
    assert scope_of([A], HERE) == scope_of([A], alone)


@pytest.mark.parametrize(
    "other",
    [
        a_fleet(a="http://10.0.0.1:9001", b="http://10.9.9.9:9001"),
        a_fleet(a="http://10.0.0.2:9001", b="http://10.0.0.1:9001"),
        a_fleet(a="http://10.0.0.1:9001"),
        a_fleet(),
    ],
)
def test_a_host_with_another_address_or_none_is_another_scope(other: Snapshot) -> None:
    assert scope_of([A, B], HERE) != scope_of([A, B], other)


def test_another_host_of_the_same_address_is_another_scope() -> None:
    twins = a_fleet(a="http://10.0.0.1:9001", b="http://10.0.0.1:9001")
    assert scope_of([A], twins) != scope_of([B], twins)
