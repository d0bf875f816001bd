"""A running demo, shared by the tests that only look at it."""

import re
import xmlrpc.client
from collections.abc import Iterator

import pytest

from supervisor_easy.demo import DemoFleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoFleet]:
    with DemoFleet(base=tmp_path_factory.mktemp("demo")) as running:
        yield running


def open_hosts(fleet: DemoFleet) -> dict[str, xmlrpc.client.ServerProxy]:
    """Return a plain client for every host, by name."""
    password = (fleet.folder / "password").read_text(encoding="utf-8")
    inventory = fleet.inventory_path.read_text(encoding="utf-8")
    ports = re.findall(r"127\.0\.0\.1:(\d+)", inventory)
    return {
        name: xmlrpc.client.ServerProxy(
            f"http://fleet:{password}@127.0.0.1:{port}/RPC2"
        )
        for name, port in zip(fleet.host_names, ports, strict=True)
    }


def ask_all(fleet: DemoFleet) -> dict[str, list[dict[str, object]]]:
    """Return what every host says of its processes, asked as any program would."""
    answers = {}
    for name, client in open_hosts(fleet).items():
        with client as host:
            answers[name] = host.supervisor.getAllProcessInfo()
    return answers  # type: ignore[return-value]
