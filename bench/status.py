"""`fleet status` as a whole command: over a healthy fleet, and with dead hosts in it.

Timed from the start of the program to its end, as a person or a script waits for it.
"""

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import ours, report
from bench.farm import GROUP, Farm, real_farm

#: Seconds for a healthy fleet, and those that dead hosts may add to their deadline.
BAR = 1.5
GRACE = 1.0
#: The deadline of a request in the inventories of this benchmark, in seconds.
REQUEST_TIMEOUT = 3


def timed(farm: Farm, *, runs: int, code: int) -> float:
    """Return the median seconds of `fleet status`, first seen to tell the truth."""
    with ours.command(farm.inventory) as fleet:
        check(farm, *fleet.run_json("status"), code=code)
        return statistics.median(fleet.run("status").seconds for _ in range(runs))


def check(farm: Farm, ran: ours.Ran, shown: object, *, code: int) -> None:
    """Every process is shown as running, every dead host is named."""
    assert isinstance(shown, list)
    running = [
        each
        for each in shown
        if each["group"] == GROUP and each["state"] == "RUNNING" and not each["stale"]
    ]
    if len(running) != farm.total:
        raise SystemExit(
            f"fleet status shows {len(running)} of {farm.total}: {ran.talk}"
        )
    if ran.code != code:
        raise SystemExit(f"fleet status ended with {ran.code}, not {code}: {ran.talk}")


def main() -> int:
    """Measure and report."""
    args = report.arguments(__doc__).parse_args()
    hosts, hanging, refusing, runs = (5, 2, 1, 2) if args.quick else (100, 10, 5, 5)
    timeout = f"{REQUEST_TIMEOUT}s"
    with real_farm(
        hosts=hosts, hanging=hanging, refusing=refusing, request_timeout=timeout
    ) as farm:
        healthy = timed(farm.healthy(), runs=runs, code=0)
        troubled = timed(farm, runs=runs, code=1)
    limit = REQUEST_TIMEOUT + GRACE
    rows = [
        report.Row(
            f"`fleet status` of {farm.total} processes on {hosts} hosts",
            f"<= {BAR:g} s",
            f"{healthy:.2f} s",
            healthy <= BAR,
        ),
        report.Row(
            f"with {hanging} hosts that hang and {refusing} that refuse, all "
            f"{farm.total} shown",
            f"<= {limit:g} s (request timeout + {GRACE:g} s)",
            f"{troubled:.2f} s",
            troubled <= limit,
        ),
    ]
    print(f"{report.load()}; medians of {runs} runs")
    return report.finish(rows, args.json)


if __name__ == "__main__":
    raise SystemExit(main())
