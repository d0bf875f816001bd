"""Groups and schedules: do the names they use exist, do groups go in circles."""

from collections.abc import Collection, Mapping
from dataclasses import fields

from supervisor_easy.inventory.hosts import is_name
from supervisor_easy.inventory.nearest import close
from supervisor_easy.inventory.report import Report
from supervisor_easy.inventory.schema import GroupModel, RollingModel, ScheduleModel
from supervisor_easy.inventory.values import (
    Group,
    RestartOrder,
    RollingPolicy,
    ScheduleSpec,
)
from supervisor_easy.inventory.yamlnodes import Path, locate
from supervisor_easy.model import Host
from supervisor_easy.selector import MAX_GROUP_DEPTH, Selector, parse_selector


def build_groups(
    models: Mapping[str, GroupModel],
    *,
    report: Report,
    hosts: Mapping[str, Host],
    host_names: Collection[str] | None,
    group_names: Collection[str] | None,
) -> dict[str, Group]:
    """Return the groups; `…_names` None: unknown because that part is broken."""
    groups = {}
    for name, model in models.items():
        if not is_name(name):
            report.problem(
                ("groups", name),
                f"{name!r} is not a group name",
                hint="use letters, digits, _ . - only",
                at_key=True,
            )
        for number, text in enumerate(model.members):
            place = _member_place(report, name, number)
            _check_member(
                parse_selector(text),
                place,
                report=report,
                hosts=hosts,
                host_names=host_names,
                group_names=group_names,
            )
        if all(text.lstrip().startswith("!") for text in model.members):
            report.problem(
                ("groups", name),
                f"the members of {name} only take away",
                hint="begin with what to take it from, such as *",
            )
        rolling = _policy(model.rolling) if model.rolling is not None else None
        groups[name] = Group(name, tuple(model.members), rolling)
    _check_circles(groups, report)
    return groups


def build_schedules(
    models: Mapping[str, ScheduleModel],
    *,
    report: Report,
    group_names: Collection[str] | None,
) -> dict[str, ScheduleSpec]:
    """Return the schedules of the file."""
    schedules = {}
    for name, model in models.items():
        group = model.group.removeprefix("@")
        if group_names is not None and group not in group_names:
            report.problem(
                ("schedules", name, "group"),
                f"there is no group {group}{close(group, group_names)}",
            )
        schedules[name] = ScheduleSpec(
            name, group, model.cron, model.timezone, model.start_within
        )
    return schedules


def _member_place(report: Report, name: str, number: int) -> Path:
    """Return where a member stands, in the short or the long form."""
    group = locate(report.root, ("groups", name))[1].value
    if isinstance(group, list):
        return ("groups", name, number)
    return ("groups", name, "members", number)


def _check_member(
    selector: Selector,
    place: Path,
    *,
    report: Report,
    hosts: Mapping[str, Host],
    host_names: Collection[str] | None,
    group_names: Collection[str] | None,
) -> None:
    group = selector.inventory_group
    if group is not None:
        if group_names is not None and group not in group_names:
            report.problem(
                place, f"there is no group {group}{close(group, group_names)}"
            )
        return
    name = selector.host.name
    if host_names is None or (name is not None and name.text in host_names):
        return
    if name is not None and name.is_exact:
        report.problem(
            place, f"there is no host {name.text}{close(name.text, host_names)}"
        )
    elif not any(selector.host.matches(host) for host in hosts.values()):
        report.warn(place, f"{selector.text} fits no host of this inventory")


def _check_circles(groups: Mapping[str, Group], report: Report) -> None:
    """Report each circle once, at the first of its groups in the file."""
    inner = {group.name: _groups_in(group) for group in groups.values()}
    settled: set[str] = set()
    for name in groups:
        circle = _circle(name, inner, path=(), settled=settled)
        if circle:
            shown = " -> ".join(f"@{each}" for each in circle)
            report.problem(
                ("groups", circle[0]),
                f"the groups go round in a circle: {shown}",
                at_key=True,
            )


def _circle(
    name: str,
    inner: Mapping[str, list[str]],
    *,
    path: tuple[str, ...],
    settled: set[str],
) -> tuple[str, ...] | None:
    if name in path:
        return (*path[path.index(name) :], name)
    if name in settled or len(path) > MAX_GROUP_DEPTH:
        return None
    circles = (
        _circle(each, inner, path=(*path, name), settled=settled)
        for each in inner.get(name, ())
    )
    circle = next((each for each in circles if each), None)
    settled.add(name)
    return circle


def _groups_in(group: Group) -> list[str]:
    selectors = (parse_selector(text) for text in group.members)
    return [each.inventory_group for each in selectors if each.inventory_group]


def _policy(model: RollingModel) -> RollingPolicy:
    given = {
        each.name: getattr(model, each.name)
        for each in fields(RollingPolicy)
        if getattr(model, each.name) is not None
    }
    if "order" in given:
        given["order"] = RestartOrder(given["order"])
    if "stages" in given:
        given["stages"] = tuple(given["stages"])
    return RollingPolicy(**given)
