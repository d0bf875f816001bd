"""`fleet inventory|user|token|db|completion`: none of them asks a host."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Fleet

PASSWORD = "correct horse battery"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password on standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))


def test_a_good_inventory_is_counted(nowhere: Fleet) -> None:
    result = nowhere("inventory", "check")

    assert result.code == 0
    assert "1 host, 2 groups" in result.err


def test_show_tells_hosts_and_never_a_password(nowhere: Fleet) -> None:
    result = nowhere("inventory", "show", "-o", "json")

    assert result.json["hosts"][0]["name"] == "dead"
    assert "p@ss" not in result.out


def test_the_schema_is_json(nowhere: Fleet) -> None:
    assert "hosts" in nowhere("inventory", "schema").json["properties"]


def test_the_original_config_becomes_an_inventory(
    nowhere: Fleet, tmp_path: Path
) -> None:
    config = tmp_path / "config.py"
    config.write_text(
        "SERVERS = {'a': {'host': '10.0.0.1', 'port': 9001, 'user': 'u', "
        "'passwd': 'hunter2'}}\nGROUPS = {'all': ['a']}\n"
    )

    result = nowhere("inventory", "import", str(config))

    assert "10.0.0.1" in result.out
    assert "hunter2" not in result.out


def test_a_user_is_added_listed_changed_and_removed(
    nowhere: Fleet, typed: None
) -> None:
    nowhere("user", "add", "Ada", "--role", "admin")
    sys.stdin.seek(0)
    nowhere("user", "add", "bob")
    nowhere("user", "role", "bob", "operator")

    users = nowhere("user", "list", "-o", "json").json
    assert {u["name"]: u["role"] for u in users} == {"ada": "admin", "bob": "operator"}

    nowhere("user", "remove", "bob")
    assert nowhere("user", "list", "-o", "name").out.split() == ["ada"]


def test_a_password_is_never_printed(nowhere: Fleet, typed: None) -> None:
    result = nowhere("-vv", "user", "add", "ada", "--role", "admin")

    assert result.code == 0
    assert PASSWORD not in result.out + result.err


def test_a_weak_password_is_refused(
    nowhere: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("abc\n"))

    assert nowhere("user", "add", "ada").code == 2


def test_an_unknown_user_is_bad_usage(nowhere: Fleet) -> None:
    assert nowhere("user", "remove", "nobody").code == 2


def test_a_terminal_is_asked_for_the_password_twice(nowhere: Fleet) -> None:
    with nowhere.terminal("user", "add", "ada", "--role", "admin") as terminal:
        terminal.expect("New password:")
        terminal.type(f"{PASSWORD}\n")
        terminal.expect("Once more:")
        terminal.type(f"{PASSWORD}\n")
        code = terminal.end()

    assert code == 0
    assert PASSWORD not in terminal.text


def test_a_token_is_shown_once_and_can_be_revoked(nowhere: Fleet) -> None:
    secret = nowhere("token", "create", "ci", "--expires", "30d").out.strip()

    listed = nowhere("token", "list", "-o", "json")
    assert secret.startswith("fleet_")
    assert secret not in listed.out
    assert listed.json[0]["expires_at"]

    assert nowhere("token", "revoke", str(listed.json[0]["id"])).code == 0
    assert nowhere("token", "list", "-o", "json").json == []


def test_changes_of_access_are_in_the_history(nowhere: Fleet, typed: None) -> None:
    nowhere("user", "add", "ada", "--role", "admin")

    (event,) = nowhere("events", "--kind", "access", "-o", "json").json
    assert "ada" in event["message"]


def test_the_database_is_upgraded_shown_and_copied(
    nowhere: Fleet, tmp_path: Path
) -> None:
    assert nowhere("db", "upgrade").code == 0
    assert nowhere("db", "current", "-o", "json").json["is_current"] is True
    assert nowhere("db", "backup", str(tmp_path / "copy.db")).code == 0
    assert (tmp_path / "copy.db").stat().st_size > 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(nowhere: Fleet, shell: str) -> None:
    result = nowhere("completion", shell)

    assert result.code == 0
    assert "_FLEET_COMPLETE" in result.out


def completions(fleet: Fleet, line: str) -> list[str]:
    """Return what bash is told at the end of `line`."""
    with fleet.launch_with(
        {"_FLEET_COMPLETE": "bash_complete", "COMP_LINE": line}
    ) as it:
        out, _ = it.communicate()
    return out.split()


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("fleet restart de", ["dead"]),
        ("fleet status --gro", ["--group"]),
        ("fleet status role=", ["web"]),
    ],
)
def test_bash_itself_completes(
    nowhere: Fleet, tmp_path: Path, line: str, completed: list[str]
) -> None:
    program = tmp_path / "fleet"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m supervisor_easy "$@"\n')
    program.chmod(0o755)
    script = (
        f"{nowhere('completion', 'bash').out}\ncompopt() {{ :; }}\n"
        f"COMP_LINE='{line}' COMP_POINT={len(line)}\n_fleet_completion {program}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True
    )

    assert (done.stdout.split(), done.stderr) == (completed, "")


def test_commands_are_completed(nowhere: Fleet) -> None:
    assert completions(nowhere, "fleet res") == ["restart", "restart-supervisord"]


def test_hosts_and_groups_are_completed_from_the_inventory(nowhere: Fleet) -> None:
    assert completions(nowhere, "fleet restart de") == ["dead"]
    assert completions(nowhere, "fleet restart @w") == ["@workers", "@webs"]
    assert completions(nowhere, "fleet restart --group w") == ["workers", "webs"]


def test_a_changed_inventory_is_noticed(nowhere: Fleet) -> None:
    completions(nowhere, "fleet status de")
    file = Path(nowhere.environ["FLEET_INVENTORY"])
    file.write_text(file.read_text().replace("dead:", "deadly:"))

    assert completions(nowhere, "fleet status de") == ["deadly"]


def test_no_secret_is_kept_for_completion(nowhere: Fleet) -> None:
    completions(nowhere, "fleet status de")
    files = Path(nowhere.environ["XDG_CACHE_HOME"]).rglob("*.json")
    (names,) = [json.loads(file.read_text()) for file in files]

    assert "p@ss" not in json.dumps(names)
    assert list(names["hosts"]) == ["dead"]


@pytest.mark.daemon
def test_processes_seen_last_are_completed(fleet: Fleet) -> None:
    fleet("status")

    # Bash ends words at a colon: it is told only what stands behind.
    assert completions(fleet, "fleet restart web1/worker:") == [
        "worker_00",
        "worker_01",
        "worker_02",
    ]


def test_a_broken_inventory_completes_nothing(nowhere: Fleet) -> None:
    Path(nowhere.environ["FLEET_INVENTORY"]).write_text("hosts: [")

    assert completions(nowhere, "fleet status de") == []


def test_the_cache_is_private(nowhere: Fleet) -> None:
    completions(nowhere, "fleet status de")
    (file,) = Path(nowhere.environ["XDG_CACHE_HOME"]).rglob("*.json")

    assert file.stat().st_mode & 0o077 == 0
