"""YAML read strictly and safely: every value with its line, nothing guessed.

Only what YAML 1.2 calls null, true, false and whole numbers is more than text, so
`no`, `22:22`, `010` and `1.10` stay what was typed. Keys are always text, and must be
unique. Built from parser events, not by PyYAML's constructor, so that depth and size
are bounded before anything recurses.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from supervisor_easy.errors import Problem

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML built without libyaml: slower, otherwise the same
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

#: Deepest nesting that is read.
MAX_DEPTH = 20
#: Most values in the file, counting what an alias stands for each time it is used.
MAX_VALUES = 1_000_000

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
#: What neither a file name nor UTF-8 can hold; YAML has escapes for both.
UNUSABLE = re.compile("[\0\ud800-\udfff]")
_NULLS = frozenset({"", "~", "null"})
_STRING_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_COLLECTION_TAGS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_MERGE = "<<"

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Node:
    """One value of the file; `line` and `column` count from 1."""

    line: int
    column: int
    value: "str | int | bool | list[Node] | dict[str, Entry] | None" = None
    size: int = 1


@dataclass(slots=True)
class Entry:
    """One key of a mapping and its value."""

    key: Node
    value: Node


class YamlProblems(ValueError):
    """The text cannot be read; holds every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems."""
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in problems))


def read_yaml(text: str) -> Node:
    """Read one document.

    Raises:
        YamlProblems: bad YAML, a second equal key, an unknown tag, too deep, too large.
    """
    try:
        loader = _Loader(text)
        try:
            reader = _Reader(_events(loader))
            node = reader.document()
        finally:
            loader.dispose()
    except yaml.YAMLError as exc:
        raise YamlProblems([_syntax(exc)]) from exc
    except _Fatal as exc:
        raise YamlProblems([*exc.earlier, exc.problem]) from exc
    if reader.problems:
        raise YamlProblems(reader.problems)
    return node


def to_data(node: Node) -> Any:
    """Return plain dictionaries, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: to_data(entry.value) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [to_data(each) for each in node.value]
    return node.value


def locate(node: Node, path: Sequence[str | int]) -> tuple[Node, Node]:
    """Return key node and value node at `path`, or of what exists nearest above it."""
    key = node
    for step in path:
        value = node.value
        if isinstance(value, dict) and step in value:
            entry = value[str(step)]
            key, node = entry.key, entry.value
        elif (
            isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)
        ):
            key = node = value[step]
        else:
            break
    return key, node


class _Fatal(Exception):
    """Reading cannot go on."""

    def __init__(self, problem: Problem, earlier: Sequence[Problem]) -> None:
        self.problem = problem
        self.earlier = tuple(earlier)
        super().__init__(problem.message)


def _events(loader: _Loader) -> Iterator[yaml.Event]:
    while True:
        event = loader.get_event()
        if event is None:
            return
        yield event


@dataclass(slots=True)
class _Reader:
    """Turns events into nodes; collects what is wrong and goes on where it can."""

    events: Iterator[yaml.Event]
    anchors: dict[str, Node | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    depth: int = 0

    def document(self) -> Node:
        next(self.events)  # the stream starts
        if isinstance(event := next(self.events), yaml.StreamEndEvent):
            raise _Fatal(_at(event, "the file is empty"), ())
        node = self.value(next(self.events))
        next(self.events)  # the document ends
        if isinstance(event := next(self.events), yaml.DocumentStartEvent):
            self.fatal(event, "a second document starts here", "remove the --- line")
        if node.size > MAX_VALUES:
            raise _Fatal(
                Problem(
                    f"the file holds more than {MAX_VALUES} values, aliases counted"
                ),
                (),
            )
        return node

    def fatal(self, event: yaml.Event, message: str, hint: str | None = None) -> None:
        raise _Fatal(_at(event, message, hint), self.problems)

    def value(self, event: yaml.Event) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        node = Node(*_place(event))
        anchor = getattr(event, "anchor", None)
        if anchor:
            self.anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node.value = self.scalar(event)
        else:
            self.collection(node, event)
        if anchor:
            self.anchors[anchor] = node
        return node

    def alias(self, event: yaml.AliasEvent) -> Node:
        known = self.anchors.get(event.anchor or "")
        if known is None:
            self.fatal(event, f"*{event.anchor} refers to no finished value above it")
            raise AssertionError
        return known

    def collection(self, node: Node, event: yaml.Event) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fatal(event, f"nested deeper than {MAX_DEPTH} levels")
        tag = getattr(event, "tag", None)
        if tag and tag not in _COLLECTION_TAGS:
            self.problems.append(_at(event, f"the tag {tag} is not read", "remove it"))
        if isinstance(event, yaml.MappingStartEvent):
            self.mapping(node)
        else:
            self.sequence(node)
        self.depth -= 1

    def sequence(self, node: Node) -> None:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.value(event))
            node.size += items[-1].size
        node.value = items

    def mapping(self, node: Node) -> None:
        own: dict[str, Entry] = {}
        merged: list[Node] = []
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            value = self.value(next(self.events))
            node.size += value.size + 1
            text = str(key.value)
            if text == _MERGE:
                merged += self.merge(value)
            elif text in own:
                first = own[text].key.line
                self.problems.append(
                    Problem(
                        f"the key {text!r} stands here and on line {first}",
                        key.line,
                        key.column,
                        "keep one of them",
                    )
                )
            else:
                own[text] = Entry(key, value)
        for each in merged:
            assert isinstance(each.value, dict)
            own = {**each.value, **own}
        node.value = own

    def key(self, event: yaml.Event) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Node(*_place(event), self.text(event))
        self.fatal(event, "a key must be plain text", "quote what holds [ ] { } or *")
        raise AssertionError

    def merge(self, value: Node) -> list[Node]:
        sources = value.value if isinstance(value.value, list) else [value]
        if all(isinstance(each.value, dict) for each in sources):
            return list(sources)
        self.problems.append(
            Problem("<< takes a mapping or a list of them", value.line, value.column)
        )
        return []

    def text(self, event: yaml.ScalarEvent) -> str:
        text = str(event.value)
        if not UNUSABLE.search(text):
            return text
        # Not shown: it may be a password.
        self.problems.append(
            _at(event, "this text holds a NUL or half a character", "write it without")
        )
        return UNUSABLE.sub("?", text)

    def scalar(self, event: yaml.ScalarEvent) -> str | int | bool | None:
        text = self.text(event)
        if event.tag in _STRING_TAGS:
            return text
        if event.tag:
            self.problems.append(
                _at(event, f"the tag {event.tag} is not read", "remove it")
            )
            return text
        return _plain(text) if event.implicit[0] else text


def _plain(text: str) -> str | int | bool | None:
    if text in _NULLS:
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if _INTEGER.fullmatch(text) else text


def _at(event: yaml.Event, message: str, hint: str | None = None) -> Problem:
    return Problem(message, *_place(event), hint)


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    assert mark is not None, "events of a parser carry marks"
    return mark.line + 1, mark.column + 1


def _syntax(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None)
    message = f"this is not YAML: {what or 'unreadable'}"
    hint = None
    if "cannot start any token" in message or "alphabetic or numeric" in message:
        hint = "indent with spaces; quote text that begins with * & ! % @ or `"
    if mark is None:
        return Problem(message, hint=hint)
    return Problem(message, mark.line + 1, mark.column + 1, hint)
