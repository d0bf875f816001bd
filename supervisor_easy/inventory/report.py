"""Collects what is wrong with an inventory, each thing at its line and column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from supervisor_easy.errors import Problem
from supervisor_easy.inventory import schema
from supervisor_easy.inventory.nearest import close
from supervisor_easy.inventory.yamlnodes import Node, Path, locate

#: Most problems listed; a file this broken is the wrong file.
MAX_PROBLEMS = 500

#: What pydantic calls an error, and how we say it.
_MESSAGES: Mapping[str, str] = {
    "missing": "{key} is missing",
    "dict_type": "{key} must be a mapping (key: value)",
    "model_type": "{key} must be a mapping (key: value)",
    "model_attributes_type": "{key} must be a mapping (key: value)",
    "list_type": "{key} must be a list",
    "string_type": "{key} must be text; put it in quotes",
    "int_type": "{key} must be a whole number, no quotes, no leading zeros",
    "bool_type": "{key} must be true or false",
    "greater_than_equal": "{key} must be at least {ge}",
    "less_than_equal": "{key} must be at most {le}",
    "literal_error": "{key} must be {expected}",
    "too_short": "{key} must not be empty",
    "string_too_short": "{key} must not be empty",
}


@dataclass(slots=True)
class Report:
    """Problems and warnings so far; the same one at the same place counts once."""

    root: Node
    _problems: dict[Problem, None] = field(default_factory=dict)
    _warnings: dict[Problem, None] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What makes the inventory unusable, in the order of the file."""
        return _bounded(self._problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What a person should know, in the order of the file."""
        return _bounded(self._warnings)

    def problem(
        self,
        path: Path,
        message: str,
        *,
        hint: str | None = None,
        at_key: bool = False,
    ) -> None:
        """Add a problem at the value of `path`, or at its key."""
        self._problems[self._placed(path, message, hint=hint, at_key=at_key)] = None

    def warn(self, path: Path, message: str, *, at_key: bool = False) -> None:
        """Add a warning at the value of `path`, or at its key."""
        self._warnings[self._placed(path, message, hint=None, at_key=at_key)] = None

    def line_of(self, path: Path) -> int:
        """Return the line of the key at `path`."""
        return locate(self.root, path)[0].line

    def _placed(
        self, path: Path, message: str, *, hint: str | None, at_key: bool
    ) -> Problem:
        key, value = locate(self.root, path)
        node = key if at_key else value
        return Problem(message, node.line, node.column, hint)

    def take(
        self, error: ValidationError, *, with_missing: bool
    ) -> list[tuple[str, Path]]:
        """Add each of pydantic's errors; return their kinds and places."""
        places = []
        for each in error.errors(include_url=False):
            path: Path = each["loc"]
            is_key = bool(path) and path[-1] == "[key]"
            path = path[:-1] if is_key else path
            kind = each["type"]
            message, hint = _explain(kind, path, each.get("ctx") or {}, each["msg"])
            at_key = is_key or kind == "extra_forbidden"
            if with_missing or kind != "missing":
                self.problem(path, message, hint=hint, at_key=at_key)
            places.append((kind, path))
        return places


def _bounded(problems: Mapping[Problem, None]) -> tuple[Problem, ...]:
    """Return the first of them in the order of the file, and how many are left out."""
    ordered = sorted(problems, key=lambda each: (each.line or 0, each.column or 0))
    shown = ordered[:MAX_PROBLEMS]
    if len(ordered) > len(shown):
        shown.append(Problem(f"and {len(ordered) - len(shown)} more like these"))
    return tuple(shown)


def _explain(
    kind: str, path: Path, context: Mapping[str, Any], message: str
) -> tuple[str, str | None]:
    key = _shown(path)
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing" and path == ("version",):
        return "version is missing", "begin the file with version: 1"
    if kind in _MESSAGES:
        return _MESSAGES[kind].format(key=key, **context), None
    if kind == "value_error" and "label key" in message:
        return message.removeprefix("Value error, "), None
    return f"{key}: {message.removeprefix('Value error, ')}", None


def _shown(path: Path) -> str:
    last = path[-1] if path else "the file"
    if isinstance(last, int):
        return f"{_shown(path[:-1])} item {last + 1}"
    return last


def _unknown_key(path: Path) -> tuple[str, str | None]:
    known = _known_keys(path[:-1])
    near = close(str(path[-1]), known).removeprefix("; ")
    where = f" in {_shown(path[:-1])}" if path[:-1] else ""
    hint = near or f"the keys here are {', '.join(known)}"
    return f"unknown key {path[-1]}{where}", hint


def _known_keys(path: Path) -> Sequence[str]:
    model: type[BaseModel] = schema.InventoryModel
    if path[:1] == ("defaults",):
        model = schema.Connection
    elif len(path) > 1:
        model = {
            "hosts": schema.HostModel,
            "groups": schema.RollingModel
            if path[2:] == ("rolling",)
            else schema.GroupModel,
            "schedules": schema.ScheduleModel,
        }.get(str(path[0]), model)
    return list(model.model_fields)
