"""Values with sensible defaults: override the one thing a test is about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from supervisor_easy.model import (
    Host,
    Observation,
    Process,
    ProcessConfig,
    ProcessState,
    Target,
)
from tests.fake_clock import START, FakeClock

__all__ = [
    "START",
    "FakeClock",
    "a_config",
    "a_host",
    "a_process",
    "a_target",
    "an_observation",
]

#: The host's clock in the builders: seconds of `START`.
HOST_NOW = int(START.timestamp())


def a_host(name: str = "scan01", **changes: object) -> Host:
    """Return a host; any field of `Host` can be given."""
    host = Host(name=name, url=f"http://{name}.test:9001")
    return replace(host, **changes)  # type: ignore[arg-type]


def a_target(text: str = "scan01/celery:w1") -> Target:
    """Return the target that `host/group:name` means."""
    host, _, namespec = text.partition("/")
    group, _, name = namespec.partition(":")
    return Target(host, group, name or group)


def a_process(text: str = "scan01/celery:w1", **changes: object) -> Process:
    """Return a process that has run for an hour; any field can be given.

    A state that means "down" takes its pid away unless one is given.
    """
    target = a_target(text)
    state = changes.get("state", ProcessState.RUNNING)
    assert isinstance(state, ProcessState)
    is_down = state.is_down or state is ProcessState.BACKOFF
    process = Process(
        host=target.host,
        group=target.group,
        name=target.name,
        state=state,
        pid=0 if is_down else 4711,
        host_start=HOST_NOW - 3600,
        host_stop=HOST_NOW - 60 if is_down else 0,
        host_now=HOST_NOW,
        exit_status=0,
        spawn_error="",
        description="",
        stdout_logfile=f"/var/log/{target.name}.log",
        stderr_logfile=f"/var/log/{target.name}.err",
    )
    return replace(process, **changes)  # type: ignore[arg-type]


def a_config(text: str = "scan01/celery:w1", **changes: object) -> ProcessConfig:
    """Return the configuration of a process; any field can be given."""
    target = a_target(text)
    config = ProcessConfig(target.host, target.group, target.name, command="/bin/true")
    return replace(config, **changes)  # type: ignore[arg-type]


def an_observation(
    *processes: Process,
    host: str | None = None,
    observed_at: datetime = START,
    **changes: object,
) -> Observation:
    """Return a good answer of the host that the first process is on."""
    seen: Sequence[Process] = processes
    observation = Observation(
        host=host or (seen[0].host if seen else "scan01"),
        observed_at=observed_at,
        latency=timedelta(milliseconds=2),
        processes=tuple(seen),
        supervisor_version="4.3.0",
        identification="supervisor",
        supervisord_pid=1000,
        clock_skew=timedelta(0),
    )
    return replace(observation, **changes)  # type: ignore[arg-type]
