"""Who works on the unfinished operations: a process of ours, alive by lease.

A process of this very machine is known dead the moment it is, and its lease counts
only while it is stopped (suspended in its terminal); one of another machine is taken
for dead when its lease has run out. Leases count on the machines' clocks, so machines
that share a PostgreSQL need NTP.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from supervisor_easy.clock import Clock
from supervisor_easy.store import tables
from supervisor_easy.store.rows import Record
from supervisor_easy.store.store import Store

#: After its end a lease is of no use to anybody.
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Owner:
    """One run of one program of ours.

    `boot_id` names this boot of this machine and the pid's namespace (a container's
    pids mean nothing outside); it is empty where the system does not tell, and then
    only the lease speaks.
    """

    id: str
    hostname: str
    pid: int
    boot_id: str
    process_started: str

    @classmethod
    def this_process(cls, clock: Clock) -> "Owner":
        """Return a new owner for the calling process."""
        started = _process_started(os.getpid())
        return cls(
            id=secrets.token_hex(16),
            hostname=socket.gethostname(),
            pid=os.getpid(),
            boot_id=_boot_id() if started else "",
            process_started=started or clock.now().isoformat(),
        )


class Owners:
    """The leases, in the database."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def register(self, owner: Owner) -> None:
        """Begin a lease of `lease_ttl`."""
        with self._store.begin() as connection:
            extend(connection, owner, store=self._store)

    def renew(self, owner: Owner) -> bool:
        """Extend the lease to a full term from now; call it every third of a term.

        False says that it had run out: other processes may have taken operations
        over, whose outcomes `Journal.write` then refuses.
        """
        with self._store.begin() as connection:
            return extend(connection, owner, store=self._store)

    def release(self, owner: Owner) -> None:
        """End the lease; what is unfinished can be taken over at once."""
        with self._store.begin() as connection:
            connection.execute(
                delete(tables.owner).where(tables.owner.c.id == owner.id)
            )


def extend(connection: Connection, owner: Owner, *, store: Store) -> bool:
    """Extend a lease in the caller's transaction; say whether it was still held."""
    now = store.clock.now()
    table = tables.owner
    expires_at = now + store.settings.lease_ttl
    renewed = connection.execute(
        update(table)
        .where(table.c.id == owner.id, table.c.expires_at > now)
        .values(expires_at=expires_at)
    )
    if renewed.rowcount:
        return True
    # Those of killed processes would stay for ever; without a row, too, they are dead.
    old = select(table).where(table.c.expires_at < now - _FORGOTTEN_AFTER)
    ids = [
        lease.id
        for lease in connection.execute(old)
        if is_gone(lease, me=owner, now=now)
    ]
    connection.execute(delete(table).where(table.c.id.in_([owner.id, *ids])))
    connection.execute(
        insert(table).values(
            id=owner.id,
            hostname=owner.hostname,
            pid=owner.pid,
            boot_id=owner.boot_id,
            process_started=owner.process_started,
            expires_at=expires_at,
        )
    )
    return False


def is_gone(lease: "Record | None", *, me: Owner, now: datetime) -> bool:
    """Say whether nobody holds this lease any more, as seen from `me`."""
    if lease is None:
        return True
    has_expired = bool(lease.expires_at <= now)
    is_here = (
        bool(me.boot_id)
        and lease.boot_id == me.boot_id
        and lease.hostname == me.hostname
    )
    if not is_here:
        return has_expired
    process = _look_at(lease.pid)
    if process is None or process.started != lease.process_started:
        return True
    # Here the process itself is the proof; that its lease has run out may only say
    # that the time of day was set forward. One that was stopped cannot renew it.
    return has_expired and process.is_stopped


def _boot_id() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True, slots=True)
class _ProcessLook:
    """When a living process began, in ticks since boot, and whether it is stopped."""

    started: str
    is_stopped: bool


def _process_started(pid: int) -> str | None:
    process = _look_at(pid)
    return None if process is None else process.started


def _look_at(pid: int) -> _ProcessLook | None:
    """Return what the system tells of a process; None if it does not live."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in brackets may hold blanks and brackets; what follows may not.
    fields = stat.rpartition(b")")[2].split()
    state, started = fields[0], fields[19]
    if state in (b"Z", b"X"):
        return None
    return _ProcessLook(started.decode("ascii"), is_stopped=state in (b"T", b"t"))
