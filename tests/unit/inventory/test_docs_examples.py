"""What docs/inventory.md and docs/selectors.md show is true."""

import re
from pathlib import Path

import pytest

from supervisor_easy.inventory.schema import (
    Connection,
    HostModel,
    RollingModel,
    ScheduleModel,
)
from supervisor_easy.selector import parse_selector
from tests.unit.inventory.conftest import Load

DOCS = Path(__file__).parents[3] / "docs"
INVENTORY = (DOCS / "inventory.md").read_text(encoding="utf-8")
SELECTORS = (DOCS / "selectors.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", INVENTORY, re.DOTALL)
FORMS = re.findall(r"^\| `([^`]+)` \|", SELECTORS, re.MULTILINE)


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_loads(load: Load, tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "web2").write_text("sesame\n", encoding="utf-8")
    environ = {"FLEET_SUPERVISOR_PASSWORD": "a", "WEB1_PASSWORD": "b"}

    assert load(text, environ).hosts


def test_a_range_example_is_as_its_comment_says(load: Load) -> None:
    text = next(each for each in EXAMPLES if "rack[a-b]" in each)

    urls = {host.name: host.url for host in load(text).hosts.values()}

    assert (urls["racka-1"], urls["rackb-2"]) == (
        "http://10.0.1.1:9001",
        "http://10.0.2.2:9001",
    )


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_a_selector_is_one(text: str) -> None:
    assert parse_selector(text).text == text


@pytest.mark.parametrize("model", [Connection, HostModel, RollingModel, ScheduleModel])
def test_every_key_is_documented(model: type[HostModel]) -> None:
    missing = [name for name in model.model_fields if f"`{name}`" not in INVENTORY]

    assert missing == []
