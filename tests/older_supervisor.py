"""The oldest supervisor that runs on this Python, in a folder of its own.

`python -m tests.older_supervisor` provisions it; `make test` does so. Nothing else in
the tests uses the network.
"""

import subprocess
import sys
from pathlib import Path

#: 4.0.x imports what Python 3.8 removed, and 3.x needs Python 2.
VERSION = "4.1.0"
#: It imports pkg_resources, which later releases of setuptools no longer have.
_NEEDS = ("setuptools<81",)

_FOLDER = (
    Path(__file__).parents[1]
    / ".artifacts"
    / f"supervisor-{VERSION}-py{sys.version_info[0]}{sys.version_info[1]}"
)


class NotProvisioned(RuntimeError):
    """The release is not installed; the text says how to install it."""


def older_supervisor() -> Path:
    """Return the folder to put on `PYTHONPATH`.

    Raises:
        NotProvisioned: it has not been installed here.
    """
    if not (_FOLDER / "supervisor").is_dir():
        raise NotProvisioned(
            f"supervisor {VERSION} is missing; run: python -m tests.older_supervisor"
        )
    return _FOLDER


def provision() -> Path:
    """Install the release unless it is there; return its folder."""
    try:
        return older_supervisor()
    except NotProvisioned:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        wanted = [f"supervisor=={VERSION}", *_NEEDS]
        subprocess.run([*command, "--target", str(_FOLDER), *wanted], check=True)
        return older_supervisor()


if __name__ == "__main__":
    sys.stdout.write(f"{provision()}\n")
