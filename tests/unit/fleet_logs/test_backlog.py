"""The end of a log: the last lines, or those since a start."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from supervisor_easy.errors import SpawnFailed
from supervisor_easy.fleet.logs import (
    Backlog,
    LogPosition,
    MarkerKind,
    Unseen,
    mark_end,
    read_last,
    read_since,
)
from supervisor_easy.model import Stream
from supervisor_easy.settings import Settings
from tests.unit.fleet_logs.hosts import FileHost, texts


def last(host: FileHost, lines: int, **options: int) -> Backlog:
    supervisor, settings = host.as_supervisor(), Settings.model_validate(options)
    return asyncio.run(
        read_last(supervisor, "app:web", Stream.STDOUT, lines=lines, settings=settings)
    )


def since(host: FileHost, start: LogPosition | None, **options: int) -> Backlog:
    supervisor, settings = host.as_supervisor(), Settings.model_validate(options)
    return asyncio.run(
        read_since(supervisor, "app:web", Stream.STDOUT, start=start, settings=settings)
    )


def end_of(host: FileHost) -> LogPosition:
    return asyncio.run(
        mark_end(host.as_supervisor(), "app:web", Stream.STDOUT, settings=Settings())
    )


def shown(backlog: Backlog) -> list[str]:
    rest = [backlog.unfinished] if backlog.unfinished else []
    return texts([*backlog.entries, *rest])


@pytest.mark.parametrize("lines", [0, 1, 3, 50, 1000])
def test_the_last_lines_are_what_tail_prints(host: FileHost, lines: int) -> None:
    written = [f"第 {n} 行 {'x' * (n % 50)}" for n in range(300)]
    host.append("".join(f"{line}\n" for line in written).encode())

    assert shown(last(host, lines)) == (written[-lines:] if lines else [])


def test_an_unfinished_line_counts_as_a_line(host: FileHost) -> None:
    host.append(b"one\ntwo\nthr")

    backlog = last(host, 2)

    assert (shown(backlog), backlog.next_offset) == (["two", "thr"], 8)


def test_the_bytes_read_back_are_bounded(host: FileHost) -> None:
    host.append(b"0123456789\n" * 10_000)

    last(host, 10**6, log_backlog_bytes=4096)

    assert host.bytes_sent <= 4096 + 1024


def test_a_missing_log_file_is_an_error(host: FileHost) -> None:
    with pytest.raises(SpawnFailed):
        last(host, 10)


def test_an_empty_log_has_no_lines(host: FileHost) -> None:
    host.append(b"")

    assert (shown(last(host, 10)), last(host, 10).next_offset) == ([], 0)


def test_broken_bytes_do_not_hide_the_last_lines(host: FileHost) -> None:
    host.append(b"a\n\xff b\nc \x80\x80\n")

    assert shown(last(host, 2)) == ["\ufffd b", "c \ufffd\ufffd"]


def test_a_log_replaced_while_it_is_read_is_read_again(host: FileHost) -> None:
    host.append(b"old line of the log\n" * 1000)

    def swap() -> None:
        if host.reads == 3:
            host.path.write_bytes(b"new\n" * 5)

    host.meanwhile = swap

    assert set(shown(last(host, 500))) == {"new"}


def test_a_known_start_is_exact(host: FileHost) -> None:
    host.append(b"earlier run\n")
    start = end_of(host)
    host.append(b"this run\n")

    assert shown(since(host, start)) == ["this run"]


def test_an_unfinished_last_line_belongs_to_the_earlier_run(host: FileHost) -> None:
    host.append(b"died within a li")
    start = end_of(host)
    host.append(b"this run\n")

    assert shown(since(host, start)) == ["this run"]


def test_an_unknown_start_is_said_to_be_unknown(host: FileHost) -> None:
    host.append(b"who knows\n" * 100)

    backlog = since(host, None, log_backlog_bytes=55)

    assert backlog.entries[0].marker is MarkerKind.BACKLOG
    assert backlog.entries[0].unseen == Unseen(0, 945, 945)


def test_a_start_in_a_file_that_is_gone_is_not_believed(host: FileHost) -> None:
    host.append(b"earlier run\n" * 10)
    start = end_of(host)
    host.rotate()
    host.append(b"another file\n" * 20)

    assert shown(since(host, start))[1:] == ["another file"] * 20


def test_a_host_that_lies_about_the_size_costs_few_reads(host: FileHost) -> None:
    host.append(b"short\n")
    host.claimed_size = 1 << 40

    last(host, 10)

    assert host.reads < 200


CHUNKS = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\n\n", b"\r\n", b"\xff", "語".encode(), b"\x80"]),
        st.binary(max_size=6),
    ),
    max_size=40,
).map(b"".join)


@given(data=CHUNKS, lines=st.integers(1, 8), chunk=st.integers(8, 64))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_log_ends_as_python_says(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, lines: int, chunk: int
) -> None:
    host = FileHost(tmp_path_factory.mktemp("log") / "log")
    host.append(data + b"#\n")
    backlog = last(
        host,
        lines,
        log_chunk_bytes=chunk,
        log_anchor_bytes=8,
        log_repair_calls=10**6,
    )

    wanted = (data + b"#\n").removesuffix(b"\n").split(b"\n")[-lines:]
    ascii_only = [
        bytes(b for b in each.removesuffix(b"\r") if b < 128) for each in wanted
    ]
    got = [bytes(b for b in each.encode() if b < 128) for each in shown(backlog)]
    assert got == ascii_only
