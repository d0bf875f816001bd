"""Log text for a terminal: colours pass, whatever else could drive it is shown.

A log is hostile: it may hold escapes that move the cursor, set the title, write the
clipboard or answer as if the operator had typed. Only well-formed SGR (colour)
sequences are let through, and none that hides text.
"""

import re

#: A well-formed SGR sequence: CSI, numbers, m. Longer ones serve no colour.
_SGR = re.compile(r"\x1b\[([0-9;:]{0,48})m")
_RESET = "\x1b[0m"
#: SGR codes that make text invisible.
_CONCEAL = frozenset({"8", "08"})
#: SGR codes that take arguments (38;5;N and 38;2;R;G;B), and how many by their kind.
_EXTENDED = frozenset({"38", "48", "58"})
_ARGUMENTS = {"5": 2, "2": 4}

#: C0 but tab, DEL, C1, bidirectional controls, line and paragraph separators,
#: invisible fillers and tags, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def terminal_safe(text: str) -> str:
    """Return `text` for a terminal; the only ESC left are those of colours.

    A colour still open at the end is reset. Controls appear as their pictures (␛, ␀)
    or by their code point in hexadecimal.
    """
    if text.isascii() and text.isprintable():
        return text
    parts: list[str] = []
    is_open = False
    at = 0
    for match in _SGR.finditer(text):
        parts.append(_UNSAFE.sub(_visible, text[at : match.start()]))
        at = match.end()
        if _hides_text(match[1]):
            parts.append(f"␛[{match[1]}m")
            continue
        parts.append(match[0])
        is_open = not _is_reset(match[1])
    parts.append(_UNSAFE.sub(_visible, text[at:]))
    if is_open:
        parts.append(_RESET)
    return "".join(parts)


def plain(text: str) -> str:
    """Return `text` without its colours; everything else stays as it is."""
    return _SGR.sub("", text) if "\x1b" in text else text


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _is_reset(parameters: str) -> bool:
    """The sequence ends with everything off."""
    last = parameters.rpartition(";")[2]
    return not last.strip("0")


def _hides_text(parameters: str) -> bool:
    """One of the codes conceals; arguments of a colour are no codes."""
    codes = parameters.split(";")
    at = 0
    while at < len(codes):
        code = codes[at]
        if code in _EXTENDED:
            kind = codes[at + 1] if at + 1 < len(codes) else ""
            at += _ARGUMENTS.get(kind, 0)
        elif code in _CONCEAL or code.lstrip("0") == "8":
            return True
        at += 1
    return False
