"""Each way to install gives a `fleet` that works anywhere, with all its files."""

from pathlib import Path

import pytest

from supervisor_easy import __version__
from tests.packaging.conftest import NO_REGISTRY, MakeCopy, Venv, make_venv

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_LIST_FILES = """
from supervisor_easy.datafiles import data_dir
for name in ("templates", "static", "migrations"):
    for path in data_dir(name).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            print(name, path.relative_to(data_dir(name)).as_posix(), sep="/")
"""


def install_wheel(
    copy: Path, venv: Venv, builder: Venv, no_node: dict[str, str]
) -> str:
    """As on a machine without Node.js: pip brings it for the build."""
    return venv.pip("install", ".", cwd=copy, environ=no_node).stdout


def install_editable(
    copy: Path, venv: Venv, builder: Venv, no_node: dict[str, str]
) -> str:
    return venv.pip("install", "-e", ".", cwd=copy, environ=no_node).stdout


def install_sdist(
    copy: Path, venv: Venv, builder: Venv, no_node: dict[str, str]
) -> str:
    """The sdist carries the assets: its users need neither Node.js nor npm."""
    done = builder.run("python", "-m", "build", "--sdist", cwd=copy)
    assert done.returncode == 0, done.stdout
    sdist = next((copy / "dist").glob("*.tar.gz"))
    environ = no_node | NO_REGISTRY
    return venv.pip("install", str(sdist), cwd=copy.parent, environ=environ).stdout


ROUTES = {"wheel": install_wheel, "editable": install_editable, "sdist": install_sdist}


@pytest.fixture(scope="module", params=list(ROUTES))
def installed(
    request: pytest.FixtureRequest,
    make_copy: MakeCopy,
    builder: Venv,
    no_node: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Venv, Path]:
    """A fresh venv into which supervisor-easy was installed, and from where."""
    copy = make_copy()
    venv = make_venv(tmp_path_factory.mktemp("venv") / "venv")
    said = ROUTES[request.param](copy, venv, builder, no_node)
    assert "Successfully installed" in said, said
    return venv, copy


def test_fleet_runs_from_any_directory(
    installed: tuple[Venv, Path], tmp_path: Path
) -> None:
    done = installed[0].run("fleet", "--version", cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert __version__ in done.stdout


def test_every_file_travels_along(installed: tuple[Venv, Path], tmp_path: Path) -> None:
    venv, copy = installed
    wanted = {
        path.relative_to(copy).as_posix()
        for name in ("templates", "static", "migrations")
        for path in (copy / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    done = venv.run("python", "-c", _LIST_FILES, cwd=tmp_path)

    assert "static/vendor/bootstrap.min.css" in wanted
    assert wanted == set(done.stdout.splitlines())


def test_the_demos_worker_travels_along(
    installed: tuple[Venv, Path], tmp_path: Path
) -> None:
    program = "from supervisor_easy.demo.layout import WORKER; print(WORKER.is_file())"

    assert installed[0].run("python", "-c", program, cwd=tmp_path).stdout == "True\n"
