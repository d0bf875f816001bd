"""What the demo's fleet consists of, and the text of its files. Pure.

Four hosts that look like a team's: Celery workers in numbered process groups, web
programs, and one of each kind of trouble an operator meets.
"""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
USERNAME = "fleet"
#: Flags of the workers' interpreters: no site packages, no environment, unbuffered.
#: They halve the memory of forty of them, and `processes` knows a worker by them.
PYTHON_FLAGS = ("-S", "-E", "-u")


@dataclass(frozen=True, slots=True)
class Program:
    """A program section; `count` above 1 makes `name_00`, `name_01` and so on.

    `kind` names a function of `worker`, or is empty where `command` says what to run.
    """

    name: str
    kind: str
    count: int = 1
    group: str = ""
    command: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DemoHost:
    """One supervisord of the demo."""

    name: str
    labels: Mapping[str, str]
    programs: tuple[Program, ...]

    @property
    def process_count(self) -> int:
        """How many processes it has when all its programs are configured."""
        return sum(program.count for program in self.programs)


_ONE_LOG = {"redirect_stderr": "true"}
_STUBBORN = {"startsecs": "1", "startretries": "2"}

HOSTS = (
    DemoHost(
        "scan01",
        {"dc": "sh", "role": "scanner"},
        (
            Program("scanner", "celery", count=10, group="celery", options=_ONE_LOG),
            Program("beat", "beat"),
            Program("flower", "json"),
        ),
    ),
    DemoHost(
        "scan02",
        {"dc": "sh", "role": "scanner"},
        (
            Program("scanner", "celery", count=10, group="celery", options=_ONE_LOG),
            Program("cache-warmer", "leak"),
            Program("report-export", "progress"),
        ),
    ),
    DemoHost(
        "crawl01",
        {"dc": "bj", "role": "crawler"},
        (
            Program("crawler", "chinese", count=8, group="celery"),
            Program("frontier", "json"),
            Program("proxy-pool", "crash", options={"exitcodes": "0"}),
        ),
    ),
    DemoHost(
        "mail01",
        {"dc": "bj", "role": "mail"},
        (
            Program("mailer", "colour", count=6, group="celery"),
            Program("webmail", "json", count=2, group="web"),
            Program("smtp-relay", "slow", options={"stopwaitsecs": "15"}),
            Program("archiver", "broken", options=_STUBBORN),
            Program(
                "virus-scan",
                "",
                command="/opt/virus-scan/bin/scand --foreground",
                options=_STUBBORN,
            ),
        ),
    ),
)

_GROUPS = {
    "scanners": ["role=scanner/celery:*"],
    "crawlers": ["role=crawler/celery:*"],
    "mailers": ["role=mail/celery:*"],
    "workers": ["*/celery:*"],
    "web": ["mail01/web:*", "scan01/flower", "crawl01/frontier"],
    "trouble": ["scan02/cache-warmer", "crawl01/proxy-pool", "mail01/archiver"],
}


def supervisord_conf(
    host: DemoHost, folder: Path, *, port: int, password: str, is_root: bool
) -> str:
    """Return the supervisord.conf of one host; its logs stay beside it, bounded."""
    login = {"username": USERNAME, "password": password}
    sections: dict[str, dict[str, str]] = {
        "supervisord": {
            "logfile": "%(here)s/supervisord.log",
            "logfile_maxbytes": "1MB",
            "logfile_backups": "1",
            "pidfile": "%(here)s/supervisord.pid",
            "childlogdir": "%(here)s/logs",
            "identifier": host.name,
            "silent": "true",
            "minfds": "256",
            "minprocs": "50",
            # Said out loud, or supervisord warns a root that runs the demo.
            **({"user": "root"} if is_root else {}),
        },
        "inet_http_server": {"port": f"127.0.0.1:{port}", **login},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": (
                "supervisor.rpcinterface:make_main_rpcinterface"
            )
        },
        "supervisorctl": {"serverurl": f"http://127.0.0.1:{port}", **login},
    }
    for program in host.programs:
        sections[f"program:{program.name}"] = _program_options(program, folder)
    for group in dict.fromkeys(p.group for p in host.programs if p.group):
        members = [p.name for p in host.programs if p.group == group]
        sections[f"group:{group}"] = {"programs": ",".join(members)}
    return "\n".join(_section(name, keys) for name, keys in sections.items())


def _program_options(program: Program, folder: Path) -> dict[str, str]:
    name = "%(program_name)s"
    numbering: dict[str, str] = {}
    if program.count > 1:
        name += "_%(process_num)02d"
        numbering = {"process_name": name, "numprocs": str(program.count)}
    logs = {
        "stdout_logfile": f"%(here)s/logs/{name}.log",
        "stdout_logfile_maxbytes": "512KB",
        "stdout_logfile_backups": "1",
    }
    if "redirect_stderr" not in program.options:
        logs |= {
            key.replace("stdout", "stderr"): value.replace(".log", ".err")
            for key, value in logs.items()
        }
    command = program.command or _worker_command(program.kind, name, folder)
    return {
        "command": command,
        **numbering,
        "autorestart": "true",
        "startsecs": "1",
        "stopwaitsecs": "10",
        **logs,
        **program.options,
    }


def _worker_command(kind: str, name: str, folder: Path) -> str:
    """Return the command line; its `--demo` is how a leftover is told from others."""
    before = [sys.executable, *PYTHON_FLAGS, str(WORKER), kind]
    words = [shlex.quote(word).replace("%", "%%") for word in before]
    return " ".join([*words, name, shlex.quote(f"--demo={folder}")])


def _section(name: str, keys: Mapping[str, str]) -> str:
    lines = [f"{key} = {value}" for key, value in keys.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def inventory_yaml(
    ports: Mapping[str, int], *, password_file: Path, hosts: Sequence[DemoHost] = HOSTS
) -> str:
    """Return the inventory of the demo; JSON's strings are YAML's, so those quote."""
    lines = [
        "# The inventory of a running demo; it goes when the demo ends.",
        "version: 1",
        "defaults:",
        f"  username: {USERNAME}",
        f"  password: {{file: {json.dumps(str(password_file), ensure_ascii=False)}}}",
        "hosts:",
    ]
    for host in hosts:
        labels = ", ".join(f"{key}: {value}" for key, value in host.labels.items())
        lines += [
            f"  {host.name}:",
            f'    url: "http://127.0.0.1:{ports[host.name]}"',
            f"    labels: {{{labels}}}",
        ]
    lines.append("groups:")
    for group, members in _GROUPS.items():
        lines += [f"  {group}:", f"    members: {json.dumps(members)}"]
    return "\n".join(lines) + "\n"
