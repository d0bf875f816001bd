"""The house rules that no other tool checks; each checker is shown a bad sample too."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture as rules

PACKAGE = rules.sources_of("supervisor_easy")
TESTS = rules.sources_of("tests")

#: The clock itself; and the demo's worker, which plays a user's program.
MAY_USE_THE_CLOCK = {"supervisor_easy/clock.py", "supervisor_easy/demo/worker.py"}

#: The edges, where whatever went wrong is logged and the thread goes on.
MAY_CATCH_ANYTHING = {
    "supervisor_easy/cli/root.py run",  # the program's entry
    "supervisor_easy/store/writer.py _settle",  # it goes to the caller's future
    "supervisor_easy/fleet/watcher.py look",  # it is shown at the host, asked again
}

#: Files above the limit, and how far: one page that is read as a whole.
MAY_BE_LONGER = {"supervisor_easy/model.py": 450}


def outside(*paths: str) -> dict[str, str]:
    return {path: text for path, text in PACKAGE.items() if not path.startswith(paths)}


def lint_imports(folder: Path, config: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports; "
    program += f"sys.exit(lint_imports(config_filename={config!r}, no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_imports_run_down_the_layers() -> None:
    done = lint_imports(rules.ROOT, "pyproject.toml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_library_is_imported_only_in_its_home() -> None:
    assert rules.homeless_imports(PACKAGE) == []


def test_functions_are_short() -> None:
    assert rules.long_functions(PACKAGE) == []


def test_files_are_short() -> None:
    assert rules.long_files(PACKAGE, longer=MAY_BE_LONGER) == []


def test_only_the_clock_tells_the_time_and_sleeps() -> None:
    assert rules.clock_uses(outside(*MAY_USE_THE_CLOCK)) == []


def test_only_the_cli_prints() -> None:
    assert rules.prints(outside("supervisor_easy/cli/")) == []


def test_only_the_edges_catch_anything() -> None:
    assert set(rules.broad_excepts(PACKAGE)) == MAY_CATCH_ANYTHING


def test_tests_sleep_only_in_eventually() -> None:
    others = {p: t for p, t in TESTS.items() if p != "tests/eventually.py"}

    assert rules.sleeps(others) == []


def test_tests_patch_nothing_of_ours() -> None:
    assert rules.patches(TESTS) == []


BAD_SAMPLES: list[tuple[Callable[[rules.Sources], list[str]], str]] = [
    (rules.homeless_imports, "import flask"),
    (rules.homeless_imports, "def f():\n    from sqlalchemy.orm import Session"),
    (rules.homeless_imports, "import xmlrpc.client"),
    (rules.homeless_imports, "import requests"),
    (rules.long_functions, "def f():\n" + "    pass\n" * 60),
    (rules.long_functions, "class C:\n    async def f(self):\n" + "        x\n" * 60),
    (lambda s: rules.long_files(s, longer={}), "x = 1\n" * 401),
    (rules.clock_uses, "import time\ntime.sleep(1)"),
    (rules.clock_uses, "from time import sleep"),
    (rules.clock_uses, "from datetime import datetime, UTC\ndatetime.now(UTC)"),
    (rules.prints, "def f():\n    print('hello')"),
    (rules.broad_excepts, "try:\n    f()\nexcept Exception:\n    pass"),
    (rules.broad_excepts, "try:\n    f()\nexcept:\n    pass"),
    (
        rules.broad_excepts,
        "try:\n    f()\nexcept (OSError, BaseException) as e:\n    g()",
    ),
    (rules.sleeps, "import time\ndef test_x():\n    time.sleep(0.1)"),
    (rules.sleeps, "from time import sleep as nap"),
    (rules.patches, "from unittest import mock"),
    (rules.patches, "from unittest.mock import patch"),
    (
        rules.patches,
        "def f(monkeypatch):\n    monkeypatch.setattr('supervisor_easy.x', 1)",
    ),
    (
        rules.patches,
        (
            "from supervisor_easy import rpc\n"
            "def f(monkeypatch):\n    monkeypatch.setattr(rpc.client, 'x', 1)"
        ),
    ),
]


@pytest.mark.parametrize(("check", "text"), BAD_SAMPLES)
def test_each_checker_finds_a_bad_sample(
    check: Callable[[rules.Sources], list[str]], text: str
) -> None:
    assert len(check({"supervisor_easy/selector/bad.py": text})) == 1


GOOD_SAMPLES: list[tuple[Callable[[rules.Sources], list[str]], str]] = [
    (rules.homeless_imports, "import json\nfrom supervisor_easy import units"),
    (rules.clock_uses, "async def f(clock):\n    await clock.sleep(clock.now())"),
    (rules.broad_excepts, "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (
        rules.patches,
        "import sys\ndef f(monkeypatch):\n    monkeypatch.setattr(sys, 'x', 1)",
    ),
]


@pytest.mark.parametrize(("check", "text"), GOOD_SAMPLES)
def test_no_checker_minds_a_good_sample(
    check: Callable[[rules.Sources], list[str]], text: str
) -> None:
    assert check({"supervisor_easy/selector/good.py": text}) == []


def test_the_layers_check_finds_an_import_that_runs_upwards(tmp_path: Path) -> None:
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "roof.py").write_text("")
    (package / "cellar.py").write_text("import house.roof\n")
    (tmp_path / "layers.toml").write_text(
        '[tool.importlinter]\nroot_package = "house"\n'
        "[[tool.importlinter.contracts]]\n"
        'name = "down"\ntype = "layers"\nlayers = ["house.roof", "house.cellar"]\n'
    )

    done = lint_imports(tmp_path, "layers.toml")

    assert done.returncode == 1
    assert "house.cellar is not allowed to import house.roof" in done.stdout
