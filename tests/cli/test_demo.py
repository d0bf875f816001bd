"""`fleet demo`: one command from nothing to a fleet and its console, and back."""

import re
import signal
from collections.abc import Callable
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Fleet
from tests.eventually import eventually

pytestmark = [pytest.mark.daemon, pytest.mark.e2e]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGHUP])
def test_the_demo_comes_up_and_leaves_nothing(
    make_fleet: Callable[[str], Fleet], ending: signal.Signals
) -> None:
    fleet = make_fleet("")
    with fleet.launch("demo", "--port", "0", "--no-browser") as demo:
        assert demo.stdout is not None
        text = ""
        while "Ctrl-C ends all of it" not in text:
            line = demo.stdout.readline()
            assert line, demo.communicate()[1]
            text += line
        url = re.search(r"http://\S+", text)
        inventory = re.search(r"FLEET_INVENTORY=(\S+)", text)
        database = re.search(r"FLEET_DATABASE_URL=(\S+)", text)
        assert url, text
        assert inventory, text
        assert database, text
        with urlopen(f"{url[0]}/healthz", timeout=20) as answer:
            assert answer.status == 200
        options = ("--inventory", inventory[1], "--database-url", database[1])
        eventually(lambda: len(fleet("status", *options).rows) >= 40, within=20)
        demo.send_signal(ending)
        demo.communicate(timeout=60)

    assert demo.returncode == 0
    assert fleet("status", *options).code == 2, "its folder should be gone"
