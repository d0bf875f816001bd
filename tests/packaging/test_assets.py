"""The build of the browser assets: locked, skipped when current, clear when it fails."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import NO_REGISTRY, ROOT, MakeCopy, Venv

slow = [pytest.mark.e2e, pytest.mark.timeout(600)]

PACKAGE = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
LOCK = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))


def test_the_lock_names_no_registry() -> None:
    packages = LOCK["packages"].values()

    assert not [p["resolved"] for p in packages if "resolved" in p]


def test_the_lock_has_a_digest_for_every_package() -> None:
    assert all("integrity" in p for name, p in LOCK["packages"].items() if name)


def test_asset_versions_are_exact_and_locked() -> None:
    for name, version in PACKAGE["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert LOCK["packages"][f"node_modules/{name}"]["version"] == version


def test_every_asset_brings_its_licence() -> None:
    files = PACKAGE["fleetAssets"]

    for name in PACKAGE["dependencies"]:
        sources = [source for source in files if source.startswith(f"{name}/")]
        assert any("LICENSE" in source.upper() for source in sources)


def build(venv: Venv, copy: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Install the copy in place, building with what the machine has."""
    options = ("--no-build-isolation", "--no-deps")
    done = venv.pip("install", *options, "-e", ".", cwd=copy, environ=environ)
    return done.returncode, done.stdout


class TestBuild:
    pytestmark = slow

    def test_the_systems_npm_serves_where_no_wheel_does(
        self, builder: Venv, make_copy: MakeCopy, npm: dict[str, str]
    ) -> None:
        copy = make_copy()

        code, said = build(builder, copy, npm)

        assert code == 0, said
        assert (copy / "static" / "vendor" / "ansi_up.js").is_file()

    def test_current_assets_are_not_built_again(
        self,
        builder: Venv,
        make_copy: MakeCopy,
        npm: dict[str, str],
        no_node: dict[str, str],
    ) -> None:
        copy = make_copy()
        build(builder, copy, npm)

        assert build(builder, copy, no_node)[0] == 0

    def test_a_changed_list_is_built_again(
        self, builder: Venv, make_copy: MakeCopy, npm: dict[str, str]
    ) -> None:
        copy = make_copy()
        build(builder, copy, npm)
        package = dict(PACKAGE, fleetAssets={"bootstrap/LICENSE": "only.txt"})
        (copy / "package.json").write_text(json.dumps(package), encoding="utf-8")

        build(builder, copy, npm)

        names = {path.name for path in (copy / "static" / "vendor").iterdir()}
        assert names == {"only.txt", ".built-from"}

    def test_without_npm_the_build_says_what_to_do(
        self, builder: Venv, make_copy: MakeCopy, no_node: dict[str, str]
    ) -> None:
        code, said = build(builder, make_copy(), no_node)

        assert code != 0
        assert "front end: no npm on PATH" in said
        assert "FLEET_BUILD_WITHOUT_ASSETS=1" in said

    def test_without_a_registry_the_build_says_what_to_do(
        self,
        builder: Venv,
        make_copy: MakeCopy,
        npm: dict[str, str],
        tmp_path: Path,
    ) -> None:
        environ = npm | NO_REGISTRY | {"npm_config_cache": str(tmp_path)}

        code, said = build(builder, make_copy(), environ)

        assert code != 0
        assert "front end: npm ci failed" in said

    def test_the_switch_builds_without_assets(
        self, builder: Venv, make_copy: MakeCopy, no_node: dict[str, str]
    ) -> None:
        copy = make_copy()

        code, said = build(builder, copy, no_node | {"FLEET_BUILD_WITHOUT_ASSETS": "1"})

        assert code == 0, said
        assert not (copy / "static" / "vendor").exists()

    def test_what_was_removed_reaches_no_later_wheel(
        self, builder: Venv, make_copy: MakeCopy, no_node: dict[str, str]
    ) -> None:
        copy = make_copy()
        for name in ("old.html", "new.html"):
            (copy / "templates" / name).touch()
        assert "supervisor_easy/templates/old.html" in wheel_names(
            builder, copy, no_node
        )
        (copy / "templates" / "old.html").unlink()

        names = wheel_names(builder, copy, no_node)

        assert "supervisor_easy/templates/old.html" not in names
        assert "supervisor_easy/templates/new.html" in names


def wheel_names(venv: Venv, copy: Path, no_node: dict[str, str]) -> list[str]:
    environ = no_node | {"FLEET_BUILD_WITHOUT_ASSETS": "1"}
    options = ("--no-build-isolation", "--no-deps", "--wheel-dir", "dist")
    done = venv.pip("wheel", *options, ".", cwd=copy, environ=environ)
    assert done.returncode == 0, done.stdout
    with zipfile.ZipFile(next((copy / "dist").glob("*.whl"))) as wheel:
        return wheel.namelist()
