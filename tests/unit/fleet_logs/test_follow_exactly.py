"""Nothing twice, nothing silently missing: whatever a log does between two looks.

The one thing left out is what no reader over XML-RPC can see: a file that comes and
goes whole while the follower stands at the start of an empty one.
"""

import asyncio
import itertools
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from supervisor_easy.fleet.logs import (
    EntryKind,
    LogEntry,
    LogFollower,
    LogPosition,
    MarkerKind,
)
from supervisor_easy.settings import Settings
from tests.fake_clock import FakeClock
from tests.unit.fleet_logs.hosts import SOURCE, FileHost

REPLACED = (MarkerKind.REPLACED, MarkerKind.ROTATED, MarkerKind.TRUNCATED)
TEXTS = st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace"))
BROKEN = st.sampled_from([b"\xff", b"\x80", b"\xe6\x97", b"\xf0\x9f\x98", b"\xe6"])
OPTIONS = Settings(
    log_chunk_bytes=64, log_anchor_bytes=64, log_line_bytes=40, log_repair_calls=10**6
)


class FollowedLog(RuleBasedStateMachine):
    """A log that is written, rotated, truncated and followed in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="fleet-"))
        self.host = FileHost(self.folder / "log")
        self.host.append(b"")
        self.clock = FakeClock()
        self.counter = itertools.count()
        self.follower = self.new_follower(LogPosition())
        #: Bytes of the followed file; None until it is first read.
        self.followed: bytes | None = b""
        #: How far of it was shown, and what that is based on.
        self.shown_to = 0
        self.hole = 0
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        self.host.is_down = False
        for _ in range(200):
            self.look()
            self.clock.advance(2)
        rest = self.now_in_file()[self.shown_to :]
        # Only a character that never got its end may be left.
        assert len(rest) < 4
        assert all(byte >= 0x80 for byte in rest)
        self.loop.close()
        shutil.rmtree(self.folder)

    def new_follower(self, start: LogPosition) -> LogFollower:
        return LogFollower(
            self.host.as_supervisor(),
            SOURCE,
            settings=OPTIONS,
            clock=self.clock,
            start=start,
        )

    def now_in_file(self) -> bytes:
        return self.host.path.read_bytes()

    @initialize(text=TEXTS)
    def begin(self, text: bytes) -> None:
        self.write(text, end=b"\n")

    @rule(
        text=TEXTS, end=st.sampled_from([b"\n", b"\r\n", b"", b"\r", b"\n\n", b"\x00"])
    )
    def write(self, text: bytes, end: bytes) -> None:
        self.host.append(b"<%d>" % next(self.counter) + text + end)

    @rule(count=st.integers(1, 30))
    def write_much(self, count: int) -> None:
        for _ in range(count):
            self.host.append(b"<%d> and so on\n" % next(self.counter))

    @rule(data=BROKEN)
    def write_broken(self, data: bytes) -> None:
        self.host.append(data)

    @precondition(lambda self: self.follower.position.offset > 0)
    @rule(text=TEXTS)
    def replace(self, text: bytes) -> None:
        self.host.rotate()
        self.write(text, end=b"\n")

    @precondition(lambda self: self.follower.position.offset > 0)
    @rule()
    def truncate_in_place_leaving_a_hole(self) -> None:
        size = len(self.now_in_file())
        self.host.path.write_bytes(bytes(size))
        self.write(b"", end=b"\n")

    @rule(is_down=st.booleans())
    def outage(self, *, is_down: bool) -> None:
        self.host.is_down = is_down

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def hand_over_to_another_follower(self) -> None:
        self.follower = self.new_follower(self.follower.position)

    @rule(times=st.integers(1, 4))
    def look_often(self, times: int) -> None:
        for _ in range(times):
            self.look()

    def look(self) -> None:
        entries: list[LogEntry] = []

        async def emit(entry: LogEntry) -> None:
            entries.append(entry)

        async def once() -> None:
            await self.follower._look()
            await self.follower._emit_pending(emit)

        self.loop.run_until_complete(once())
        if self.followed is None or not any(e.marker in REPLACED for e in entries):
            self.followed = self.now_in_file() if self._is_readable() else self.followed
        for entry in entries:
            self.account(entry)

    def _is_readable(self) -> bool:
        return not self.host.is_down

    def account(self, entry: LogEntry) -> None:
        if entry.kind is EntryKind.LINE:
            self.account_line(entry)
        elif entry.marker in REPLACED and entry.unseen is not None:
            assert entry.unseen.from_offset >= self.shown_to
            # What lies between was held as an unfinished character or a line end.
            assert entry.unseen.from_offset - self.shown_to < 4
            self.followed, self.shown_to = None, 0
        elif entry.marker is MarkerKind.TRUNCATED:
            size = len(self.followed or b"") - len((self.followed or b"").lstrip(b"\0"))
            assert f"first {size} bytes" in entry.text
            self.shown_to = size

    def account_line(self, entry: LogEntry) -> None:
        assert self.followed is not None
        between = self.followed[self.shown_to : entry.offset]
        assert entry.offset >= self.shown_to, f"twice: {entry}"
        assert between in {b"", b"\n", b"\r\n"}, f"lost {between!r} before {entry}"
        at = entry.offset
        for char in entry.text:
            data = char.encode()
            if self.followed[at : at + len(data)] == data:
                at += len(data)
            else:
                assert char == "\ufffd", f"wrong: {entry}"
                at += 1
        if not entry.is_partial:
            ends = (e for e in (b"\n", b"\r\n") if self.followed.startswith(e, at))
            at += len(next(ends))
        self.shown_to = at

    @invariant()
    def never_ahead_of_the_file(self) -> None:
        if self.followed is not None:
            assert self.shown_to <= len(self.followed)


TestFollowedLog = FollowedLog.TestCase
TestFollowedLog.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
