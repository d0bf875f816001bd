"""Tables as values: columns, rows and each row's name; pure, nothing is printed."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `can_wrap` where a long text may take several lines."""

    title: str
    can_wrap: bool = False
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its style on a terminal (`red`, `bold`, `dim`, …)."""

    text: str
    style: str = ""


Row = Sequence[Cell | str]


@dataclass(frozen=True, slots=True)
class Table:
    """What one command shows; `names` are what `-o name` prints, one for each row."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    names: Sequence[str] = ()


def text_of(cell: Cell | str) -> str:
    """Return the text of a cell."""
    return cell.text if isinstance(cell, Cell) else cell


def style_of(cell: Cell | str) -> str:
    """Return the style of a cell."""
    return cell.style if isinstance(cell, Cell) else ""
