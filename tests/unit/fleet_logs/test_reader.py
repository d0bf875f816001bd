"""Reading slices of a log that a host can only send as UTF-8."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor_easy.fleet.logs import LogPosition
from supervisor_easy.fleet.logs.cursor import Cursor
from supervisor_easy.fleet.logs.file import open_log
from supervisor_easy.fleet.logs.reader import (
    Piece,
    PieceKind,
    Reading,
    RepairBudget,
    SliceReader,
)
from supervisor_easy.settings import Settings
from tests.fake_clock import FakeClock
from tests.unit.fleet_logs.hosts import SOURCE, FileHost

BIG = Settings(log_repair_calls=100_000)


def reader_of(host: FileHost, options: Settings = BIG) -> SliceReader:
    budget = RepairBudget(options, clock=FakeClock())
    return SliceReader(open_log(host.as_supervisor(), SOURCE), budget=budget)


def read(host: FileHost, cursor: Cursor, length: int = 1000) -> Reading:
    return asyncio.run(reader_of(host).read_new(cursor, length=length))


def cursor_at(offset: int = 0) -> Cursor:
    return Cursor(LogPosition(offset), anchor_bytes=64)


def shown(pieces: tuple[Piece, ...]) -> bytes:
    return b"".join(
        piece.data if piece.kind is PieceKind.TEXT else b"?" for piece in pieces
    )


@pytest.fixture
def host(tmp_path: Path) -> FileHost:
    return FileHost(tmp_path / "log")


def test_a_slice_that_cuts_a_character_ends_before_it(host: FileHost) -> None:
    host.append("日本語".encode())

    reading = read(host, cursor_at(), length=8)

    assert (shown(reading.pieces).decode(), reading.has_more) == ("日本", True)


def test_an_unfinished_character_at_the_end_waits(host: FileHost) -> None:
    host.append(b"ab\xe6\x97")

    reading = read(host, cursor_at())

    assert shown(reading.pieces) == b"ab"


def test_waiting_for_a_character_makes_no_failing_reads(host: FileHost) -> None:
    host.append(b"ab\xe6\x97")
    cursor = cursor_at()
    cursor.advance(b"ab")
    reader = reader_of(host)
    asyncio.run(reader.read_new(cursor, length=100))
    before = host.failed_reads

    asyncio.run(reader.read_new(cursor, length=100))

    assert host.failed_reads == before


def test_one_broken_byte_costs_only_itself(host: FileHost) -> None:
    host.append(b"x" * 700 + b"\xff" + b"y" * 200)

    reading = read(host, cursor_at())

    assert shown(reading.pieces) == b"x" * 700 + b"?" + b"y" * 200


def test_a_broken_byte_before_the_last_line_end_is_seen(host: FileHost) -> None:
    host.append(b"bad \xff\n")

    assert shown(read(host, cursor_at()).pieces) == b"bad ?\n"


def test_a_binary_log_costs_a_bounded_number_of_reads(host: FileHost) -> None:
    host.append(bytes(range(256)) * 40)
    reader = reader_of(host, Settings(log_repair_calls=40))

    reading = asyncio.run(reader.read_new(cursor_at(), length=4096))

    assert (reading.pieces[-1].kind, reading.pieces[-1].end) == (
        PieceKind.SKIPPED,
        10240,
    )


def test_a_replaced_file_is_noticed_though_it_is_longer(host: FileHost) -> None:
    host.append(b"a" * 100)
    cursor = cursor_at()
    cursor.advance(b"a" * 100)
    host.rotate()
    host.append(b"b" * 300)

    assert read(host, cursor).is_replaced


def test_a_replaced_file_is_noticed_though_its_bytes_cut_characters(
    host: FileHost,
) -> None:
    cursor = cursor_at()
    cursor.advance(b"a" * 100)
    host.append("語".encode() * 99)

    assert read(host, cursor).is_replaced


def test_a_shorter_file_is_another_file(host: FileHost) -> None:
    cursor = cursor_at()
    cursor.advance(b"a" * 100)
    host.append(b"a" * 99)

    assert read(host, cursor).is_replaced


def test_a_replacement_behind_a_broken_byte_is_noticed(host: FileHost) -> None:
    cursor = cursor_at()
    cursor.advance(b"old" * 30)
    cursor.skip(1)
    host.append(b"new" * 100)

    assert read(host, cursor).is_replaced


def test_a_file_replaced_between_the_reads_of_a_repair_is_noticed(
    host: FileHost,
) -> None:
    host.append(b"a" * 100 + b"\xff" + b"c" * 200)
    cursor = cursor_at()
    cursor.advance(b"a" * 100)

    def swap() -> None:
        if host.reads == 12:
            host.path.write_bytes(b"z" * 500)

    host.meanwhile = swap

    assert read(host, cursor).is_replaced


SOME = st.lists(
    st.one_of(
        st.sampled_from([b"\xff", b"\xe6", b"\x80", b"\n", b"\xf0\x9f", b"\x00"]),
        st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace")),
    ),
    max_size=30,
).map(b"".join)


@given(data=SOME, length=st.integers(8, 300))
@settings(max_examples=300, deadline=None)
def test_whatever_a_log_holds_every_text_byte_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, length: int
) -> None:
    host = FileHost(tmp_path_factory.mktemp("log") / "log")
    host.append(data + b"\nend\n")
    cursor = cursor_at()
    reader = reader_of(host)
    whole = b""
    while cursor.offset < len(data) + 5:
        reading = asyncio.run(reader.read_new(cursor, length=length))
        assert not reading.is_replaced
        assert reading.pieces
        for piece in reading.pieces:
            if piece.kind is PieceKind.TEXT:
                cursor.advance(piece.data)
                whole += piece.data
            else:
                cursor.skip(piece.end - piece.offset)
                whole += b"?" * (piece.end - piece.offset)

    good = (data + b"\nend\n").decode("utf-8", "surrogateescape")
    expected = "".join("?" if "\udc80" <= c <= "\udcff" else c for c in good)
    assert whole.decode() == expected
