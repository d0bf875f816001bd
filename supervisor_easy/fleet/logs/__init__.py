"""Logs of many processes of many hosts, read exactly: no line twice, no silent gap.

What cannot be shown is named by a marker. Nothing here writes to a host or keeps a
log: the file on the host is the buffer.
"""

from supervisor_easy.fleet.logs.backlog import Backlog, mark_end, read_last, read_since
from supervisor_easy.fleet.logs.entries import (
    Anchor,
    EntryKind,
    LogEntry,
    LogPosition,
    LogSource,
    MarkerKind,
    Unseen,
)
from supervisor_easy.fleet.logs.fanin import LogFanIn
from supervisor_easy.fleet.logs.file import HostGate, LogFile, MainLog, ProcessLog
from supervisor_easy.fleet.logs.follower import Emit, LogFollower
from supervisor_easy.fleet.logs.grep import BadPattern, LineFilter
from supervisor_easy.fleet.logs.text import plain, terminal_safe

__all__ = [
    "Anchor",
    "Backlog",
    "BadPattern",
    "Emit",
    "EntryKind",
    "HostGate",
    "LineFilter",
    "LogEntry",
    "LogFanIn",
    "LogFile",
    "LogFollower",
    "LogPosition",
    "LogSource",
    "MainLog",
    "MarkerKind",
    "ProcessLog",
    "Unseen",
    "mark_end",
    "plain",
    "read_last",
    "read_since",
    "terminal_safe",
]
