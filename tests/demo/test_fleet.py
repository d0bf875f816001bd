"""The demo on real supervisords: it comes up whole and leaves nothing behind."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor_easy.demo import DemoFleet, processes
from supervisor_easy.errors import ConfigError
from supervisor_easy.inventory import load_inventory
from tests.demo.conftest import ask_all, open_hosts
from tests.eventually import eventually

pytestmark = pytest.mark.daemon


def states(fleet: DemoFleet) -> dict[str, object]:
    return {
        f"{host}/{each['group']}:{each['name']}": each["statename"]
        for host, answer in ask_all(fleet).items()
        for each in answer
    }


def test_every_host_answers_with_all_its_processes(fleet: DemoFleet) -> None:
    answers = ask_all(fleet)

    assert len(answers) >= 4
    assert sum(map(len, answers.values())) == fleet.process_count >= 40


def test_its_inventory_is_good_and_names_every_host(fleet: DemoFleet) -> None:
    inventory = load_inventory(fleet.inventory_path)

    assert tuple(inventory.hosts) == fleet.host_names


def test_workers_run_in_numbered_process_groups(fleet: DemoFleet) -> None:
    eventually(
        lambda: states(fleet).get("scan01/celery:scanner_00") == "RUNNING", within=15
    )


@pytest.mark.parametrize("name", ["archiver", "virus-scan"])
def test_some_processes_end_up_fatal(fleet: DemoFleet, name: str) -> None:
    eventually(lambda: states(fleet)[f"mail01/{name}:{name}"] == "FATAL", within=30)


@pytest.mark.parametrize(
    ("host", "file", "sample"),
    [
        ("scan01", "scanner_00.log", "INFO/MainProcess] Task tasks.scanner.run["),
        ("scan01", "flower.log", '"level": '),
        ("scan02", "report-export.log", "\rexport 1 |"),
        ("scan02", "cache-warmer.log", "cache holds 1 MiB"),
        ("crawl01", "crawler_00.log", "第 1 页"),
        ("mail01", "mailer_00.log", "\x1b[1m#1\x1b[0m"),
        ("mail01", "archiver.err", "no such file"),
    ],
)
def test_workers_log_in_many_styles(
    fleet: DemoFleet, host: str, file: str, sample: str
) -> None:
    eventually(lambda: sample in log_of_raw(fleet, host, file), within=15)


def log_of_raw(fleet: DemoFleet, host: str, file: str) -> str:
    with (fleet.folder / host / "logs" / file).open(
        newline="", encoding="utf-8"
    ) as log:
        return log.read()


def test_the_slow_process_takes_its_time_to_stop(fleet: DemoFleet) -> None:
    with open_hosts(fleet)["mail01"] as mail01:
        eventually(
            lambda: states(fleet)["mail01/smtp-relay:smtp-relay"] == "RUNNING",
            within=15,
        )
        mail01.supervisor.stopProcess("smtp-relay:smtp-relay", False)  # noqa: FBT003 (XML-RPC)

        eventually(lambda: "TERM" in log_of_raw(fleet, "mail01", "smtp-relay.log"))
        assert states(fleet)["mail01/smtp-relay:smtp-relay"] == "STOPPING"


def test_the_folder_and_its_secrets_are_private(fleet: DemoFleet) -> None:
    secrets = ["", "password", "inventory.yaml", "scan01/supervisord.conf"]
    modes = {stat.S_IMODE((fleet.folder / name).stat().st_mode) for name in secrets}

    assert modes == {0o700, 0o600}


def test_the_password_is_in_no_command_line(fleet: DemoFleet) -> None:
    password = (fleet.folder / "password").read_text(encoding="utf-8")
    lines = subprocess.run(
        ["ps", "-axww", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout

    assert str(fleet.folder) in lines
    assert password not in lines


def test_two_live_demos_get_two_folders(fleet: DemoFleet) -> None:
    with DemoFleet(base=fleet.folder.parent) as second:
        assert second.folder != fleet.folder
        assert ask_all(second).keys() == ask_all(fleet).keys()

    assert ask_all(fleet)


def test_a_folder_in_use_is_refused_with_a_reason(fleet: DemoFleet) -> None:
    with pytest.raises(ConfigError, match="a demo is running in"):
        DemoFleet(fleet.folder).start()


def test_stop_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    fleet = DemoFleet(tmp_path / "demo")
    fleet.start()
    folder = fleet.folder
    eventually(lambda: len(processes.find_all(folder)) > 40, within=15)

    fleet.stop()

    assert processes.find_all(folder) == []
    assert not folder.exists()


def test_a_folder_of_an_awkward_name_works(tmp_path: Path) -> None:
    with DemoFleet(tmp_path / "o'neil & sons; ltd") as fleet:
        assert ask_all(fleet)
        eventually(lambda: len(processes.find_all(fleet.folder)) > 40, within=15)


def test_a_second_stop_is_harmless(tmp_path: Path) -> None:
    fleet = DemoFleet(tmp_path / "demo")
    fleet.start()

    fleet.stop()
    fleet.stop()


_PROGRAM = """
import signal, sys
from pathlib import Path
from supervisor_easy.demo import DemoFleet
with DemoFleet(Path(sys.argv[1])) as fleet:
    print("up", flush=True)
    signal.pause()
"""


@pytest.fixture
def demo_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo in a process of its own, over `tmp_path / "demo"`."""
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path / "demo")]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_signal_ends_the_demo_in_order(
    demo_process: subprocess.Popen[str],
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    demo_process.send_signal(number)

    assert demo_process.wait(20) == code
    assert processes.find_all(tmp_path / "demo") == []
    assert not (tmp_path / "demo").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_the_hosts_end_with_a_demo_that_is_killed(
    demo_process: subprocess.Popen[str], tmp_path: Path
) -> None:
    eventually(lambda: len(processes.find_all(tmp_path / "demo")) > 40, within=15)

    demo_process.kill()

    eventually(lambda: not processes.find_all(tmp_path / "demo"), within=30)


def test_a_killed_demo_is_cleared_up_at_the_next_start(
    demo_process: subprocess.Popen[str], tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    old = set(processes.find_all(folder))
    # Stopped, the old supervisords cannot end by themselves.
    for pid in processes.find_supervisords(folder):
        os.kill(pid, signal.SIGSTOP)
    demo_process.kill()
    demo_process.wait(10)

    with DemoFleet(folder) as fleet:
        assert ask_all(fleet)
        assert old.isdisjoint(processes.find_all(folder))


def test_workers_end_when_their_supervisord_is_killed(tmp_path: Path) -> None:
    with DemoFleet(tmp_path / "demo") as fleet:
        eventually(lambda: len(processes.find_all(fleet.folder)) > 40, within=15)
        for pid in processes.find_supervisords(fleet.folder):
            os.kill(pid, signal.SIGKILL)

        eventually(lambda: not processes.find_all(fleet.folder), within=15)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    mode = tmp_path.stat().st_mode

    with pytest.raises(ConfigError, match="is not empty"):
        DemoFleet(tmp_path).start()

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode == mode
