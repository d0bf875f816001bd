"""Which hosts a command is about: generously for a look, exactly for a choice."""

from collections.abc import Iterable, Mapping

from supervisor_easy.cli.backend import Query
from supervisor_easy.errors import SelectorError
from supervisor_easy.inventory import Inventory
from supervisor_easy.model import Host
from supervisor_easy.selector import Catalog, Narrowing, select


def narrowing(query: Query) -> Narrowing:
    """Return the conditions of a query beside its selectors."""
    return Narrowing(query.groups, query.hosts, query.labels, query.states)


def hosts_to_ask(query: Query, inventory: Inventory) -> list[Host]:
    """Return the hosts a query can be about, so that no other is asked.

    Only for looking: where the hosts alone do not tell, it is all of them. What is
    selected is found out afterwards, and a mistake is told then.
    """
    hosts = list(inventory.hosts.values())
    if not query:
        return hosts
    groups = {name: group.members for name, group in inventory.groups.items()}
    # With no process known, each host that is meant is one nothing is known of.
    catalog = Catalog(hosts=inventory.hosts, groups=groups, processes=())
    try:
        chosen = select(query.selectors, catalog, narrow=narrowing(query))
    except SelectorError:
        # Only the whole fleet tells which names are near.
        return hosts
    return [inventory.hosts[name] for name in chosen.blind_hosts]


def hosts_named(names: Iterable[str], hosts: Mapping[str, Host]) -> list[str]:
    """Return exactly the hosts that these names, globs or labels mean.

    Raises:
        SelectorError: none is given, one is blank, is no host, or matches nothing.
    """
    query = Query(hosts=tuple(names))
    query.refuse_blanks()
    if not query:
        raise SelectorError("no host is named; write * for all of them")
    catalog = Catalog(hosts=hosts, groups={}, processes=())
    return list(select((), catalog, narrow=narrowing(query)).blind_hosts)
