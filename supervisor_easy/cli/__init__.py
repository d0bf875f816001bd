"""The command line program `fleet`.

Importing this costs nothing: what a command needs is loaded when it runs.
"""

import sys


def main() -> None:
    """Run `fleet` with the arguments of this process, and end it."""
    try:
        from supervisor_easy.cli.root import run  # noqa: PLC0415 (loaded when run)

        code = run()
    except KeyboardInterrupt:  # while it is still being loaded, as in completion
        code = 130
    sys.exit(code)
