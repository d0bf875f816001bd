"""Log entries of this machine's own engine, in the shape that a console gives."""

from collections.abc import Generator, Sequence
from contextlib import closing

from supervisor_easy.cli.backend import Json, LogQuery
from supervisor_easy.engine import Engine
from supervisor_easy.fleet.logs import LogEntry, LogSource
from supervisor_easy.services import Services


def read_logs(
    sources: Sequence[LogSource], asked: LogQuery, services: Services, engine: Engine
) -> Generator[Json, None, None]:
    """Yield what the logs hold, log by log; or follow them all until closed.

    Raises:
        BadPattern: the pattern is not usable.
    """
    if asked.is_followed:
        yield from _follow(sources, asked, services, engine)
        return
    found = engine.call(
        lambda: services.logs.last(
            sources, lines=asked.lines, since_start=asked.since_start, grep=asked.grep
        )
    )
    for each in found.values():
        yield from map(_entry, each)


def _follow(
    sources: Sequence[LogSource], asked: LogQuery, services: Services, engine: Engine
) -> Generator[Json, None, None]:
    entries = engine.iterate(
        lambda: services.logs.follow(
            sources, lines=asked.lines, since_start=asked.since_start, grep=asked.grep
        )
    )
    with closing(entries):
        yield from map(_entry, entries)


def _entry(entry: LogEntry) -> Json:
    target = entry.source.target
    return {
        "host": target.host,
        "process": "supervisord" if entry.source.is_main else target.namespec,
        "stream": entry.source.stream.value,
        "kind": entry.kind.value,
        "text": entry.text,
        "seen_at": entry.seen_at.isoformat(timespec="milliseconds"),
        "offset": entry.offset,
        "marker": entry.marker.value if entry.marker else None,
    }
