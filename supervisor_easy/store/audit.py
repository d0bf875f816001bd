"""What changes of users, tokens and logins leave in the history.

It is written in the transaction of the change, so that neither is there alone. No
message holds what somebody typed as a name and nobody is called.
"""

from datetime import datetime

from sqlalchemy import Connection, insert

from supervisor_easy.model import Actor, Event, EventKind
from supervisor_easy.store import rows
from supervisor_easy.store.tables import event


def note_access(
    connection: Connection, message: str, *, by: Actor | None, at: datetime
) -> None:
    """Tell the history, unless nobody is named who did it."""
    if by is None:
        return
    told = Event(at, EventKind.ACCESS, message, cause=rows.who(by))
    connection.execute(insert(event), rows.event_values(told))
