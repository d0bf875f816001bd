"""Log entries for programs and pages."""

from typing import Any

from supervisor_easy.fleet.logs import LogEntry


def entry_to_dict(entry: LogEntry) -> dict[str, Any]:
    """Return one line or marker; `text` is as the host sent it, so never markup."""
    unseen = entry.unseen
    target = entry.source.target
    return {
        "host": target.host,
        "process": "supervisord" if entry.source.is_main else target.namespec,
        "stream": entry.source.stream.value,
        "kind": entry.kind.value,
        "text": entry.text,
        "seen_at": entry.seen_at.isoformat(timespec="milliseconds"),
        "offset": entry.offset,
        "is_partial": entry.is_partial,
        "is_continuation": entry.is_continuation,
        "marker": entry.marker.value if entry.marker else None,
        "unseen": {
            "from_offset": unseen.from_offset,
            "at_least": unseen.at_least,
            "at_most": unseen.at_most,
        }
        if unseen
        else None,
    }
