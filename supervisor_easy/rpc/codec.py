"""XML-RPC as bytes and back, for replies that nobody may trust.

It knows values, not hosts: a reply that is no XML-RPC raises `Malformed`, and the
caller says whose reply it was. Strings come back byte-exactly, control characters
too, because logs are counted in bytes; XML itself has no place for those.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.sax.saxutils import escape

Value: TypeAlias = (
    "bool | int | float | str | list[Value] | dict[str, Value] | FaultItem | None"
)
Param: TypeAlias = "bool | int | str | Sequence[Param] | Mapping[str, Param]"

#: Values nested deeper than this are refused; supervisord needs five.
MAX_DEPTH = 32
#: Most XML tags of one reply, opening and closing; 10,000 processes have 1.2 million.
MAX_TAGS = 1_600_000

#: Bytes that are parsed at a stretch: about 2 ms.
_PIECE = 64 << 10

#: Private code points U+10FF00… stand for what XML cannot carry while it is parsed:
#: U+10FF00 + c for the control c, and two for the non-characters.
_PLANE_16 = b"\xf4\x8f\xbc"
_CONTROL = re.compile(
    rb"[\x00-\x08\x0b-\x1f]|\xef\xbf[\xbe\xbf]|\xf4\x8f\xbc[\x80-\xbf]"
)
#: The bytes any of those begins with. Removing them and comparing lengths is the
#: quickest test: a tenth of the regular expression's time.
_SUSPECT = bytes({*range(0x20)} - {0x09, 0x0A} | {0xEF, 0xF4})
_STAND_IN = re.compile("\U0010ff3f(.)|([\U0010ff00-\U0010ff21])", re.DOTALL)
#: Written before a code point of that range which the host really sent.
_GENUINE = "\U0010ff3f".encode()
_RAW_BYTE = {0xDC00 + byte: 0x10FE00 + byte for byte in range(0x80, 0x100)}
_RAW_STAND_IN = {after: before for before, after in _RAW_BYTE.items()}


class Malformed(ValueError):
    """The body is no XML-RPC reply; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class FaultItem:
    """A fault, as a whole reply or as one item of a multicall's."""

    code: int
    text: str


def encode_call(method: str, params: Sequence[Param] = ()) -> bytes:
    """Return the body of one call."""
    values = "".join(f"<param>{_encode(param)}</param>" for param in params)
    return (
        "<?xml version='1.0'?>\n<methodCall><methodName>"
        f"{escape(method)}</methodName><params>{values}</params></methodCall>"
    ).encode()


def encode_multicall(calls: Sequence[tuple[str, Sequence[Param]]]) -> bytes:
    """Return the body of a `system.multicall` of these calls."""
    items = [{"methodName": name, "params": params} for name, params in calls]
    return encode_call("system.multicall", [items])


def _encode(value: Param) -> str:
    # bool before int: it is one.
    if isinstance(value, bool):
        return f"<value><boolean>{int(value)}</boolean></value>"
    if isinstance(value, int):
        return f"<value><int>{value}</int></value>"
    if isinstance(value, str):
        return f"<value><string>{escape(value)}</string></value>"
    if isinstance(value, Mapping):
        members = "".join(
            f"<member><name>{escape(name)}</name>{_encode(each)}</member>"
            for name, each in value.items()
        )
        return f"<value><struct>{members}</struct></value>"
    items = "".join(_encode(each) for each in value)
    return f"<value><array><data>{items}</data></array></value>"


def decode_reply(body: bytes) -> Value:
    """Return the value of a reply; a fault comes as a `FaultItem`.

    Raises:
        Malformed: this is no XML-RPC reply, or larger or deeper than one may be.
    """
    root, restore = _parse(body)
    if root.tag != "methodResponse" or len(root) != 1:
        raise Malformed(f"the root element is <{_short(root.tag)}> and no reply")
    content = root[0]
    value: Value
    if content.tag == "fault":
        value = _as_fault(_value(_only(content, "value"), MAX_DEPTH))
    elif content.tag == "params":
        value = _value(_only(_only(content, "param"), "value"), MAX_DEPTH)
    else:
        raise Malformed(f"a reply holds <{_short(content.tag)}>")
    return _restored(value, restore) if restore else value


def decode_multicall(body: bytes, *, count: int) -> "list[Value] | FaultItem":
    """Return one value for each of `count` calls; faults come as `FaultItem`s.

    A fault alone means that the multicall as such was refused. Supervisord answers
    with the bare values; others wrap each in an array of one, as the convention has
    it, which is taken off here.

    Raises:
        Malformed: this is no reply to a multicall of so many calls.
    """
    value = decode_reply(body)
    if isinstance(value, FaultItem):
        return value
    if not isinstance(value, list) or len(value) != count:
        raise Malformed(f"a multicall of {count} calls got another number of answers")
    items = [
        _as_fault(item) if isinstance(item, dict) and "faultCode" in item else item
        for item in value
    ]
    if all(isinstance(each, FaultItem) or _is_single(each) for each in items):
        return [each[0] if isinstance(each, list) else each for each in items]
    return items


def _is_single(value: Value) -> bool:
    return isinstance(value, list) and len(value) == 1


def _parse(body: bytes) -> tuple[Element, Callable[[str], str] | None]:
    """Parse a body; the function, if any, puts back what XML could not carry."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body.startswith((b"<?xml", b"<methodResponse")):
        raise Malformed(f"it begins with {body[:40]!r} and is no XML-RPC")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Malformed("it declares a document type, which no XML-RPC reply does")
    if body.count(b"<") > MAX_TAGS:
        raise Malformed(f"it has more than {MAX_TAGS} tags")
    start = max(0, body.find(b"<methodResponse"))
    prolog, content = body[:start], body[start:]
    restore: Callable[[str], str] | None = None
    if len(content.translate(None, _SUSPECT)) != len(content):
        content, restore = _CONTROL.sub(_to_stand_in, content), _restore
    try:
        return _element(prolog + content), restore
    except ParseError as exc:
        try:
            content.decode()
        except UnicodeDecodeError:
            # Supervisord 3 on Python 2 sends a log's bytes as they are.
            text = content.decode(errors="surrogateescape").translate(_RAW_BYTE)
            return _reparse(prolog + text.encode()), _restore_raw
        raise Malformed(f"it is not well-formed XML: {exc}") from exc


def _element(body: bytes) -> Element:
    # Any other encoding would walk round the checks above, which look at bytes. What
    # makes this parser unsafe, entities, those checks have refused.
    parser = XMLParser(encoding="utf-8")  # noqa: S314
    # In pieces, because the parser lets no other thread run before one is read.
    for at in range(0, len(body), _PIECE):
        parser.feed(body[at : at + _PIECE])
    return parser.close()


def _reparse(body: bytes) -> Element:
    try:
        return _element(body)
    except (ParseError, UnicodeError) as exc:
        raise Malformed(f"it is not well-formed XML: {exc}") from exc


def _to_stand_in(match: re.Match[bytes]) -> bytes:
    found = match[0]
    if found.startswith(_PLANE_16):
        return _GENUINE + found
    if len(found) == 1:
        return _PLANE_16 + bytes([0x80 + found[0]])
    return _PLANE_16 + (b"\xa0" if found.endswith(b"\xbe") else b"\xa1")


def _from_stand_in(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    number = ord(match[2]) & 0x3F
    return chr(number) if number < 0x20 else chr(0xFFDE + number)


def _restore(text: str) -> str:
    return _STAND_IN.sub(_from_stand_in, text)


def _restore_raw(text: str) -> str:
    return _restore(text.translate(_RAW_STAND_IN))


def _restored(value: Value, restore: Callable[[str], str]) -> Value:
    if isinstance(value, str):
        return restore(value)
    if isinstance(value, list):
        return [_restored(each, restore) for each in value]
    if isinstance(value, dict):
        return {restore(k): _restored(each, restore) for k, each in value.items()}
    if isinstance(value, FaultItem):
        return FaultItem(value.code, restore(value.text))
    return value


def _only(parent: Element, tag: str) -> Element:
    if len(parent) != 1 or parent[0].tag != tag:
        raise Malformed(f"<{_short(parent.tag)}> does not hold exactly one <{tag}>")
    return parent[0]


def _value(element: Element, depth: int) -> Value:
    """Return what a `<value>` holds; the commonest types first."""
    if not len(element):
        return element.text or ""
    typed = element[0]
    tag = typed.tag
    if tag == "string":
        return typed.text or ""
    if tag == "int":
        return _int(typed)
    if tag == "struct":
        return _struct(typed, depth - 1)
    if tag == "array":
        return _array(typed, depth - 1)
    convert = _SCALARS.get(tag)
    if convert is None:
        raise Malformed(f"<{_short(tag)}> is no type of XML-RPC")
    return convert(typed)


def _struct(element: Element, depth: int) -> dict[str, Value]:
    if depth < 0:
        raise Malformed("its values are nested too deeply")
    values: dict[str, Value] = {}
    for member in element:
        try:
            name, value = member
        except ValueError:
            raise Malformed("a struct has a member without name and value") from None
        if name.tag != "name" or value.tag != "value":
            raise Malformed("a struct has a member without name and value")
        # Strings and ints in place: they are nearly all there is.
        if len(value) and value[0].tag == "string":
            values[name.text or ""] = value[0].text or ""
        else:
            values[name.text or ""] = _value(value, depth)
    return values


def _array(element: Element, depth: int) -> list[Value]:
    if depth < 0:
        raise Malformed("its values are nested too deeply")
    return [_value(each, depth) for each in _only(element, "data")]


def _int(element: Element) -> int:
    try:
        return int(element.text or "")
    except ValueError:
        raise Malformed(f"{_short(element.text)!r} is no whole number") from None


def _float(element: Element) -> float:
    try:
        return float(element.text or "")
    except ValueError:
        raise Malformed(f"{_short(element.text)!r} is no number") from None


def _bool(element: Element) -> bool:
    if element.text not in ("0", "1"):
        raise Malformed(f"{_short(element.text)!r} is no boolean")
    return element.text == "1"


def _text(element: Element) -> str:
    return element.text or ""


def _none(_element: Element) -> None:
    return None


_SCALARS: dict[str, Callable[[Element], Value]] = {
    "i4": _int,
    "i8": _int,
    "boolean": _bool,
    "double": _float,
    "nil": _none,
    "dateTime.iso8601": _text,
    "base64": _text,
}


def _as_fault(value: Value) -> FaultItem:
    if not isinstance(value, dict):
        raise Malformed("a fault is no struct")
    code, text = value.get("faultCode"), value.get("faultString")
    if not isinstance(code, int) or not isinstance(text, str):
        raise Malformed("a fault has no code and text")
    return FaultItem(code, text)


def _short(text: str | None) -> str:
    return (text or "")[:40]
