"""Real supervisords that die, freeze, restart, refuse, and stand behind odd addresses."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from supervisor_easy.clock import SystemClock
from supervisor_easy.errors import (
    AuthenticationFailed,
    BadConfig,
    BadReply,
    HostUnreachable,
    RpcError,
    ShuttingDown,
    UnknownMethod,
)
from supervisor_easy.model import ProcessState, Stream
from supervisor_easy.rpc.client import XmlRpcSupervisor
from supervisor_easy.rpc.transport import Connections
from supervisor_easy.settings import Settings
from tests.daemon.conftest import ask, failure
from tests.daemons import Program, Supervisord
from tests.eventually import eventually

pytestmark = pytest.mark.daemon

MakeDaemon = Callable[..., Supervisord]


def test_a_killed_supervisord_refuses_and_comes_back(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()

    with daemon.outage():
        error = failure(daemon.host)
    observation = ask(daemon.host, lambda s: s.observe())

    assert isinstance(error, HostUnreachable)
    assert error.reason == "refused"
    assert observation.processes[0].state is ProcessState.RUNNING


def test_a_frozen_supervisord_times_out_at_its_deadline(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(request_timeout=timedelta(seconds=0.3))

    with daemon.frozen():
        error = failure(daemon.host)

    assert isinstance(error, HostUnreachable)
    assert (error.reason, error.maybe_executed) == ("timeout", True)


def test_a_stop_taken_by_a_frozen_supervisord_may_be_carried_out_later(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(request_timeout=timedelta(seconds=0.3))

    with daemon.frozen():
        (error,) = ask(daemon.host, lambda s: s.stop_many(["web:web"]))

    assert error.maybe_executed
    eventually(lambda: daemon.state("web:web") == "STOPPED")


def test_kept_connections_survive_a_restart_of_supervisord(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon()

    async def restart(_: object) -> None:
        await asyncio.to_thread(daemon.kill)
        await asyncio.to_thread(daemon.start)

    answer = ask(
        daemon.host,
        lambda s: s.signal_many(["web:web"], "CONT"),
        restart,
        lambda s: s.signal_many(["web:web"], "CONT"),
    )

    assert answer == [None]


def test_supervisords_own_restart_answers_shutting_down(
    make_daemon: MakeDaemon,
) -> None:
    # A program that is slow to stop holds the restart up, so that it can be seen.
    slow = Program("slow", stopwaitsecs=2, options={"stopsignal": "WINCH"})
    daemon = make_daemon([slow])
    ask(daemon.host, lambda s: s.restart())

    error = failure(daemon.host)

    assert isinstance(error, ShuttingDown)


def test_supervisord_comes_back_after_its_own_restart(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    before = daemon.info("web:web")["pid"]
    ask(daemon.host, lambda s: s.restart())

    def is_back() -> bool:
        observation = ask(daemon.host, lambda s: s.observe())
        return bool(observation.processes[0].pid not in (0, before))

    eventually(is_back, ignoring=RpcError)


def test_a_wrong_password_is_told_apart(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(username="fleet", password="right: ü%")

    error = failure(replace(daemon.host, password="wrong"))

    assert isinstance(error, AuthenticationFailed)
    assert ask(daemon.host, lambda s: s.observe()).processes


def test_no_password_is_told_apart(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(username="fleet", password="right")

    error = failure(replace(daemon.host, username=None, password=None))

    assert "no user name" in str(error)


def test_a_unix_socket_is_a_host_like_any_other(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(is_unix=True, username="fleet", password="right")

    answer = ask(daemon.host, lambda s: s.stop_many(["web:web"]))

    assert answer == [None]


def test_a_missing_unix_socket_is_told_apart(tmp_path: Path) -> None:
    daemon = Supervisord(folder=tmp_path / "never", is_unix=True)

    error = failure(daemon.host)

    assert isinstance(error, HostUnreachable)
    assert error.reason == "no_socket"


def test_the_socket_of_a_dead_supervisord_refuses(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(is_unix=True)
    daemon.kill()

    error = failure(daemon.host)

    assert isinstance(error, HostUnreachable)
    assert error.reason == "refused"


def test_a_name_that_does_not_resolve_is_told_apart(daemon: Supervisord) -> None:
    error = failure(replace(daemon.host, url="http://no-such-host.invalid:9001"))

    assert isinstance(error, HostUnreachable)
    assert error.reason == "name_resolution"


def test_a_wrong_path_names_the_right_one(daemon: Supervisord) -> None:
    error = failure(replace(daemon.host, url=f"{daemon.host.url}/nothing/here"))

    assert isinstance(error, BadReply)
    assert error.status in (400, 404)
    assert "/RPC2" in str(error)


def test_a_supervisord_without_its_interface_says_what_is_missing(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(has_interface=False)

    error = failure(daemon.host)

    assert isinstance(error, UnknownMethod)
    assert "[rpcinterface:supervisor]" in str(error)


def test_names_beyond_ascii_can_be_seen_and_stopped(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        [Program("größe"), Program("日本")], groups={"gruppe-ü": ["日本"]}
    )

    ask(daemon.host, lambda s: s.stop_many(["größe:größe"]))
    ask(daemon.host, lambda s: s.stop_group("gruppe-ü"))

    eventually(lambda: daemon.state("größe:größe") == "STOPPED")
    eventually(lambda: daemon.state("gruppe-ü:日本") == "STOPPED")


def test_a_reread_tells_added_changed_and_removed_groups(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon([Program("stays"), Program("changes"), Program("goes")])
    daemon.configure(
        [Program("stays"), Program("changes", "/bin/sleep 7"), Program("comes")]
    )

    diff = ask(daemon.host, lambda s: s.reload_config())

    assert (diff.added, diff.changed, diff.removed) == (
        ("comes",),
        ("changes",),
        ("goes",),
    )


def test_a_group_is_updated_by_stop_remove_and_add(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon([Program("web")])
    daemon.configure([Program("web", "/bin/sleep 7777")])

    ask(
        daemon.host,
        lambda s: s.reload_config(),
        lambda s: s.stop_group("web"),
        _until_stopped("web:web"),
        lambda s: s.remove_group("web"),
        lambda s: s.add_group("web"),
    )

    eventually(lambda: daemon.state("web:web") == "RUNNING")
    command = Path(f"/proc/{daemon.info('web:web')['pid']}/cmdline")
    # Without startsecs it is RUNNING from the fork on, a moment before its exec.
    eventually(lambda: b"7777" in command.read_bytes())


def _until_stopped(namespec: str) -> Callable[[XmlRpcSupervisor], object]:
    async def wait(supervisor: XmlRpcSupervisor) -> None:
        for _ in range(500):
            observation = await supervisor.observe()
            if all(p.state.is_down for p in observation.processes):
                return
            await SystemClock().sleep(timedelta(milliseconds=10))
        raise AssertionError(f"{namespec} did not stop")

    return wait


def test_a_broken_configuration_names_the_section(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.configure([Program("web", options={"startsecs": "never"})])

    error = failure(daemon.host, lambda s: s.reload_config())

    assert isinstance(error, BadConfig)
    assert "program:web" in str(error)


def test_a_log_of_two_gigabytes_and_more_has_a_size(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        [
            Program(
                "web",
                options={"stdout_logfile": "big.log", "stdout_logfile_maxbytes": 0},
            )
        ]
    )
    size = 3 * 2**30 + 12345
    with (daemon.folder / "big.log").open("r+b") as log:
        log.truncate(size - 4)
        log.seek(size - 4)
        log.write(b"end\n")

    found = ask(
        daemon.host, lambda s: s.tail_log("web:web", Stream.STDOUT, offset=0, length=0)
    )
    (tail,) = ask(daemon.host, lambda s: s.tails(["web:web"], length=4))

    assert found.size == size
    assert tail == b"end\n"


def test_a_real_log_is_rotated_under_the_reader(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        [
            Program(
                "web",
                '/bin/sh -c "read x; while read x; do echo $x; done"',
                options={"stdout_logfile": "w.log", "stdout_logfile_maxbytes": 100},
            )
        ]
    )

    def write(text: str) -> None:
        daemon.call("sendProcessStdin", "web:web", f"{text}\n")

    write("the first line is not echoed")
    write("x" * 60)
    eventually(lambda: (daemon.folder / "w.log").stat().st_size == 61)
    write("y" * 60)
    eventually((daemon.folder / "w.log.1").exists)

    data = ask(
        daemon.host,
        lambda s: s.read_log("web:web", Stream.STDOUT, offset=61, length=1000),
    )
    assert data == b""


def test_two_hundred_processes_are_parsed_without_holding_the_loop(
    make_daemon: MakeDaemon, settings: Settings
) -> None:
    daemon = make_daemon([Program("worker", numprocs=200, autostart=False)])

    async def go() -> int:
        async with Connections(settings) as connections:
            supervisor = XmlRpcSupervisor(
                daemon.host, connections, settings=settings, clock=SystemClock()
            )
            observation = await supervisor.observe()
            return len(observation.processes)

    assert asyncio.run(go()) == 200


def test_many_hosts_are_asked_while_one_is_frozen(make_daemon: MakeDaemon) -> None:
    frozen = make_daemon(name="frozen", request_timeout=timedelta(seconds=2))
    healthy = make_daemon(name="healthy")
    settings = Settings()

    async def go() -> list[bool]:
        async with Connections(settings) as connections:
            slow, quick = (
                XmlRpcSupervisor(
                    each.host, connections, settings=settings, clock=SystemClock()
                )
                for each in (frozen, healthy)
            )
            waiting = asyncio.create_task(slow.observe())
            for _ in range(20):
                await quick.observe()
            was_waiting = not waiting.done()
            results = await asyncio.gather(waiting, return_exceptions=True)
            return [was_waiting, isinstance(results[0], HostUnreachable)]

    with frozen.frozen():
        assert asyncio.run(go()) == [True, True]


def test_a_closed_pool_refuses_further_questions(daemon: Supervisord) -> None:
    settings = Settings()

    async def go() -> None:
        connections = Connections(settings)
        await connections.aclose()
        supervisor = XmlRpcSupervisor(
            daemon.host, connections, settings=settings, clock=SystemClock()
        )
        await supervisor.observe()

    with pytest.raises(HostUnreachable):
        asyncio.run(go())
