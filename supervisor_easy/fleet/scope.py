"""Tell whether two consoles mean the same machines by the same host names.

Consoles may share a database and not an inventory; an operation is finished only
where its hosts have the addresses that they had when it was begun.
"""

import hashlib
from collections.abc import Iterable

from supervisor_easy.model import Snapshot, Target

#: Characters kept of the digest.
_LENGTH = 16


def scope_of(targets: Iterable[Target], snapshot: Snapshot) -> str:
    """Return a digest of the targets' hosts and addresses; unknown ones count too."""
    lines = []
    for name in sorted({target.host for target in targets}):
        status = snapshot.hosts.get(name)
        lines.append(f"{name} {status.host.url if status else ''}")
    return hashlib.sha256(
        "\n".join(lines).encode(errors="backslashreplace")
    ).hexdigest()[:_LENGTH]
