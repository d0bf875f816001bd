"""An inventory in the making, and how it is written as YAML."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from supervisor_easy.errors import InventoryError, Problem
from supervisor_easy.inventory.hosts import MAX_NAME, is_name
from supervisor_easy.inventory.loader import MAX_BYTES
from supervisor_easy.inventory.ranges import fold
from supervisor_easy.inventory.yamlnodes import UNUSABLE

_SHARED_VARIABLE = "FLEET_SUPERVISOR_PASSWORD"
_NOT_IN_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class EnvRef:
    """A password that the source already takes from the environment."""

    name: str


@dataclass(slots=True)
class DraftHost:
    """One host as it was found."""

    name: str
    address: str | None = None
    url: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | EnvRef | None = field(default=None, repr=False)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found: an inventory as YAML text, and what a person must know.

    `notes` say what to do next; `problems` are what could not be taken over.
    """

    text: str = field(repr=False)
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def to_yaml(self) -> str:
        """Return the text of the new inventory."""
        return self.text


@dataclass(slots=True)
class Draft:
    """Collects hosts and groups from one source file."""

    source: Path
    keep_passwords: bool = False
    hosts: dict[str, DraftHost] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self, message: str, line: int | None, column: int | None = None
    ) -> None:
        """Add what could not be taken over."""
        self.problems.append(Problem(message, line, column))

    def name_for(self, wanted: str, taken: Iterable[str], what: str = "host") -> str:
        """Return a name that is allowed and free; say so if it is another one."""
        name = _NOT_IN_NAME.sub("-", wanted).strip("-.")[:MAX_NAME]
        name = name if is_name(name) else "unnamed"
        free, number = name, 2
        while free in taken:
            free, number = f"{name}-{number}", number + 1
        if free != wanted:
            self.notes.append(f"the {what} {wanted!r} is called {free} now")
        return free

    def finish(self) -> Imported:
        """Write the inventory.

        Raises:
            InventoryError: there was nothing to take over.
        """
        if not self.hosts:
            problems = self.problems or [Problem("no host was found in it")]
            raise InventoryError(str(self.source), problems)
        self._drop_unusable()
        references = self._references()
        username = _common([each.username for each in self.hosts.values()])
        port = _common([each.port for each in self.hosts.values() if not each.url])
        shared = _common([references.get(name) for name in self.hosts])
        data: dict[str, Any] = {"version": 1}
        defaults = {"port": port, "username": username, "password": shared}
        defaults = {key: value for key, value in defaults.items() if value is not None}
        if defaults:
            data["defaults"] = defaults
        rows = {
            name: self._row(host, references.get(name), defaults)
            for name, host in self.hosts.items()
        }
        data["hosts"] = _folded(rows)
        if self.groups:
            data["groups"] = {name: list(each) for name, each in self.groups.items()}
        text = f"# Imported from {self.source.name!a}.\n" + yaml.safe_dump(
            data, sort_keys=False, allow_unicode=True, width=4096
        )
        return Imported(text, tuple(self.notes), tuple(self.problems))

    def _drop_unusable(self) -> None:
        for name, host in self.hosts.items():
            secret = host.password
            text = secret.name if isinstance(secret, EnvRef) else secret or ""
            if UNUSABLE.search(text) or UNUSABLE.search(host.username or ""):
                host.username = host.password = None
                self.notes.append(
                    f"user name and password of {name} hold a NUL or half a "
                    "character and were left out"
                )

    def _row(
        self, host: DraftHost, password: Any, defaults: dict[str, Any]
    ) -> dict[str, Any]:
        row = {
            "url": host.url,
            "address": host.address if host.address != host.name else None,
            "port": None if host.url else host.port,
            "username": host.username,
            "password": password,
        }
        kept: dict[str, Any] = {
            key: value
            for key, value in row.items()
            if value is not None and defaults.get(key) != value
        }
        if host.labels:
            kept["labels"] = dict(host.labels)
        return kept

    def _references(self) -> dict[str, Any]:
        """Return what stands for each host's password in the file."""
        owners: dict[str, list[str]] = {}
        references: dict[str, Any] = {}
        for name, host in self.hosts.items():
            if isinstance(host.password, EnvRef):
                references[name] = {"env": host.password.name}
            elif host.password and self.keep_passwords:
                references[name] = host.password
            elif host.password:
                owners.setdefault(host.password, []).append(name)
        used: set[str] = set()
        for names in owners.values():
            variable = (
                _variable(names[0], used) if len(owners) > 1 else _SHARED_VARIABLE
            )
            used.add(variable)
            references |= {name: {"env": variable} for name in names}
            self.notes.append(
                f"set the environment variable {variable} to the password of "
                f"{', '.join(fold(names))} that stands in {self.source.name}"
            )
        return references


def read_source(path: Path | str) -> tuple[Path, bytes]:
    """Return the path and the bytes of a file to import.

    Raises:
        InventoryError: it cannot be read, or is too large.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as exc:
        problem = Problem(f"cannot be read: {exc.strerror}")
        raise InventoryError(str(path), [problem]) from exc
    if len(raw) > MAX_BYTES:
        problem = Problem(f"the file is larger than {MAX_BYTES} bytes")
        raise InventoryError(str(path), [problem])
    return path, raw


def read_text(path: Path | str) -> tuple[Path, str]:
    """Return the path and the text of a file to import.

    Raises:
        InventoryError: it cannot be read, is too large, or is not UTF-8.
    """
    path, raw = read_source(path)
    try:
        return path, raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        problem = Problem("the file is not UTF-8 text")
        raise InventoryError(str(path), [problem]) from exc


def _common(values: list[Any]) -> Any:
    """Return the value that all have, if there is more than one to have it."""
    same = len(values) > 1 and all(each == values[0] for each in values)
    return values[0] if same else None


def _variable(name: str, used: set[str]) -> str:
    base = "FLEET_PASSWORD_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    free, number = base, 2
    while free in used:
        free, number = f"{base}_{number}", number + 1
    return free


def _folded(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Write hosts that differ in their name only as one range."""
    alike: dict[str, list[str]] = {}
    for name, row in rows.items():
        own = name if {"address", "url"} & set(row) else ""
        alike.setdefault(f"{own}\n{row!r}", []).append(name)
    return {
        key: dict(rows[names[0]]) for names in alike.values() for key in fold(names)
    }
