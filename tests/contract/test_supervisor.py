"""What `Supervisor` promises, on the fake, on today's supervisord and on an old one."""

import pytest

from supervisor_easy.errors import (
    AlreadyStarted,
    Fault,
    NotRunning,
    RpcError,
    SpawnFailed,
    UnknownProcess,
)
from supervisor_easy.model import Process, ProcessState, Stream
from supervisor_easy.rpc.supervisor import LogTail, UndecodableLog
from tests.contract.conftest import Subject, becomes, log_of, state_of

#: Every byte that is legal UTF-8 by itself, and what XML, HTTP and terminals mangle.
AWKWARD = (
    bytes(range(0x80))
    + b"\x1b[31mred\x1b[0m\r\n\r\r\n<b>&amp;]]>"
    + "日本語 é \x85 \u2028 \ufffe \uffff \U0010ff0d \U0010ff3f \U0010fe80 \ufeff".encode()
)


def start(subject: Subject, *namespecs: str) -> list[RpcError | None]:
    return subject.ask(lambda s: s.start_many(namespecs))


def stop(subject: Subject, *namespecs: str) -> list[RpcError | None]:
    return subject.ask(lambda s: s.stop_many(namespecs))


def process(subject: Subject, namespec: str) -> Process:
    observation = subject.ask(lambda s: s.observe())
    return next(p for p in observation.processes if p.namespec == namespec)


def tail(subject: Subject, namespec: str, *, offset: int, length: int) -> LogTail:
    return subject.ask(
        lambda s: s.tail_log(namespec, Stream.STDOUT, offset=offset, length=length)
    )


# -- observing


def test_observe_lists_every_process_by_group_and_name(subject: Subject) -> None:
    observation = subject.ask(lambda s: s.observe())

    names = [each.namespec for each in observation.processes]
    assert names == sorted(names)
    assert "worker:worker_02" in names
    assert {each.host for each in observation.processes} == {observation.host}


def test_observe_tells_version_and_pid_of_supervisord(subject: Subject) -> None:
    observation = subject.ask(lambda s: s.observe())

    assert observation.supervisor_version.startswith("4.")
    assert observation.supervisord_pid > 0


def test_an_answer_tells_when_it_was_asked_on_a_clock_that_never_goes_back(
    subject: Subject,
) -> None:
    first = subject.ask(lambda s: s.observe())
    second = subject.ask(lambda s: s.observe())

    assert 0 < first.asked_monotonic <= second.asked_monotonic


def test_clock_skew_of_this_machine_is_below_its_error(subject: Subject) -> None:
    observation = subject.ask(lambda s: s.observe())

    assert observation.clock_skew is not None
    error = 1.0 + observation.latency.total_seconds() / 2
    assert abs(observation.clock_skew.total_seconds()) <= error


def test_a_running_process_has_a_pid_and_an_uptime(subject: Subject) -> None:
    web = process(subject, "web:web")

    assert web.state is ProcessState.RUNNING
    assert web.pid > 0
    assert web.uptime is not None


def test_a_process_never_started_has_neither_pid_nor_uptime(subject: Subject) -> None:
    missing = process(subject, "missing:missing")

    assert (missing.state, missing.pid) == (ProcessState.STOPPED, 0)
    assert missing.uptime is None


# -- starting and stopping


def test_a_started_process_gets_a_new_pid(subject: Subject) -> None:
    before = process(subject, "web:web").pid

    assert stop(subject, "web:web") == [None]
    becomes(subject, "web:web", ProcessState.STOPPED)
    assert start(subject, "web:web") == [None]

    becomes(subject, "web:web", ProcessState.RUNNING)
    assert process(subject, "web:web").pid != before


def test_start_refuses_a_running_process(subject: Subject) -> None:
    (answer,) = start(subject, "web:web")

    assert isinstance(answer, AlreadyStarted)


def test_stop_refuses_a_stopped_process(subject: Subject) -> None:
    (answer,) = stop(subject, "manual:manual")

    assert isinstance(answer, NotRunning)


def test_start_during_a_stop_is_taken_and_does_nothing(subject: Subject) -> None:
    start(subject, "slow_stop:slow_stop")
    becomes(subject, "slow_stop:slow_stop", ProcessState.RUNNING)
    stop(subject, "slow_stop:slow_stop")

    assert start(subject, "slow_stop:slow_stop") == [None]

    assert state_of(subject, "slow_stop:slow_stop") is ProcessState.STOPPING
    becomes(subject, "slow_stop:slow_stop", ProcessState.STOPPED)


def test_a_second_stop_during_a_stop_is_refused(subject: Subject) -> None:
    start(subject, "slow_stop:slow_stop")
    becomes(subject, "slow_stop:slow_stop", ProcessState.RUNNING)
    stop(subject, "slow_stop:slow_stop")

    (answer,) = stop(subject, "slow_stop:slow_stop")

    assert isinstance(answer, NotRunning)


def test_a_process_is_starting_until_startsecs_are_over(subject: Subject) -> None:
    assert start(subject, "slow_start:slow_start") == [None]

    assert state_of(subject, "slow_start:slow_start") is ProcessState.STARTING
    becomes(subject, "slow_start:slow_start", ProcessState.RUNNING)


def test_a_missing_program_fails_to_start_and_stays_stopped(subject: Subject) -> None:
    (answer,) = start(subject, "missing:missing")

    assert isinstance(answer, SpawnFailed)
    assert state_of(subject, "missing:missing") is ProcessState.STOPPED


def test_a_crashing_program_backs_off_and_ends_fatal(subject: Subject) -> None:
    start(subject, "crasher:crasher")

    becomes(subject, "crasher:crasher", ProcessState.BACKOFF)
    becomes(subject, "crasher:crasher", ProcessState.FATAL)
    assert "too quickly" in process(subject, "crasher:crasher").spawn_error


def test_stop_in_backoff_ends_the_tries(subject: Subject) -> None:
    start(subject, "crasher:crasher")
    becomes(subject, "crasher:crasher", ProcessState.BACKOFF)

    assert stop(subject, "crasher:crasher") == [None]

    assert state_of(subject, "crasher:crasher") is ProcessState.STOPPED


def test_a_fatal_process_can_be_started_again(subject: Subject) -> None:
    start(subject, "crasher:crasher")
    becomes(subject, "crasher:crasher", ProcessState.FATAL)

    (answer,) = start(subject, "crasher:crasher")

    assert answer is None or isinstance(answer, SpawnFailed)
    becomes(subject, "crasher:crasher", ProcessState.BACKOFF)


def test_every_name_gets_its_own_answer_in_order(subject: Subject) -> None:
    names = ["web:web", "no:such", "manual:manual", "missing:missing"]

    answers = start(subject, *names)

    kinds = [type(answer) for answer in answers]
    assert kinds == [AlreadyStarted, UnknownProcess, type(None), SpawnFailed]


def test_a_name_without_group_is_unknown_in_a_group_of_many(subject: Subject) -> None:
    (answer,) = start(subject, "worker_00")

    assert isinstance(answer, UnknownProcess)


def test_an_error_names_host_and_process(subject: Subject) -> None:
    (answer,) = start(subject, "web:web")

    assert answer is not None
    assert str(answer).startswith(f"{answer.host}/web:web: ")


def test_no_names_need_no_answers(subject: Subject) -> None:
    assert start(subject) == []


def test_stop_group_stops_every_member(subject: Subject) -> None:
    subject.ask(lambda s: s.stop_group("worker"))

    for number in range(3):
        becomes(subject, f"worker:worker_0{number}", ProcessState.STOPPED)


def test_stop_group_refuses_an_unknown_group(subject: Subject) -> None:
    with pytest.raises(UnknownProcess):
        subject.ask(lambda s: s.stop_group("nobody"))


# -- signals


def test_a_signal_that_ends_the_process_is_seen_as_an_exit(subject: Subject) -> None:
    answers = subject.ask(lambda s: s.signal_many(["web:web"], "TERM"))

    assert answers == [None]
    becomes(subject, "web:web", ProcessState.EXITED)


def test_a_signal_nobody_knows_is_refused(subject: Subject) -> None:
    (answer,) = subject.ask(lambda s: s.signal_many(["web:web"], "NONSENSE"))

    assert isinstance(answer, Fault)
    assert answer.fault_code == 11


def test_a_stopped_process_takes_no_signal(subject: Subject) -> None:
    (answer,) = subject.ask(lambda s: s.signal_many(["manual:manual"], "HUP"))

    assert isinstance(answer, NotRunning)


# -- logs


def test_a_log_comes_back_byte_by_byte(subject: Subject) -> None:
    subject.append("manual:manual", AWKWARD)

    assert log_of(subject, "manual:manual", offset=0, length=4096) == AWKWARD


def test_a_slice_is_counted_in_bytes(subject: Subject) -> None:
    subject.append("manual:manual", b"0123456789\r\n\x1b[0m")

    assert log_of(subject, "manual:manual", offset=9, length=4) == b"9\r\n\x1b"


def test_a_slice_at_the_end_is_short_and_beyond_it_empty(subject: Subject) -> None:
    subject.append("manual:manual", b"abc")

    assert log_of(subject, "manual:manual", offset=2, length=10) == b"c"
    assert log_of(subject, "manual:manual", offset=99, length=10) == b""


def test_a_negative_offset_reads_the_end(subject: Subject) -> None:
    subject.append("manual:manual", b"abcdef")

    assert log_of(subject, "manual:manual", offset=-2, length=0) == b"ef"
    assert log_of(subject, "manual:manual", offset=-99, length=0) == b"abcdef"


def test_length_zero_reads_nothing_and_never_everything(subject: Subject) -> None:
    subject.append("manual:manual", b"abcdef")

    assert log_of(subject, "manual:manual", offset=0, length=0) == b""


def test_a_slice_that_cuts_a_character_is_undecodable(subject: Subject) -> None:
    subject.append("manual:manual", "日本".encode())

    with pytest.raises(UndecodableLog):
        log_of(subject, "manual:manual", offset=0, length=4)


def test_bytes_that_are_no_utf8_are_undecodable(subject: Subject) -> None:
    subject.append("manual:manual", b"caf\xe9\n")

    with pytest.raises(UndecodableLog):
        log_of(subject, "manual:manual", offset=0, length=100)


def test_a_process_without_a_log_has_no_such_file(subject: Subject) -> None:
    with pytest.raises(SpawnFailed):
        log_of(subject, "nolog:nolog", offset=0, length=10)


def test_the_log_of_an_unknown_process_is_unknown(subject: Subject) -> None:
    with pytest.raises(UnknownProcess):
        log_of(subject, "no:such", offset=0, length=10)


def test_an_emptied_log_begins_again_at_zero(subject: Subject) -> None:
    subject.append("manual:manual", b"old old old")
    subject.truncate("manual:manual")
    subject.append("manual:manual", b"new")

    assert log_of(subject, "manual:manual", offset=11, length=10) == b""
    assert log_of(subject, "manual:manual", offset=0, length=10) == b"new"


def test_a_tail_of_length_zero_tells_the_size(subject: Subject) -> None:
    subject.append("manual:manual", AWKWARD)

    assert tail(subject, "manual:manual", offset=0, length=0).size == len(AWKWARD)


def test_a_tail_repeats_old_bytes_when_little_is_new(subject: Subject) -> None:
    subject.append("manual:manual", b"0123456789")

    found = tail(subject, "manual:manual", offset=8, length=5)

    assert found == LogTail(b"56789", 10, has_overflow=False)


def test_a_tail_overflows_when_much_is_new(subject: Subject) -> None:
    subject.append("manual:manual", b"0123456789")

    found = tail(subject, "manual:manual", offset=2, length=3)

    assert found == LogTail(b"789", 10, has_overflow=True)


def test_a_tail_beyond_the_end_is_empty(subject: Subject) -> None:
    subject.append("manual:manual", b"abc")

    found = tail(subject, "manual:manual", offset=50, length=10)

    assert found == LogTail(b"", 3, has_overflow=False)


def test_a_tail_of_no_log_is_empty(subject: Subject) -> None:
    assert tail(subject, "nolog:nolog", offset=0, length=10) == LogTail(
        b"", 0, has_overflow=False
    )


def test_tails_give_the_ends_of_many_logs_and_none_where_they_fail(
    subject: Subject,
) -> None:
    subject.append("manual:manual", b"the end")
    subject.append("web:web", "日本".encode())
    subject.append("slow_start:slow_start", b"broken \xff end")
    names = ["manual:manual", "no:such", "web:web", "slow_start:slow_start"]

    found = subject.ask(lambda s: s.tails(names, length=4))

    # The last three bytes are a whole character; the fourth would be half of one.
    assert found == [b" end", None, "本".encode(), b" end"]


def test_the_main_log_can_be_read(subject: Subject) -> None:
    found = subject.ask(lambda s: s.read_main_log(offset=0, length=4000))

    assert b"supervisord started with pid" in found


def test_clearing_empties_the_log_of_a_running_process(subject: Subject) -> None:
    subject.append("web:web", b"much")

    assert subject.ask(lambda s: s.clear_logs_many(["web:web"])) == [None]

    assert tail(subject, "web:web", offset=0, length=0).size == 0


def test_clearing_a_stopped_process_is_taken_and_does_nothing(subject: Subject) -> None:
    subject.append("manual:manual", b"much")

    assert subject.ask(lambda s: s.clear_logs_many(["manual:manual"])) == [None]

    assert tail(subject, "manual:manual", offset=0, length=0).size == 4


# -- configuration


def test_configs_tell_how_long_a_start_and_a_stop_may_take(subject: Subject) -> None:
    found = subject.ask(lambda s: s.configs())
    configs = {each.target.namespec: each for each in found}

    assert configs["slow_start:slow_start"].startsecs == 2
    assert configs["crasher:crasher"].startretries == 1
    assert configs["web:web"].is_in_use


def test_a_reread_without_changes_finds_none(subject: Subject) -> None:
    assert subject.ask(lambda s: s.reload_config()).is_empty


def test_a_group_that_runs_cannot_be_removed(subject: Subject) -> None:
    with pytest.raises(Fault) as caught:
        subject.ask(lambda s: s.remove_group("worker"))

    assert caught.value.fault_code == 91


def test_a_group_that_is_there_cannot_be_added(subject: Subject) -> None:
    with pytest.raises(Fault) as caught:
        subject.ask(lambda s: s.add_group("worker"))

    assert caught.value.fault_code == 90


def test_a_group_can_be_removed_and_added_and_starts_again(subject: Subject) -> None:
    subject.ask(lambda s: s.stop_group("worker"))
    for number in range(3):
        becomes(subject, f"worker:worker_0{number}", ProcessState.STOPPED)

    subject.ask(lambda s: s.remove_group("worker"))
    gone = subject.ask(lambda s: s.observe())
    diff = subject.ask(lambda s: s.reload_config())
    subject.ask(lambda s: s.add_group("worker"))

    assert not [each for each in gone.processes if each.group == "worker"]
    assert diff.added == ("worker",)
    becomes(subject, "worker:worker_00", ProcessState.RUNNING)
