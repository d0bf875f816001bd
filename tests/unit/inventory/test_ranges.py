"""Ranges in names: both spellings, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.inventory.ranges import RangeError, expand, fold, has_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web1", "web1"),
        ("scan[01-03]", "scan01 scan02 scan03"),
        ("scan[01:03]", "scan01 scan02 scan03"),
        ("scan[08-11]", "scan08 scan09 scan10 scan11"),
        ("scan[8-11]", "scan8 scan9 scan10 scan11"),
        ("scan[0:9:3]", "scan0 scan3 scan6 scan9"),
        ("scan[0-8/4]", "scan0 scan4 scan8"),
        ("rack[a:c]", "racka rackb rackc"),
        ("rack[A-E:2]", "rackA rackC rackE"),
        ("n[1-2,5,09-10]", "n1 n2 n5 n09 n10"),
        ("{web,db}1", "web1 db1"),
        ("{web, db}[1-2].x", "web1.x web2.x db1.x db2.x"),
        ("10.0.[1-2].[7-8]", "10.0.1.7 10.0.1.8 10.0.2.7 10.0.2.8"),
        ("[::1]", "[::1]"),
        ("http://[2001:db8::1]:9001", "http://[2001:db8::1]:9001"),
        ("2001:db8::[8-9]", "2001:db8::8 2001:db8::9"),
    ],
)
def test_a_range_stands_for_its_names(text: str, expected: str) -> None:
    assert expand(text) == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a[1", "come in pairs"),
        ("a]1", "come in pairs"),
        ("a[[1-2]]", "not inside each other"),
        ("{a,{b}}", "not inside each other"),
        ("a[]", "not a range"),
        ("a[x1-x3]", "not a range"),
        ("a[1-b]", "not a range"),
        ("a[a-C]", "not a range"),
        ("a[-3]", "not a range"),
        ("{a,}", "empty alternative"),
        ("{}", "empty alternative"),
        ("a[3-1]", "runs backwards"),
        ("a[c-a]", "runs backwards"),
        ("a[1-3:0]", "least is 1"),
        ("a[1-99999]", "stands for 99999 names; at most 20000"),
        ("[1-999][1-999][1-999]", "at most 20000"),
        ("a" * 2000, "longer than"),
    ],
)
def test_a_bad_range_says_why(text: str, says: str) -> None:
    with pytest.raises(RangeError) as caught:
        expand(text)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a[1-1]", True), ("{a}", False), ("a", False), ("[::1]", False), ("{a,b}", True)],
)
def test_what_has_a_range(text: str, expected: bool) -> None:  # noqa: FBT001
    assert has_range(text) is expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", ""),
        ("web1", "web1"),
        ("scan01 scan02 scan03", "scan[01-03]"),
        ("scan01 scan03 scan04 web", "scan[01,03-04] web"),
        ("n9 n10 n11", "n[9-11]"),
        ("n09 n10 n9", "n[9,09-10]"),
        ("r1-n1 r1-n2 r2-n1 r2-n2", "r[1-2]-n[1-2]"),
        ("10.0.0.1 10.0.0.2", "10.0.0.[1-2]"),
    ],
)
def test_names_are_folded(names: str, expected: str) -> None:
    assert " ".join(fold(names.split())) == expected


NAMES = st.lists(
    st.one_of(
        st.text("ab0129.-", min_size=1, max_size=6),
        st.builds("n{:02d}".format, st.integers(0, 120)),
        st.builds("r{}-n{}".format, st.integers(0, 4), st.integers(8, 12)),
    ),
    max_size=60,
)


@given(NAMES)
def test_expand_undoes_fold(names: list[str]) -> None:
    unfolded = [name for text in fold(names) for name in expand(text)]

    assert sorted(unfolded) == sorted(set(names))


@given(st.integers(0, 500), st.integers(0, 300), st.integers(1, 9), st.integers(0, 4))
def test_numbers_keep_their_width(
    first: int, count: int, step: int, width: int
) -> None:
    start = str(first).zfill(width)
    names = expand(f"n[{start}-{first + count}:{step}]")

    assert names == [
        f"n{str(n).zfill(len(start) if start[0] == '0' else 0)}"
        for n in range(first, first + count + 1, step)
    ]


@given(st.text("a1[]{},:-/", max_size=20))
def test_any_text_expands_or_is_a_range_error(text: str) -> None:
    try:
        assert len(expand(text)) >= 1
    except RangeError:
        return
