"""Text that goes to a terminal or into a pattern."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor_easy.fleet.logs.text import plain, terminal_safe

SGR = re.compile(r"\x1b\[[0-9;:]*m")
HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list("\x1b[]m;:0123456789ABHJK\x07\x08\r\n\t\x00\x9b\u202e8")),
        st.characters(),
    )
)


@given(HOSTILE)
@example("\x1b[31\x1b[0m")
@example("\x1b]52;c;aGk=\x07")
@example("\x1b[8mhidden")
def test_no_escape_but_a_colour_reaches_the_terminal(text: str) -> None:
    assert "\x1b" not in SGR.sub("", terminal_safe(text))


@given(HOSTILE)
def test_no_other_control_reaches_the_terminal(text: str) -> None:
    rest = SGR.sub("", terminal_safe(text)).replace("\t", "")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rest)


@given(HOSTILE)
def test_a_colour_never_leaks_into_the_next_line(text: str) -> None:
    codes = SGR.findall(terminal_safe(text))
    assert not codes or re.search(r"(?:\[|;)0*m$", codes[-1])


@given(HOSTILE)
def test_safe_text_can_be_encoded(text: str) -> None:
    terminal_safe(text).encode("utf-8")


@given(HOSTILE)
def test_plain_text_has_no_colour(text: str) -> None:
    assert (
        not re.search(r"\x1b\[[0-9;:]{0,48}m", plain(text))
        or "\x1b\x1b[" in text
        or "\x1b[" in text
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("多字节 text", "多字节 text"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
        ("\x1b[38;5;8mgrey\x1b[m", "\x1b[38;5;8mgrey\x1b[m"),
        ("\x1b[38;2;8;8;8mgrey\x1b[m", "\x1b[38;2;8;8;8mgrey\x1b[m"),
        ("\x1b[8msecret\x1b[m", "␛[8msecret\x1b[m"),
        ("\x1b[1;8msecret", "␛[1;8msecret"),
        ("\x1b[2Jgone", "␛[2Jgone"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("10%\r20%", "10%␍20%"),
        ("a\x00b\x7f\x9b2J", "a␀b␡\\x9b2J"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("tab\tstays", "tab\tstays"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("broken �", "broken �"),
    ],
)
def test_controls_are_shown(text: str, shown: str) -> None:
    assert terminal_safe(text) == shown


def test_plain_takes_colours_away() -> None:
    assert plain("\x1b[1;31mERROR\x1b[0m disk") == "ERROR disk"
