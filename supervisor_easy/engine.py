"""Everything that runs in the background, on one asyncio loop in one thread.

Web views and commands run in other threads: they read `FleetState`, which costs no
I/O, or hand work over with `call` and `iterate`. Start and stop have an order, and
every wait in them a deadline.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
)
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import timedelta
from typing import Any, TypeVar

from supervisor_easy.errors import FleetError, StoreError
from supervisor_easy.fleet.watcher import look_once
from supervisor_easy.model import Host, Operation
from supervisor_easy.services import Services

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long the loop may take to end all its tasks before its thread is abandoned.
STOP_TIMEOUT = timedelta(seconds=10)
#: Items that `iterate` holds between the loop and a thread that reads them.
ITERATE_BUFFER = 1000
_END = object()


class Engine:
    """Starts and stops the background work of one program."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run_loop, name="fleet-engine", daemon=True
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._has_journal = False

    # -- life

    def start(self) -> None:
        """Start the loop; hosts can be asked from now on."""
        self._thread.start()

    def open_journal(self) -> list[Operation]:
        """Make the database ready, sign on as its owner, begin to write.

        A fresh database, or one in a file of this machine, is brought up to date; a
        shared one is only checked, because others may still run the old program.
        Returned are the operations of dead consoles that we took over: they go on
        now, and whoever ends this program waits for them first.

        Raises:
            StoreError: it is out of reach or of another version.
        """
        if self._has_journal:
            return []
        services = self._services
        if services.store.is_sqlite or services.store.current_revision() is None:
            services.store.upgrade()
        else:
            services.store.check()
        self.call(services.writer.renew)
        self._spawn(services.writer.run, "journal")
        self._spawn(self._stay_alive, "lease")
        self._has_journal = True
        return self.call(services.actions.recover)

    def watch(self) -> None:
        """Keep the whole fleet's state fresh and record what happens."""
        hosts = self._services.inventory.current.hosts.values()
        self.call(lambda: self._on_loop(self._services.watcher.watch, hosts))
        self._spawn(self._services.recorder.run, "recorder")
        self._spawn(self._follow_inventory, "inventory")

    def stop(self) -> None:
        """End everything in order: work, watching, writing, connections, the loop."""
        if not self._thread.is_alive():
            return
        try:
            self.call(self._shut_down, timeout=STOP_TIMEOUT)
        except TimeoutError:
            logger.warning("the engine did not end in time, leaving it")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT.total_seconds())
        if self._has_journal:
            with contextlib.suppress(StoreError):
                self._services.owners.release(self._services.owner)
        self._services.store.close()

    @property
    def is_healthy(self) -> bool:
        """The loop lives and none of its background tasks has died."""
        return self._thread.is_alive() and not any(t.done() for t in self._tasks)

    # -- what other threads use

    def call(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        *,
        timeout: timedelta | None = None,
    ) -> T:
        """Run a coroutine on the loop and wait for its result in this thread.

        Raises:
            TimeoutError: not done in `timeout`; it is cancelled.
        """
        future = self.submit(work)
        try:
            return future.result(timeout.total_seconds() if timeout else None)
        except FutureTimeoutError:
            if not future.done():
                future.cancel()
            raise
        except BaseException:
            # Ctrl-C here must not leave the work running without a reader.
            future.cancel()
            raise

    def submit(self, work: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
        """Run a coroutine on the loop; do not wait."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop)

    def iterate(
        self, source: Callable[[], AsyncIterator[T]]
    ) -> Generator[T, None, None]:
        """Read an async iterator in this thread; closing this ends that first."""
        handed: queue.Queue[Any] = queue.Queue(ITERATE_BUFFER)
        has_begun, has_ended = threading.Event(), threading.Event()

        async def pump() -> None:
            has_begun.set()
            try:
                await _pump(source(), handed)
            finally:
                has_ended.set()

        future = self.submit(pump)
        try:
            while (item := handed.get()) is not _END:
                yield item
            future.result()
        finally:
            future.cancel()
            # A pump that waits for room gets it, and ends.
            with contextlib.suppress(queue.Empty):
                while True:
                    handed.get_nowait()
            if has_begun.is_set():
                has_ended.wait(STOP_TIMEOUT.total_seconds())

    def refresh(self, hosts: list[Host] | None = None) -> None:
        """Ask hosts once, all at the same time, and wait for the last deadline."""
        services = self._services
        wanted = hosts or list(services.inventory.current.hosts.values())
        self.call(
            lambda: look_once(
                [services.supervisors(host) for host in wanted],
                services.state,
                concurrency=services.settings.poll_concurrency,
            )
        )

    def reload_inventory(self) -> bool:
        """Read the inventory and its secrets again, as SIGHUP asks.

        True if another one is in force, or another error is; a broken file leaves
        the last good one in force.
        """
        is_new = self._services.inventory.reload()
        if is_new:
            self.call(lambda: self._on_loop(self._take_inventory))
        return is_new

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _on_loop(self, function: Callable[..., T], *args: Any) -> T:
        return function(*args)

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        async def make() -> asyncio.Task[None]:
            return asyncio.create_task(self._guard(work, name), name=name)

        self._tasks.append(self.call(make))

    async def _guard(
        self, work: Callable[[], Coroutine[Any, Any, None]], name: str
    ) -> None:
        try:
            await work()
        except Exception:
            # The thread's edge: nobody awaits this task before the end.
            logger.exception("background task died task=%s", name)
            raise

    async def _stay_alive(self) -> None:
        """Renew our lease and take over what dead consoles left unfinished."""
        services = self._services
        while True:
            await services.clock.sleep(services.settings.lease_ttl / 3)
            try:
                await services.writer.renew()
                await services.actions.recover()
            except FleetError as error:
                logger.warning("cannot renew the lease or look for orphans: %s", error)

    async def _follow_inventory(self) -> None:
        services = self._services
        while True:
            await services.clock.sleep(services.settings.inventory_check_interval)
            if await asyncio.to_thread(services.inventory.reload_if_changed):
                self._take_inventory()

    def _take_inventory(self) -> None:
        inventory = self._services.inventory
        if inventory.error is not None:
            logger.error(
                "the inventory is broken, the last good one stays in force: %s",
                inventory.error,
            )
            return
        logger.info("inventory read hosts=%d", len(inventory.current.hosts))
        self._services.watcher.watch(inventory.current.hosts.values())

    async def _shut_down(self) -> None:
        services = self._services
        await services.actions.stop()
        await services.watcher.stop()
        for task in reversed(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await services.connections.aclose()


async def _pump(source: AsyncIterator[T], handed: "queue.Queue[Any]") -> None:
    loop = asyncio.get_running_loop()
    try:
        async for item in source:
            try:
                handed.put_nowait(item)
            except queue.Full:
                await loop.run_in_executor(None, handed.put, item)
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()
        await loop.run_in_executor(None, handed.put, _END)
