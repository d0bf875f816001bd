"""The writer thread: order, bound, end."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from supervisor_easy.errors import StoreError
from supervisor_easy.store import Store
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner
from tests.store.conftest import OpenStore
from tests.store.values import an_operation


def test_a_call_runs_in_the_writer_thread_and_returns_its_result(
    store: Store, journal: Journal, owner: Owner, run: Callable[..., object]
) -> None:
    wanted = an_operation()

    async def open_and_look() -> tuple[str, str]:
        await store.run(journal.open, wanted, owner=owner)
        return await store.run(lambda: (threading.current_thread().name, "here"))

    assert run(open_and_look()) == ("fleet-store-writer", "here")
    assert journal.get(wanted.id) == wanted


def test_calls_run_one_after_the_other_in_the_order_asked(
    store: Store, run: Callable[..., object]
) -> None:
    done: list[int] = []

    async def ask() -> None:
        await asyncio.gather(*(store.run(done.append, n) for n in range(200)))

    run(ask())
    assert done == list(range(200))


def test_an_error_goes_to_the_caller_and_the_thread_lives_on(
    store: Store, run: Callable[..., object]
) -> None:
    async def ask() -> int:
        with pytest.raises(ZeroDivisionError):
            await store.run(lambda: 1 // 0)
        return await store.run(lambda: 7)

    assert run(ask()) == 7


def test_more_calls_than_may_wait_are_refused(
    url: str, open_store: OpenStore, run: Callable[..., object]
) -> None:
    store, go_on = open_store(url, store_queue=2), threading.Event()
    started = threading.Event()

    def block() -> bool:
        started.set()
        return go_on.wait(10)

    async def ask() -> list[bool | None]:
        first = asyncio.ensure_future(store.run(block))
        await asyncio.to_thread(started.wait, 10)
        waiting = [asyncio.ensure_future(store.run(go_on.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="cannot keep up: 2 writes are waiting"):
            await store.run(lambda: None)
        go_on.set()
        return await asyncio.gather(first, *waiting)

    assert run(ask()) == [True] * 3


def test_closing_finishes_what_waits(store: Store, run: Callable[..., object]) -> None:
    done: list[int] = []

    async def ask() -> None:
        waiting = [asyncio.ensure_future(store.run(done.append, n)) for n in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(store.close)
        await asyncio.gather(*waiting)

    run(ask())
    assert done == list(range(50))


def test_closing_gives_up_on_a_hanging_write(
    url: str, open_store: OpenStore, run: Callable[..., object]
) -> None:
    store, go_on = open_store(url, store_timeout="50ms"), threading.Event()

    async def ask() -> None:
        hanging = asyncio.ensure_future(store.run(go_on.wait, 10))
        waiting = asyncio.ensure_future(store.run(lambda: None))
        await asyncio.sleep(0)
        await asyncio.to_thread(store.close)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go_on.set()
        assert await hanging

    run(ask())


def test_after_closing_nothing_is_taken(
    store: Store, run: Callable[..., object]
) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        run(store.run(lambda: None))
