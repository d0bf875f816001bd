"""Ctrl-C at any moment: nothing is left down, and the operation is named."""

import pytest

from supervisor_easy.cli.localstore import open_store
from supervisor_easy.model import Operation
from supervisor_easy.settings import load_settings
from supervisor_easy.store.journal import Journal
from tests.cli.conftest import Fleet
from tests.daemons import Supervisord

pytestmark = pytest.mark.daemon

TARGETS = ("web1/slow", "web1/worker", "web1/web")
NAMES = ("slow", "web", *(f"worker:worker_0{n}" for n in range(3)))


def operations(fleet: Fleet) -> list[Operation]:
    url = fleet.environ["FLEET_DATABASE_URL"]
    with open_store(load_settings({"database_url": url}, environ={})) as store:
        return Journal(store).list(limit=10)


@pytest.mark.parametrize("keys", ["\x03", "\x03\x03\x03"], ids=["once", "thrice"])
@pytest.mark.parametrize("milliseconds", [0, 20, 50, 150, 400])
def test_a_ctrl_c_leaves_nothing_down_and_names_the_operation(
    fleet: Fleet, web1: Supervisord, milliseconds: int, keys: str
) -> None:
    with fleet.terminal("restart", *TARGETS) as terminal:
        terminal.expect("restart")
        terminal.listen(milliseconds / 1000)
        terminal.type(keys)
        code = terminal.end()

    submitted = operations(fleet)
    fleet("status")
    assert code == 130
    assert [each.id for each in submitted if each.id not in terminal.text] == []
    assert {name: web1.state(name) for name in NAMES} == dict.fromkeys(NAMES, "RUNNING")


def test_an_interrupted_operation_tells_what_it_left_alone(
    fleet: Fleet, web1: Supervisord
) -> None:
    with fleet.terminal("-q", "restart", "web1/slow") as terminal:
        terminal.listen(0.1)
        while not operations(fleet):
            terminal.listen(0.02)
        terminal.type("\x03")
        code = terminal.end()

    (submitted,) = operations(fleet)
    assert code == 130
    assert f"operation {submitted.id} has ended, " in terminal.text
    assert web1.state("slow") == "RUNNING"
