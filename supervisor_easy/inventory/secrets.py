"""Secrets by reference: `{env: NAME}`, `{file: path}`, or plain text with a warning.

A message names the variable or the file, never the value.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

#: Largest secret file that is read, in bytes.
MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is; for `plain` the secret itself, so never shown."""

    kind: Literal["env", "file", "plain"]
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of a reference: the value, or the problem; and perhaps a warning."""

    value: str | None = field(default=None, repr=False)
    problem: str | None = None
    warning: str | None = None


def resolve(ref: SecretRef, *, folder: Path, environ: Mapping[str, str]) -> Resolved:
    """Fetch the secret; files are seen from `folder`, one end of line is cut off."""
    if ref.kind == "env":
        return _from_environment(ref.name, environ)
    if ref.kind == "file":
        return _from_file(inside(folder, ref.name))
    return Resolved(
        ref.name,
        warning="a password stands here in plain text; "
        "better {env: NAME} or {file: path}",
    )


def inside(folder: Path, name: str) -> Path:
    """Return the path that `name` means, seen from `folder`; `~` is the home."""
    try:
        return folder / Path(name).expanduser()
    except RuntimeError:  # no such user
        return folder / name


def is_readable_by_all(path: Path) -> bool:
    """Whether every user of this machine may read the file."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def _from_environment(name: str, environ: Mapping[str, str]) -> Resolved:
    value = environ.get(name)
    if value is None:
        return Resolved(problem=f"the environment variable {name} is not set")
    return _checked(value, f"the environment variable {name}")


def _from_file(path: Path) -> Resolved:
    what = f"the secret file {path}"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        warning = (
            f"{what} can be read by every user; chmod 600 it"
            if is_readable_by_all(path)
            else None
        )
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "not a path"
        return Resolved(problem=f"{what} cannot be read: {reason}")
    if len(raw) > MAX_BYTES:
        return Resolved(problem=f"{what} is larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Resolved(problem=f"{what} is not UTF-8 text")
    text = text.removesuffix("\n").removesuffix("\r")
    return _checked(text, what, warning=warning)


def _checked(value: str, what: str, *, warning: str | None = None) -> Resolved:
    if not value:
        return Resolved(problem=f"{what} is empty", warning=warning)
    if "\n" in value or "\r" in value or "\0" in value:
        return Resolved(problem=f"{what} holds more than one line", warning=warning)
    if any("\ud800" <= each <= "\udfff" for each in value):
        # So Python reads bytes of the environment that are no text.
        return Resolved(problem=f"{what} is not UTF-8 text", warning=warning)
    return Resolved(value, warning=warning)
