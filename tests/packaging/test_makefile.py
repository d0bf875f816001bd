"""The Makefile: what it offers, and what it says where it cannot go on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT


def make(*arguments: str, cwd: Path, path: str | None = None) -> tuple[int, str]:
    # A make that runs these tests must not pass its own flags on.
    environ = {k: v for k, v in os.environ.items() if "MAKE" not in k and k != "CI"}
    done = subprocess.run(
        [shutil.which("make") or "make", *arguments],
        cwd=cwd,
        env=environ | ({"PATH": path} if path else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A checkout on a machine with little more than make; its python3 is a script."""
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "awk", "id", "touch"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    for name in ("Makefile", "pyproject.toml", "setup.py", "package.json"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(ROOT / "package-lock.json", tmp_path)
    return tmp_path


def put_python(machine: Path, script: str) -> None:
    python = machine / "bin" / "python3"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def test_help_lists_every_target_of_the_readme() -> None:
    _, said = make("help", cwd=ROOT)

    words = {line.split()[1] for line in said.splitlines() if line.startswith("make ")}
    assert {"demo", "test", "check", "bench", "clean"} <= words


@pytest.mark.parametrize("target", ["demo", "test"])
def test_an_old_python_is_refused_with_a_cure(bare_machine: Path, target: str) -> None:
    put_python(bare_machine, '[ "$1" = --version ] && echo Python 3.9.2; exit 1')

    code, said = make(target, cwd=bare_machine, path=str(bare_machine / "bin"))

    assert code != 0
    assert "needs Python 3.11 or newer; python3 here is: Python 3.9.2" in said
    assert "make PYTHON=" in said


def test_a_python_without_venv_is_refused_with_a_cure(bare_machine: Path) -> None:
    put_python(bare_machine, '[ "$2" != venv ]')

    code, said = make("demo", cwd=bare_machine, path=str(bare_machine / "bin"))

    assert code != 0
    assert "apt install python3-venv" in said


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").endswith("exec make test\n")
