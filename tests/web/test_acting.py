"""Acting from pages: seen first, once, never on what has changed."""

import json
import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supervisor_easy.access import Role
from supervisor_easy.model import (
    Action,
    Actor,
    ErrorInfo,
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    Target,
)
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.rpc.fake_trouble import Trouble
from tests.eventually import eventually
from tests.web.conftest import Fakes, LogIn, post
from tests.web.consoles import Backstage

DRAFT = "/actions/new?action=restart&selector="


def confirming_form(browser: FlaskClient, selector: str) -> dict[str, str]:
    """Return the hidden fields of the page that confirms a restart."""
    text = browser.get(DRAFT + selector).text
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text)
    return {name: value.replace("&#34;", '"') for name, value in fields}


def confirm(browser: FlaskClient, form: dict[str, str]) -> TestResponse:
    return browser.post("/actions", data=form)


def operations(backstage: Backstage) -> list[Operation]:
    return backstage.services.journal.list()


def ended(backstage: Backstage) -> Operation:
    """Wait for the one operation to end and return it."""
    eventually(
        lambda: operations(backstage)[0].status is not OperationStatus.RUNNING,
        within=15,
    )
    (operation,) = operations(backstage)
    return operation


def pids(fakes: Fakes, host: str) -> list[int]:
    return [fakes[host].process(f"celery:{name}").pid for name in ("w1", "w2")]


def test_the_confirming_page_lists_exactly_the_targets(log_in: LogIn) -> None:
    form = confirming_form(log_in(), "@scanners")

    assert set(json.loads(form["expected"])) == {
        f"{host}/celery:{name}"
        for host in ("scan01", "scan02")
        for name in ("w1", "w2")
    }


def test_a_confirmed_restart_replaces_each_process(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    browser = log_in()
    before = pids(fakes, "scan01")

    answer = confirm(
        browser, {**confirming_form(browser, "@scanners"), "reason": "leak"}
    )

    operation = ended(backstage)
    assert answer.headers["Location"] == f"/actions/{operation.id}"
    assert operation.summary()["changed"] == 4
    assert (operation.reason, operation.actor.name) == ("leak", "operator")
    assert not set(before) & set(pids(fakes, "scan01"))


def test_the_page_of_an_operation_shows_each_outcome(
    backstage: Backstage, log_in: LogIn
) -> None:
    browser = log_in()
    confirm(browser, confirming_form(browser, "scan01/celery:w1"))
    operation = ended(backstage)

    text = browser.get(f"/actions/{operation.id}").text

    assert "chip-changed" in text
    assert "1 of 1" in text


def test_a_form_sent_twice_acts_once(backstage: Backstage, log_in: LogIn) -> None:
    browser = log_in()
    form = confirming_form(browser, "@scanners")

    first = confirm(browser, form)
    ended(backstage)
    second = confirm(browser, form)

    assert first.headers["Location"] == second.headers["Location"]
    assert len(operations(backstage)) == 1


def test_a_stale_page_is_refused_and_nothing_is_done(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    browser = log_in()
    form = confirming_form(browser, "@scanners")
    old = fakes["scan01"].process("celery:w1").pid
    fakes["scan01"].exit("celery:w1", status=1)
    state = backstage.services.state
    eventually(
        lambda: all(p.pid != old for p in state.snapshot().hosts["scan01"].processes)
    )
    fakes["scan01"].calls.clear()

    answer = confirm(browser, form)

    assert answer.status_code == 409
    assert "scan01/celery:w1 changed since you looked" in answer.text
    assert operations(backstage) == []
    assert fakes.writes() == []


def test_many_targets_need_their_number_typed(
    backstage: Backstage, log_in: LogIn
) -> None:
    assert backstage.services.settings.confirm_above == 10
    browser = log_in()
    form = confirming_form(browser, "*")
    many = {f"scan01/celery:x{n}": 1 for n in range(11)}

    answer = confirm(browser, {**form, "expected": json.dumps(many)})

    assert answer.status_code == 400
    assert "type 11 to confirm" in answer.text


def test_chosen_rows_are_shown_before_anything_is_done(
    fakes: Fakes, log_in: LogIn
) -> None:
    browser = log_in()

    answer = post(
        browser,
        "/actions/new",
        {"action": "stop", "target": ["scan01/celery:w1", "web1/web:web"]},
    )

    assert "Stop 2 processes" in answer.text
    assert fakes.writes() == []


def test_nothing_chosen_is_explained(log_in: LogIn) -> None:
    answer = post(log_in(), "/actions/new", {"action": "stop"})

    assert answer.status_code == 400
    assert "choose at least one process" in answer.text


def test_a_draft_names_hosts_of_which_nothing_is_known(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    del backstage
    fakes["scan02"].trouble = Trouble.REFUSED
    browser = log_in()

    assert browser.get(DRAFT + "@scanners").status_code == 200


def test_a_viewer_cannot_act_even_with_a_form_of_an_operator(
    fakes: Fakes, log_in: LogIn
) -> None:
    operator, viewer = log_in(Role.OPERATOR), log_in(Role.VIEWER)
    form = confirming_form(operator, "@scanners")

    answer = post(viewer, "/actions", {**form, "csrf_token": ""}, page="/hosts")
    form["csrf_token"] = re.findall(
        r'name="csrf_token" value="([^"]+)"', viewer.get("/hosts").text
    )[0]
    second = confirm(viewer, form)

    assert answer.status_code in (400, 403)
    assert second.status_code == 403
    assert fakes.writes() == []


def test_an_operation_is_cancelled_from_its_page(
    backstage: Backstage, log_in: LogIn
) -> None:
    browser = log_in()
    confirm(browser, confirming_form(browser, "scan01/celery:w1"))
    operation = ended(backstage)

    answer = post(browser, f"/actions/{operation.id}/cancel", {})

    assert answer.status_code == 303


def test_failed_targets_are_offered_again(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    browser = log_in()
    form = confirming_form(browser, "scan01/celery:w1")
    fakes["scan01"].trouble = Trouble.REFUSED
    confirm(browser, form)
    operation = ended(backstage)

    text = browser.get(f"/actions/{operation.id}").text

    assert operation.summary()["failed"] == 1
    assert "Retry failed" in text
    assert '<input type="hidden" name="target" value="scan01/celery:w1">' in text


def test_the_page_of_an_operation_says_what_it_waits_for(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    slow = FakeProgram("slow", startsecs=0, stop_time=60, stopwaitsecs=600)
    fakes["scan01"].configure([slow])
    fakes["scan01"].reboot()
    state = backstage.services.state
    known = Target("scan01", "slow", "slow")
    eventually(lambda: state.snapshot().find(known))
    browser = log_in()
    location = confirm(browser, confirming_form(browser, "scan01/slow")).location
    eventually(fakes.writes)

    fakes["scan01"].trouble = Trouble.REFUSED

    eventually(lambda: "waiting for scan01" in browser.get(location).text, within=15)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("taken_over", OutcomeKind.UNKNOWN),
        ("abandoned", OutcomeKind.UNKNOWN),
        ("interrupted", OutcomeKind.FAILED),
    ],
)
def test_what_became_of_an_interrupted_operation_is_told_and_offered_again(
    backstage: Backstage, log_in: LogIn, code: str, kind: OutcomeKind
) -> None:
    services = backstage.services
    target = Target("scan01", "celery", "w1")
    now = services.clock.now()
    begun = Operation("a" * 16, Action.RESTART, (target,), Actor("ana", "web"), now)
    services.journal.open(begun, owner=services.owner)
    outcome = Outcome(target, kind, error=ErrorInfo(code, "look whether it runs"))
    ends = [(begun.id, OperationStatus.INTERRUPTED)]
    services.journal.write([], {begun.id: [outcome]}, ends, owner=services.owner)

    text = log_in().get(f"/actions/{begun.id}").text

    assert "look whether it runs" in text
    assert "The console that began this ended in the middle of it" in text
    assert '<input type="hidden" name="target" value="scan01/celery:w1">' in text
