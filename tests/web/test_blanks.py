"""What is left empty never means everything."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from supervisor_easy.access import Role
from tests.web.conftest import Fakes, LogIn
from tests.web.test_api import error_of, json_of

Api = Callable[..., FlaskClient]

LISTS = ("selector", "group", "host", "label", "state")


@pytest.mark.parametrize("value", ["", "%20"])
@pytest.mark.parametrize("name", LISTS)
def test_an_empty_parameter_does_not_mean_every_process(
    api: Api, name: str, value: str
) -> None:
    answer = api().get(f"/api/v1/processes?{name}={value}")

    assert answer.status_code == 400
    assert error_of(answer) == "bad_request"
    assert json_of(answer)["error"]["message"].startswith(f"{name} is empty")


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_parameter_beside_a_good_one_is_refused_too(
    api: Api, name: str
) -> None:
    answer = api().get(f"/api/v1/processes?selector=scan01&{name}=")

    assert error_of(answer) == "bad_request"


@pytest.mark.parametrize(
    "path",
    [
        "events?host=",
        "events?selector=",
        "events?group=",
        "events?label=",
        "events?kind=",
        "events?kind=process&kind=",
        "events?since=",
        "events?limit=",
        "events?after_id=",
        "logs?selector=",
        "logs?selector=scan01&host=",
        "logs?selector=scan01&grep=",
        "logs?selector=scan01&stream=",
        "logs/main?host=",
        "logs/stream?selector=",
        "logs/stream?selector=scan01&state=",
        "logs/stream?selector=scan01&grep=",
        "actions?before=",
    ],
)
def test_no_route_of_the_api_takes_an_empty_value(api: Api, path: str) -> None:
    answer = api().get(f"/api/v1/{path}")

    assert answer.status_code == 400
    assert error_of(answer) == "bad_request"


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize(
    "field", ["selectors", "groups", "hosts", "labels", "states", "targets"]
)
def test_an_empty_word_in_a_body_acts_on_nothing(
    api: Api, fakes: Fakes, field: str, value: str
) -> None:
    body = {"action": "stop", "selectors": ["scan01"]}
    body = {"action": "stop"} if field == "targets" else body

    answer = api().post("/api/v1/actions", json={**body, field: [value]})

    assert error_of(answer) == "bad_request"
    assert fakes.writes() == []


def test_an_update_of_an_empty_host_is_not_previewed(api: Api) -> None:
    answer = api(Role.ADMIN).post("/api/v1/updates/preview", json={"hosts": [""]})

    assert error_of(answer) == "bad_request"


def test_a_link_to_act_with_an_empty_parameter_is_refused(log_in: LogIn) -> None:
    answer = log_in().get("/actions/new?action=stop&selector=scan01&host=")

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/processes?selector=scan01&group=&state=",
        "/processes?selector=&group=&state=",
        "/events?selector=&kind=&since=",
    ],
)
def test_a_form_may_send_its_empty_boxes(log_in: LogIn, path: str) -> None:
    assert log_in().get(path).status_code == 200
