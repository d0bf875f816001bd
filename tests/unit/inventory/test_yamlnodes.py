"""YAML as the inventory reads it: nothing guessed, everything with its place."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.inventory.yamlnodes import (
    YamlProblems,
    locate,
    read_yaml,
    to_data,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("true", True), ("false", False), ("null", None), ("~", None)),
        *(("0", 0), ("12", 12), ("-3", -3), ("''", ""), ("'12'", "12")),
        *((word, word) for word in ("no", "yes", "on", "Off", "True", "NULL")),
        *((word, word) for word in ("010", "0x1f", "0o7", "22:22", "1_000", "+5")),
        *((word, word) for word in ("1.10", "1e3", ".inf", "2026-11-20", "-0")),
        *(("!!str 12", "12"), ("! 12", "12"), ("9" * 30, "9" * 30)),
    ],
)
def test_a_scalar_is_what_was_typed(text: str, value: object) -> None:
    found = to_data(read_yaml(f"key: {text}"))["key"]

    assert (found, type(found)) == (value, type(value))


def test_keys_are_text_whatever_they_look_like() -> None:
    assert to_data(read_yaml("no: 1\n22: 2\n010: 3\nnull: 4")) == {
        "no": 1,
        "22": 2,
        "010": 3,
        "null": 4,
    }


def test_a_merge_gives_way_to_own_keys() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], z: 3}"

    assert to_data(read_yaml(text))["c"] == {"x": 1, "y": 1, "z": 3}


def test_two_equal_keys_are_told_with_both_lines() -> None:
    with pytest.raises(YamlProblems) as caught:
        read_yaml("a: 1\nb:\n  c: 1\n  c: 2\na: 3")

    assert [(p.line, p.column, p.message) for p in caught.value.problems] == [
        (4, 3, "the key 'c' stands here and on line 3"),
        (5, 1, "the key 'a' stands here and on line 1"),
    ]


def test_a_path_leads_to_line_and_column() -> None:
    key, value = locate(read_yaml("a:\n  b:\n    - x\n    - y: 1"), ("a", "b", 1, "y"))

    assert (key.line, key.column, value.line, value.column) == (4, 7, 4, 10)


def test_a_path_beyond_the_file_leads_to_the_nearest_above() -> None:
    key, _ = locate(read_yaml("a:\n  b: 1"), ("a", "b", "c"))

    assert (key.line, key.column) == (2, 3)


@given(st.text("a: -[]{}&*!<|>'\"#\n\t?,%@1~", max_size=60))
def test_any_text_is_read_or_refused_with_problems(text: str) -> None:
    with contextlib.suppress(YamlProblems):
        to_data(read_yaml(text))
