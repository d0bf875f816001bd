"""What every benchmark tells: rows of work, bar, measured figure and verdict."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One bar, what was measured against it, and whether it is met.

    `is_met` is None for a figure without a bar.
    """

    work: str
    bar: str
    measured: str
    is_met: bool | None = None


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="a small run that proves the script only"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the rows there"
    )
    return parser


def finish(rows: Sequence[Row], json_path: Path | None = None) -> int:
    """Print the rows, write them where asked; return 1 if a bar is missed."""
    print(table(rows))
    if json_path:
        json_path.write_text(json.dumps([asdict(row) for row in rows]))
    return 1 if any(row.is_met is False for row in rows) else 0


def table(rows: Sequence[Row]) -> str:
    """Return the rows as an aligned table."""
    words = {True: "met", False: "MISSED", None: ""}
    cells = [("work", "bar", "measured", "verdict")] + [
        (row.work, row.bar, row.measured, words[row.is_met]) for row in rows
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    return "\n".join(
        "  ".join(
            text.ljust(width) for text, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    )


def load() -> str:
    """Say how busy this machine is, for beside the figures."""
    one_minute, *_ = os.getloadavg()
    return f"{os.cpu_count()} cores, load {one_minute:.1f}"
