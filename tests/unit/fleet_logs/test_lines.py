"""Splitting bytes into lines."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.fleet.logs.lines import Line, LineSplitter


def split(*chunks: bytes, max_bytes: int = 100) -> list[Line]:
    splitter = LineSplitter(max_bytes=max_bytes)
    lines, offset = [], 0
    for chunk in chunks:
        lines += splitter.feed(chunk, offset=offset)
        offset += len(chunk)
    return lines


def test_a_line_ends_at_a_line_feed_only() -> None:
    lines = split("10%\r20%\n a\x0bb\x0cc\u2028d\n".encode())

    assert [line.text for line in lines] == ["10%\r20%", " a\x0bb\x0cc\u2028d"]


def test_a_carriage_return_before_the_line_feed_belongs_to_the_end() -> None:
    assert [line.text for line in split(b"one\r\ntwo\r", b"\n")] == ["one", "two"]


def test_empty_lines_are_lines() -> None:
    assert [line.text for line in split(b"\n\na\n")] == ["", "", "a"]


def test_a_line_knows_where_it_stands() -> None:
    lines = split(b"one\ntw", b"o\n", b"three\n")

    assert [(line.offset, line.end) for line in lines] == [(0, 4), (4, 8), (8, 14)]


def test_a_long_line_is_split_between_characters() -> None:
    lines = split("中文中文\n".encode(), max_bytes=7)

    assert [(line.text, line.offset) for line in lines] == [("中文", 0), ("中文", 6)]


def test_the_parts_of_a_long_line_say_so() -> None:
    lines = split(b"abcdefgh\nnext\n", max_bytes=4)

    assert [(each.is_partial, each.is_continuation) for each in lines] == [
        (True, False),
        (False, True),
        (False, False),
    ]


def test_a_flushed_line_goes_on_with_its_rest_only() -> None:
    splitter = LineSplitter(max_bytes=100)
    splitter.feed(b"password: ", offset=0)
    first = splitter.flush()
    rest = splitter.feed(b"ok\n", offset=10)

    assert [line.text for line in first + rest] == ["password: ", "ok"]


def test_a_lonely_line_end_after_a_flushed_line_is_no_line() -> None:
    splitter = LineSplitter(max_bytes=100)
    splitter.feed(b"done", offset=0)
    splitter.flush()

    assert splitter.feed(b"\r\nnext\n", offset=4)[0].text == "next"


def test_offsets_stay_right_behind_broken_bytes() -> None:
    splitter = LineSplitter(max_bytes=5)
    splitter.feed(b"ab", offset=0)
    lines = splitter.feed_broken(1, offset=2)
    lines += splitter.feed(b"cd\nx\n", offset=3)

    assert [(line.text, line.offset) for line in lines] == [
        ("ab\ufffd", 0),
        ("cd", 3),
        ("x", 6),
    ]


#: Without carriage returns: those before a line feed belong to no line.
BYTES = st.binary(max_size=30).map(lambda data: data.replace(b"\r", b" "))


@given(st.lists(BYTES, max_size=8), st.integers(4, 20))
def test_no_byte_is_lost_or_doubled(chunks: list[bytes], max_bytes: int) -> None:
    whole = b"".join(chunks)
    lines = split(*chunks, b"\n", max_bytes=max_bytes)

    spans = [(line.offset, line.end) for line in lines]
    assert sorted(spans) == spans
    covered = b"".join(whole[start:end] for start, end in spans)
    assert covered.replace(b"\n", b"") == whole.replace(b"\n", b"")
