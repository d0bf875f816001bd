"""Reads `inventory.yaml` whole: an `Inventory`, or every problem in one error."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from supervisor_easy.errors import InventoryError, Problem
from supervisor_easy.inventory import yamlnodes
from supervisor_easy.inventory.hosts import HostBuilder, host_names
from supervisor_easy.inventory.references import build_groups, build_schedules
from supervisor_easy.inventory.report import Report
from supervisor_easy.inventory.schema import InventoryModel
from supervisor_easy.inventory.secrets import is_readable_by_all
from supervisor_easy.inventory.values import Inventory
from supervisor_easy.inventory.yamlnodes import Node, YamlProblems

#: Largest inventory file, in bytes.
MAX_BYTES = 16 << 20
#: How often a broken part is left out and the rest looked at again.
_ROUNDS = 10


def load_inventory(
    path: Path | str, *, environ: Mapping[str, str] | None = None
) -> Inventory:
    """Read the inventory file; `environ` is where `{env: NAME}` is looked up.

    Raises:
        InventoryError: it cannot be used; every problem found is in it.
    """
    path = Path(path)
    raw = _read(path)
    try:
        root = yamlnodes.read_yaml(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        problem = Problem("the file is not UTF-8 text", line, None, "save it as UTF-8")
        raise InventoryError(str(path), [problem]) from exc
    except YamlProblems as exc:
        raise InventoryError(str(path), exc.problems) from exc
    report = Report(root)
    inventory = _build(
        _validate(root, report),
        report,
        path=path,
        digest=hashlib.sha256(raw).hexdigest(),
        environ=os.environ if environ is None else environ,
    )
    if report.problems:
        raise InventoryError(str(path), report.problems)
    return inventory


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as exc:
        hint = "name it with --inventory or FLEET_INVENTORY"
        problem = Problem("there is no such file", hint=hint)
        raise InventoryError(str(path), [problem]) from exc
    except OSError as exc:
        problem = Problem(f"cannot be read: {exc.strerror}")
        raise InventoryError(str(path), [problem]) from exc
    if len(raw) > MAX_BYTES:
        problem = Problem(f"the file is larger than {MAX_BYTES} bytes")
        raise InventoryError(str(path), [problem])
    return raw


def _validate(root: Node, report: Report) -> InventoryModel:
    """Return the model of all that is well formed; the rest is in the report.

    What is not is left out and the remainder checked further, so that one look at
    the report is enough.
    """
    data = yamlnodes.to_data(root)
    for number in range(_ROUNDS):
        try:
            return InventoryModel.model_validate(data)
        except ValidationError as exc:
            # What is missing later was left out here.
            for kind, path in report.take(exc, with_missing=number == 0):
                data = _without(data, kind, path)
    return InventoryModel(version=1)


def _without(data: Any, kind: str, path: yamlnodes.Path) -> Any:
    if not path or not isinstance(data, dict):
        return {"version": 1}
    if path == ("version",):
        return {**data, "version": 1}
    if kind == "missing":
        path = path[:-1]
    parent = data
    for step in path[:-1]:
        inner = parent.get(step)
        if isinstance(inner, list) and path[-2:-1] == ("members",):
            inner[int(path[-1])] = "*"  # keeps the places of the other members
            return data
        if not isinstance(inner, dict):
            parent.pop(step, None)
            return data
        parent = inner
    parent.pop(path[-1], None)
    return data


def _keys(root: Node, section: str) -> list[str] | None:
    """Return the names that a section of the file defines; None if it is broken."""
    if not isinstance(root.value, dict):
        return None
    value = root.value[section].value.value if section in root.value else {}
    if isinstance(value, dict):
        return list(value)
    return None


def _build(
    model: InventoryModel,
    report: Report,
    *,
    path: Path,
    digest: str,
    environ: Mapping[str, str],
) -> Inventory:
    builder = HostBuilder(report, model.defaults, path.parent, environ)
    for key, host in model.hosts.items():
        builder.add(key, host)
    host_keys, group_keys = _keys(report.root, "hosts"), _keys(report.root, "groups")
    groups = build_groups(
        model.groups,
        report=report,
        hosts=builder.hosts,
        host_names=None if host_keys is None else host_names(host_keys),
        group_names=group_keys,
    )
    schedules = build_schedules(model.schedules, report=report, group_names=group_keys)
    _warn(model, report, path)
    return Inventory(
        hosts=MappingProxyType(builder.hosts),
        groups=MappingProxyType(groups),
        schedules=MappingProxyType(schedules),
        warnings=report.warnings,
        path=path,
        digest=digest,
    )


def _warn(model: InventoryModel, report: Report, path: Path) -> None:
    if not model.hosts:
        report.warn((), "the inventory has no hosts")
    plain = any(
        each.password is not None and each.password.kind == "plain"
        for each in (model.defaults, *model.hosts.values())
    )
    if plain and is_readable_by_all(path):
        report.warn(
            (), "the file holds a password and every user can read it; chmod 600 it"
        )
    _warn_of_what_does_not_run_yet(model, report)


def _warn_of_what_does_not_run_yet(model: InventoryModel, report: Report) -> None:
    """Remove this once rolling restarts and schedules are run."""
    text = "this version checks {} but does not run them yet"
    if model.schedules:
        report.warn(("schedules",), text.format("schedules"), at_key=True)
    for name, group in model.groups.items():
        if group.rolling is not None:
            place = ("groups", name, "rolling")
            report.warn(place, text.format("rolling restarts"), at_key=True)
            break
