"""Event streams through the console's own server: fan-out, gaps, ends, bounds."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from supervisor_easy.access import Role
from supervisor_easy.web.channel import Channel
from supervisor_easy.web.credentials import Credential
from tests.eventually import eventually
from tests.web.conftest import Fakes
from tests.web.consoles import (
    RunningConsole,
    settings_for,
    wait_until_up,
    write_inventory,
)


class Viewer:
    """A program that reads an event stream."""

    def __init__(self, url: str, path: str, *, token: str, last_id: str = "") -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        headers = {"Authorization": f"Bearer {token}"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        self._link.request("GET", path, headers=headers)
        self.answer = self._link.getresponse()
        self.last_id = ""

    def close(self) -> None:
        """Leave."""
        self.answer.close()
        self._link.close()

    def next(self) -> tuple[str, Any]:
        """Wait for the next event; its name is empty at the stream's end."""
        name, data = "message", None
        while line := self.answer.readline().decode().rstrip("\n"):
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data = json.loads(value)
            elif key == "id":
                self.last_id = value
        if data is None:
            return ("", None) if self.answer.isclosed() else self._after_pause()
        return name, data

    def until(self, wanted: str) -> Any:
        """Skip to the next event of a name and return its data."""
        while True:
            name, data = self.next()
            assert name, f"the stream ended before {wanted}"
            if name == wanted:
                return data

    def _after_pause(self) -> tuple[str, Any]:
        return self.next()


@pytest.fixture
def console(tmp_path: Path, fakes: Fakes) -> Iterator[RunningConsole]:
    """A console that listens, over one fake host."""
    write_inventory(tmp_path / "inventory.yaml", {"web1": "http://web1.test:9001"})
    settings = settings_for(tmp_path, max_streams=5, stream_buffer=4)
    with RunningConsole(settings, make_supervisor=fakes.make) as made:
        wait_until_up(made.services, 1)
        yield made


Watch = Callable[..., Viewer]


@pytest.fixture
def watch(console: RunningConsole) -> Iterator[Watch]:
    """Open streams that end with the test."""
    token = console.token(Role.VIEWER)
    made: list[Viewer] = []

    def watch(path: str = "/api/v1/stream", **options: Any) -> Viewer:
        options.setdefault("token", token)
        made.append(Viewer(console.url, path, **options))
        return made[-1]

    yield watch
    for viewer in made:
        viewer.close()


def test_a_change_of_state_reaches_every_viewer(watch: Watch, fakes: Fakes) -> None:
    viewers = [watch(), watch()]
    for viewer in viewers:
        viewer.until("hello")

    fakes["web1"].exit("celery:w1", status=1)

    for viewer in viewers:
        changed = viewer.until("state")["processes"][0]
        assert (changed["host"], changed["name"]) == ("web1", "w1")


def test_the_private_header_never_leaves_the_server(watch: Watch) -> None:
    viewer = watch()

    names = {name.lower() for name, _ in viewer.answer.getheaders()}

    assert not any("handover" in name for name in names)
    assert "content-security-policy" in names
    assert viewer.answer.headers["Content-Type"].startswith("text/event-stream")


def test_a_viewer_that_comes_back_in_time_gets_what_it_missed(
    watch: Watch, fakes: Fakes, console: RunningConsole
) -> None:
    viewer = watch()
    viewer.until("hello")
    fakes["web1"].exit("celery:w1", status=1)
    viewer.until("state")
    viewer.close()
    before = console.services.state.snapshot().version
    fakes["web1"].exit("celery:w2", status=1)
    eventually(lambda: console.services.state.snapshot().version > before)

    back = watch(last_id=viewer.last_id)

    assert back.next()[0] == "hello"
    assert back.until("state")["version"] > before


def test_after_a_gap_a_viewer_is_told_to_look_again(watch: Watch) -> None:
    assert watch(last_id="somebody-elses-7").next()[0] == "resync"


def test_progress_of_an_operation_is_streamed_to_its_end(
    watch: Watch, console: RunningConsole
) -> None:
    viewer = watch()
    viewer.until("hello")
    parts = urlsplit(console.url)
    assert parts.hostname
    with closing(http.client.HTTPConnection(parts.hostname, parts.port)) as link:
        link.request(
            "POST",
            "/api/v1/actions",
            body=json.dumps({"action": "restart", "selectors": ["web1/celery:*"]}),
            headers={
                "Authorization": f"Bearer {console.token(Role.OPERATOR)}",
                "Content-Type": "application/json",
            },
        )
        begun = json.loads(link.getresponse().read())

    seen: list[str] = []
    while True:
        message = viewer.until("operation")
        assert message["id"] == begun["id"]
        seen += [outcome["process"] for outcome in message["outcomes"]]
        if message["is_over"]:
            break

    assert sorted(seen) == ["celery:w1", "celery:w2"]


def test_logs_are_followed_line_by_line(watch: Watch, fakes: Fakes) -> None:
    fakes["web1"].write("celery:w1", b"old\n")
    viewer = watch("/api/v1/logs/stream?selector=web1/celery:w1&lines=1")
    first = viewer.until("message")

    fakes["web1"].write("celery:w1", "new é <b>\n".encode())

    assert first["text"] == "old"
    assert viewer.until("message")["text"] == "new é <b>"


def test_a_viewer_of_logs_who_leaves_stops_the_reading(
    watch: Watch, console: RunningConsole
) -> None:
    viewer = watch("/api/v1/logs/stream?selector=web1/celery:w1&lines=1")
    eventually(lambda: console.console._hub.count == 1)

    viewer.close()

    eventually(lambda: console.console._hub.count == 0)


def test_more_streams_than_allowed_are_refused(watch: Watch) -> None:
    for _ in range(5):
        watch().until("hello")

    assert watch().answer.status == 503


def test_a_login_that_ends_takes_its_streams_along(
    watch: Watch, console: RunningConsole
) -> None:
    token = console.token(Role.VIEWER)
    viewer = watch(token=token)
    other = watch()
    viewer.until("hello")
    other.until("hello")

    console.console._hub.end_streams_of(Credential(is_token=True, secret=token))

    assert viewer.until("bye") == {"reason": "logged_out"}
    eventually(lambda: console.console._hub.count == 1, within=10)


def test_the_end_of_the_console_ends_its_streams(
    watch: Watch, console: RunningConsole
) -> None:
    viewer = watch()
    viewer.until("hello")
    ended: list[Any] = []
    reading = threading.Thread(target=lambda: ended.append(viewer.until("bye")))
    reading.start()

    console.stop_serving()

    reading.join(10)
    assert ended == [{"reason": "restart"}]


def test_a_full_channel_refuses_and_can_start_over() -> None:
    channel = Channel(2, Credential(is_token=True, secret="x"))

    taken = [channel.offer(b"a"), channel.offer(b"b"), channel.offer(b"c")]
    channel.start_over(b"resync")

    assert taken == [True, True, False]
    assert channel.offer(b"d")


def test_in_a_log_stream_only_entries_are_events(run: Callable[..., bytes]) -> None:
    async def read() -> bytes:
        channel = Channel(5, Credential(is_token=True, secret="x"), has_names=False)
        channel.keep_alive(7)
        first = await channel.take()
        channel.farewell("restart")
        return first + await channel.take()

    assert run(read()) == b": keep-alive\n\n: bye: restart\n\n"


def test_a_waiting_channel_hands_over_all_at_once(run: Callable[..., bytes]) -> None:
    async def read() -> bytes:
        channel = Channel(5, Credential(is_token=True, secret="x"))
        channel.offer(b"a")
        channel.offer(b"b")
        channel.close(b"end")
        first = await channel.take()
        return first + b"|" + await channel.take()

    assert run(read()) == b"abend|"
