"""What each group of the inventory holds now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supervisor_easy.services import Services
from supervisor_easy.web.selection import is_blind, is_trouble, members_of_group
from supervisor_easy.wire import counts_by_state


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group: its members as written, and what they are now."""

    name: str
    members: tuple[str, ...]
    counts: Mapping[str, int]
    targets: int
    stale: int
    troubled: int
    hosts: int
    blind_hosts: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the group as programs see it."""
        return {
            "name": self.name,
            "members": list(self.members),
            "counts": dict(self.counts),
            "targets": self.targets,
            "stale": self.stale,
            "blind_hosts": list(self.blind_hosts),
        }


def group_views(services: Services) -> list[GroupView]:
    """Return every group, in the inventory's order."""
    snapshot = services.state.snapshot()
    views = []
    for name, group in services.inventory.current.groups.items():
        chosen = members_of_group(services, name)
        hosts = {process.host for process in chosen.processes}
        stale = {
            h for h in hosts if h not in snapshot.hosts or snapshot.hosts[h].is_stale
        }
        views.append(
            GroupView(
                name=name,
                members=group.members,
                counts=counts_by_state(chosen.processes),
                targets=len(chosen.processes),
                stale=sum(process.host in stale for process in chosen.processes),
                troubled=sum(is_trouble(process) for process in chosen.processes),
                hosts=len(hosts),
                blind_hosts=tuple(
                    h
                    for h in chosen.blind_hosts
                    if h in snapshot.hosts and is_blind(snapshot.hosts[h])
                ),
            )
        )
    return views
