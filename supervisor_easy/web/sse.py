"""Server-sent events as bytes; the format and nothing else."""

import json
from typing import Any

#: Tells a browser how long to wait before it comes back, in milliseconds.
RETRY = b"retry: 2000\n\n"


def event(name: str, data: Any, *, event_id: str = "") -> bytes:
    """Return one event; JSON has no line ends, so `data` is one line."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: {dump(data)}\n\n".encode()


def data_only(data: Any) -> bytes:
    """Return one event without a name, as programs expect of a log."""
    return f"data: {dump(data)}\n\n".encode()


def comment(text: str) -> bytes:
    """Return what readers pass over; `text` is ours and has no line ends."""
    return f": {text}\n\n".encode()


def dump(data: Any) -> str:
    """Return compact JSON; what no UTF-8 can say is replaced."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()
