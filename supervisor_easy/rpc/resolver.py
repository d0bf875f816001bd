"""Names of hosts to addresses, in threads that nothing else needs."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult


class Resolver(AbstractResolver):
    """Resolves names in threads of its own.

    A dead name server holds a thread for many seconds; it must hold none of those
    that everybody shares.
    """

    def __init__(self, threads: int) -> None:
        """Use at most so many threads."""
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="fleet-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses that the system knows for a name."""
        loop = asyncio.get_running_loop()
        ask = partial(
            socket.getaddrinfo,
            host,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )
        found = await loop.run_in_executor(self._executor, ask)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=each_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for each_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Wait for no name any more."""
        self._executor.shutdown(wait=False, cancel_futures=True)
