"""What is printed is harmless and can be read back."""

import logging
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.cli.render import (
    Format,
    Output,
    SafeHandler,
    harmless,
    plain_row,
    safe,
)
from supervisor_easy.cli.tables import Cell, Column, Table
from supervisor_easy.cli.yamltext import to_yaml

HOSTILE = "\x1b]0;owned\x07\x9b31m\x00\u202egpj.exe\x7f"

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(documents)
def test_yaml_reads_back_as_it_was(document: object) -> None:
    assert yaml.safe_load(harmless(to_yaml(document))) == document


@pytest.mark.parametrize("word", ["yes", "No", "null", "~", "1", "1.5", "a: b", "- x"])
def test_yaml_quotes_what_would_be_something_else(word: str) -> None:
    assert yaml.safe_load(to_yaml({"key": word})) == {"key": word}


@given(st.text())
def test_safe_text_has_no_control_characters(text: str) -> None:
    kinds = {unicodedata.category(char) for char in safe(text) if char != "\t"}

    assert kinds.isdisjoint({"Cc", "Cs"})


def test_text_of_a_host_cannot_drive_the_terminal() -> None:
    shown = safe(HOSTILE)

    assert not any(char in shown for char in "\x1b\x07\x9b\x00\u202e\x7f")


def test_colours_of_a_host_are_left_out_of_tables() -> None:
    assert safe("\x1b[31mred\x1b[0m") == "red"


def test_a_cell_holds_no_tab_and_no_line_feed() -> None:
    row = plain_row([Cell("a\tb"), "c\nd"])

    assert row.count("\t") == 1
    assert "\n" not in row


@pytest.mark.parametrize("form", [Format.JSON, Format.YAML])
def test_documents_keep_hostile_text_and_cannot_drive_the_terminal(
    form: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Output()
    out.format = form
    out.show([{"text": HOSTILE}], Table((Column("TEXT"),), [(HOSTILE,)]))

    text = capsys.readouterr().out
    assert not any(char in text for char in "\x1b\x07\x9b\x00\u202e\x7f")
    assert yaml.safe_load(text) == [{"text": HOSTILE}]


def test_a_line_end_in_a_log_record_begins_no_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "a\nfleet: b", (), None)

    SafeHandler().emit(record)

    assert capsys.readouterr().err == "a\n    fleet: b\n"
