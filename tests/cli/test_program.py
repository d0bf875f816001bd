"""The program itself: help, usage, one line an error, what it loads."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from supervisor_easy.cli.root import COMMANDS
from supervisor_easy.cli.root import fleet as program
from tests.cli.conftest import Fleet

NAMES = [name for section in COMMANDS.values() for name in section]
#: What takes long to import and no help or completion needs.
HEAVY = ("rich", "flask", "sqlalchemy", "aiohttp", "pydantic", "yaml", "asyncio")


def loaded_after(script: str) -> set[str]:
    code = f"{script}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split()) & set(HEAVY)


def test_the_help_loads_nothing_heavy() -> None:
    script = "from supervisor_easy.cli.root import run; run(['--help'])"

    assert loaded_after(script) == set()


@pytest.mark.parametrize("name", NAMES)
def test_loading_a_command_loads_nothing_heavy(name: str) -> None:
    script = (
        "import click; from supervisor_easy.cli.root import fleet; "
        f"fleet.get_command(click.Context(fleet), {name!r})"
    )

    assert loaded_after(script) == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_command_tells_how_it_is_used(nowhere: Fleet, name: str) -> None:
    result = nowhere(name, "--help")

    assert result.code == 0
    assert result.out.startswith(f"Usage: fleet {name}")


def test_the_help_lists_every_command(nowhere: Fleet) -> None:
    result = nowhere("--help")

    assert [name for name in NAMES if f"  {name} " not in result.out] == []


def test_commands_of_later_releases_are_not_shown() -> None:
    assert {"rolling", "schedule", "plugin"}.isdisjoint(NAMES)


def test_commands_are_found_by_their_names() -> None:
    context = click.Context(program)

    assert [n for n in NAMES if program.get_command(context, n) is None] == []


def test_no_command_is_bad_usage(nowhere: Fleet) -> None:
    assert nowhere().code == 2


def test_a_misspelt_command_is_answered_with_the_nearest(nowhere: Fleet) -> None:
    result = nowhere("statsu")

    assert result.code == 2
    assert "did you mean status?" in result.err


def test_an_error_is_one_line(nowhere: Fleet) -> None:
    result = nowhere("status", "[")

    assert result.code == 2
    assert result.err.startswith("fleet: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err


def test_with_v_the_traceback_is_there_too(nowhere: Fleet) -> None:
    assert "Traceback" in nowhere("-v", "status", "[").err


def test_a_broken_inventory_names_every_problem(nowhere: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("version: 1\nhosts:\n  a: {port: x}\n  b: {scheme: ftp}\n")

    result = nowhere("status", "--inventory", str(file))

    assert result.code == 2
    assert "2 problems" in result.err
    assert f"{file}:3" in result.err
    assert f"{file}:4" in result.err


def test_a_misspelt_variable_is_warned_about(
    nowhere: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_POLL_INTERVALL", "3s")

    assert "did you mean FLEET_POLL_INTERVAL?" in nowhere("hosts").err


def test_a_bad_setting_is_bad_config(
    nowhere: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_POLL_INTERVAL", "3")

    result = nowhere("hosts")

    assert result.code == 2
    assert "FLEET_POLL_INTERVAL" in result.err


def test_quiet_leaves_only_data_and_errors(nowhere: Fleet) -> None:
    result = nowhere("-q", "inventory", "check")

    assert (result.code, result.out, result.err) == (0, "", "")
