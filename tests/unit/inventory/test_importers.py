"""What other files become: an inventory that loads, and notes on the rest."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor_easy.errors import InventoryError
from supervisor_easy.inventory import Inventory, load_inventory
from supervisor_easy.inventory.importers import (
    Imported,
    import_ansible,
    import_config_py,
    import_file,
    import_supervisorctl,
)

CONFIG = """\
import os
from Server import Server

PASSWORD = 'sesame'
SERVERS = [
    Server(name='celery1', host='127.0.0.1', port=12345, user='admin', password=PASSWORD),
    Server('remote.example.com', 12345, 'admin', os.environ['REMOTE_PASSWORD']),
    Server(name='scan 1', host='10.0.0.1', port=9001, user='admin', password='other'),
    Server(name='made', host=find_host(), port=9001, user='admin', password='x'),
]
SERVERS.append(Server(name='90', host='10.0.0.90', port=9001, user='admin', password='other'))

GROUPS = [
    {'name': 'celery', 'apps': ['celery1.test:celery', 'remote.example.com.test:celery']},
    {'name': 'rest', 'apps': ['celery1.flower', '90', 'scan 1.a:*', 'gone.x:y']},
]
"""

ANSIBLE_INI = """\
lonely.example.com:2222 ansible_host=10.0.0.5

[web]
web[01:03] supervisor_port=9002
[scan:children]
scan-sh
scan-bj
[scan-sh]
scan[1:2]
[scan-bj]
scan[3:4] supervisor_username=special  # comment
web02
[scan:vars]
supervisor_username=fleet
supervisor_password="sesame"
[broken]
bad[3:1]
"""

ANSIBLE_YAML = """\
all:
  vars: {supervisor_username: fleet, supervisor_password: !vault "$ANSIBLE_VAULT;1.1"}
  hosts: {lonely: {ansible_host: 10.0.0.5, supervisor_port: 9003}}
  children:
    web:
      hosts: {"web[01:03]": }
      children: {edge: {hosts: {web01: {supervisor_url: "https://e.test/web01"}}}}
"""


def reloaded(imported: Imported, folder: Path, **environ: str) -> Inventory:
    """Load what was written; every variable it names has to be given."""
    path = folder / "inventory.yaml"
    path.write_text(imported.to_yaml(), encoding="utf-8")
    return load_inventory(path, environ=environ)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path, "config.py", CONFIG)


def test_config_py_keeps_hosts_users_and_groups(config: Path, tmp_path: Path) -> None:
    inventory = reloaded(
        import_config_py(config),
        tmp_path,
        FLEET_PASSWORD_CELERY1="1",
        FLEET_PASSWORD_SCAN_1="2",
        REMOTE_PASSWORD="3",
    )

    assert {h.name: (h.url, h.username, h.password) for h in inventory.hosts.values()} == {
        "celery1": ("http://127.0.0.1:12345", "admin", "1"),
        "remote.example.com": ("http://remote.example.com:12345", "admin", "3"),
        "scan-1": ("http://10.0.0.1:9001", "admin", "2"),
        "90": ("http://10.0.0.90:9001", "admin", "2"),
    }  # fmt: skip
    assert inventory.members() == {
        "celery": ("celery1/test:celery", "remote.example.com/test:celery"),
        "rest": ("celery1/flower", "90", "scan-1/a:*"),
    }


def test_config_py_reports_what_it_would_have_to_run(config: Path) -> None:
    problems = import_config_py(config).problems

    assert [(each.line, each.message) for each in problems] == [
        (9, "not a literal, so not taken over: find_host()"),
        (13, "group rest: no server is known for 'gone.x:y'"),
    ]


def test_an_import_writes_no_password_unless_asked(
    config: Path, tmp_path: Path
) -> None:
    imported = import_config_py(config)

    assert "sesame" not in f"{imported.text}{imported!r}"
    assert any("FLEET_PASSWORD_CELERY1" in note for note in imported.notes)


def test_an_import_keeps_passwords_when_asked(config: Path, tmp_path: Path) -> None:
    imported = import_config_py(config, keep_passwords=True)

    hosts = reloaded(imported, tmp_path, REMOTE_PASSWORD="3").hosts

    assert hosts["celery1"].password == "sesame"


@pytest.mark.parametrize(
    "servers",
    [
        "SERVERS = {'a': {'host': 'h', 'port': 81, 'username': 'u', 'password': 'p'}}",
        "SERVERS = {'a': ('h', 81, 'u', 'p')}",
        "SERVERS = [('h', 81, 'u', 'p', 'a')]",
        "SERVERS = ({'name': 'a', 'host': 'h', 'port': '81', 'user': 'u', 'password': 'p'},)",
        "SERVERS: list = [dict(name='a', host='h', port=81, user='u', password='p')]",
        "S = Server(name='a', host='h', port=81, user='u', password='p')\nSERVERS = []\nSERVERS += [S]",
        "ALL = [Server('h', 81, 'u', 'p', 'a')]\nSERVERS = ALL",
    ],
)
def test_config_py_is_read_in_every_plausible_shape(
    tmp_path: Path, servers: str
) -> None:
    path = written(
        tmp_path, "config.py", f"{servers}\nGROUPS = {{'g': ['a.x:y', 'a']}}\n"
    )

    inventory = reloaded(
        import_config_py(path), tmp_path, FLEET_SUPERVISOR_PASSWORD="p"
    )

    host = inventory.hosts["a"]
    assert (host.url, host.username, host.password) == ("http://h:81", "u", "p")
    assert inventory.members() == {"g": ("a/x:y", "a")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("print 'python 2'", "not Python 3"),
        ("SERVERS = load()", "not a literal list"),
        ("X = 1", "no host was found"),
        ("SERVERS = [1]", "must be Server"),
        ("A = A\nSERVERS = [A]", "not a literal"),
        ("SERVERS = [Server(host='')]", "without host"),
        ("SERVERS = [Server(**{})]", "without host"),
        ("SERVERS = " + "[" * 300 + "]" * 300, "not Python 3"),
    ],
)
def test_config_py_without_servers_is_an_error(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        import_config_py(written(tmp_path, "config.py", text))

    assert says in str(caught.value)


def test_config_py_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f"open({str(mark)!r}, 'w')\nSERVERS = [Server('h', 1, 'u', 'p')]\n"

    import_config_py(written(tmp_path, "config.py", text))

    assert not mark.exists()


@pytest.mark.parametrize(
    ("lines", "name", "url", "username", "variable"),
    [
        ("serverurl=unix:///run/supervisor.sock", "local", "unix:///run/supervisor.sock", None, None),
        ("serverurl=http://10.0.0.1:9001 ; a comment\nusername=u\npassword=p", "10.0.0.1", "http://10.0.0.1:9001", "u", "FLEET_SUPERVISOR_PASSWORD"),
        ("serverurl=http://u:p%40@h.test:9001", "h.test", "http://h.test:9001", "u", "FLEET_SUPERVISOR_PASSWORD"),
        ("username=u\npassword=%(ENV_SECRET)s", "local", "http://localhost:9001", "u", "SECRET"),
    ],
)  # fmt: skip
def test_supervisorctl_gives_its_one_host(
    tmp_path: Path,
    lines: str,
    name: str,
    url: str,
    username: str | None,
    variable: str | None,
) -> None:
    path = written(tmp_path, "s.conf", f"[supervisorctl]\n{lines}\n[program:x]\na=b\n")
    environ = {variable: "pw"} if variable else {}

    host = reloaded(import_supervisorctl(path), tmp_path, **environ).hosts[name]

    assert (host.url, host.username, host.password) == (
        url,
        username,
        "pw" if variable else None,
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[program:x]\n", "no section [supervisorctl]"),
        ("no section\n", "not a supervisor configuration"),
        ("[supervisorctl]\nserverurl=http://[\n", "not a URL"),
        ("[supervisorctl]\nserverurl=http://%(ENV_H)s\n", "takes a variable"),
        ("[supervisorctl]\nserverurl=ftp://h\n", "not a usable URL"),
    ],
)
def test_supervisorctl_says_what_it_cannot_read(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        import_supervisorctl(written(tmp_path, "s.conf", text))

    assert says in str(caught.value)


def test_ansible_ini_gives_hosts_labels_and_groups(tmp_path: Path) -> None:
    imported = import_ansible(written(tmp_path, "hosts", ANSIBLE_INI))

    inventory = reloaded(imported, tmp_path, FLEET_SUPERVISOR_PASSWORD="p")

    facts = {
        h.name: (h.url, h.username, " ".join(h.labels))
        for h in inventory.hosts.values()
    }
    assert facts == {
        "lonely.example.com": ("http://10.0.0.5:9001", None, ""),
        "web01": ("http://web01:9002", None, "web"),
        "web02": ("http://web02:9002", "fleet", "web scan scan-bj"),
        "web03": ("http://web03:9002", None, "web"),
        "scan1": ("http://scan1:9001", "fleet", "scan scan-sh"),
        "scan2": ("http://scan2:9001", "fleet", "scan scan-sh"),
        "scan3": ("http://scan3:9001", "special", "scan scan-bj"),
        "scan4": ("http://scan4:9001", "special", "scan scan-bj"),
    }
    assert inventory.members()["scan"] == ("scan=yes",)
    assert [each.line for each in imported.problems] == [17]


def test_ansible_hosts_that_are_alike_are_written_as_a_range(tmp_path: Path) -> None:
    text = "[scan]\n" + "\n".join(f"scan{n:02d}" for n in range(1, 31))

    imported = import_ansible(written(tmp_path, "hosts", text))

    assert "scan[01-30]" in imported.to_yaml()


def test_ansible_yaml_gives_hosts_labels_and_groups(tmp_path: Path) -> None:
    imported = import_ansible(written(tmp_path, "hosts.yml", ANSIBLE_YAML))

    inventory = reloaded(imported, tmp_path)

    facts = {h.name: (h.url, " ".join(h.labels)) for h in inventory.hosts.values()}
    assert facts == {
        "lonely": ("http://10.0.0.5:9003", ""),
        "web01": ("https://e.test/web01", "web edge"),
        "web02": ("http://web02:9001", "web"),
        "web03": ("http://web03:9001", "web"),
    }
    assert any(
        "supervisor_password is a template or a vault" in n for n in imported.notes
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("hosts", ""), ("hosts.yml", "all: {}"), ("hosts.yml", "[a"), ("hosts.yml", "x")],
)
def test_an_ansible_inventory_without_hosts_is_an_error(
    tmp_path: Path, name: str, text: str
) -> None:
    with pytest.raises(InventoryError):
        import_ansible(written(tmp_path, name, text))


def test_ansible_groups_in_a_circle_end(tmp_path: Path) -> None:
    text = "[a:children]\nb\n[b:children]\na\n[b]\nh1\n"

    inventory = reloaded(import_ansible(written(tmp_path, "hosts", text)), tmp_path)

    assert set(inventory.hosts["h1"].labels) == {"a", "b"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.py", "SERVERS = [('h1', 9001, '', '')]"),
        ("supervisord.conf", "[supervisorctl]\nserverurl=http://h1:9001\n"),
        ("hosts", "h1\n"),
        ("hosts.yaml", "all: {hosts: {h1: }}"),
    ],
)
def test_the_kind_of_a_file_is_seen(tmp_path: Path, name: str, text: str) -> None:
    imported = import_file(written(tmp_path, name, text))

    assert list(reloaded(imported, tmp_path).hosts) == ["h1"]


@pytest.mark.parametrize(
    "read", [import_ansible, import_config_py, import_supervisorctl]
)
def test_a_file_that_is_not_there_is_an_inventory_error(
    read: type[Imported], tmp_path: Path
) -> None:
    with pytest.raises(InventoryError, match="cannot be read"):
        read(tmp_path / "none")  # type: ignore[arg-type]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
SERVERS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXTS, "host": st.sampled_from(["a", "b.test", "10.0.0.1", "a b"]),
         "user": TEXTS, "password": TEXTS, "port": st.integers(-1, 70000)}
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(SERVERS, st.dictionaries(TEXTS, st.lists(TEXTS, max_size=3), max_size=3))
def test_whatever_config_py_holds_the_inventory_loads(
    tmp_path_factory: pytest.TempPathFactory,
    servers: list[dict[str, object]],
    groups: dict[str, list[str]],
) -> None:
    folder = tmp_path_factory.getbasetemp()
    members = {
        name: [
            *apps,
            *(f"{server['name']}.x:{app}" for server in servers for app in apps),
        ]
        for name, apps in groups.items()
    }
    path = folder / "config.py"
    path.write_bytes(f"SERVERS = {servers!a}\nGROUPS = {members!a}\n".encode())
    try:
        imported = import_config_py(path, keep_passwords=True)
    except InventoryError as exc:
        assert all(server["host"] == "a b" for server in servers) or not exc.problems  # noqa: PT017
        return

    inventory = reloaded(imported, folder)

    assert len(inventory.hosts) == sum(s["host"] != "a b" for s in servers)


def test_an_import_leaves_out_a_password_that_no_file_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_text("SERVERS = [Server(host='h', user='u', password='a\\0')]")

    imported = import_config_py(path, keep_passwords=True)

    assert "password" not in imported.to_yaml()
    assert any("left out" in note for note in imported.notes)
