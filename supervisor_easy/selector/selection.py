"""From selectors and what is known of the fleet to exactly these processes."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from supervisor_easy.errors import EmptySelection, SelectorError
from supervisor_easy.model import Host, Process, ProcessState
from supervisor_easy.selector import nearest
from supervisor_easy.selector.patterns import (
    Glob,
    HostPattern,
    ProcessPattern,
    Selector,
    labels_match,
    parse_label,
    parse_selector,
)

#: How deep groups may stand inside groups.
MAX_GROUP_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Catalog:
    """What selectors choose from: hosts and groups of the inventory, live processes.

    `groups` maps a group's name to its member selectors.
    """

    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    processes: Sequence[Process]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What must hold besides the selectors; an empty field asks nothing.

    Groups, hosts (globs) and states: one of them must fit; labels (`key=value`): all.
    """

    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    states: tuple[str | ProcessState, ...] = ()

    def __bool__(self) -> bool:
        """Whether it asks for anything."""
        return bool(self.groups or self.hosts or self.labels or self.states)


@dataclass(frozen=True, slots=True)
class Selection:
    """The processes chosen, hosts in inventory order, each host in its own order.

    `blind_hosts` were chosen too, but no process of theirs is known: unreachable
    since the console started, or not asked yet.
    """

    processes: tuple[Process, ...] = ()
    blind_hosts: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing is chosen."""
        return not (self.processes or self.blind_hosts)


class NoneInState(EmptySelection):
    """The selection had processes, and none of them is in a state asked for."""


def select(
    texts: Sequence[str], catalog: Catalog, *, narrow: Narrowing | None = None
) -> Selection:
    """Return what the selectors choose; no selector with a narrowing means `*`.

    No selector and no narrowing choose nothing: the caller decides what that means.

    Raises:
        SelectorError: a selector is malformed or names an unknown group.
        EmptySelection: a selector, or all of it together, matches nothing.
    """
    narrow = narrow or Narrowing()
    if not texts and not narrow:
        return Selection()
    fleet = _Fleet(catalog)
    chosen = fleet.choose(_parse_all(texts, may_only_subtract=bool(narrow)))
    chosen = _narrowed(chosen, fleet, narrow)
    if chosen.is_empty:
        raise EmptySelection(
            "nothing is left of the selection after all that was taken away from it"
        )
    if narrow.states:
        chosen = _in_states(chosen, catalog.processes, narrow.states)
    return fleet.ordered(chosen)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Several selectors resolved against the inventory, for streams of processes."""

    positives: tuple["Selector | Matcher", ...]
    negatives: tuple["Selector | Matcher", ...]

    def matches(self, host: Host, group: str, name: str) -> bool:
        """Whether this process is chosen."""
        return any(each.matches(host, group, name) for each in self.positives) and not (
            any(each.matches(host, group, name) for each in self.negatives)
        )


def matcher(texts: Sequence[str], groups: Mapping[str, tuple[str, ...]]) -> Matcher:
    """Resolve selectors for later matching; whether they match anything is not asked.

    Raises:
        SelectorError: a selector is malformed, names an unknown group, or the groups
            go round in a circle.
    """
    known: dict[str, Matcher] = {}

    def group(name: str, path: tuple[str, ...]) -> Matcher:
        if name not in known:
            members = members_of(name, groups, path=path)
            known[name] = _matcher(members, lambda each: group(each, (*path, name)))
        return known[name]

    return _matcher(_parse_all(texts), lambda name: group(name, ()))


def _matcher(selectors: Sequence[Selector], group: Callable[[str], Matcher]) -> Matcher:
    def resolve(each: Selector) -> Selector | Matcher:
        name = each.inventory_group
        return each if name is None else group(name)

    return Matcher(
        tuple(resolve(each) for each in selectors if not each.is_negative),
        tuple(resolve(each) for each in selectors if each.is_negative),
    )


def members_of(
    name: str, groups: Mapping[str, tuple[str, ...]], *, path: tuple[str, ...] = ()
) -> list[Selector]:
    """Return the parsed members of a group; `path` names the groups that led here.

    Raises:
        SelectorError: no such group, a circle of groups, or a malformed member.
    """
    if name in path:
        circle = " -> ".join(f"@{each}" for each in (*path[path.index(name) :], name))
        raise SelectorError(f"the groups go round in a circle: {circle}")
    if len(path) > MAX_GROUP_DEPTH:
        raise SelectorError(
            f"group {path[0]}: groups inside groups go deeper than {MAX_GROUP_DEPTH}"
        )
    if name not in groups:
        raise SelectorError(
            f"the inventory has no group {name}",
            nearest=[f"@{each}" for each in nearest.close(name, groups)],
        )
    try:
        return _parse_all(groups[name])
    except SelectorError as exc:
        raise SelectorError(f"group {name}: {exc}") from exc


def _parse_all(
    texts: Sequence[str], *, may_only_subtract: bool = False
) -> list[Selector]:
    selectors = [parse_selector(text) for text in texts]
    if not all(each.is_negative for each in selectors):
        return selectors
    if may_only_subtract:
        return [parse_selector("*"), *selectors]
    if selectors:
        raise SelectorError(
            f"{selectors[0].text!r} only takes away; "
            "begin with what to take it from, such as *"
        )
    return []


@dataclass(frozen=True, slots=True)
class _Blind:
    """A host without known processes, and what was asked of it."""

    host: str
    process: ProcessPattern


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Processes as places in the catalog's sequence, and blind hosts."""

    places: frozenset[int] = frozenset()
    blind: frozenset[_Blind] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not (self.places or self.blind)

    def plus(self, other: "_Chosen") -> "_Chosen":
        return _Chosen(self.places | other.places, self.blind | other.blind)

    def minus(self, other: "_Chosen") -> "_Chosen":
        # What is unknown can be taken away only by the whole host or the same words.
        whole = {each.host for each in other.blind if each.process.is_any}
        left = {b for b in self.blind - other.blind if b.host not in whole}
        return _Chosen(self.places - other.places, frozenset(left))

    def within(self, other: "_Chosen") -> "_Chosen":
        hosts = {each.host for each in other.blind}
        blind = {each for each in self.blind if each.host in hosts}
        return _Chosen(self.places & other.places, frozenset(blind))


@dataclass(slots=True)
class _Fleet:
    """The catalog indexed for one `select`."""

    catalog: Catalog
    by_host: dict[str, list[int]] = field(default_factory=dict)
    groups: dict[str, _Chosen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        by_host: defaultdict[str, list[int]] = defaultdict(list)
        for place, process in enumerate(self.catalog.processes):
            by_host[process.host].append(place)
        self.by_host = dict(by_host)

    def choose(self, selectors: Sequence[Selector]) -> _Chosen:
        """Add up, then take away; a selector that matches nothing is an error."""
        added, taken = _Chosen(), _Chosen()
        for selector in selectors:
            found = self.find(selector)
            if found.is_empty:
                raise nearest.explain(selector, self.catalog)
            if selector.is_negative:
                taken = taken.plus(found)
            else:
                added = added.plus(found)
        return added.minus(taken)

    def find(self, selector: Selector, path: tuple[str, ...] = ()) -> _Chosen:
        if selector.inventory_group is not None:
            return self.group(selector.inventory_group, path)
        hosts = self.hosts(selector.host)
        blind = {
            _Blind(name, selector.process) for name in hosts if name not in self.by_host
        }
        return _Chosen(self.places(hosts, selector.process), frozenset(blind))

    def hosts(self, pattern: HostPattern) -> list[str]:
        if pattern.name is not None and pattern.name.text in self.catalog.hosts:
            return [pattern.name.text]
        return [h.name for h in self.catalog.hosts.values() if pattern.matches(h)]

    def places(self, hosts: Sequence[str], pattern: ProcessPattern) -> frozenset[int]:
        known = (place for host in hosts for place in self.by_host.get(host, ()))
        if pattern.is_any:
            return frozenset(known)
        # The same few names stand on every host: each is matched once.
        verdicts: dict[tuple[str, str], bool] = {}
        found = []
        for place in known:
            process = self.catalog.processes[place]
            key = (process.group, process.name)
            fits = verdicts.get(key)
            if fits is None:
                fits = verdicts[key] = pattern.matches(*key)
            if fits:
                found.append(place)
        return frozenset(found)

    def group(self, name: str, path: tuple[str, ...] = ()) -> _Chosen:
        """Return a group's processes; a member that matches nothing is no error."""
        if name not in self.groups:
            members = members_of(name, self.catalog.groups, path=path)
            added, taken = _Chosen(), _Chosen()
            for member in members:
                found = self.find(member, (*path, name))
                if member.is_negative:
                    taken = taken.plus(found)
                else:
                    added = added.plus(found)
            self.groups[name] = added.minus(taken)
        return self.groups[name]

    def ordered(self, chosen: _Chosen) -> Selection:
        processes = [
            self.catalog.processes[place]
            for host in self.catalog.hosts
            for place in self.by_host.get(host, ())
            if place in chosen.places
        ]
        blind = {each.host for each in chosen.blind}
        return Selection(
            tuple(processes),
            tuple(host for host in self.catalog.hosts if host in blind),
        )


def _narrowed(chosen: _Chosen, fleet: _Fleet, narrow: Narrowing) -> _Chosen:
    if narrow.groups:
        allowed = _Chosen()
        for name in narrow.groups:
            selector = parse_selector(f"@{name.removeprefix('@')}")
            found = fleet.find(selector)
            if found.is_empty:
                raise nearest.explain(selector, fleet.catalog)
            allowed = allowed.plus(found)
        chosen = chosen.within(allowed)
    if narrow.hosts:
        names: set[str] = set()
        for text in narrow.hosts:
            names.update(_hosts_named(text, fleet))
        chosen = _on_hosts(chosen, fleet, names)
    if narrow.labels:
        chosen = _on_hosts(chosen, fleet, _hosts_labelled(narrow.labels, fleet))
    return chosen


def _hosts_named(text: str, fleet: _Fleet) -> list[str]:
    selector = parse_selector(text)
    whole = selector.process.is_any and selector.inventory_group is None
    if selector.is_negative or not whole:
        raise SelectorError(f"{text!r} is not a host; write a name, globs allowed")
    hosts = fleet.hosts(selector.host)
    if not hosts:
        raise nearest.explain(selector, fleet.catalog)
    return hosts


def _hosts_labelled(labels: Sequence[str], fleet: _Fleet) -> set[str]:
    wanted: tuple[tuple[str, Glob], ...] = tuple(parse_label(each) for each in labels)
    every = fleet.catalog.hosts.values()
    hosts = {host.name for host in every if labels_match(wanted, host.labels)}
    if not hosts:
        raise nearest.explain(parse_selector(",".join(labels)), fleet.catalog)
    return hosts


def _on_hosts(chosen: _Chosen, fleet: _Fleet, hosts: set[str]) -> _Chosen:
    places = {place for host in hosts for place in fleet.by_host.get(host, ())}
    blind = {each for each in chosen.blind if each.host in hosts}
    return _Chosen(chosen.places & places, frozenset(blind))


def _in_states(
    chosen: _Chosen,
    processes: Sequence[Process],
    states: Sequence[str | ProcessState],
) -> _Chosen:
    wanted = {state for each in states for state in _states(each)}
    places = frozenset(p for p in chosen.places if processes[p].state in wanted)
    if not places and not chosen.blind:
        names = " or ".join(sorted(state.name for state in wanted))
        raise NoneInState(
            f"none of the {len(chosen.places)} processes selected is {names}"
        )
    return _Chosen(places, chosen.blind)


def _states(text: str | ProcessState) -> list[ProcessState]:
    if isinstance(text, ProcessState):
        return [text]
    states = []
    for word in text.upper().split(","):
        if word.strip() not in ProcessState.__members__:
            near = nearest.close(word.strip(), ProcessState.__members__)
            raise SelectorError(f"{word.strip()!r} is not a state", nearest=near)
        states.append(ProcessState[word.strip()])
    return states
