"""`fleet logs`: many logs in one stream."""

import json

import pytest

from tests.cli.conftest import Fleet

pytestmark = pytest.mark.daemon


def test_each_line_is_labelled_with_host_and_process(fleet: Fleet) -> None:
    result = fleet("logs", "*/chatter", "-n", "2")

    labels = {row[0] for row in result.rows}
    assert labels == {"web1/chatter", "web2/chatter"}
    assert result.code == 0


def test_only_the_last_lines_are_shown(fleet: Fleet) -> None:
    assert len(fleet("logs", "web1/chatter", "-n", "3").rows) == 3


def test_grep_keeps_only_what_matches(fleet: Fleet) -> None:
    result = fleet("logs", "web1/chatter", "--since-start", "--grep", "line 1 of")

    lines = [row[1] for row in result.rows if not row[1].startswith("---")]
    assert lines == ["line 1 of chatter"]


def test_a_pattern_that_is_none_is_bad_usage(fleet: Fleet) -> None:
    assert fleet("logs", "web1/chatter", "--grep", "(").code == 2


def test_json_is_one_document_a_line(fleet: Fleet) -> None:
    result = fleet("logs", "web1/chatter", "-n", "2", "-o", "json")

    entries = [json.loads(line) for line in result.out.splitlines()]
    assert [each["process"] for each in entries] == ["chatter:chatter"] * 2


def test_supervisords_own_log_can_be_read(fleet: Fleet) -> None:
    result = fleet("logs", "--main", "--host", "web1", "-n", "50")

    assert {row[0] for row in result.rows} == {"web1/supervisord"}
    assert "spawned" in result.out


def test_following_merges_hosts_until_ctrl_c(fleet: Fleet) -> None:
    with fleet.terminal("logs", "*/chatter", "-f", "-n", "1") as terminal:
        terminal.expect("web1/chatter │")
        terminal.expect("web2/chatter │")
        terminal.type("\x03")
        code = terminal.end()

    assert code == 130
    assert "fleet:" not in terminal.text
    assert "Traceback" not in terminal.text


def test_following_shows_no_line_twice(fleet: Fleet) -> None:
    with fleet.launch("logs", "web1/chatter", "-f", "-n", "5") as process:
        assert process.stdout is not None
        numbers = [
            int(process.stdout.readline().split("\t")[1].split()[1]) for _ in range(20)
        ]
        process.kill()
        process.communicate()

    assert numbers == list(range(numbers[0], numbers[0] + 20))
