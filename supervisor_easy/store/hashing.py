"""Argon2 for passwords, SHA-256 for random secrets; nothing here is stored.

Argon2id with OWASP's minimum (19 MiB, two passes, one lane). Only so many hashes run
at the same moment, so that a burst of logins cannot eat the memory.
"""

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from supervisor_easy.errors import TooManyAttempts

#: KiB, passes, lanes: the OWASP password storage cheat sheet.
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1
#: Bytes of every secret that we make: 256 bits.
_SECRET_BYTES = 32


class Passwords:
    """Hashes and checks passwords; threads may share it."""

    def __init__(self, *, concurrency: int, timeout: timedelta) -> None:
        """Let `concurrency` hashes run at once; others wait up to `timeout`."""
        self._hasher = PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES
        )
        self._slots = threading.BoundedSemaphore(concurrency)
        self._timeout = timeout

    def hash(self, password: str) -> str:
        """Return the hash to store.

        Raises:
            TooManyAttempts: too many hashes run.
        """
        with self._slot():
            return self._hasher.hash(_encoded(password))

    def is_right(self, password: str, *, stored: str | None) -> bool:
        """Check a password; with no hash to check, take the same time and say no.

        Raises:
            TooManyAttempts: too many hashes run.
        """
        with self._slot():
            # Read always, so that making it does not tell who is unknown.
            nobodys = self._nobodys
            try:
                self._hasher.verify(stored or nobodys, _encoded(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Say whether a hash was made with other parameters than ours."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_bytes(_SECRET_BYTES))

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._timeout.total_seconds()):
            raise TooManyAttempts(
                "too many logins at this moment; try again", retry_after=self._timeout
            )
        try:
            yield
        finally:
            self._slots.release()


def new_secret() -> str:
    """Return 256 random bits as text that fits into a cookie or a header."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(text: str) -> str:
    """Return the SHA-256 of a text; for 256 random bits nothing slower is needed."""
    return hashlib.sha256(_encoded(text)).hexdigest()


def _encoded(text: str) -> bytes:
    # A browser can send lone surrogates; they are a wrong password, not an error.
    return text.encode("utf-8", "surrogatepass")
