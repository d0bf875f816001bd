"""A host for log tests: a real file, read with supervisord's own rules.

Bytes are decoded strictly, a slice that cuts a character fails, a tail with length 0
tells the size, a missing file is a fault for a read and size 0 for a tail.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from supervisor_easy.errors import HostUnreachable, SpawnFailed
from supervisor_easy.fleet.logs import LogEntry, LogSource
from supervisor_easy.model import Host, ProcessConfig, Stream, Target
from supervisor_easy.rpc.supervisor import LogTail, Supervisor, UndecodableLog

TARGET = Target("edge", "app", "web")
SOURCE = LogSource(TARGET)


class FileHost:
    """What a supervisord answers about the log of one process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.host = Host("edge", "http://edge:9001")
        self.is_down = False
        self.claimed_size: int | None = None
        self.reads = 0
        self.failed_reads = 0
        self.bytes_sent = 0
        #: Called before each read: what happens on the host meanwhile.
        self.meanwhile: Callable[[], None] = lambda: None

    def as_supervisor(self) -> Supervisor:
        return cast("Supervisor", self)

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def rotate(self) -> None:
        self.path.unlink(missing_ok=True)
        self.path.touch()

    async def read_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> bytes:
        self._answer()
        if not self.path.exists():
            raise SpawnFailed("no file", host="edge", fault_code=20, fault_text="")
        data = self.path.read_bytes()[offset : offset + length]
        self.bytes_sent += len(data)
        try:
            data.decode()
        except UnicodeDecodeError as exc:
            self.failed_reads += 1
            raise UndecodableLog("not UTF-8", host="edge") from exc
        return data

    async def tail_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> LogTail:
        self._answer()
        assert (offset, length) == (0, 0)
        size = self.path.stat().st_size if self.path.exists() else 0
        size = size if self.claimed_size is None else self.claimed_size
        return LogTail(b"", size, has_overflow=size > 0)

    async def configs(self) -> tuple[ProcessConfig, ...]:
        self._answer()
        return (ProcessConfig("edge", "app", "web", stdout_logfile_maxbytes=1000),)

    def _answer(self) -> None:
        self.reads += 1
        self.meanwhile()
        if self.is_down:
            raise HostUnreachable("edge is down", host="edge", reason="refused")


def texts(entries: list[LogEntry]) -> list[str]:
    return [entry.text for entry in entries]
