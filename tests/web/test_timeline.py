"""The last hour on the first page: an operation is one line, the rest stays visible."""

import html
import re
from datetime import UTC, datetime

from flask.testing import FlaskClient

from supervisor_easy.model import (
    Action,
    Actor,
    ErrorInfo,
    Event,
    EventKind,
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    Target,
)
from tests.web.conftest import LogIn
from tests.web.consoles import Backstage

ANA = Actor("ana", "web")
WHY = ErrorInfo("spawn_failed", "it cannot be spawned")


def moved(target: Target, *, operation_id: str | None = None) -> Event:
    """Return the event of a process that moved, by an operation or by itself."""
    return Event(
        datetime.now(UTC),
        EventKind.PROCESS,
        "RUNNING → STOPPING",
        host=target.host,
        group=target.group,
        name=target.name,
        cause="ana via web: restart" if operation_id else "external",
        operation_id=operation_id,
    )


def restarted(
    backstage: Backstage, count: int, *, failed: int = 0, name: str = "a" * 16
) -> Operation:
    """Write a restart of so many processes, with all its events."""
    services = backstage.services
    targets = tuple(Target("web1", "celery", f"x{n}") for n in range(count))
    now = services.clock.now()
    operation = Operation(name, Action.RESTART, targets, ANA, now)
    services.journal.open(operation, owner=services.owner)
    for _ in range(2):
        services.events.append([moved(each, operation_id=name) for each in targets])
    outcomes = [
        Outcome(target, OutcomeKind.FAILED, error=WHY)
        if place < failed
        else Outcome(target, OutcomeKind.CHANGED)
        for place, target in enumerate(targets)
    ]
    ends = [(name, OperationStatus.DONE)]
    services.journal.write([], {name: outcomes}, ends, owner=services.owner)
    return operation


def lines(browser: FlaskClient) -> list[str]:
    """Return the lines of the last hour as they are read, newest first."""
    text = browser.get("/").text.partition("The last hour")[2]
    found = re.findall(r'<li class="event.*?</li>', text, flags=re.DOTALL)
    plain = [html.unescape(re.sub(r"<[^>]*>", " ", each)) for each in found]
    told = [" ".join(each.split()[3:]) for each in plain]  # without day and time
    return [each for each in told if "logged in" not in each]


def test_a_bulk_restart_is_one_line_of_the_last_hour(
    backstage: Backstage, log_in: LogIn
) -> None:
    restarted(backstage, 23, failed=3)

    (line,) = lines(log_in())[:1]
    others = [each for each in lines(log_in()) if "celery" in each]

    assert line == "restart: 20 processes changed, 3 failed ana via web"
    assert others == []


def test_the_line_of_an_operation_leads_to_it(
    backstage: Backstage, log_in: LogIn
) -> None:
    operation = restarted(backstage, 2)

    assert (
        f'href="/actions/{operation.id}">restart: 2 processes' in log_in().get("/").text
    )


def test_what_nobody_of_ours_did_stays_visible_beside_an_operation(
    backstage: Backstage, log_in: LogIn
) -> None:
    by_itself = Target("web1", "web", "web")
    backstage.services.events.append([moved(by_itself)])
    restarted(backstage, 400)
    backstage.services.events.append([moved(by_itself)])

    found = lines(log_in())

    assert found == [
        "web1/web RUNNING → STOPPING external",
        "restart: 400 processes changed ana via web",
        "web1/web RUNNING → STOPPING external",
    ]


def test_two_operations_whose_events_mix_are_two_lines(
    backstage: Backstage, log_in: LogIn
) -> None:
    restarted(backstage, 2, name="a" * 16)
    restarted(backstage, 3, name="b" * 16)
    late = moved(Target("web1", "celery", "x0"), operation_id="a" * 16)
    backstage.services.events.append([late])

    assert lines(log_in()) == [
        "restart: 2 processes changed ana via web",
        "restart: 3 processes changed ana via web",
    ]


def test_an_operation_on_one_process_tells_its_outcome_and_why(
    backstage: Backstage, log_in: LogIn
) -> None:
    restarted(backstage, 1, failed=1)

    assert lines(log_in()) == [
        "web1/celery:x0 restart: failed: it cannot be spawned ana via web: restart"
    ]
