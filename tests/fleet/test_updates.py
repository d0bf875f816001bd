"""Reread, update and supervisord's own restart, on real supervisords."""

from collections.abc import Callable

import pytest

from supervisor_easy.fleet.updates import UpdatePreview, preview_update
from supervisor_easy.model import Action, Operation, OutcomeKind, Target
from tests.daemons import Program, Supervisord, shell
from tests.fleet.conftest import Console, Open

pytestmark = pytest.mark.daemon
MakeDaemon = Callable[..., Supervisord]

OLD = [Program("keep"), Program("change"), Program("remove")]
NEW = [
    Program("keep"),
    Program("change", "/bin/sleep 2000000"),
    Program("add"),
]


def preview(console: Console) -> UpdatePreview:
    supervisor = console.services.supervisor("a")
    return console.engine.call(lambda: preview_update(supervisor))


def update(console: Console, *groups: str) -> Operation:
    return console.act(Action.UPDATE, *(Target("a", group, "*") for group in groups))


@pytest.fixture
def daemon(make_daemon: MakeDaemon) -> Supervisord:
    daemon = make_daemon(OLD, name="a")
    daemon.configure(NEW)
    return daemon


def test_the_preview_says_what_would_change_and_what_would_restart(
    daemon: Supervisord, open_console: Open
) -> None:
    found = preview(open_console(daemon))

    assert found.diff.added == ("add",)
    assert found.diff.changed == ("change",)
    assert found.diff.removed == ("remove",)
    assert [p.namespec for p in found.restarts] == ["change:change", "remove:remove"]


def test_the_preview_changes_nothing_that_runs(
    daemon: Supervisord, open_console: Open
) -> None:
    before = daemon.info("change")["pid"]

    preview(open_console(daemon))

    assert daemon.info("change")["pid"] == before


def test_update_adds_changes_and_removes(
    daemon: Supervisord, open_console: Open
) -> None:
    kept, changed = daemon.info("keep")["pid"], daemon.info("change")["pid"]
    console = open_console(daemon)

    operation = update(console, "add", "change", "remove")

    assert {o.kind for o in operation.outcomes} == {OutcomeKind.CHANGED}
    names = {process.group for process in console.processes()}
    assert names == {"keep", "change", "add"}
    assert daemon.info("keep")["pid"] == kept
    assert daemon.info("change")["pid"] != changed


def test_only_the_groups_asked_for_are_updated(
    daemon: Supervisord, open_console: Open
) -> None:
    console = open_console(daemon)

    update(console, "add")

    assert {p.group for p in console.processes()} == {"keep", "change", "remove", "add"}


def test_a_group_that_does_not_differ_is_unchanged(
    daemon: Supervisord, open_console: Open
) -> None:
    [outcome] = update(open_console(daemon), "keep").outcomes

    assert outcome.kind is OutcomeKind.UNCHANGED


def test_a_config_that_cannot_be_read_fails_with_file_and_reason(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon(OLD, name="a")
    daemon.configure([Program("keep", options={"startsecs": "soon"})])

    [outcome] = update(open_console(daemon), "keep").outcomes

    assert outcome.error is not None
    assert outcome.error.code == "bad_supervisord_config"


def test_a_slow_group_is_waited_for(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    slow = shell("trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done")
    daemon = make_daemon([Program("slow", slow)], name="a")
    daemon.configure([Program("slow", slow, stopwaitsecs=9)])

    [outcome] = update(open_console(daemon), "slow").outcomes

    assert outcome.kind is OutcomeKind.CHANGED
    assert daemon.state("slow") == "RUNNING"


def test_supervisord_restarts_and_is_proven_to_be_back(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon([Program("web")], name="a")
    before = daemon.info("web")["pid"]

    operation = open_console(daemon).act(
        Action.RESTART_SUPERVISORD, Target("a", "", "")
    )

    assert [o.kind for o in operation.outcomes] == [OutcomeKind.CHANGED]
    assert daemon.info("web")["pid"] != before
