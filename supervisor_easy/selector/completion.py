"""What could follow: completion of a selector while it is typed."""

from collections.abc import Iterable

from supervisor_easy.errors import SelectorError
from supervisor_easy.model import Host
from supervisor_easy.selector.patterns import parse_selector
from supervisor_easy.selector.selection import Catalog


def complete(text: str, catalog: Catalog, limit: int = 50) -> list[str]:
    """Return whole selectors that begin with `text`, at most `limit`, likely first."""
    sign, body = ("!", text[1:]) if text.startswith("!") else ("", text)
    found: dict[str, None] = {}
    for candidate in _candidates(body, catalog):
        if candidate.isprintable():
            found[sign + candidate] = None
        if len(found) >= limit:
            break
    return list(found)[:limit]


def _candidates(body: str, catalog: Catalog) -> Iterable[str]:
    if body.startswith("@"):
        yield from _starting(body, (f"@{name}" for name in catalog.groups))
        return
    host, slash, process = body.partition("/")
    if slash:
        yield from _processes(host, process, catalog)
        return
    if "=" in host or "," in host:
        yield from _labels(host, catalog)
        return
    if host in catalog.hosts or host == "*":
        yield from (host, f"{host}/")
    yield from _starting(host, catalog.hosts)
    if not host:
        yield from (f"@{name}" for name in catalog.groups)
    yield from _labels(host, catalog)


def _starting(prefix: str, names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if name.startswith(prefix))


def _labels(text: str, catalog: Catalog) -> Iterable[str]:
    """Complete the last `key=value` of a comma list."""
    head, comma, last = text.rpartition(",")
    key, equals, value = last.partition("=")
    done = head + comma
    hosts = catalog.hosts.values()
    if not equals:
        keys = dict.fromkeys(each for host in hosts for each in host.labels)
        yield from (f"{done}{each}=" for each in _starting(key, keys))
        return
    values = dict.fromkeys(h.labels[key] for h in hosts if key in h.labels)
    if value in values:
        yield from (text, f"{text}/")
    yield from (f"{done}{key}={each}" for each in _starting(value, values))


def _processes(host: str, process: str, catalog: Catalog) -> Iterable[str]:
    names = {each.name for each in _matching_hosts(host, catalog)}
    there = [each for each in catalog.processes if each.host in names]
    if ":" not in process:
        groups = dict.fromkeys(each.group for each in there)
        yield from (f"{host}/{each}" for each in _starting(process, groups))
    namespecs = dict.fromkeys(each.namespec for each in there)
    yield from (f"{host}/{each}" for each in _starting(process, namespecs))


def _matching_hosts(text: str, catalog: Catalog) -> list[Host]:
    try:
        pattern = parse_selector(text).host
    except SelectorError:
        return []
    return [host for host in catalog.hosts.values() if pattern.matches(host)]
