"""`fleet --server`: the same commands through a real console, under its roles."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Fleet, inventory_of
from tests.daemons import Supervisord
from tests.eventually import eventually

pytestmark = [pytest.mark.daemon, pytest.mark.e2e]

DEAD = "  dead: {url: 'http://127.0.0.1:9'}"


@dataclass(frozen=True)
class Console:
    """A running console, and a token for each role."""

    url: str
    tokens: dict[str, str]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "supervisor_easy", *arguments]


@pytest.fixture(scope="session")
def console(
    tmp_path_factory: pytest.TempPathFactory, web1: Supervisord, web2: Supervisord
) -> Iterator[Console]:
    """`fleet serve` as a process, over the two hosts and one that is dead."""
    folder: Path = tmp_path_factory.mktemp("console")
    (folder / "inventory.yaml").write_text(inventory_of([web1, web2], more=DEAD))
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("FLEET_")},
        "FLEET_INVENTORY": str(folder / "inventory.yaml"),
        "FLEET_DATABASE_URL": f"sqlite:///{folder / 'fleet.db'}",
        "FLEET_TEST_SECRET": "p@ss",
        "FLEET_POLL_INTERVAL": "500ms",
        "XDG_CACHE_HOME": str(folder),
        "XDG_STATE_HOME": str(folder),
    }
    tokens = {
        role: subprocess.run(
            command("-q", "token", "create", role, "--role", role),
            env=environ,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for role in ("viewer", "operator", "admin")
    }
    with subprocess.Popen(
        command("serve", "--bind", "127.0.0.1:0"),
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        lines = []
        while (line := process.stderr.readline()) and " answers at " not in line:
            lines.append(line)
        match = re.search(r"http://\S+", line)
        assert match, "".join(lines)
        yield Console(match[0], tokens)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(30) == 0


@pytest.fixture
def through(
    make_fleet: Callable[[str], Fleet],
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Fleet]:
    """Return `fleet` that acts through the console, in a role."""

    def make(role: str) -> Fleet:
        fleet = make_fleet("this machine has no inventory: true")
        monkeypatch.setenv("FLEET_SERVER", console.url)
        monkeypatch.setenv("FLEET_TOKEN", console.tokens.get(role, role))
        return fleet

    return make


Through = Callable[[str], Fleet]


def test_status_has_the_same_shape_as_without_a_console(
    through: Through,
    make_fleet: Callable[[str], Fleet],
    web1: Supervisord,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (remote,) = through("viewer")("status", "web1/web", "-o", "json").json
    monkeypatch.delenv("FLEET_SERVER")
    direct = make_fleet(inventory_of([web1]))
    (local,) = direct("status", "web1/web", "-o", "json").json

    assert remote.keys() == local.keys()


def test_a_host_that_does_not_answer_is_named_with_its_reason(
    through: Through,
) -> None:
    result = through("viewer")("status")

    assert len(result.rows) == 16
    assert re.search("no answer from dead: .*refused", result.err)
    assert result.code == 1


def test_an_operator_restarts_and_sees_each_outcome(
    through: Through, web1: Supervisord
) -> None:
    before = web1.info("web")["pid"]

    result = through("operator")("restart", "web1/web", "-o", "json")

    assert result.json["outcomes"][0]["before"]["pid"] == before
    assert result.json["summary"]["changed"] == 1
    assert result.code == 0


def test_a_viewer_may_not_act(through: Through, web1: Supervisord) -> None:
    before = web1.info("web")["pid"]

    result = through("viewer")("restart", "web1/web")

    assert result.code == 4
    assert web1.info("web")["pid"] == before


def test_an_unknown_token_is_no_permission(through: Through) -> None:
    assert through("fleet_nobody")("status").code == 4


def test_a_selector_of_nothing_is_bad_usage(through: Through) -> None:
    assert through("viewer")("status", "web9").code == 2


def test_a_dry_run_shows_the_targets(through: Through) -> None:
    result = through("operator")("stop", "@workers", "--dry-run", "-o", "name")

    assert len(result.out.split()) == 6


def test_hosts_groups_and_events_are_there(through: Through) -> None:
    fleet = through("viewer")

    assert len(fleet("hosts", "-o", "json").json) == 3
    assert {g["name"] for g in fleet("groups", "-o", "json").json} == {
        "workers",
        "webs",
    }
    assert fleet("events").code == 0


def test_logs_are_read_and_followed(through: Through) -> None:
    fleet = through("viewer")
    assert {row[0] for row in fleet("logs", "*/chatter", "-n", "2").rows} == {
        "web1/chatter",
        "web2/chatter",
    }
    with fleet.launch("logs", "web1/chatter", "-f", "-n", "1") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        process.kill()
        process.communicate()

    assert all(line.startswith("web1/chatter\tline ") for line in lines)


def test_supervisords_own_log_is_read(through: Through) -> None:
    result = through("viewer")("logs", "--main", "web1", "-n", "3")

    assert [row[0] for row in result.rows] == ["web1/supervisord"] * 3


def test_what_needs_the_database_says_where_to_run_it(through: Through) -> None:
    result = through("admin")("user", "list")

    assert result.code == 2
    assert "--server" in result.err


def test_a_console_that_does_not_answer_is_named(
    through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = through("viewer")
    monkeypatch.setenv("FLEET_SERVER", "http://127.0.0.1:9")

    result = fleet("status")

    assert result.code == 1
    assert "http://127.0.0.1:9 does not answer" in result.err


def test_a_password_in_the_url_is_refused(through: Through) -> None:
    result = through("viewer")("--server", "http://u:s3cret@127.0.0.1:9", "status")

    assert result.code == 2
    assert "s3cret" not in result.err


ACTIONS = (
    ("start", "web1/manual"),
    ("stop", "web1/manual"),
    ("restart", "web1/web"),
    ("signal", "HUP", "web1/chatter"),
    ("signal", "18", "web1/web"),
    ("clear-logs", "web1/web"),
)


@pytest.mark.parametrize("arguments", ACTIONS, ids=" ".join)
def test_every_action_on_processes_works_through_a_console(
    through: Through, arguments: tuple[str, ...]
) -> None:
    result = through("operator")(*arguments)

    assert (result.code, len(result.rows)) == (0, 1), result.err


def test_hosts_are_updated_and_restarted_through_a_console(
    through: Through, web2: Supervisord
) -> None:
    fleet = through("admin")
    before = web2.info("web")["pid"]

    assert fleet("update", "web2", "--yes").code == 0
    assert fleet("restart-supervisord", "web2", "--yes").code == 0
    assert web2.info("web")["pid"] != before


@pytest.mark.parametrize("name", ["web11", "", " ", "web1/web", "@webs", "!web1"])
@pytest.mark.parametrize(
    "command", [("update", "--dry-run"), ("update", "--yes"), ("logs", "--main")]
)
def test_a_host_that_is_none_is_refused_by_a_console(
    through: Through, command: tuple[str, ...], name: str
) -> None:
    result = through("admin")(*command, name)

    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", ""),
        ("status", "--host", " "),
        ("stop", "", "--yes"),
        ("stop", "--group", "", "--yes"),
        ("restart-supervisord", "", "--yes"),
        ("logs", ""),
        ("events", ""),
    ],
    ids=" ".join,
)
def test_a_blank_is_never_sent_to_a_console(
    through: Through, arguments: tuple[str, ...]
) -> None:
    # There is nothing at this address: what is refused was refused before.
    result = through("admin")("--server", "http://127.0.0.1:9", *arguments)

    assert (result.code, result.out) == (2, "")
    assert "empty" in result.err


@pytest.mark.parametrize("token", ["fleet_s3cret\nX-Evil: 1", "fleet_s3cret€", "a b"])
def test_a_token_no_header_can_hold_is_refused_and_not_shown(
    through: Through, token: str
) -> None:
    result = through(token)("-v", "status")

    assert result.code == 2
    assert "FLEET_TOKEN" in result.err
    assert "s3cret" not in result.err


def test_blanks_around_a_token_do_not_matter(
    through: Through, console: Console
) -> None:
    assert through(f" {console.tokens['viewer']}\n")("hosts").code in (0, 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://bücher..de",
        "http://127.0.0.1:80/日本",
        "ftp://u:s3cret@example.com",
        "127.0.0.1",
    ],
)
def test_a_url_that_is_none_is_bad_usage(through: Through, url: str) -> None:
    result = through("viewer")("--server", url, "status")

    assert result.code == 2
    assert "--server" in result.err
    assert "s3cret" not in result.err


def test_a_process_that_changed_while_the_question_stood_is_refused_by_a_console(
    through: Through, web1: Supervisord, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = through("operator")
    monkeypatch.setenv("FLEET_CONFIRM_ABOVE", "1")
    with fleet.terminal("restart", "web1/web", "web1/worker") as terminal:
        terminal.expect("Type 4 to go on")
        web1.call("stopProcess", "web")
        web1.call("startProcess", "web")
        pid = web1.info("web")["pid"]
        (seen,) = fleet("status", "web1/web", "-o", "json").json
        eventually(
            lambda: fleet("status", "web1/web", "-o", "json").json[0]["pid"] == pid,
            expecting=f"the console saw the new pid, not {seen['pid']}",
        )
        terminal.type("4\n")
        code = terminal.end()

    assert code == 3
    assert "web1/web:web changed since you looked" in terminal.text
    assert web1.info("web")["pid"] == pid
