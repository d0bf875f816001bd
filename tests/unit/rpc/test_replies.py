"""What a host says about its processes is believed only as far as it can be true."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.model import ProcessState
from supervisor_easy.rpc import replies
from supervisor_easy.rpc.codec import Malformed
from tests.builders import HOST_NOW, START, a_process

GOOD: dict[str, Any] = {
    "group": "celery",
    "name": "w1",
    "state": 20,
    "pid": 7,
    "start": HOST_NOW - 60,
    "stop": 0,
    "now": HOST_NOW,
    "exitstatus": 0,
    "spawnerr": "",
    "description": "pid 7, uptime 0:01:00",
    "stdout_logfile": "/a",
    "stderr_logfile": "",
}

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


def read(*items: Any, limit: int = 100) -> Any:
    return replies.processes(list(items), host="scan01", limit=limit)


def test_a_good_process_is_read() -> None:
    (process,) = read(GOOD)

    assert process.namespec == "celery:w1"
    assert process.uptime == timedelta(minutes=1)


def test_a_state_nobody_knows_is_unknown() -> None:
    (process,) = read(GOOD | {"state": 12345})

    assert process.state is ProcessState.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pid": "7"}, "impossible pid: '7'"),
        ({"pid": -1}, "impossible pid: -1"),
        ({"pid": True}, "impossible pid: True"),
        ({"pid": 2**80}, "impossible pid"),
        ({"state": None}, "impossible state"),
        ({"state": "20"}, "impossible state"),
        ({"now": "noon"}, "impossible now"),
        ({"description": 5}, "impossible description"),
        ({"stdout_logfile": []}, "impossible stdout_logfile"),
        ({"exitstatus": 2**80}, "impossible exitstatus"),
        ({"name": ""}, "unusable name"),
        ({"name": "a\x1b[31m"}, "unusable name"),
        ({"name": "a\nb"}, "unusable name"),
        ({"name": "\u202eevil"}, "unusable name"),
        ({"name": "x" * 1000}, "unusable name"),
        ({"group": 5}, "unusable group: 5"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed, match=words.replace("\\", "")):
        read(GOOD | changes)


@pytest.mark.parametrize("key", ["group", "name", "state", "pid"])
def test_a_process_needs_its_key_state_and_pid(key: str) -> None:
    with pytest.raises(Malformed, match=f"{key}: missing"):
        read({name: value for name, value in GOOD.items() if name != key})


def test_other_fields_may_be_missing() -> None:
    (process,) = read({key: GOOD[key] for key in ("group", "name", "state", "pid")})

    assert process.stdout_logfile == ""


def test_slashes_and_spaces_in_names_are_kept() -> None:
    (process,) = read(GOOD | {"name": "../etc/x y"})

    assert process.name == "../etc/x y"


def test_a_process_reported_twice_is_refused() -> None:
    with pytest.raises(Malformed, match="celery:w1 twice"):
        read(GOOD, GOOD)


def test_more_processes_than_the_limit_are_refused() -> None:
    with pytest.raises(Malformed, match="max_processes_per_host"):
        read(GOOD, GOOD | {"name": "w2"}, limit=1)


def test_long_texts_are_cut() -> None:
    (process,) = read(GOOD | {"description": "x" * 100_000})

    assert len(process.description) == replies.MAX_TEXT


@given(st.sampled_from(list(GOOD)), anything)
def test_any_lie_is_malformed_or_a_safe_value(key: str, lie: Any) -> None:
    try:
        (process,) = read(GOOD | {key: lie})
    except Malformed:
        return
    assert process.pid >= 0
    assert process.name.isprintable()
    assert process.uptime is None or process.uptime >= timedelta(0)
    replies.clock_skew((process,), asked_at=START, latency=timedelta(seconds=1))


@given(
    st.dictionaries(
        st.sampled_from(
            ["group", "name", "startsecs", "exitcodes", "inuse", "command"]
        ),
        anything,
    )
)
def test_any_configuration_is_malformed_or_a_safe_value(lie: Any) -> None:
    try:
        (config,) = replies.configs([lie], host="scan01", limit=10)
    except Malformed:
        return
    assert config.startsecs >= 0


@given(anything)
def test_any_tail_or_diff_is_malformed_or_a_safe_value(lie: Any) -> None:
    for reader in (replies.log_tail, replies.log_bytes, replies.config_diff):
        try:
            reader(lie)
        except Malformed:
            continue


def test_clock_skew_counts_from_the_middle_of_the_exchange() -> None:
    process = a_process(host_now=HOST_NOW + 100)

    skew = replies.clock_skew((process,), asked_at=START, latency=timedelta(seconds=4))

    assert skew == timedelta(seconds=100 + 0.5 - 2)


def test_without_a_process_there_is_no_clock_skew() -> None:
    assert replies.clock_skew((), asked_at=START, latency=timedelta(0)) is None
