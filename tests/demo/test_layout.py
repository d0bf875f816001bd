"""The demo's files: what they say, whatever the folder and the machine are called."""

import configparser
import shlex
from pathlib import Path

import pytest
import yaml

from supervisor_easy.demo.layout import (
    HOSTS,
    Program,
    inventory_yaml,
    supervisord_conf,
)
from supervisor_easy.demo.worker import KINDS

AWKWARD = Path("/home/o'neil/all mine; really")


def conf_of(host: str, folder: Path) -> configparser.RawConfigParser:
    chosen = next(each for each in HOSTS if each.name == host)
    text = supervisord_conf(chosen, folder, port=9001, password="secret", is_root=False)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


def test_the_fleet_is_as_large_as_promised() -> None:
    assert len(HOSTS) >= 4
    assert sum(host.process_count for host in HOSTS) >= 40


def test_every_program_names_a_worker_or_a_command() -> None:
    programs: list[Program] = [p for host in HOSTS for p in host.programs]

    assert all(p.kind in KINDS or p.command for p in programs)


def test_an_awkward_folder_stays_one_word_of_the_command() -> None:
    command = conf_of("scan01", AWKWARD)["program:beat"]["command"]

    assert shlex.split(command)[-1] == f"--demo={AWKWARD}"


def test_every_log_has_a_bound() -> None:
    parser = conf_of("scan01", Path("/demo"))

    for section in parser.sections():
        if section.startswith("program:"):
            assert parser[section]["stdout_logfile_maxbytes"] == "512KB"


def test_the_slow_program_may_take_longer_to_stop_than_it_does() -> None:
    assert (
        conf_of("mail01", Path("/demo"))["program:smtp-relay"]["stopwaitsecs"] == "15"
    )


@pytest.mark.parametrize("file", [Path("/demo/password"), AWKWARD / "password"])
def test_the_inventory_names_the_password_file_and_never_the_password(
    file: Path,
) -> None:
    ports = {host.name: 9000 + n for n, host in enumerate(HOSTS)}

    inventory = yaml.safe_load(inventory_yaml(ports, password_file=file))

    assert inventory["defaults"]["password"] == {"file": str(file)}
    assert inventory["hosts"]["scan01"]["labels"] == {"dc": "sh", "role": "scanner"}
