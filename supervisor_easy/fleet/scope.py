"""Tell whether two consoles mean the same machines by the same host names.

Consoles may share a database and not an inventory; what was begun on a host is
finished only where the host has the address that it had then.
"""

import hashlib
from collections.abc import Iterable

from supervisor_easy.model import Snapshot, Target

#: Characters kept of the digest of an address.
_LENGTH = 12


def scope_of(targets: Iterable[Target], snapshot: Snapshot) -> str:
    """Return the targets' hosts, a line each, with a digest of their addresses."""
    hosts = sorted({target.host for target in targets})
    return "\n".join(f"{_digest(host, snapshot)} {host}" for host in hosts)


def hosts_in_scope(scope: str, snapshot: Snapshot) -> frozenset[str]:
    """Return the hosts of a scope that have the same addresses in this fleet."""
    lines = (line.partition(" ") for line in scope.splitlines())
    return frozenset(
        host for digest, _, host in lines if digest == _digest(host, snapshot)
    )


def _digest(host: str, snapshot: Snapshot) -> str:
    status = snapshot.hosts.get(host)
    url = status.host.url if status else ""
    return hashlib.sha256(url.encode(errors="backslashreplace")).hexdigest()[:_LENGTH]
