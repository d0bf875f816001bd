"""The JSON Schema for editors says the same as the loader, where a schema can."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from supervisor_easy.inventory import inventory_schema
from supervisor_easy.inventory.yamlnodes import YamlProblems, read_yaml, to_data
from tests.unit.inventory.conftest import DATA

#: Wrong for a reason that takes more than the shape of one value to see.
BEYOND_A_SCHEMA = {
    *("address-range-too-short", "address-with-port", "address-with-scheme"),
    *("broken-brackets", "circle-of-groups", "client-key-alone", "duration-too-long"),
    *("cron-four-fields", "cron-never", "cron-out-of-range", "cron-reboot"),
    *("duplicate-host-in-ranges", "group-name", "host-name", "member-malformed"),
    *("label-value", "member-only-negative", "member-unknown-group", "time-zone"),
    *("member-unknown-host", "missing-ca-file", "missing-secret-file", "url-scheme"),
    *("missing-variable", "name-range-backwards", "name-range-too-large"),
    *("password-in-url", "path-without-slash", "schedule-unknown-group"),
    *("url-and-address", "names-nobody-can-look-up"),
}


def errors(path: Path) -> list[str]:
    data = to_data(read_yaml(path.read_text(encoding="utf-8")))
    validator = Draft202012Validator(inventory_schema())
    return [each.message for each in validator.iter_errors(data)]


def files(folder: str) -> list[Path]:
    return sorted((DATA / folder).glob("*.yaml"))


def is_yaml(path: Path) -> bool:
    try:
        read_yaml(path.read_text(encoding="utf-8"))
    except YamlProblems:
        return False
    return True


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(inventory_schema())


@pytest.mark.parametrize("path", files("valid"), ids=lambda path: path.stem)
def test_the_schema_accepts_what_the_loader_accepts(path: Path) -> None:
    assert errors(path) == []


@pytest.mark.parametrize(
    "path",
    [p for p in files("invalid") if p.stem not in BEYOND_A_SCHEMA and is_yaml(p)],
    ids=lambda path: path.stem,
)
def test_the_schema_refuses_what_has_the_wrong_shape(path: Path) -> None:
    assert errors(path) != []


def test_the_shipped_example_fits_the_schema() -> None:
    assert errors(Path(__file__).parents[3] / "inventory.yaml") == []


def test_every_key_of_a_host_is_described() -> None:
    keys = inventory_schema()["$defs"]["HostModel"]["properties"]

    assert {"address", "url", "labels", "ca_file", "verify_tls"} <= set(keys)
