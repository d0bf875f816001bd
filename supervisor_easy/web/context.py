"""What every view may reach: the services, the engine, the hub, who is asking."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar, cast

from flask import current_app, g

from supervisor_easy.access import Identity, Permission, allows
from supervisor_easy.engine import Engine
from supervisor_easy.errors import NotAuthenticated, StaleRequest
from supervisor_easy.model import Action, Target
from supervisor_easy.services import Services
from supervisor_easy.web.credentials import Credential
from supervisor_easy.web.errors import HostCallsBusy
from supervisor_easy.web.hub import Hub
from supervisor_easy.web.metrics import OperationMetrics

T = TypeVar("T")

#: Where Flask keeps ours among its extensions.
EXTENSION = "fleet"
#: Idempotency keys remembered, so that a repeat is known before anything is checked.
KEYS_KEPT = 2_000
#: How long a view waits for what the engine only writes into the database.
JOURNAL_WAIT = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Deed:
    """What an operation does, apart from who asked and why."""

    action: Action
    targets: frozenset[Target]
    signal: str


class RecentKeys:
    """Which operation an idempotency key of somebody made; bounded, thread-safe.

    The journal knows too. This one is asked first, because after the first request
    the pids have changed and a repeat would look stale.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, str, str], tuple[Deed, str]] = OrderedDict()

    def find(self, identity: Identity, key: str, deed: Deed) -> str | None:
        """Return the id of the operation, or None.

        Raises:
            StaleRequest: the key stands for another deed.
        """
        with self._lock:
            made = self._made.get((identity.name, identity.via, key))
        if made is None:
            return None
        known, operation_id = made
        if known != deed:
            raise StaleRequest(
                f"this Idempotency-Key was used for operation {operation_id}, which "
                "did something else; use a new key"
            )
        return operation_id

    def add(
        self, identity: Identity, key: str, deed: Deed, *, operation_id: str
    ) -> None:
        """Remember an operation; the oldest is forgotten when there are too many."""
        with self._lock:
            self._made[identity.name, identity.via, key] = (deed, operation_id)
            while len(self._made) > KEYS_KEPT:
                self._made.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Web:
    """The parts behind the views of one console."""

    services: Services
    engine: Engine
    hub: Hub
    metrics: OperationMetrics
    #: Threads that may wait for hosts at once; the others stay free for pages.
    host_calls: threading.BoundedSemaphore
    keys: RecentKeys = field(default_factory=RecentKeys)
    #: Tells this run of the console from the next one, for pages that stay open.
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))

    def ask_hosts(
        self, work: Callable[[], Coroutine[Any, Any, T]], *, timeout: timedelta
    ) -> T:
        """Have the engine ask hosts, and wait; few threads may do so at a time.

        Raises:
            HostCallsBusy: too many wait already.
            TimeoutError: the hosts took too long; the work is cancelled.
        """
        with self._turn():
            return self.engine.call(work, timeout=timeout)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.host_calls.acquire(blocking=False):
            raise HostCallsBusy(
                "too many requests wait for hosts at this moment; try again soon"
            )
        try:
            yield
        finally:
            self.host_calls.release()


def web() -> Web:
    """Return the parts behind the running request."""
    return cast("Web", current_app.extensions[EXTENSION])


def services() -> Services:
    """Return the services behind the running request."""
    return web().services


def identity() -> Identity:
    """Return who is asking.

    Raises:
        NotAuthenticated: nobody known.
    """
    found = g.get("identity")
    if found is None:
        raise NotAuthenticated("log in first")
    return cast("Identity", found)


def credential() -> Credential:
    """Return what the caller showed to be known.

    Raises:
        NotAuthenticated: nothing.
    """
    found = g.get("credential")
    if found is None:
        raise NotAuthenticated("log in first")
    return cast("Credential", found)


def may(permission: str) -> bool:
    """Say whether the caller may, for templates that leave buttons out."""
    found = g.get("identity")
    return found is not None and allows(found.role, Permission(permission))
