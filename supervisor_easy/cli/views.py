"""From the shapes of `supervisor_easy.wire` to tables for people; pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from supervisor_easy.cli.backend import BlindHost, Found
from supervisor_easy.cli.tables import Cell, Column, Table
from supervisor_easy.units import format_duration

Json = Mapping[str, Any]

STATE_STYLES: Mapping[str, str] = {
    "RUNNING": "green",
    "STARTING": "cyan",
    "STOPPING": "cyan",
    "STOPPED": "dim",
    "EXITED": "yellow",
    "BACKOFF": "bold red",
    "FATAL": "bold red",
    "UNKNOWN": "bold red",
}
_OUTCOME_STYLES: Mapping[str, str] = {
    "changed": "green",
    "unchanged": "dim",
    "skipped": "dim",
    "failed": "bold red",
    "unknown": "bold red",
}
#: Shown first where problems lead.
_BY_URGENCY = (
    "FATAL",
    "BACKOFF",
    "UNKNOWN",
    "EXITED",
    "STOPPING",
    "STARTING",
    "STOPPED",
    "RUNNING",
)


def label(host: str, group: str, name: str) -> str:
    """Return a process's selector: short where group and name are the same."""
    return f"{host}/{name}" if group == name else f"{host}/{group}:{name}"


def short(target: str) -> str:
    """Return `host/group:name` short where group and name are the same."""
    host, _, namespec = target.partition("/")
    group, _, name = namespec.partition(":")
    return label(host, group, name) if name else target


def plural(count: int, word: str) -> str:
    """Return `1 host`, `2 hosts`, `3 processes`."""
    ending = "es" if word.endswith("s") else "s"
    return f"{count} {word}{ending * (count != 1)}"


def status_table(processes: Iterable[Json], *, are_problems_first: bool) -> Table:
    """Return the processes; on a live table, problems lead."""
    shown = list(processes)
    if are_problems_first:
        shown.sort(key=lambda each: _BY_URGENCY.index(each["state"]))
    columns = (
        Column("HOST"),
        Column("PROCESS"),
        Column("STATE"),
        Column("PID", is_number=True),
        Column("UPTIME", is_number=True),
        Column("DETAIL", can_wrap=True),
    )
    names = [f"{p['host']}/{p['group']}:{p['name']}" for p in shown]
    return Table(columns, [_status_row(each) for each in shown], names)


def _status_row(process: Json) -> Sequence[Cell | str]:
    stale = process["stale"]
    state, group, name = process["state"], process["group"], process["name"]
    uptime = process["uptime_s"]
    return (
        process["host"],
        name if group == name else f"{group}:{name}",
        Cell(f"{state}?" if stale else state, "dim" if stale else STATE_STYLES[state]),
        str(process["pid"] or "-"),
        "-" if uptime is None else format_duration(timedelta(seconds=uptime)),
        Cell(_detail(process), "yellow" if stale else ""),
    )


def _detail(process: Json) -> str:
    words = []
    if process["stale"]:
        words.append(f"stale, seen {clock_time(process['observed_at'])}")
    if process["state"] == "EXITED":
        words.append(f"exit status {process['exit_status']}")
    if process["spawn_error"] and process["state"] in ("BACKOFF", "FATAL", "UNKNOWN"):
        words.append(process["spawn_error"])
    return "; ".join(words)


def status_summary(found: Found) -> str:
    """Count the processes in one line."""
    states: dict[str, int] = {}
    for each in found.processes:
        states[each["state"]] = states.get(each["state"], 0) + 1
    hosts = len({each["host"] for each in found.processes})
    counts = ", ".join(f"{states[s]} {s}" for s in _BY_URGENCY if s in states)
    text = f"{plural(len(found.processes), 'process')} on {plural(hosts, 'host')}"
    return f"{text}: {counts}" if counts else text


def hosts_table(hosts: Iterable[Json]) -> Table:
    """Return the hosts."""
    shown = list(hosts)
    columns = (
        Column("HOST"),
        Column("CONDITION"),
        Column("LATENCY", is_number=True),
        Column("SKEW", is_number=True),
        Column("SUPERVISOR"),
        Column("PROCESSES"),
        Column("LABELS", can_wrap=True),
        Column("WHY", can_wrap=True),
    )
    return Table(columns, [_host_row(h) for h in shown], [h["name"] for h in shown])


def _host_row(host: Json) -> Sequence[Cell | str]:
    is_up = host["condition"] == "up"
    latency, skew = host["latency_s"], host["clock_skew_s"]
    has_skew = skew is not None and abs(skew) > 2
    return (
        host["name"],
        Cell(host["condition"].replace("_", " "), "green" if is_up else "bold red"),
        "-" if latency is None else f"{latency * 1000:.0f} ms",
        Cell(f"{skew:+.0f} s" if has_skew else "-", "yellow" if has_skew else ""),
        host["supervisor_version"] or "-",
        _counts(host["counts"]) or "-",
        ",".join(f"{key}={value}" for key, value in host["labels"].items()) or "-",
        Cell(host["error"]["message"] if host["error"] else "", "red"),
    )


def groups_table(groups: Iterable[Json]) -> Table:
    """Return the groups of the inventory."""
    shown = list(groups)
    columns = (
        Column("GROUP"),
        Column("PROCESSES", is_number=True),
        Column("STATES"),
        Column("MEMBERS", can_wrap=True),
        Column("CANNOT BE SEEN", can_wrap=True),
    )
    rows = [
        (
            each["name"],
            str(each["targets"]),
            Cell(
                _counts(each["counts"]) or "-",
                "red" if {"FATAL", "BACKOFF"} & set(each["counts"]) else "",
            ),
            " ".join(each["members"]),
            Cell(" ".join(_names(each["blind_hosts"])), "red"),
        )
        for each in shown
    ]
    return Table(columns, rows, [f"@{each['name']}" for each in shown])


def _names(hosts: Iterable[Any]) -> list[str]:
    return [each["host"] if isinstance(each, dict) else each for each in hosts]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[s]} {s}" for s in _BY_URGENCY if s in counts)


def plan_table(targets: Iterable[Json]) -> Table:
    """Return what an action would do to each target."""
    shown = list(targets)
    columns = (
        Column("TARGET"),
        Column("STATE"),
        Column("PID", is_number=True),
        Column("WILL"),
        Column("NOTE", can_wrap=True),
    )
    rows = [
        (
            short(each["target"]),
            Cell(each["state"], STATE_STYLES.get(each["state"], "")),
            str(each["pid"] or "-"),
            Cell(each["will"], "dim" if each["will"] == "nothing" else "bold"),
            "" if each["note"] == f"it is {each['state']}" else each["note"],
        )
        for each in shown
    ]
    return Table(columns, rows, [each["target"] for each in shown])


def outcome_target(outcome: Json) -> str:
    """Return the target of an outcome, short."""
    if not outcome["process"]:
        return str(outcome["host"])
    return short(f"{outcome['host']}/{outcome['process']}")


def outcome_row(outcome: Json) -> Sequence[Cell | str]:
    """Return one outcome as a row."""
    kind, error = outcome["outcome"], outcome["error"]
    return (
        outcome_target(outcome),
        Cell(kind, _OUTCOME_STYLES[kind]),
        _pids(outcome["before"], outcome["after"]),
        f"{outcome['duration_s']:.1f}s",
        error["message"] if error else _new_state(outcome),
    )


def outcomes_table(outcomes: Iterable[Json]) -> Table:
    """Return what an action did to each target."""
    shown = list(outcomes)
    columns = (
        Column("TARGET"),
        Column("OUTCOME"),
        Column("PID", is_number=True),
        Column("TIME", is_number=True),
        Column("DETAIL", can_wrap=True),
    )
    names = [f"{each['host']}/{each['process']}".rstrip("/") for each in shown]
    return Table(columns, [outcome_row(each) for each in shown], names)


def _pids(before: Json | None, after: Json | None) -> str:
    old = before["pid"] if before else 0
    new = after["pid"] if after else 0
    if old == new:
        return str(new or "-")
    return f"{old or '-'} → {new or '-'}"


def _new_state(outcome: Json) -> str:
    before, after = outcome["before"], outcome["after"]
    if not after:
        return ""
    if before and before["state"] != after["state"]:
        return f"{before['state']} → {after['state']}"
    return str(after["state"])


def summary_line(operation: Json) -> str:
    """Say in one line how an operation ended."""
    counts = operation["summary"]
    order = ("changed", "unchanged", "skipped", "failed", "unknown", "pending")
    words = [f"{counts[kind]} {kind}" for kind in order if counts.get(kind)]
    return f"{operation['action']}: {', '.join(words) or 'nothing to do'}"


def events_table(events: Iterable[Json]) -> Table:
    """Return events."""
    shown = list(events)
    columns = (
        Column("TIME"),
        Column("KIND"),
        Column("WHERE"),
        Column("WHAT", can_wrap=True),
        Column("BY", can_wrap=True),
    )
    return Table(columns, [event_row(e) for e in shown], [str(e["id"]) for e in shown])


def event_row(event: Json) -> Sequence[Cell | str]:
    """Return one event as a row."""
    state = (event["after"] or {}).get("state", "")
    style = STATE_STYLES.get(state, "")
    if event["outcome"] in ("failed", "unknown"):
        style = "bold red"
    where = event["host"]
    if event["group"]:
        where = label(event["host"], event["group"], event["name"])
    return (
        local_time(event["at"]),
        event["kind"],
        where,
        Cell(event["message"], style),
        event["cause"],
    )


def blind_line(blind: BlindHost) -> str:
    """Say that a host does not answer, and why."""
    return f"{blind.host}: {blind.error.removeprefix(f'{blind.host}: ')}"


def local_time(text: str) -> str:
    """Return a time for people, in the zone of this machine."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock_time(text: str | None) -> str:
    """Return the time of day for people; `never` for None."""
    if text is None:
        return "never"
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S")
