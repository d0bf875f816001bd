"""The Chromium that the browser tests drive: found on the machine, or fetched.

`python -m tests.chromium` makes sure of one, as `make test` does; tests only call
`find`. Name one yourself with FLEET_TEST_CHROMIUM.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
#: Seconds for a download or an installation.
_FETCH_DEADLINE = 600


def find() -> str | None:
    """Return the path of a Chromium that starts, or None."""
    return next((path for path in _candidates() if _starts(path)), None)


def _candidates() -> Iterator[str]:
    if named := os.environ.get("FLEET_TEST_CHROMIUM"):
        yield named
        return
    yield from filter(None, (shutil.which(name) for name in _NAMES))
    yield _MAC
    yield from _playwrights_own()


def _playwrights_own() -> Iterator[str]:
    """Ask Playwright where its download is, or would be."""
    ask = "from playwright.sync_api import sync_playwright as start\n"
    ask += "with start() as driver: print(driver.chromium.executable_path)"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        yield subprocess.run(
            [sys.executable, "-c", ask],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()


def _starts(path: str) -> bool:
    """Return whether it runs: a stub, or one without its libraries, does not."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _fetch() -> str | None:
    """Try Playwright's own, then Debian's package; return what starts."""
    _try([sys.executable, "-m", "playwright", "install", "chromium"])
    if found := find():
        return found
    _install_package("chromium")
    return find()


def _mend_driver() -> bool:
    """Return whether Playwright's own Node.js starts; a bare Debian lacks a library."""
    version = [sys.executable, "-m", "playwright", "--version"]
    return _try(version) or (_install_package("libatomic1") and _try(version))


def _install_package(name: str) -> bool:
    """Install a Debian package, if we may."""
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return False
    install = ["apt-get", "install", "-qy", "--no-install-recommends", name]
    return _try(["apt-get", "update", "-q"]) and _try(install)


def _try(command: list[str]) -> bool:
    sys.stderr.write(f"chromium: trying {' '.join(command)} …\n")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_FETCH_DEADLINE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        sys.stderr.write(f"chromium: {exc}\n")
        return False
    if done.returncode:
        sys.stderr.write(f"{done.stdout[-2000:]}\nchromium: that did not work\n")
    return done.returncode == 0


def main() -> int:
    """Make sure of one, and of its driver; else fail in CI and warn elsewhere."""
    if _mend_driver() and (found := find() or _fetch()):
        sys.stderr.write(f"chromium: {found}\n")
        return 0
    sys.stderr.write(
        "chromium: there is none that works and none could be fetched; install Chromium "
        "or name one with FLEET_TEST_CHROMIUM. The browser tests cannot run.\n"
    )
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
