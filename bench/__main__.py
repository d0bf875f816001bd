"""Runs the benchmarks one after another and prints one table of all bars.

`bench/run`, `make bench` or `python -m bench`; names choose some of them. The exit
code is 1 if a bar is missed or a benchmark could not be run.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import report

_HERE = Path(__file__).parent
#: Seconds after which a benchmark counts as stuck.
_PATIENCE = 1800.0


@dataclass(frozen=True)
class Job:
    """One script; without `bar` it writes its own rows."""

    name: str
    work: str = ""
    bar: str = ""
    quick: tuple[str, ...] = ("--quick",)
    #: What its output says about the bar: lines that hold one of these.
    telling: tuple[str, ...] = ()

    def run(self, *, is_quick: bool) -> list[report.Row]:
        """Run it, show what it prints, return its rows."""
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.json"
            command = [sys.executable, str(_HERE / f"{self.name}.py")]
            command += self.quick if is_quick else ()
            command += [] if self.bar else ["--json", str(rows)]
            try:
                done = subprocess.run(
                    command,
                    stdout=subprocess.PIPE,
                    text=True,
                    timeout=_PATIENCE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return [self._failed(f"not done in {_PATIENCE:g} s")]
            print(done.stdout, end="", flush=True)
            if self.bar:
                told = self._told(done.stdout)
                return [report.Row(self.work, self.bar, told, done.returncode == 0)]
            if not rows.exists():
                return [self._failed(f"ended with {done.returncode}")]
            return [report.Row(**row) for row in json.loads(rows.read_text())]

    def _told(self, output: str) -> str:
        lines = [" ".join(line.split()) for line in output.splitlines()]
        chosen = [line for line in lines if any(word in line for word in self.telling)]
        return "; ".join(chosen) or "it did not say"

    def _failed(self, why: str) -> report.Row:
        return report.Row(self.name, "it runs", why, is_met=False)


JOBS = (
    Job("snapshot"),
    Job("status"),
    Job("restart"),
    Job("watcher"),
    Job(
        "logs_follow",
        work="follow 100 logs at 50 lines/s through rotation, 60 s",
        bar="nothing lost unnamed, nothing twice",
        quick=("--hosts", "2", "--logs", "5", "--seconds", "5"),
        telling=("twice", "missing"),
    ),
    Job(
        "cli_start",
        work="`fleet --help` and completion",
        bar="<= 150 ms",
        quick=("2",),
        telling=("fleet --help", "complete a host"),
    ),
)


def chosen(names: Sequence[str]) -> list[Job]:
    """Return the jobs of these names, all if there is none."""
    known = {job.name: job for job in JOBS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no benchmark {unknown[0]}; there are: {', '.join(known)}")
    return [known[name] for name in names] or list(JOBS)


def main() -> int:
    """Run them and print the table."""
    parser = report.arguments(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    args = parser.parse_args()
    rows: list[report.Row] = []
    for job in chosen(args.names):
        print(f"== {job.name}", flush=True)
        began = time.monotonic()
        rows += job.run(is_quick=args.quick)
        print(f"   {time.monotonic() - began:.0f} s\n", flush=True)
    return report.finish(rows, args.json)


if __name__ == "__main__":
    raise SystemExit(main())
