"""Another process of ours, for tests: `python -m tests.store.other_process WHAT URL …`.

It says in one line on stdout what it has done, then waits for stdin to close.
"""

import sys
from collections.abc import Callable

from supervisor_easy.clock import SystemClock
from supervisor_easy.model import OperationStatus
from supervisor_easy.settings import Settings
from supervisor_easy.store import Store
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner
from tests.store.values import UP, an_operation, begin, some_targets


def upgrade(store: Store) -> str:
    store.upgrade()
    return str(store.current_revision())


def open_operation(store: Store, operation_id: str) -> str:
    clock = SystemClock()
    wanted = an_operation(*some_targets(3), id=operation_id, requested_at=clock.now())
    journal, me = Journal(store), Owner.this_process(clock)
    opened = journal.open(wanted, owner=me)
    begin(journal, me, operation_id, dict.fromkeys(wanted.targets, UP))
    return opened.operation.status


def adopt(store: Store, operation_id: str) -> str:
    return str(Journal(store).adopt(operation_id, Owner.this_process(SystemClock())))


def open_with_key(store: Store, key: str) -> str:
    clock = SystemClock()
    wanted = an_operation(*some_targets(3), idempotency_key=key)
    opened = Journal(store).open(wanted, owner=Owner.this_process(clock))
    assert opened.operation.status is OperationStatus.RUNNING
    return f"{opened.operation.id} {opened.is_repeat}"


DO: dict[str, Callable[..., str]] = {
    "upgrade": upgrade,
    "open": open_operation,
    "adopt": adopt,
    "open_with_key": open_with_key,
}

if __name__ == "__main__":
    what, url, *rest = sys.argv[1:]
    opened = Store(url, clock=SystemClock(), settings=Settings())
    sys.stdout.write(f"{DO[what](opened, *rest)}\n")
    sys.stdout.flush()
    sys.stdin.read()
