"""The inventory of a running console: reloads on change, keeps the last good one."""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from supervisor_easy.errors import InventoryError
from supervisor_easy.inventory.loader import load_inventory
from supervisor_easy.inventory.values import Inventory

logger = logging.getLogger(__name__)

_Signature = tuple[int, int, int, int]


class InventoryFile:
    """One inventory file over time; every method may be called from any thread.

    Reading `current` never waits. The first load must succeed: a console does not
    start on a broken inventory, it only survives one.
    """

    def __init__(
        self, path: Path | str, environ: Mapping[str, str] | None = None
    ) -> None:
        """Load the file.

        Raises:
            InventoryError: it cannot be used.
        """
        self.path = Path(path)
        self._environ = environ
        self._lock = threading.Lock()
        self._signature = _signature(self.path)
        self._current = load_inventory(self.path, environ=environ)
        self._error: InventoryError | None = None

    @property
    def current(self) -> Inventory:
        """The last good inventory."""
        return self._current

    @property
    def error(self) -> InventoryError | None:
        """What is wrong with the file as it is now; None while `current` is it."""
        return self._error

    def reload_if_changed(self) -> bool:
        """Load the file again if it looks changed; cheap if not.

        Return whether `current` or `error` is another one now. A file that was only
        touched, or replaced by an equal one, changes nothing. Variables and secret
        files are not watched: `reload` reads them again.
        """
        with self._lock:
            signature = _signature(self.path)
            if signature == self._signature:
                return False
            return self._load(signature, is_forced=False)

    def reload(self) -> bool:
        """Load the file and its secrets again whatever it looks like.

        Return whether `current` or `error` is another one now.
        """
        with self._lock:
            return self._load(_signature(self.path), is_forced=True)

    def _load(self, signature: _Signature | None, *, is_forced: bool) -> bool:
        # The signature was taken before reading: a write in between shows next time.
        self._signature = signature
        try:
            loaded = load_inventory(self.path, environ=self._environ)
        except InventoryError as exc:
            return self._keep(exc)
        had_error, self._error = self._error is not None, None
        if loaded.digest == self._current.digest and not is_forced:
            return had_error
        self._current = loaded
        logger.info("inventory loaded path=%s hosts=%d", self.path, len(loaded.hosts))
        return True

    def _keep(self, error: InventoryError) -> bool:
        if self._error is not None and self._error.problems == error.problems:
            return False
        self._error = error
        logger.warning(
            "inventory is broken, keeping the last good one path=%s problems=%d",
            self.path,
            len(error.problems),
        )
        return True


def _signature(path: Path) -> _Signature | None:
    """Return what changes when the file is written or replaced; None if it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
