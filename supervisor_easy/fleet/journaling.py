"""The journal as the engine's loop uses it: writes are gathered and made durable.

While one transaction is being written the next ones gather, so that a hundred hosts
that finish in the same moment cost a few commits, not a hundred.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from supervisor_easy.clock import Clock
from supervisor_easy.errors import StoreError
from supervisor_easy.model import (
    Operation,
    OperationStatus,
    Outcome,
    Sighting,
    Target,
)
from supervisor_easy.settings import Settings
from supervisor_easy.store import Store
from supervisor_easy.store.journal import Journal, Opened
from supervisor_easy.store.owners import Owner, Owners

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Pause before outcomes that could not be written are tried again.
RETRY_AFTER = timedelta(seconds=2)


class JournalWriter:
    """Writes the journal in the store's thread; every method runs on the loop."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        *,
        owners: Owners,
        owner: Owner,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.journal = journal
        self._store = store
        self._owners = owners
        self._ttl = settings.lease_ttl
        self._renewed_at: tuple[float, datetime] | None = None
        # How often our lease ran out, and as of when each operation is known as ours.
        self._lapses = 0
        self._ours_since: dict[str, int] = {}
        self._owner = owner
        self._clock = clock
        self._intents: list[
            tuple[str, Mapping[Target, Sighting], asyncio.Future[None]]
        ] = []
        self._outcomes: dict[str, list[Outcome]] = defaultdict(list)
        self._ends: list[tuple[str, OperationStatus, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    async def call(
        self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one call of the store in its thread."""
        return await self._store.run(function, *args, **kwargs)

    async def open(self, operation: Operation) -> Opened:
        """Write a new operation and take its targets into hand."""
        lapses = self._lapses
        opened = await self.call(self.journal.open, operation, owner=self._owner)
        self._ours_since[operation.id] = lapses
        return opened

    async def renew(self) -> None:
        """Extend our lease by a full term from now.

        Raises:
            StoreError: it could not be extended.
        """
        asked_at = (self._clock.monotonic(), self._clock.now())
        if not self._is_lease_fresh():
            self._lapses += 1
        await self.call(self._owners.register, self._owner)
        self._renewed_at = asked_at

    async def confirm(self, operation_id: str) -> bool:
        """Say whether an operation is still ours; costs nothing while the lease lives.

        A console that was suspended for longer finds that another one went on: the
        journal is asked once for each time that the lease ran out, whoever renewed
        it since. Where the database is away, nobody can have taken the operation
        over there, and what was begun is finished.
        """
        try:
            if not self._is_lease_fresh():
                await self.renew()
            if self._ours_since.get(operation_id) == self._lapses:
                return True
            lapses = self._lapses
            is_ours = await self.call(
                self.journal.is_held_by, operation_id, owner=self._owner
            )
        except StoreError as error:
            logger.warning("cannot renew the lease, going on: %s", error)
            return True
        if is_ours:
            self._ours_since[operation_id] = lapses
        return is_ours

    def _is_lease_fresh(self) -> bool:
        if self._renewed_at is None:
            return False
        monotonic, wall = self._renewed_at
        # A suspended machine stops the one clock, a suspended process neither.
        ttl = self._ttl.total_seconds()
        return (
            self._clock.monotonic() - monotonic < ttl
            and abs(self._clock.now() - wall) < self._ttl
        )

    async def held(self) -> list[Operation]:
        """Return the running operations that are ours by the journal."""
        return await self.call(self.journal.held_by, self._owner)

    async def orphans(self) -> list[Operation]:
        """Return the operations that nobody alive works on."""
        return await self.call(self.journal.orphans, self._owner)

    async def adopt(self, operation_id: str) -> bool:
        """Make an orphan ours; False if somebody else was quicker."""
        lapses = self._lapses
        is_ours = await self.call(self.journal.adopt, operation_id, self._owner)
        if is_ours:
            self._ours_since[operation_id] = lapses
        return is_ours

    async def intend(
        self, operation_id: str, baselines: Mapping[Target, Sighting]
    ) -> None:
        """Return once it is durable that we are about to act on these.

        Raises:
            StoreError: it is not, so nothing may be sent.
        """
        done = asyncio.get_running_loop().create_future()
        self._intents.append((operation_id, baselines, done))
        self._wake.set()
        await done

    def record(self, operation_id: str, outcomes: Sequence[Outcome]) -> None:
        """Have outcomes written soon; kept and tried again until they are."""
        self._outcomes[operation_id].extend(outcomes)
        self._wake.set()

    async def close(self, operation_id: str, status: OperationStatus) -> None:
        """Return once an operation's end is written, after all its outcomes."""
        done = asyncio.get_running_loop().create_future()
        self._ends.append((operation_id, status, done))
        self._wake.set()
        await done
        self._ours_since.pop(operation_id, None)

    async def run(self) -> None:
        """Write what gathers, until cancelled; what is left then, once more."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._write()
        finally:
            if self._outcomes or self._ends:
                await self._write()

    async def _write(self) -> None:
        intents, self._intents = self._intents, []
        outcomes, self._outcomes = self._outcomes, defaultdict(list)
        ends, self._ends = self._ends, []
        try:
            lost = await self.call(
                self.journal.write,
                [(operation_id, baselines) for operation_id, baselines, _ in intents],
                outcomes,
                [(operation_id, status) for operation_id, status, _ in ends],
                owner=self._owner,
            )
        except StoreError as error:
            for _, _, done in intents:
                _settle(done, error)
            if outcomes or ends:
                await self._keep(outcomes, ends, error)
        else:
            for operation_id, _, done in intents:
                _settle(done, _taken_over(operation_id, lost))
            for *_, done in ends:
                _settle(done, None)

    async def _keep(
        self,
        outcomes: Mapping[str, list[Outcome]],
        ends: list[tuple[str, OperationStatus, asyncio.Future[None]]],
        error: StoreError,
    ) -> None:
        logger.error("outcomes are not written yet: %s", error)
        for operation_id, kept in outcomes.items():
            self._outcomes[operation_id][:0] = kept
        self._ends[:0] = ends
        await self._clock.sleep(RETRY_AFTER)
        self._wake.set()


def _taken_over(operation_id: str, lost: Collection[str]) -> StoreError | None:
    if operation_id not in lost:
        return None
    return StoreError(f"operation {operation_id} was taken over by another console")


def _settle(done: asyncio.Future[None], error: StoreError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
