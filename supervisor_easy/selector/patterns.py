"""The grammar of one selector, and how its parts match names.

Knows nothing of which hosts and processes exist; that is `selection`.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor_easy.errors import SelectorError
from supervisor_easy.model import Host, Target

#: Longest selector text, in characters.
MAX_LENGTH = 1024
#: Most numbers a range such as `[01-20]` inside a selector may stand for.
MAX_RANGE = 1000
#: Most such ranges in one name: each may be retried at every place between stars.
MAX_RANGES = 3
#: Most different patterns kept compiled.
_CACHE_SIZE = 4096

#: What a range begins with once it is translated.
_RANGE_OPENS = "(?:"
_RANGE = re.compile(r"\[([0-9]{1,9})[-:]([0-9]{1,9})\]")
_SET = re.compile(r"\[(!?)(\]?[^\]]*)\]")
_SPECIAL = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Glob:
    """A name with `*`, `?`, `[abc]` and `[01-20]`; case counts.

    A name that equals the text itself always matches, so that what a console prints
    for a target can be pasted back.
    """

    text: str

    @property
    def is_exact(self) -> bool:
        """The text has no wildcard."""
        return _SPECIAL.search(self.text) is None

    @property
    def is_any(self) -> bool:
        """Every name matches."""
        return self.text == "*"

    def matches(self, name: str) -> bool:
        """Whether `name` fits."""
        return (
            self.text in ("*", name) or _compile(self.text).fullmatch(name) is not None
        )


@dataclass(frozen=True, slots=True)
class HostPattern:
    """Which hosts: a name with globs, or label terms that must all hold."""

    name: Glob | None = None
    labels: tuple[tuple[str, Glob], ...] = ()

    @property
    def is_any(self) -> bool:
        """Every host matches."""
        return self.name is not None and self.name.is_any

    def matches(self, host: Host) -> bool:
        """Whether `host` fits."""
        if self.name is not None:
            return self.name.matches(host.name)
        return labels_match(self.labels, host.labels)


@dataclass(frozen=True, slots=True)
class ProcessPattern:
    """Which processes of a host: a process group and a name, both with globs."""

    group: Glob = Glob("*")
    name: Glob = Glob("*")

    @property
    def is_any(self) -> bool:
        """Every process matches."""
        return self.group.is_any and self.name.is_any

    def matches(self, group: str, name: str) -> bool:
        """Whether the process `group:name` fits."""
        return self.group.matches(group) and self.name.matches(name)


@dataclass(frozen=True, slots=True)
class Selector:
    """One parsed selector: either `inventory_group` is set, or host and process."""

    text: str
    is_negative: bool
    inventory_group: str | None
    host: HostPattern
    process: ProcessPattern

    def matches(self, host: Host, group: str, name: str) -> bool:
        """Whether the process fits what is written, a leading `!` aside.

        An `@group` needs the inventory: use `matcher` for that; here it fits nothing.
        """
        if self.inventory_group is not None:
            return False
        return self.host.matches(host) and self.process.matches(group, name)


def labels_match(
    wanted: tuple[tuple[str, Glob], ...], labels: Mapping[str, str]
) -> bool:
    """Whether every wanted key is there with a fitting value."""
    return all(key in labels and value.matches(labels[key]) for key, value in wanted)


def parse_selector(text: str) -> Selector:
    """Read one selector.

    Raises:
        SelectorError: it is malformed; the message says what would be right.
    """
    body = text.strip()
    _check_characters(body)
    is_negative = body.startswith("!")
    if is_negative:
        body = body[1:].lstrip()
    if not body:
        raise SelectorError("the selector is empty; write * for everything")
    if body.startswith("@"):
        name = _group_name(body)
        return Selector(
            text.strip(), is_negative, name, HostPattern(), ProcessPattern()
        )
    host, slash, process = body.partition("/")
    return Selector(
        text.strip(),
        is_negative,
        None,
        _host_pattern(host, body),
        _process_pattern(process, body) if slash else ProcessPattern(),
    )


def parse_label(text: str) -> tuple[str, Glob]:
    """Read `key=value`; the value may hold globs.

    Raises:
        SelectorError: it is not of that form.
    """
    key, equals, value = text.strip().partition("=")
    if not equals or not key.strip() or not value.strip() or "=" in value:
        raise SelectorError(f"{text!r} is not a label; write key=value")
    return key.strip(), _glob(value.strip(), text)


def exact(target: Target) -> str:
    """Return the selector that means this target and no other."""
    return f"{_quote(target.host)}/{_quote(target.group)}:{_quote(target.name)}"


def _quote(name: str) -> str:
    return _SPECIAL.sub(lambda match: f"[{match.group()}]", name)


def _check_characters(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise SelectorError(f"the selector is longer than {MAX_LENGTH} characters")
    if not text.isprintable():
        raise SelectorError(f"the selector {text!r} holds a control character")


def _group_name(body: str) -> str:
    name = body[1:]
    if not name:
        raise SelectorError("@ must be followed by a group of the inventory")
    if "/" in name:
        raise SelectorError(
            f"{body!r}: an inventory group names its processes itself; "
            "write it without what follows the slash"
        )
    if _SPECIAL.search(name):
        raise SelectorError(f"{body!r}: the name of a group takes no wildcards")
    return name


def _host_pattern(host: str, body: str) -> HostPattern:
    host = host.strip()
    if not host:
        raise SelectorError(
            f"{body!r} has no host before the slash; for every host write *{body}"
        )
    if "=" in host:
        return HostPattern(None, tuple(parse_label(each) for each in host.split(",")))
    if "," in host:
        raise SelectorError(
            f"{body!r}: a comma joins labels (role=a,dc=b); "
            "give several hosts as several selectors"
        )
    if ":" in _SET.sub("", host):
        raise SelectorError(
            f"{body!r} has no host; a selector is HOST/PROCESS", nearest=[f"*/{body}"]
        )
    return HostPattern(_glob(host, body))


def _process_pattern(process: str, body: str) -> ProcessPattern:
    group, _, name = _split_namespec(process.strip())
    if not group and not name:
        raise SelectorError(
            f"{body!r} has nothing after the slash; leave the slash out for all"
        )
    if not group:
        raise SelectorError(
            f"{body!r} has no process group before the colon; write *:{name} for any"
        )
    return ProcessPattern(_glob(group, body), _glob(name or "*", body))


def _split_namespec(text: str) -> tuple[str, str, str]:
    """Split at the first colon that is not inside brackets, as in `[00:15]`."""
    ranges = [match.span() for match in _RANGE.finditer(text)]
    for place, character in enumerate(text):
        if character == ":" and not any(a < place < b for a, b in ranges):
            return text[:place], ":", text[place + 1 :]
    return text, "", ""


def _glob(text: str, body: str) -> Glob:
    rest = _SET.sub("", text)
    if "[" in rest:
        raise SelectorError(f"{body!r}: a [ has no ] to close it")
    if len(_RANGE.findall(text)) > MAX_RANGES:
        raise SelectorError(f"{body!r} holds more than {MAX_RANGES} ranges")
    try:
        _compile(text)
    except (re.error, ValueError) as exc:
        raise SelectorError(f"{body!r}: {text!r} is not a pattern: {exc}") from exc
    return Glob(text)


@functools.lru_cache(maxsize=_CACHE_SIZE)
def _compile(text: str) -> re.Pattern[str]:
    """Translate a glob; stars in a row count once, so that no pattern runs away."""
    parts: list[str] = []
    place = 0
    while place < len(text):
        piece, width = _translate(text, place)
        if not (piece == ".*" and parts and parts[-1] == ".*"):
            parts.append(piece)
        place += width
    return re.compile(_without_backtracking(parts), re.DOTALL)


def _translate(text: str, place: int) -> tuple[str, int]:
    character = text[place]
    if character == "*":
        return ".*", 1
    if character == "?":
        return ".", 1
    if character == "[":
        if (found := _RANGE.match(text, place)) and max(map(len, found.groups())) > 1:
            return _range(*found.groups()), found.end() - place
        if (found := _SET.match(text, place)) is not None:
            return _set(*found.groups()), found.end() - place
    return re.escape(character), 1


def _without_backtracking(parts: list[str]) -> str:
    """Join the pieces; text between two stars is found once, not tried again.

    The place where it ends soonest is as good as any later one, and the first fit is
    that place, with one range too, whose numbers are tried from small to large. So
    an atomic group loses no match and spares exponential time.
    """
    chunks: list[list[str]] = [[]]
    for part in parts:
        if part == ".*":
            chunks.append([])
        else:
            chunks[-1].append(part)
    if len(chunks) == 1:
        return "".join(chunks[0])
    head, *middle, tail = ("".join(chunk) for chunk in chunks)
    return head + "".join(_anywhere(each) for each in middle) + ".*" + tail


def _anywhere(chunk: str) -> str:
    if chunk.count(_RANGE_OPENS) > 1:  # at most once in a pattern: see MAX_RANGES
        return f".*?{chunk}"
    return f"(?>.*?{chunk})"


def _range(first: str, last: str) -> str:
    start, stop = int(first), int(last)
    if start > stop:
        raise ValueError(f"[{first}-{last}] runs backwards")
    if stop - start >= MAX_RANGE:
        raise ValueError(f"[{first}-{last}] stands for more than {MAX_RANGE} numbers")
    width = len(first) if first.startswith("0") else 0
    numbers = (str(each).zfill(width) for each in range(start, stop + 1))
    return f"{_RANGE_OPENS}{'|'.join(numbers)})"


def _set(negation: str, members: str) -> str:
    if not members or "--" in members:
        raise ValueError(f"[{members}] is no set of characters")
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
    return f"[{'^' if negation else ''}{escaped}]"
