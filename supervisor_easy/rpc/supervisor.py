"""The seam to one supervisord: what the rest of the program may ask of a host.

Every method has a deadline (the host's own timeouts), raises only `RpcError`s, and
must be awaited on the engine's loop. A return value is never proof that a process
changed: look again with `observe`. Nor is an error proof that it did not: after a
`HostUnreachable` with `maybe_executed`, and after any `BadReply`, a command may have
been carried out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from supervisor_easy.errors import RpcError
from supervisor_easy.model import Host, Observation, ProcessConfig, Stream


class UndecodableLog(RpcError):
    """The bytes asked for are not UTF-8, or the slice cuts a character.

    Supervisord decodes logs strictly and fails on such a slice; ask for another one.
    """

    code = "undecodable_log"


@dataclass(frozen=True, slots=True)
class LogTail:
    """The answer of a tail call, in bytes.

    `size` is the log's size at that moment; `has_overflow` says that more was
    asked-for than returned.
    """

    data: bytes
    size: int
    has_overflow: bool


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """The process groups that a reread found added, changed and removed."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing would happen."""
        return not (self.added or self.changed or self.removed)


class Supervisor(Protocol):
    """One host's supervisord."""

    @property
    def host(self) -> Host:
        """The host this talks to."""
        ...

    async def observe(self) -> Observation:
        """Return version, pid and all processes, in one round trip where it can.

        Raises:
            ShuttingDown: supervisord restarts or shuts down.
            UnknownMethod: the XML-RPC interface is not configured on this host.
        """
        ...

    async def configs(self) -> tuple[ProcessConfig, ...]:
        """Return the configuration of every process.

        Raises:
            UnknownMethod: this supervisord does not tell (remembered, asked once).
        """
        ...

    async def start_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Ask for each process to start, not waiting; one answer a name, in order.

        None means only that supervisord took the request. While a process is
        STOPPING, supervisord takes it and does nothing. This and the other `…_many`
        raise nothing: a host that cannot be reached is the answer of every name, and
        names that were never sent get a `HostUnreachable` without `maybe_executed`.
        """
        ...

    async def stop_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Ask for each process to stop, not waiting; one answer a name, in order."""
        ...

    async def signal_many(
        self, namespecs: Sequence[str], signal: str
    ) -> list[RpcError | None]:
        """Send a signal (`HUP`, `USR1`, …) to each process; one answer a name."""
        ...

    async def clear_logs_many(self, namespecs: Sequence[str]) -> list[RpcError | None]:
        """Empty both logs of each process; one answer a name."""
        ...

    async def read_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> bytes:
        """Return exactly the bytes [offset, offset + length) that exist now.

        Beyond the end of the file the answer is empty. A negative `offset` with
        length 0 returns the last bytes; otherwise length 0 returns nothing. All
        control bytes are kept.

        Raises:
            UndecodableLog: ask for another slice.
            SpawnFailed: the process has no such log (NO_FILE).
        """
        ...

    async def tail_log(
        self, namespec: str, stream: Stream, *, offset: int, length: int
    ) -> LogTail:
        """Return supervisord's tail: with length 0 it is the cheap size probe.

        Where there is no log, it is empty and of size 0.
        """
        ...

    async def tails(
        self, namespecs: Sequence[str], *, length: int
    ) -> list[bytes | None]:
        """Return the last `length` bytes of many stdout logs; None where it fails.

        Up to three bytes fewer come back where the slice would begin in the middle
        of a character. An unreachable host raises.
        """
        ...

    async def read_main_log(self, *, offset: int, length: int) -> bytes:
        """Return a slice of supervisord's own log, as `read_log` does."""
        ...

    async def reload_config(self) -> ConfigDiff:
        """Have supervisord read its configuration again; nothing running changes.

        Raises:
            BadConfig: the text names the file and the section.
        """
        ...

    async def stop_group(self, group: str) -> None:
        """Ask for every process of a group to stop, not waiting."""
        ...

    async def remove_group(self, group: str) -> None:
        """Remove a stopped process group from the running configuration."""
        ...

    async def add_group(self, group: str) -> None:
        """Add a process group of the read configuration; autostart ones start."""
        ...

    async def restart(self) -> None:
        """Restart supervisord itself; it answers ShuttingDown for a while."""
        ...
