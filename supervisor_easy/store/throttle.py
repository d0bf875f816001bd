"""Failed logins, counted in the database for each name and each address.

A try is written down before its password is checked, so a hundred tries at the same
moment count as a hundred.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, insert, select

from supervisor_easy.errors import TooManyAttempts
from supervisor_easy.store.hashing import digest
from supervisor_easy.store.tables import NAME_LIMIT, login_attempt

#: The span that `login_attempts` speaks of.
WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try that was written down; after the last one more are refused."""

    id: int
    is_last: bool


def begin_attempt(
    connection: Connection,
    name: str,
    *,
    address: str,
    limit: int,
    now: datetime,
) -> Attempt:
    """Write a try down and return it.

    Raises:
        TooManyAttempts: the name or the address has failed too often; not counted.
    """
    table = login_attempt.c
    begin = now - WINDOW
    connection.execute(delete(login_attempt).where(table.at <= begin))
    values = {"name_digest": digest(name), "address": network_of(address)}
    is_last = False
    for column, value in values.items():
        if not value:
            continue
        count, oldest = connection.execute(
            select(func.count(), func.min(table.at)).where(table[column] == value)
        ).one()
        if count >= limit:
            wait = max(oldest + WINDOW - now, timedelta(seconds=1))
            minutes = -(-wait // timedelta(minutes=1))
            raise TooManyAttempts(
                f"too many failed logins; try again in {minutes} min", retry_after=wait
            )
        is_last = is_last or count + 1 == limit
    made = insert(login_attempt).values(at=now, **values).returning(table.id)
    return Attempt(int(connection.execute(made).scalar_one()), is_last)


def forgive_attempts(
    connection: Connection, attempt_id: int, *, name: str, address: str
) -> None:
    """Forget a try that was right, and this name's earlier ones from this address.

    Failures for other names stay: who has one account cannot guess at another.
    """
    table = login_attempt.c
    is_same = and_(
        table.name_digest == digest(name), table.address == network_of(address)
    )
    connection.execute(delete(login_attempt).where((table.id == attempt_id) | is_same))


def network_of(address: str) -> str:
    """Return what stands for whoever is at an address: for IPv6 the whole /64."""
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return address.strip()[:NAME_LIMIT]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)
