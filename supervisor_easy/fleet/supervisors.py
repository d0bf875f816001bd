"""One `Supervisor` a host, kept: it remembers what its host cannot do."""

from collections.abc import Callable

from supervisor_easy.model import Host
from supervisor_easy.rpc.supervisor import Supervisor


class Supervisors:
    """Makes and keeps the connection object of each host; used on the loop."""

    def __init__(self, make: Callable[[Host], Supervisor]) -> None:
        self._make = make
        self._kept: dict[str, Supervisor] = {}

    def __call__(self, host: Host) -> Supervisor:
        """Return the one for this host; a host that changed gets a new one."""
        kept = self._kept.get(host.name)
        if kept is None or kept.host != host:
            kept = self._kept[host.name] = self._make(host)
        return kept
