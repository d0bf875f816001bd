"""Reads an Ansible inventory, INI or YAML: hosts, ranges, groups, children, variables.

Each Ansible group becomes a label (`webservers: yes`) and a group of that label's
processes. Of the variables only addresses and `supervisor_…` are read.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor_easy.errors import InventoryError
from supervisor_easy.inventory.hosts import is_address, is_url
from supervisor_easy.inventory.importers.draft import (
    Draft,
    DraftHost,
    Imported,
    read_text,
)
from supervisor_easy.inventory.ranges import RangeError, expand
from supervisor_easy.inventory.yamlnodes import YamlProblems, read_yaml, to_data

_SECTION = re.compile(r"\[([^\[\]:]+)(?::(hosts|children|vars))?\]\s*(?:[#;].*)?")
_TAGS = re.compile(r"(?<=[\s:])!(?:vault|unsafe|vault-encrypted)\b")
_IMPLICIT = frozenset({"all", "ungrouped"})
_USERS = ("supervisor_username", "supervisor_user")


@dataclass(slots=True)
class _Group:
    """One Ansible group."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)


def import_ansible(path: Path | str, *, keep_passwords: bool = False) -> Imported:
    """Return the hosts and groups of an Ansible inventory.

    Raises:
        InventoryError: it cannot be read, or holds no host.
    """
    path, text = read_text(path)
    draft = Draft(path, keep_passwords)
    if path.suffix in (".yaml", ".yml", ".json"):
        groups = _read_yaml(text, draft)
    else:
        groups = _read_ini(text, draft)
    _fill(draft, groups)
    return draft.finish()


def _read_ini(text: str, draft: Draft) -> dict[str, _Group]:
    groups: dict[str, _Group] = {"all": _Group()}
    name, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if (match := _SECTION.fullmatch(line)) is not None:
            name, kind = match[1].strip(), match[2] or "hosts"
            groups.setdefault(name, _Group())
            continue
        group = groups.setdefault(name, _Group())
        try:
            _ini_line(line, kind, group)
        except (ValueError, RangeError) as exc:
            draft.problem(f"this line is not taken over: {exc}", number)
    return groups


def _ini_line(line: str, kind: str, group: _Group) -> None:
    if kind == "vars":
        key, _, value = line.partition("=")
        group.variables[key.strip()] = value.strip().strip("'\"")
        return
    words = shlex.split(line, comments=True)
    if kind == "children":
        group.children[words[0]] = None
        return
    pairs = (word.partition("=") for word in words[1:])
    variables = {key: value for key, _, value in pairs}
    for host in expand(_without_port(words[0])):
        group.hosts.setdefault(host, {}).update(variables)


def _without_port(text: str) -> str:
    """Cut off the port of ssh, `web1:2222`; a colon in brackets is a range."""
    return (
        re.sub(r":[0-9]+$", "", text)
        if text.count(":") <= 1 + text.count("[")
        else text
    )


def _read_yaml(text: str, draft: Draft) -> dict[str, _Group]:
    try:
        data = to_data(read_yaml(_TAGS.sub("", text)))
    except YamlProblems as exc:
        raise InventoryError(str(draft.source), exc.problems) from exc
    groups: dict[str, _Group] = {"all": _Group()}
    if not isinstance(data, dict):
        return groups
    waiting = list(data.items())
    while waiting:
        name, body = waiting.pop(0)
        group = groups.setdefault(name, _Group())
        group.variables.update(_mapping(body, "vars"))
        for pattern, variables in _mapping(body, "hosts").items():
            own = variables if isinstance(variables, dict) else {}
            try:
                for host in expand(pattern):
                    group.hosts.setdefault(host, {}).update(own)
            except RangeError as exc:
                draft.problem(f"host {pattern!r} is not taken over: {exc}", None)
        for child, inner in _mapping(body, "children").items():
            group.children[child] = None
            waiting.append((child, inner))
    return groups


def _mapping(body: object, key: str) -> dict[str, Any]:
    value = body.get(key) if isinstance(body, dict) else None
    return value if isinstance(value, dict) else {}


def _fill(draft: Draft, groups: Mapping[str, _Group]) -> None:
    parents = _parents(groups)
    own: dict[str, dict[str, Any]] = {}
    member_of: dict[str, dict[str, None]] = {}
    for name, group in groups.items():
        for host, variables in group.hosts.items():
            own.setdefault(host, {}).update(variables)
            above = dict.fromkeys(_closure(name, parents))
            member_of.setdefault(host, {}).update(above)
    labels: dict[str, str] = {}
    for name in groups:
        if name not in _IMPLICIT and any(name in each for each in member_of.values()):
            labels[name] = draft.name_for(name, labels.values(), "group")
    for host, variables in own.items():
        inherited: dict[str, Any] = {}
        for name in ("all", *sorted(member_of[host], key=lambda g: _depth(g, parents))):
            inherited |= groups[name].variables
        _add_host(
            draft,
            host,
            inherited | variables,
            [labels[name] for name in labels if name in member_of[host]],
        )
    draft.groups = {label: [f"{label}=yes"] for label in labels.values()}
    draft.notes.append(
        "of the variables only ansible_host and supervisor_port, supervisor_url, "
        "supervisor_username and supervisor_password were read"
    )


def _parents(groups: Mapping[str, _Group]) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {name: [] for name in groups}
    for name, group in groups.items():
        for child in group.children:
            if child in parents:
                parents[child].append(name)
    return parents


def _closure(name: str, parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the group and all above it, each once, also when they go in circles."""
    seen: dict[str, None] = {}
    waiting = [name]
    while waiting:
        group = waiting.pop()
        if group not in seen:
            seen[group] = None
            waiting += parents[group]
    return list(seen)


def _depth(name: str, parents: Mapping[str, Iterable[str]]) -> int:
    return len(_closure(name, parents))


def _add_host(
    draft: Draft, host: str, variables: Mapping[str, Any], labels: list[str]
) -> None:
    found = dict(_usable(host, variables, draft))
    name = draft.name_for(host, draft.hosts)
    address = found.get("ansible_host") or found.get("ansible_ssh_host")
    if address is None and name != host:
        address = host
    if address is not None and not is_address(address):
        draft.problem(f"host {host}: {address!r} is not an address", None)
        address = None
    url = found.get("supervisor_url")
    if url is not None and not is_url(url):
        draft.problem(f"host {host}: supervisor_url is not a usable URL", None)
        url = None
    port = found.get("supervisor_port", "")
    user = next((found[each] for each in _USERS if each in found), None)
    draft.hosts[name] = DraftHost(
        name,
        address=None if url else address,
        url=url,
        port=int(port) if port.isdecimal() and 0 < int(port) < 65536 else None,
        username=user,
        password=found.get("supervisor_password"),
        labels=dict.fromkeys(labels, "yes"),
    )


def _usable(
    host: str, variables: Mapping[str, Any], draft: Draft
) -> Iterator[tuple[str, str]]:
    for key, value in variables.items():
        if not key.startswith("supervisor_") and key not in (
            "ansible_host",
            "ansible_ssh_host",
        ):
            continue
        text = str(value)
        if value is None or not text:
            continue
        if "{{" in text or text.startswith("$ANSIBLE_VAULT"):
            draft.notes.append(
                f"host {host}: {key} is a template or a vault; set it by hand"
            )
            continue
        yield key, text
