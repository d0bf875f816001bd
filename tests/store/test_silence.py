"""A database that stops answering costs a deadline, and is used again afterwards."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from supervisor_easy.errors import StoreError
from supervisor_easy.store import Store
from supervisor_easy.store.events import Events
from tests.store.conftest import OpenStore
from tests.store.relay import Relay
from tests.store.values import an_event

Run = Callable[..., object]


@pytest.fixture
def relay(postgres_shared: str) -> Iterator[Relay]:
    with Relay(postgres_shared) as relay:
        yield relay


@pytest.fixture
def far_store(relay: Relay, open_store: OpenStore) -> Store:
    """A store behind the relay, with one connection made already."""
    store = open_store(relay.url, store_timeout="400ms")
    assert answer(store) == 1
    return store


def answer(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(text("SELECT 1")).scalar_one())


@pytest.mark.postgres
def test_a_server_that_is_silent_is_an_error_that_says_so(
    far_store: Store, relay: Relay
) -> None:
    relay.fall_silent()

    with pytest.raises(StoreError, match="it does not answer"):
        answer(far_store)


@pytest.mark.postgres
def test_a_server_that_falls_silent_in_a_transaction_is_an_error_that_says_so(
    far_store: Store, relay: Relay
) -> None:
    def write() -> None:
        with far_store.begin() as connection:
            relay.fall_silent()
            connection.execute(text("SELECT 1"))

    with pytest.raises(StoreError, match="it does not answer"):
        write()


@pytest.mark.postgres
def test_the_writer_is_free_again_once_the_server_answers_again(
    far_store: Store, relay: Relay, run: Run
) -> None:
    async def ask() -> int:
        relay.fall_silent()
        with pytest.raises(StoreError, match="does not answer"):
            await far_store.run(answer, far_store)
        relay.talk()
        return await far_store.run(answer, far_store)

    assert run(ask()) == 1


def test_a_call_that_hangs_is_given_up_and_says_why(
    url: str, open_store: OpenStore, run: Run
) -> None:
    store, go_on = open_store(url, store_timeout="50ms"), threading.Event()

    async def ask() -> None:
        with pytest.raises(StoreError, match=r"does not answer: a call was given up"):
            await store.run(go_on.wait, 10)

    run(ask())
    go_on.set()


def test_a_call_that_waits_behind_one_that_hangs_never_runs_once_given_up(
    url: str, open_store: OpenStore, run: Run
) -> None:
    store, go_on = open_store(url, store_timeout="50ms"), threading.Event()
    done: list[int] = []

    async def ask() -> list[object]:
        hanging = asyncio.ensure_future(store.run(go_on.wait, 10))
        errors = await asyncio.gather(
            hanging, store.run(done.append, 1), return_exceptions=True
        )
        go_on.set()
        await store.run(done.append, 2)
        return [type(error) for error in errors]

    assert run(ask()) == [StoreError, StoreError]
    assert done == [2]


def test_a_write_that_was_given_up_is_undone_when_it_wakes_up(
    url: str, open_store: OpenStore, run: Run
) -> None:
    store, patient = open_store(url, store_timeout="100ms"), open_store(url)
    go_on = threading.Event()

    def write() -> None:
        with store.begin() as connection:
            connection.execute(text("DELETE FROM event"))
            go_on.wait(10)

    async def ask() -> int:
        with pytest.raises(StoreError, match="given up"):
            await store.run(write)
        go_on.set()
        return await store.run(lambda: len(events.query()))

    events = Events(patient)
    events.append([an_event()])
    assert run(ask()) == 1
