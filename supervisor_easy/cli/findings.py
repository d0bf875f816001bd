"""What will hurt on a fleet, each with its cure; pure, for `fleet doctor`."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor_easy.model import ProcessConfig

Json = Mapping[str, Any]

#: Seconds by which a host's clock may differ; hosts tell whole seconds.
MOST_SKEW = 2.0
#: Seconds that a Celery worker should have to end its tasks.
LEAST_CELERY_STOP = 60
#: The first releases without the hole, by their branch.
_FIXED = {(3, 0): (3, 0, 1), (3, 1): (3, 1, 4), (3, 2): (3, 2, 4), (3, 3): (3, 3, 3)}
_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in one place; a problem hurts, advice is worth a thought."""

    where: str
    what: str
    cure: str
    is_problem: bool = True


def of_hosts(hosts: Iterable[Json]) -> Iterator[Finding]:
    """Find what is wrong with hosts: silence, holes, clocks."""
    for host in hosts:
        name = host["name"]
        if host["condition"] != "up":
            error = host["error"] or {"message": "it has not answered"}
            text = error["message"].removeprefix(f"{name}: ")
            yield Finding(name, text, _cure_of(host["condition"]))
            continue
        version = host["supervisor_version"] or ""
        if is_vulnerable(version):
            yield Finding(
                name,
                f"supervisord {version} lets whoever reaches it run commands "
                "(CVE-2017-11610)",
                "upgrade it to 3.3.4 or newer: pip install -U supervisor",
            )
        skew = host["clock_skew_s"]
        if skew is not None and abs(skew) > MOST_SKEW:
            yield Finding(
                name,
                f"its clock differs from ours by {skew:+.0f} s",
                "run NTP there, such as chrony or systemd-timesyncd",
            )


def of_processes(processes: Iterable[Json]) -> Iterator[Finding]:
    """Find processes that cannot start."""
    for each in processes:
        if each["state"] not in ("FATAL", "BACKOFF"):
            continue
        where = f"{each['host']}/{each['group']}:{each['name']}"
        why = each["spawn_error"] or "it ends too quickly"
        yield Finding(
            where,
            f"it is {each['state']}: {why}",
            _cure_of_failed(where, why),
        )


def _cure_of_failed(where: str, why: str) -> str:
    if "find command" in why or "not executable" in why:
        return f"install the program or correct its command=, then fleet start {where}"
    return f"read why: fleet logs --stderr {where}, then fleet start {where}"


def of_configs(configs: Iterable[ProcessConfig]) -> Iterator[Finding]:
    """Find settings that lose work, leave orphans, or fill a disk."""
    for config in configs:
        for check in _CHECKS:
            found = check(config)
            if found is not None:
                what, cure = found
                yield Finding(
                    str(config.target), what, cure, is_problem=check is _celery_stop
                )


def of_updates(previews: Iterable[Json]) -> Iterator[Finding]:
    """Find configuration that was written and is not in force."""
    for each in previews:
        groups = [*each["added"], *each["changed"], *each["removed"]]
        if groups:
            yield Finding(
                each["host"],
                f"changed configuration is not in force: {', '.join(groups)}",
                f"look, then apply it: fleet update {each['host']}",
                is_problem=False,
            )


def of_inventory(warnings: Iterable[str]) -> Iterator[Finding]:
    """Pass on what the inventory warns about."""
    for text in warnings:
        yield Finding("inventory", text, "see docs/inventory.md", is_problem=False)


def is_vulnerable(version: str) -> bool:
    """Say whether a supervisord of this version has CVE-2017-11610."""
    numbers = tuple(int(each) for each in re.findall(r"\d+", version)[:3])
    if not numbers or numbers < (3,):
        # 2.x has no such method; what tells no version is another program.
        return False
    padded = (*numbers, 0, 0)[:3]
    fixed = _FIXED.get((padded[0], padded[1]))
    is_prerelease = bool(re.search(r"\d\.?(a|b|rc|dev)", version))
    if fixed is None:
        return False
    return padded < fixed or (padded == fixed and is_prerelease)


def _cure_of(condition: str) -> str:
    return {
        "unreachable": "see that supervisord runs there and listens "
        "([inet_http_server]), and that the port is open from here",
        "authentication_failed": "check username and password in the inventory "
        "against [inet_http_server] of that host",
        "bad_reply": "check port and path of its url: something else answers there",
        "fault": "add [rpcinterface:supervisor] to its supervisord.conf",
        "restarting": "supervisord is restarting; look again in a moment",
    }.get(condition, "look again")


def _is_celery_worker(config: ProcessConfig) -> bool:
    words = config.command.split()
    return any("celery" in word for word in words) and "worker" in words


def _celery_stop(config: ProcessConfig) -> tuple[str, str] | None:
    if not _is_celery_worker(config) or config.stopwaitsecs >= LEAST_CELERY_STOP:
        return None
    what = (
        f"a Celery worker is killed {config.stopwaitsecs} s after its stop; the tasks "
        "it still has are lost"
    )
    return (
        what,
        "set stopwaitsecs above its longest task, such as 600, then fleet update",
    )


def _celery_orphans(config: ProcessConfig) -> tuple[str, str] | None:
    if not _is_celery_worker(config) or config.killasgroup:
        return None
    return (
        "if this Celery worker has to be killed, its children live on",
        "set killasgroup=true (and not stopasgroup, which breaks the warm shutdown)",
    )


def _shell_without_exec(config: ProcessConfig) -> tuple[str, str] | None:
    try:
        words = shlex.split(config.command)
    except ValueError:
        return None
    if len(words) < 3 or words[0].rpartition("/")[2] not in _SHELLS:
        return None
    option, script = words[1], words[2]
    if not re.fullmatch(r"-[a-z]*c", option) or re.search(r"\bexec\b", script):
        return None
    if re.search(r"\b(while|for|until|trap)\b", script):
        return None  # the shell itself is the program
    what = (
        "a shell stands between supervisord and the program: the stop signal may "
        "never reach it"
    )
    return (
        what,
        "write exec before the program: sh -c 'exec …'",
    )


def _unbounded_log(config: ProcessConfig) -> tuple[str, str] | None:
    logs = (
        (config.stdout_logfile, config.stdout_logfile_maxbytes, "stdout_logfile"),
        (config.stderr_logfile, config.stderr_logfile_maxbytes, "stderr_logfile"),
    )
    names = [
        name
        for file, most, name in logs
        if most == 0 and file.startswith("/") and not file.startswith("/dev/")
    ]
    if not names:
        return None
    return (
        f"its log grows until the disk is full ({' and '.join(names)})",
        f"set {names[0]}_maxbytes=50MB, or have logrotate take care of it",
    )


_CHECKS: Sequence[Callable[[ProcessConfig], tuple[str, str] | None]] = (
    _celery_stop,
    _celery_orphans,
    _shell_without_exec,
    _unbounded_log,
)
