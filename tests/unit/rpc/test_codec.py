"""XML-RPC there and back, byte-exactly, and what is refused on the way."""

import sys
import xmlrpc.client
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_easy.rpc.codec import (
    FaultItem,
    Malformed,
    decode_multicall,
    decode_reply,
    encode_call,
    encode_multicall,
)

#: Any text that UTF-8 can carry, controls and non-characters included.
texts = st.text(st.characters(exclude_categories=["Cs"]))
#: What a parser or the stand-ins might trip over.
awkward = st.text(
    st.sampled_from(
        "\x00\x1b\r\n\t<&>]\ufffe\uffff\U0010ff00\U0010ff0d\U0010ff3f\U0010fe80é日"
    )
)
scalars = st.one_of(st.booleans(), st.integers(-(2**31), 2**31 - 1), texts, awkward)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=20,
)


def as_supervisord_writes(value: Any) -> bytes:
    return xmlrpc.client.dumps((value,), methodresponse=True).encode()


@given(values)
def test_every_value_comes_back_as_supervisord_wrote_it(value: Any) -> None:
    assert decode_reply(as_supervisord_writes(value)) == value


@given(st.lists(texts | awkward, max_size=5))
def test_every_item_of_a_multicall_comes_back(items: list[str]) -> None:
    body = as_supervisord_writes(items)

    assert decode_multicall(body, count=len(items)) == items


@given(texts.filter(str.isprintable), st.lists(values, max_size=3))
def test_calls_are_what_the_standard_library_reads(method: str, params: Any) -> None:
    printable = [each for each in params if isinstance(each, bool | int)]
    body = encode_call(method or "m", printable)

    assert xmlrpc.client.loads(body) == (tuple(printable), method or "m")


def test_names_with_markup_are_escaped_in_a_call() -> None:
    body = encode_call("supervisor.startProcess", ["<a>&'\"b", False])

    assert xmlrpc.client.loads(body)[0] == ("<a>&'\"b", False)


def test_a_multicall_holds_method_names_and_parameters() -> None:
    body = encode_multicall([("a.b", ("x", 1)), ("c.d", ())])

    assert xmlrpc.client.loads(body) == (
        (
            [
                {"methodName": "a.b", "params": ["x", 1]},
                {"methodName": "c.d", "params": []},
            ],
        ),
        "system.multicall",
    )


def test_a_fault_is_a_value() -> None:
    body = xmlrpc.client.dumps(xmlrpc.client.Fault(10, "BAD_NAME: x")).encode()

    assert decode_reply(body) == FaultItem(10, "BAD_NAME: x")


def test_faults_in_a_multicall_keep_their_place() -> None:
    body = as_supervisord_writes(
        [True, {"faultCode": 70, "faultString": "NOT_RUNNING"}]
    )

    assert decode_multicall(body, count=2) == [True, FaultItem(70, "NOT_RUNNING")]


def test_items_wrapped_in_arrays_of_one_are_unwrapped() -> None:
    body = as_supervisord_writes([["4.0"], {"faultCode": 1, "faultString": ""}, [7]])

    assert decode_multicall(body, count=3) == ["4.0", FaultItem(1, ""), 7]


def test_a_multicall_of_another_length_is_malformed() -> None:
    with pytest.raises(Malformed):
        decode_multicall(as_supervisord_writes([True]), count=2)


def test_raw_bytes_of_an_old_supervisord_come_back_as_they_were() -> None:
    raw = b"caf\xe9 \xff\xfe \x1b[0m \r\n \xe6\x97"
    body = as_supervisord_writes("@").replace(b"@", raw)

    text = decode_reply(body)

    assert isinstance(text, str)
    assert text.encode("utf-8", "surrogateescape") == raw


def test_line_ends_around_the_reply_do_no_harm() -> None:
    body = as_supervisord_writes("x\r\ny").replace(b"?>\n", b"?>\r\n") + b"\r\n"

    assert decode_reply(b"\xef\xbb\xbf" + body) == "x\r\ny"


@pytest.mark.parametrize("tag", ["i4", "i8", "int"])
def test_every_kind_of_int_is_read(tag: str) -> None:
    body = as_supervisord_writes(5).replace(b"int>", f"{tag}>".encode())

    assert decode_reply(body) == 5


def test_a_document_type_is_refused() -> None:
    body = as_supervisord_writes("x").replace(
        b"?>", b'?><!DOCTYPE m [<!ENTITY a "b">]>', 1
    )

    with pytest.raises(Malformed, match="document type"):
        decode_reply(body)


@given(st.binary(max_size=200))
def test_garbage_is_malformed_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(Malformed):
        decode_reply(b"<methodResponse>" + garbage)


@given(st.data())
def test_a_damaged_reply_is_a_value_or_malformed(data: st.DataObject) -> None:
    body = bytearray(as_supervisord_writes([{"name": "web", "pid": 5}, True, "é"]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    with suppress(Malformed):
        decode_reply(bytes(body))


def a_large_reply() -> bytes:
    # Of every width, so that the pieces it is parsed in begin inside characters too.
    items = "".join(
        f"<value><string>{'aä€😀' * (n % 50)}</string></value>" for n in range(3000)
    )
    return (
        "<?xml version='1.0'?><methodResponse><params><param><value><array><data>"
        f"{items}</data></array></value></param></params></methodResponse>"
    ).encode()


def test_a_large_reply_comes_back_whole() -> None:
    assert decode_reply(a_large_reply()) == ["aä€😀" * (n % 50) for n in range(3000)]


def test_a_large_reply_is_parsed_in_pieces_so_that_other_threads_run_between() -> None:
    body = a_large_reply()
    pieces: list[object] = []

    def note(_frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and getattr(called, "__name__", "") == "feed":
            pieces.append(called)

    sys.setprofile(note)
    try:
        decode_reply(body)
    finally:
        sys.setprofile(None)

    assert len(body) / len(pieces) <= 64 << 10
