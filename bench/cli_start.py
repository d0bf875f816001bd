"""How long `fleet --help` and a completion take, beside a bare Python and click.

python bench/cli_start.py [RUNS]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: The bar, in seconds: what a person does not notice.
BAR = 0.150
FLEET = [sys.executable, "-m", "supervisor_easy"]


def seconds(command: list[str], environ: dict[str, str], runs: int) -> list[float]:
    """Return how long each run took, after one that fills the caches."""
    found = []
    for number in range(runs + 1):
        begun = time.perf_counter()
        subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
        if number:
            found.append(time.perf_counter() - begun)
    return found


def main() -> int:
    """Measure, print, and fail above the bar."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder) / "inventory.yaml"
        inventory.write_text(
            "version: 1\nhosts:\n  scan[001-500]: {address: 10.0.1.1}\n"
            "groups: {scanners: ['scan*/celery:*']}\n"
        )
        environ = {
            **os.environ,
            "FLEET_INVENTORY": str(inventory),
            "XDG_CACHE_HOME": folder,
        }

        def complete(line: str) -> dict[str, str]:
            return environ | {"_FLEET_COMPLETE": "bash_complete", "COMP_LINE": line}

        cases = {
            "python -c pass": ([sys.executable, "-c", "pass"], environ),
            "import click": ([sys.executable, "-c", "import click"], environ),
            "fleet --help": ([*FLEET, "--help"], environ),
            "fleet restart --help": ([*FLEET, "restart", "--help"], environ),
            "complete a command": (FLEET, complete("fleet res")),
            "complete a host of 500": (FLEET, complete("fleet restart scan0")),
            "complete a group": (FLEET, complete("fleet restart @s")),
        }
        is_good = True
        for name, (command, variables) in cases.items():
            times = seconds(command, variables, runs)
            middle, worst = statistics.median(times), max(times)
            is_good &= middle < BAR
            shown = f"median {middle * 1000:4.0f} ms  max {worst * 1000:4.0f} ms"
            print(f"{name:<24} {shown}")
    print(f"bar: {BAR * 1000:.0f} ms: {'held' if is_good else 'NOT HELD'}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
