"""What to suggest when a selector matches nothing: the nearest names there are."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from supervisor_easy.errors import EmptySelection, SelectorError
from supervisor_easy.model import Host, Process
from supervisor_easy.selector.patterns import ProcessPattern, Selector

#: Most suggestions in one message.
SUGGESTIONS = 3
#: Most names compared for one suggestion; comparing is slow.
_CANDIDATES = 5000
#: Least likeness, 0 to 1, of a name worth suggesting.
_CUTOFF = 0.6


class _Catalog(Protocol):
    """The shape of `selection.Catalog`, which imports this module."""

    @property
    def hosts(self) -> Mapping[str, Host]: ...
    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def processes(self) -> Sequence[Process]: ...


def close(word: str, names: Iterable[str]) -> list[str]:
    """Return the names most like `word`, best first; upper and lower case are alike."""
    by_lower: dict[str, str] = {}
    for name in names:
        if len(by_lower) >= _CANDIDATES:
            break
        if name.isprintable():  # names from a host may hold anything
            by_lower.setdefault(name.lower(), name)
    found = difflib.get_close_matches(
        word.lower(), by_lower, n=SUGGESTIONS, cutoff=_CUTOFF
    )
    return [by_lower[each] for each in found]


def explain(selector: Selector, catalog: _Catalog) -> SelectorError:
    """Return the error for a selector that matches nothing, naming the culprit."""
    text = selector.text
    if not catalog.hosts:
        return EmptySelection(f"{text!r} matches nothing: the inventory has no hosts")
    if selector.inventory_group is not None:
        return EmptySelection(
            f"group @{selector.inventory_group} holds no process now; "
            "its members match nothing"
        )
    hosts = [each for each in catalog.hosts.values() if selector.host.matches(each)]
    if hosts:
        return _no_process(selector, hosts, catalog)
    if selector.host.labels:
        return _no_label(selector, catalog)
    return _no_host(selector, catalog)


def _no_host(selector: Selector, catalog: _Catalog) -> SelectorError:
    word = selector.host.name.text if selector.host.name else ""
    suggestions = close(word, catalog.hosts)
    if selector.process.is_any:
        groups = dict.fromkeys(each.group for each in catalog.processes)
        suggestions += [f"@{each}" for each in close(word, catalog.groups)]
        suggestions += [f"*/{each}" for each in close(word, groups)]
        suggestions = _best(word, suggestions)
    return EmptySelection(
        f"{selector.text!r} matches nothing: no host is called {word}",
        nearest=suggestions,
    )


def _best(word: str, suggestions: Sequence[str]) -> list[str]:
    def likeness(text: str) -> float:
        bare = text.removeprefix("@").removeprefix("*/")
        return difflib.SequenceMatcher(None, word.lower(), bare.lower()).ratio()

    return sorted(suggestions, key=likeness, reverse=True)[:SUGGESTIONS]


def _no_label(selector: Selector, catalog: _Catalog) -> SelectorError:
    """Blame the first term that no host fits, else the combination."""
    hosts = catalog.hosts.values()
    for key, value in selector.host.labels:
        values = dict.fromkeys(h.labels[key] for h in hosts if key in h.labels)
        if not values:
            keys = dict.fromkeys(each for host in hosts for each in host.labels)
            return EmptySelection(
                f"{selector.text!r} matches nothing: no host has a label {key}",
                nearest=[f"{each}={value.text}" for each in close(key, keys)],
            )
        if not any(value.matches(each) for each in values):
            near = close(value.text, values) or list(values)[:SUGGESTIONS]
            return EmptySelection(
                f"{selector.text!r} matches nothing: "
                f"no host has the label {key}={value.text}",
                nearest=[f"{key}={each}" for each in near],
            )
    return EmptySelection(
        f"{selector.text!r} matches nothing: no host has all these labels together"
    )


def _no_process(
    selector: Selector, hosts: Sequence[Host], catalog: _Catalog
) -> SelectorError:
    names = {host.name for host in hosts}
    there = [each for each in catalog.processes if each.host in names]
    word = _written(selector.process)
    namespecs = dict.fromkeys(each.namespec for each in there)
    groups = dict.fromkeys(each.group for each in there)
    found = close(word, namespecs) + close(word.removesuffix(":*"), groups)
    # A bare program name where supervisord wants its group too.
    tails = [each for each in namespecs if each.partition(":")[2] == word[:-2]]
    where = selector.text.lstrip("!").partition("/")[0].strip()
    suggestions = dict.fromkeys(tails[:SUGGESTIONS] + found)
    return EmptySelection(
        f"{selector.text!r} matches nothing: of {_count(len(hosts))} "
        f"none has a process {word}",
        nearest=[f"{where}/{each}" for each in suggestions][:SUGGESTIONS],
    )


def _written(pattern: ProcessPattern) -> str:
    return f"{pattern.group.text}:{pattern.name.text}"


def _count(number: int) -> str:
    return "1 host" if number == 1 else f"{number} hosts"
