"""Selectors: what each form means, what is refused, and what is suggested."""

import fnmatch
import re
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from supervisor_easy.errors import EmptySelection, SelectorError
from supervisor_easy.model import Host, Process, ProcessState, Target
from supervisor_easy.selector import (
    Catalog,
    Narrowing,
    NoneInState,
    complete,
    exact,
    matcher,
    parse_selector,
    select,
)
from supervisor_easy.selector.patterns import MAX_RANGES
from tests.builders import a_host, a_process

HOSTS = {
    each.name: each
    for each in (
        a_host("scan02", labels={"role": "scanner", "dc": "sh"}),
        a_host("scan01", labels={"role": "scanner", "dc": "bj"}),
        a_host("scan10", labels={"role": "scanner", "dc": "sh"}),
        a_host("web1", labels={"role": "web", "dc": "sh"}),
        a_host("dead", labels={"role": "scanner", "dc": "gone"}),
    )
}
PROCESSES = [
    a_process("scan01/celery:w1"),
    a_process("scan01/celery:w2", state=ProcessState.FATAL),
    a_process("scan01/flower:flower"),
    a_process("scan02/celery:w1"),
    a_process("scan02/celery:w2"),
    a_process("scan10/celery:w1"),
    a_process("web1/api:api_00"),
    a_process("web1/api:api_11"),
]
GROUPS = {
    "scanners": ("role=scanner/celery:*",),
    "some": ("@scanners", "!scan10"),
    "nothing": ("web1/celery",),
    "loop": ("@pool",),
    "pool": ("@loop",),
    "lost": ("@nowhere",),
    "minus": ("!web1",),
    "empty": (),
    "dead-ones": ("dead/celery:*",),
}
CATALOG = Catalog(HOSTS, GROUPS, PROCESSES)


def chosen(*texts: str, narrow: Narrowing | None = None) -> list[str]:
    """Return the targets as text, in the order of the selection."""
    selection = select(texts, CATALOG, narrow=narrow)
    return [str(process.target) for process in selection.processes]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("scan01", "scan01/celery:w1 scan01/celery:w2 scan01/flower:flower"),
        ("scan01/celery", "scan01/celery:w1 scan01/celery:w2"),
        ("scan01/celery:", "scan01/celery:w1 scan01/celery:w2"),
        ("scan01/celery:w1", "scan01/celery:w1"),
        (" scan01/celery:w1 ", "scan01/celery:w1"),
        ("scan0?/celery:w1", "scan02/celery:w1 scan01/celery:w1"),
        ("scan0[!2]/celery:w1", "scan01/celery:w1"),
        ("scan[01-09]/celery:w1", "scan02/celery:w1 scan01/celery:w1"),
        ("scan[02:10]/celery:w1", "scan02/celery:w1 scan10/celery:w1"),
        ("*/api:api_[00-05]", "web1/api:api_00"),
        ("*/api:api_[00:05]", "web1/api:api_00"),
        ("*/*:w1", "scan02/celery:w1 scan01/celery:w1 scan10/celery:w1"),
        ("role=scanner,dc=sh/*:w1", "scan02/celery:w1 scan10/celery:w1"),
        ("role=w*", "web1/api:api_00 web1/api:api_11"),
        ("@some/", None),
        ("@some !*/*:w2", "scan02/celery:w1 scan01/celery:w1"),
        ("!scan* *", "web1/api:api_00 web1/api:api_11"),
        ("web1 web1/api web1", "web1/api:api_00 web1/api:api_11"),
        ("* !@scanners !web1", "scan01/flower:flower"),
    ],
)
def test_a_selector_chooses(texts: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(SelectorError):
            chosen(*texts.split(" "))
        return
    words = [texts] if texts != texts.strip() else texts.split(" ")

    assert " ".join(chosen(*words)) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("!", "empty"),
        ("/celery", "write */celery"),
        ("scan01/", "nothing after the slash"),
        ("scan01/:w1", "write *:w1"),
        ("scan01,scan02/x", "a comma joins labels"),
        ("celery:w1", "did you mean */celery:w1?"),
        ("@", "must be followed by a group"),
        ("@scanners/celery", "names its processes itself"),
        ("@scan*", "takes no wildcards"),
        ("role=/x", "write key=value"),
        ("role=a=b", "write key=value"),
        ("scan[01", "no ] to close it"),
        ("scan[z-a]", "not a pattern"),
        ("scan[]", "no set of characters"),
        ("scan[9-01]", "runs backwards"),
        ("scan[1-99999]", "stands for more than"),
        ("[10-11][10-11][10-11][10-11]", "more than 3 ranges"),
        ("scan\x1b01", "control character"),
        ("x" * 2000, "longer than"),
    ],
)
def test_a_malformed_selector_says_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("scan1", "scan01"),
        ("SCAN01", "scan01"),
        ("scanners", "@scanners"),
        ("celery", "*/celery"),
        ("scan01/celry", "scan01/celery"),
        ("scan01/celery:w9", "scan01/celery:w1"),
        ("web1/api_00", "web1/api:api_00"),
        ("rol=scanner", "role=scanner"),
        ("role=scaner", "role=scanner"),
        ("@scaners", "@scanners"),
    ],
)
def test_what_matches_nothing_names_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(SelectorError) as caught:
        chosen(text)

    assert nearest in caught.value.nearest


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["!scan01"], "only takes away"),
        (["@minus"], "only takes away"),
        (["@loop"], "@loop -> @pool -> @loop"),
        (["@lost"], "no group nowhere"),
        (["@nothing"], "holds no process now"),
        (["@empty"], "holds no process now"),
        (["role=web,dc=bj"], "all these labels together"),
        (["scan01", "!scan01"], "nothing is left"),
        (["web1", "scan1"], "no host is called scan1"),
        (["*", "!wbe1"], "no host is called wbe1"),
    ],
)
def test_a_selection_that_cannot_be_is_an_error(texts: list[str], says: str) -> None:
    with pytest.raises(SelectorError) as caught:
        chosen(*texts)

    assert says in str(caught.value)


def test_nothing_asked_is_nothing_chosen() -> None:
    assert select([], CATALOG).is_empty


def test_a_host_without_known_processes_is_blind_and_no_error() -> None:
    selection = select(["dead/celery:*"], CATALOG)

    assert (selection.processes, selection.blind_hosts) == ((), ("dead",))


def test_a_group_reaches_blind_hosts() -> None:
    assert select(["@dead-ones"], CATALOG).blind_hosts == ("dead",)


@pytest.mark.parametrize(
    ("negative", "blind"),
    [
        ("!dead", ()),
        ("!dead/celery:*", ()),
        ("!@dead-ones", ()),
        ("!dead/celery:w1", ("dead",)),
    ],
)
def test_a_blind_host_goes_only_when_all_asked_of_it_is_taken_away(
    negative: str, blind: tuple[str, ...]
) -> None:
    selection = select(["web1", "dead/celery:*", negative], CATALOG)

    assert selection.blind_hosts == blind


@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        (Narrowing(groups=("some",), hosts=("scan01",)), "scan01/celery:w1 scan01/celery:w2"),
        (Narrowing(groups=("@some",), states=("fatal,backoff",)), "scan01/celery:w2"),
        (Narrowing(states=(ProcessState.FATAL,)), "scan01/celery:w2"),
        (Narrowing(hosts=("web*", "scan10")), "scan10/celery:w1 web1/api:api_00 web1/api:api_11"),
        (Narrowing(labels=("role=scanner", "dc=b*"), states=("RUNNING",)), "scan01/celery:w1 scan01/flower:flower"),
    ],
)  # fmt: skip
def test_narrowing_alone_starts_from_everything(
    narrow: Narrowing, expected: str
) -> None:
    assert " ".join(chosen(narrow=narrow)) == expected


@pytest.mark.parametrize(
    ("narrow", "says"),
    [
        (Narrowing(groups=("scaners",)), "did you mean @scanners?"),
        (Narrowing(groups=("nothing",)), "holds no process now"),
        (Narrowing(hosts=("scan1",)), "no host is called scan1; did you mean scan"),
        (Narrowing(hosts=("scan01/celery",)), "is not a host"),
        (Narrowing(labels=("rol=web",)), "did you mean role=web"),
        (Narrowing(labels=("role",)), "write key=value"),
        (Narrowing(states=("FATL",)), "did you mean FATAL"),
    ],
)
def test_narrowing_by_what_is_not_there_is_an_error(
    narrow: Narrowing, says: str
) -> None:
    with pytest.raises(SelectorError) as caught:
        chosen("*", narrow=narrow)

    assert says in str(caught.value)


def test_no_process_in_a_state_is_told_apart_from_a_typing_error() -> None:
    with pytest.raises(NoneInState) as caught:
        chosen("web1", narrow=Narrowing(states=("FATAL",)))

    assert "none of the 2 processes selected is FATAL" in str(caught.value)


def test_the_order_is_the_inventorys_not_the_sequences() -> None:
    backwards = Catalog(HOSTS, GROUPS, list(reversed(PROCESSES)))

    assert [p.host for p in select(["*/*:w1"], backwards).processes] == [
        "scan02",
        "scan01",
        "scan10",
    ]


def test_names_with_wildcard_signs_can_be_meant_exactly() -> None:
    odd = [a_process("web1/a:w[1]"), a_process("web1/a:w1"), a_process("web1/a:w*")]
    catalog = Catalog(HOSTS, {}, odd)

    for process in odd:
        assert select([exact(process.target)], catalog).processes == (process,)


def test_names_from_a_host_with_control_characters_are_not_suggested() -> None:
    catalog = Catalog(HOSTS, {}, [a_process("web1/cel\x1bery:w1")])

    with pytest.raises(EmptySelection) as caught:
        select(["web1/celery"], catalog)

    assert caught.value.nearest == ()


def test_groups_nested_too_deep_are_refused() -> None:
    groups = {f"g{n}": (f"@g{n + 1}",) for n in range(2000)} | {"g2000": ("*",)}

    with pytest.raises(SelectorError, match="go deeper than"):
        select(["@g0"], Catalog(HOSTS, groups, PROCESSES))


def test_a_matcher_follows_groups_for_live_streams() -> None:
    matches = matcher(["@some", "web1/api", "!*/*:w2"], GROUPS).matches

    fitting = [
        str(p.target) for p in PROCESSES if matches(HOSTS[p.host], p.group, p.name)
    ]

    assert sorted(fitting) == sorted(chosen("@some", "web1/api", "!*/*:w2"))


def test_a_matcher_of_nothing_matches_nothing() -> None:
    assert not matcher([], GROUPS).matches(HOSTS["web1"], "api", "api_00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scan0", ["scan02", "scan01"]),
        ("web1", ["web1", "web1/"]),
        ("web1/a", ["web1/api", "web1/api:api_00", "web1/api:api_11"]),
        ("@s", ["@scanners", "@some"]),
        ("!@so", ["!@some"]),
        ("ro", ["role="]),
        ("role=", ["role=scanner", "role=web"]),
        ("role=web,d", ["role=web,dc="]),
        ("role=web", ["role=web", "role=web/"]),
        ("role=web/api:", ["role=web/api:api_00", "role=web/api:api_11"]),
        ("nosuch", []),
        ("a,b/", []),
    ],
)
def test_completion_offers_what_can_follow(text: str, expected: list[str]) -> None:
    assert complete(text, CATALOG) == expected


def test_completion_is_bounded() -> None:
    assert len(complete("", CATALOG, 3)) == 3


# -- rules that hold for any selector and any fleet

NAMES = st.text("ab1-", min_size=1, max_size=4)
GLOBS = st.text("ab1-*?", min_size=1, max_size=6)
TARGETS = st.lists(
    st.tuples(st.sampled_from(["a", "ab", "b1", "1-b"]), NAMES, NAMES), max_size=12
)


def fleet(targets: Sequence[tuple[str, str, str]]) -> Catalog:
    hosts: dict[str, Host] = {n: a_host(n) for n in ("a", "ab", "b1", "1-b", "blind")}
    processes = [a_process(str(Target(*target))) for target in dict.fromkeys(targets)]
    return Catalog(hosts, {}, processes)


def processes_of(texts: Sequence[str], catalog: Catalog) -> set[Process]:
    try:
        return set(select(texts, catalog).processes)
    except EmptySelection:
        return set()


@given(GLOBS, st.text("ab1-", max_size=8))
def test_a_glob_means_what_the_shell_means(glob: str, name: str) -> None:
    pattern = parse_selector(f"x/{glob}").process.group

    assert pattern.matches(name) == fnmatch.fnmatchcase(name, glob)


NUMBERS = {
    f"[{first}-{last}]": "|".join(
        str(n).zfill(len(first) if first[0] == "0" else 0)
        for n in range(int(first), int(last) + 1)
    )
    for first, last in (("1", "20"), ("8", "120"), ("01", "12"), ("99", "101"))
}
PIECES = st.lists(st.sampled_from(["*", "?", "1", "0", "a", *NUMBERS]), max_size=8)


@settings(max_examples=500)
@given(PIECES, st.text("0129a", max_size=9))
def test_a_range_means_any_of_its_numbers(pieces: list[str], name: str) -> None:
    assume(sum(piece in NUMBERS for piece in pieces) <= MAX_RANGES and pieces)
    plain = {"*": ".*", "?": "."} | {k: f"(?:{v})" for k, v in NUMBERS.items()}
    naive = re.compile("".join(plain.get(piece, piece) for piece in pieces))

    pattern = parse_selector(f"x/{''.join(pieces)}").process.group

    assert pattern.matches(name) == (naive.fullmatch(name) is not None)


@given(TARGETS, GLOBS, GLOBS)
def test_two_selectors_choose_the_union(
    targets: list[tuple[str, str, str]], one: str, two: str
) -> None:
    catalog = fleet([("a", "a", "a"), ("b1", "b", "b"), *targets])
    each = [processes_of([f"*/{glob}"], catalog) for glob in (one, two)]
    if all(each):
        assert processes_of([f"*/{one}", f"*/{two}"], catalog) == each[0] | each[1]


@given(TARGETS, GLOBS)
def test_a_selector_and_its_negative_split_the_fleet(
    targets: list[tuple[str, str, str]], glob: str
) -> None:
    catalog = fleet(targets)
    chosen_by = processes_of([f"*/{glob}"], catalog)
    rest = processes_of(["*", f"!*/{glob}"], catalog)

    assert chosen_by | rest == set(catalog.processes)
    assert not chosen_by & rest


@given(TARGETS)
def test_a_printed_target_chooses_itself_alone(
    targets: list[tuple[str, str, str]],
) -> None:
    catalog = fleet(targets)

    for process in catalog.processes:
        assert select([str(process.target)], catalog).processes == (process,)


@given(st.text(max_size=40))
def test_any_text_is_a_selector_or_a_selector_error(text: str) -> None:
    try:
        selector = parse_selector(text)
    except SelectorError:
        return
    selector.matches(HOSTS["web1"], "api", "api_00")


@given(st.text("a*?[]!-:19,=/@", max_size=30))
def test_select_never_fails_in_another_way(text: str) -> None:
    try:
        select([text], CATALOG)
    except SelectorError:
        return


def test_a_hostile_glob_does_not_run_away() -> None:
    letters = parse_selector("x/" + "*a" * 200 + "*b").process.group
    numbers = parse_selector("x/" + "*[1-999]" * 3 + "*b").process.group

    assert not letters.matches("a" * 1000)
    assert not numbers.matches("1" * 1000)
