"""Whole inventories: what good ones mean, and every problem of bad ones."""

from datetime import timedelta
from pathlib import Path

import pytest

from supervisor_easy.errors import InventoryError
from supervisor_easy.inventory import (
    Amount,
    RestartOrder,
    RollingPolicy,
    expand,
    load_inventory,
)
from supervisor_easy.model import Host
from tests.unit.inventory.conftest import DATA, Load

ENVIRON = {"FLEET_SUPERVISOR_PASSWORD": "sesame", "OTHER_PASSWORD": "open"}
VALID = sorted((DATA / "valid").glob("*.yaml"))
INVALID = sorted((DATA / "invalid").glob("*.yaml"))


def expected_problems(path: Path) -> list[str]:
    """Return the comment lines a file begins with: all that is wrong with it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    count = next((n for n, line in enumerate(lines) if line[:2] != "# "), len(lines))
    return [line[2:] for line in lines[:count]]


def problems(path: Path) -> list[str]:
    with pytest.raises(InventoryError) as caught:
        load_inventory(path, environ={})
    texts = [each.to_text("").lstrip(": ") for each in caught.value.problems]
    return [each.replace(str(path.parent), "FOLDER") for each in texts]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_problem_of_a_file_is_told_at_its_place(path: Path) -> None:
    assert problems(path) == expected_problems(path)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_good_file_gives_the_hosts_its_first_line_names(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    names = first.removeprefix("# hosts: ").split()

    hosts = load_inventory(path, environ=ENVIRON).hosts

    assert list(hosts) == [name for text in names for name in expand(text)]


def test_the_example_that_is_shipped_is_good() -> None:
    root = Path(__file__).parents[3]

    assert load_inventory(root / "inventory.yaml", environ={}).warnings == ()


def test_a_host_takes_the_defaults_and_what_it_sets_itself() -> None:
    hosts = load_inventory(DATA / "valid" / "overrides.yaml", environ=ENVIRON).hosts

    assert hosts["b"] == Host(
        name="b",
        url="http://b:9002",
        labels={"dc": "bj", "stage": "prod"},
        username="other",
        password="open",
        connect_timeout=timedelta(milliseconds=500),
        request_timeout=timedelta(seconds=90),
        verify_tls=False,
    )
    assert (hosts["c"].username, hosts["c"].password) == (None, None)


def test_nothing_plain_is_turned_into_something_else() -> None:
    path = DATA / "valid" / "strange-but-true.yaml"

    labels = load_inventory(path, environ={}).hosts["no"].labels

    assert dict(labels) == {
        "country": "no",
        "build": "010",
        "release": "1.10",
        "time": "22:22",
        "tiny": "true",
        "rack": "7",
    }


def test_a_rolling_policy_keeps_what_is_not_said() -> None:
    path = DATA / "valid" / "rolling.yaml"

    policy = load_inventory(path, environ={}).groups["scanners"].rolling

    assert policy == RollingPolicy(
        max_unavailable=Amount(2),
        max_failures=Amount(10, is_percent=True),
        stages=(Amount(1), Amount(25, is_percent=True), Amount(100, is_percent=True)),
        min_healthy=timedelta(0),
        healthy_deadline=timedelta(minutes=2),
        progress_deadline=timedelta(hours=1),
        per_host=2,
        order=RestartOrder.LARGEST,
        pause_between=timedelta(seconds=30),
    )


@pytest.mark.parametrize(
    ("amount", "of", "expected"),
    [("29", 100, 29), ("33%", 10, 3), ("29%", 100, 29), ("25%", 3, 0)],
)
def test_percentages_round_down_in_whole_numbers(
    amount: str, of: int, expected: int
) -> None:
    number, percent, _ = amount.partition("%")

    assert Amount(int(number), bool(percent)).of(of) == expected


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("{}", "http://h:9001"),
        ("{address: 10.0.0.1}", "http://10.0.0.1:9001"),
        ("{address: '::1'}", "http://[::1]:9001"),
        ("{address: '[::1]', port: 80}", "http://[::1]:80"),
        ("{scheme: https, path: /sup/}", "https://h:9001/sup"),
        ("{path: /sup/RPC2}", "http://h:9001/sup"),
        ("{url: 'https://x.test/web1/'}", "https://x.test/web1"),
        ("{url: 'http://x.test:81/RPC2'}", "http://x.test:81"),
        ("{url: 'unix:///run/supervisor.sock'}", "unix:///run/supervisor.sock"),
    ],
)
def test_an_address_becomes_a_url(load: Load, given: str, url: str) -> None:
    assert load(f"version: 1\nhosts: {{h: {given}}}").hosts["h"].url == url


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("hosts: {}", "the inventory has no hosts"),
        ("hosts: {a: {address: x}, b: {address: x}}", "b and a both lead to http://x:9001"),
        ("hosts: {a: {password: sesame}}", "a password stands here in plain text"),
        ("hosts: {a: }\ngroups: {g: ['role=x']}", "role=x fits no host"),
        ("hosts: {a: }\ngroups: {g: ['b*/x']}", "b*/x fits no host"),
        ("hosts: {a: }\ngroups: {g: {members: [a], rolling: {}}}", "checks rolling restarts but does not run"),
        ("hosts: {a: }\ngroups: {g: [a]}\nschedules: {s: {group: g, cron: '@daily'}}", "checks schedules but does not run"),
    ],
)  # fmt: skip
def test_what_is_doubtful_is_a_warning(load: Load, text: str, warning: str) -> None:
    warnings = load(f"version: 1\n{text}\n").warnings

    assert len(warnings) == 1
    assert warning in warnings[0].message


def test_a_readable_file_with_a_password_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text("version: 1\nhosts: {a: {password: sesame}}\n", encoding="utf-8")
    path.chmod(0o644)

    texts = [each.message for each in load_inventory(path, environ={}).warnings]

    assert any("every user can read it" in text for text in texts)


def test_a_secret_file_is_read_from_the_inventorys_folder(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("se same\n", encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)

    inventory = load("version: 1\nhosts: {a: {password: {file: secret}}}")

    assert (inventory.hosts["a"].password, inventory.warnings) == ("se same", ())


def test_a_secret_file_that_all_can_read_is_warned_about(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("sesame\n", encoding="utf-8")
    (tmp_path / "secret").chmod(0o644)

    warnings = load("version: 1\nhosts: {a: {password: {file: secret}}}").warnings

    assert "chmod 600" in warnings[0].message


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"a\nb\n", "more than one line"), (b"\xff", "not UTF-8"), (b"x" * 70000, "larger than")],
)  # fmt: skip
def test_an_unusable_secret_file_says_so_and_not_what_it_holds(
    load: Load, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "secret").write_bytes(content)

    with pytest.raises(InventoryError) as caught:
        load("version: 1\nhosts: {a: {password: {file: secret}}}")

    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "hosts: {a: {password: sesame, port: 0}}",
        "hosts: {a: {password: [sesame]}}",
        "hosts: {a: {password: {plain: sesame}}}",
        "hosts: {a: {url: 'http://u:sesame@h:1'}}",
        "hosts: {a: {address: 'u:sesame@h'}}",
    ],
)
def test_a_password_never_reaches_a_message(load: Load, text: str) -> None:
    with pytest.raises(InventoryError) as caught:
        load(f"version: 1\n{text}\n")

    assert "sesame" not in f"{caught.value} {caught.value.problems!r}"


def test_a_password_never_reaches_a_representation(load: Load) -> None:
    text = "version: 1\nhosts: {a: {password: sesame}}\n"

    assert "sesame" not in repr(load(text))


def test_a_default_secret_that_every_host_replaces_is_not_missed(load: Load) -> None:
    text = "version: 1\ndefaults: {password: {env: NO}}\nhosts: {a: {password: null}}"

    assert load(text).hosts["a"].password is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version: 1\nhosts: {a: \xff}\n", ":2: the file is not UTF-8"),
        (b"\xef\xbb\xbfversion: 2\n", "version must be 1"),
        (b"[" * 100_000, "nested deeper than 20 levels"),
        (b"- " * 100_000, "nested deeper than 20 levels"),
        (b"version: \x00", "not YAML"),
        (b"{" + b"x: {" * 19 + b"}" * 20, "unknown key x"),
    ],
)
def test_hostile_bytes_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_bytes(content)

    with pytest.raises(InventoryError) as caught:
        load_inventory(path, environ={})

    assert says in str(caught.value)


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="FLEET_INVENTORY"):
        load_inventory(tmp_path / "none.yaml", environ={})


def test_a_folder_is_no_inventory(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be read: Is a directory"):
        load_inventory(tmp_path, environ={})


def test_the_digest_tells_files_apart(load: Load) -> None:
    one, same, other = (
        load(f"version: 1\nhosts: {{{name}: }}") for name in ("a", "a", "b")
    )

    assert one.digest == same.digest != other.digest


def test_too_many_hosts_are_refused(load: Load) -> None:
    ranges = "".join(f"  {name}[1-9999]:\n" for name in "abc")

    with pytest.raises(InventoryError, match="more than 20000 hosts"):
        load(f"version: 1\nhosts:\n{ranges}")


def test_a_long_report_is_cut_and_says_so(load: Load) -> None:
    hosts = "".join(f"  h{n}: {{prot: 1}}\n" for n in range(600))

    with pytest.raises(InventoryError) as caught:
        load(f"version: 1\nhosts:\n{hosts}")

    assert len(caught.value.problems) == 501
    assert caught.value.problems[-1].message == "and 100 more like these"


def test_a_password_of_the_environment_that_is_no_text_is_refused(load: Load) -> None:
    text = "version: 1\nhosts:\n  web1: {password: {env: SECRET}}\n"

    with pytest.raises(InventoryError, match=r"SECRET is not UTF-8 text"):
        load(text, environ={"SECRET": "sesame\udc80"})
