"""What `fleet doctor` finds, and what it leaves in peace."""

from typing import Any

import pytest

from supervisor_easy.cli.findings import (
    is_vulnerable,
    of_configs,
    of_hosts,
    of_processes,
    of_updates,
)
from tests.builders import a_config

GOOD_HOST = {
    "name": "web1",
    "condition": "up",
    "error": None,
    "supervisor_version": "4.3.0",
    "clock_skew_s": 0.4,
}
CELERY = "/opt/app/bin/celery -A app worker -c 4"


def words_of(**changes: Any) -> str:
    return " | ".join(each.what for each in of_configs([a_config(**changes)]))


@pytest.mark.parametrize(
    ("version", "is_open"),
    [
        ("3.3.2", True),
        ("3.3.3", False),
        ("3.3.3.dev0", True),
        ("3.2.3", True),
        ("3.2.4", False),
        ("3.1.3", True),
        ("3.0", True),
        ("3.0.1", False),
        ("3.4.0", False),
        ("4.3.0", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_the_hole_of_2017_is_known_by_its_version(
    version: str,
    is_open: bool,  # noqa: FBT001
) -> None:
    assert is_vulnerable(version) is is_open


def test_a_good_host_has_no_finding() -> None:
    assert list(of_hosts([GOOD_HOST])) == []


def test_a_clock_that_differs_is_a_problem() -> None:
    (finding,) = of_hosts([{**GOOD_HOST, "clock_skew_s": -40.0}])

    assert finding.is_problem
    assert "-40 s" in finding.what


@pytest.mark.parametrize(
    "condition",
    ["unreachable", "authentication_failed", "bad_reply", "fault", "restarting"],
)
def test_each_silence_has_its_cure(condition: str) -> None:
    host = {**GOOD_HOST, "condition": condition, "error": {"message": "web1: why"}}

    (finding,) = of_hosts([host])

    assert finding.what == "why"
    assert finding.cure


def test_a_celery_worker_needs_time_to_stop() -> None:
    assert "killed 10 s after" in words_of(command=CELERY, stopwaitsecs=10)
    assert words_of(command=CELERY, stopwaitsecs=600, killasgroup=True) == ""


def test_celery_beat_is_no_worker() -> None:
    assert words_of(command="celery -A app beat") == ""


@pytest.mark.parametrize(
    ("command", "stands_between"),
    [
        ("sh -c 'cd /srv && python app.py'", True),
        ("/bin/bash -lc 'python app.py'", True),
        ("bash -c 'cd /srv && exec python app.py'", False),
        ("sh -c 'while :; do work; sleep 1; done'", False),
        ("python app.py", False),
        ("sh 'an open quote", False),
    ],
)
def test_a_shell_without_exec_is_found(
    command: str,
    stands_between: bool,  # noqa: FBT001
) -> None:
    assert ("a shell stands" in words_of(command=command)) is stands_between


def test_a_log_without_bound_is_found() -> None:
    assert "disk" in words_of(stdout_logfile="/var/log/a.log")
    assert words_of(stdout_logfile="/var/log/a.log", stdout_logfile_maxbytes=1) == ""
    assert words_of(stdout_logfile="/dev/stdout") == ""
    assert words_of(stdout_logfile="") == ""


def test_a_process_that_cannot_start_is_a_problem() -> None:
    process = {
        "host": "web1",
        "group": "a",
        "name": "a",
        "state": "FATAL",
        "spawn_error": "no such file",
    }

    (finding,) = of_processes([process])

    assert "no such file" in finding.what


def test_configuration_that_is_not_in_force_is_advice() -> None:
    preview = {"host": "web1", "added": ["x"], "changed": [], "removed": []}

    (finding,) = of_updates([preview])

    assert not finding.is_problem
    assert "fleet update web1" in finding.cure
