"""The database of this machine, for commands that need no host and no inventory."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from supervisor_easy.clock import SystemClock
from supervisor_easy.model import Actor
from supervisor_easy.settings import Settings
from supervisor_easy.store import Store


@contextmanager
def open_store(settings: Settings, *, is_ready: bool = True) -> Iterator[Store]:
    """Open the database; a fresh one, or one in a file, is brought up to date.

    Raises:
        StoreError: it is out of reach, or of another version.
    """
    url = settings.database_url.get_secret_value()
    store = Store(url, clock=SystemClock(), settings=settings)
    try:
        if is_ready:
            if store.is_sqlite or store.current_revision() is None:
                store.upgrade()
            else:
                store.check()
        yield store
    finally:
        store.close()


def me() -> Actor:
    """Return who runs this program, as the history names them."""
    return Actor(user_name(), "cli")


def user_name() -> str:
    """Return who runs this program."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"
