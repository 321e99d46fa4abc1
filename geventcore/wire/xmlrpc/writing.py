"""The writer of calls, responses and faults.

A document is a list of byte strings, joined once. The writer refuses values that no parser could read: control
characters, lone surrogates, infinities, integers of more than 64 bits.
"""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Callable, Iterable
from typing import Any
from xmlrpc.client import Binary, DateTime

from geventcore.errors import FAULT_OTHER

#: The deepest nesting of arrays and structs, far below Python's recursion limit.
_DEPTH = 50

_RESPONSE_START = b"<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n"
_RESPONSE_END = b"</param>\n</params>\n</methodResponse>\n"

#: Shorter texts are escaped, and longer ones become CDATA sections, in bytes.
_CDATA_BYTES = 4096

_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r"))
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_Write = Callable[[bytes], None]


def dump_response(value: Any) -> bytes:
    """Write a response with a result.

    Raises:
        TypeError: XML-RPC has no type for the value or a part of it.
        ValueError: the type cannot hold the value.
    """
    return _document(_RESPONSE_START, value, _RESPONSE_END)


def dump_string_response(xml: bytes) -> bytes:
    """Write a response whose result is a string in UTF-8; for serialised XML documents.

    The caller guarantees that XML allows all characters, as in the output of an XML library. `dump_response` checks
    this, which takes most of its time.
    """
    chunks = [_RESPONSE_START, b"<value><string>"]
    _write_escaped(chunks.append, xml)
    chunks += (b"</string></value>\n", _RESPONSE_END)
    return b"".join(chunks)


def dump_fault(code: int, text: str) -> bytes:
    """Write a fault. Never raises: invalid characters are replaced."""
    if not -(1 << 63) <= code < 1 << 63:
        code = FAULT_OTHER
    fault = {"faultCode": code, "faultString": _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)}
    return _document(b"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n", fault, b"</fault>\n</methodResponse>\n")


def dump_call(method: str, params: Iterable[Any]) -> bytes:
    """Write a call. Raises the errors of `dump_response`."""
    chunks = [b"<?xml version='1.0'?>\n<methodCall>\n<methodName>"]
    _write_text(chunks.append, method)
    chunks.append(b"</methodName>\n<params>\n")
    for param in params:
        chunks.append(b"<param>\n")
        _write_value(chunks.append, param, 0)
        chunks.append(b"</param>\n")
    chunks.append(b"</params>\n</methodCall>\n")
    return b"".join(chunks)


def _document(start: bytes, value: Any, end: bytes) -> bytes:
    chunks = [start]
    _write_value(chunks.append, value, 0)
    chunks.append(end)
    return b"".join(chunks)


def _write_value(write: _Write, value: Any, depth: int) -> None:
    write(b"<value>")
    if isinstance(value, str):
        write(b"<string>")
        _write_text(write, value)
        write(b"</string>")
    elif value is None:
        write(b"<nil/>")
    elif isinstance(value, bool):
        write(b"<boolean>1</boolean>" if value else b"<boolean>0</boolean>")
    elif isinstance(value, int):
        write(_integer(value))
    elif isinstance(value, float):
        write(_double(value))
    elif isinstance(value, (list, tuple, set, frozenset)):
        _write_array(write, _ordered(value), depth)
    elif isinstance(value, dict):
        _write_struct(write, value, depth)
    elif isinstance(value, (bytes, bytearray)):
        _write_bytes(write, bytes(value))
    elif isinstance(value, Binary):
        _write_base64(write, value.data)
    elif isinstance(value, (DateTime, datetime.datetime)):
        date_time = value if isinstance(value, DateTime) else DateTime(value)
        write(b"<dateTime.iso8601>")
        _write_text(write, str(date_time))
        write(b"</dateTime.iso8601>")
    else:
        raise TypeError(f"XML-RPC has no type for {type(value).__name__}")
    write(b"</value>\n")


def _integer(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"<int>%d</int>" % value
    if -(1 << 63) <= value < 1 << 63:
        return b"<i8>%d</i8>" % value
    raise ValueError("XML-RPC has no integers of more than 64 bits")


def _double(value: float) -> bytes:
    if not math.isfinite(value):
        raise ValueError(f"XML-RPC has no double {value!r}")
    return f"<double>{float(value)!r}</double>".encode("ascii")


def _write_base64(write: _Write, data: bytes) -> None:
    write(b"<base64>\n")
    write(base64.encodebytes(data))
    write(b"</base64>")


def _write_bytes(write: _Write, data: bytes) -> None:
    """Write bytes as a string if they are UTF-8 text, else as base64."""
    try:
        is_text = _fits_xml(data.decode("utf-8"), data)
    except UnicodeDecodeError:
        is_text = False
    if is_text:
        write(b"<string>")
        _write_escaped(write, data)
        write(b"</string>")
    else:
        _write_base64(write, data)


def _ordered(values: Iterable[Any]) -> Iterable[Any]:
    """Return a sequence unchanged, and a set sorted if its members can be compared."""
    if not isinstance(values, (set, frozenset)):
        return values
    try:
        return sorted(values)
    except TypeError:
        return values


def _write_array(write: _Write, values: Iterable[Any], depth: int) -> None:
    _check_depth(depth)
    write(b"<array><data>\n")
    for value in values:
        _write_value(write, value, depth + 1)
    write(b"</data></array>")


def _write_struct(write: _Write, members: dict[Any, Any], depth: int) -> None:
    _check_depth(depth)
    write(b"<struct>\n")
    for name, value in members.items():
        if not isinstance(name, str):
            raise TypeError(f"the keys of a struct must be strings, not {type(name).__name__}")
        write(b"<member>\n<name>")
        _write_text(write, name)
        write(b"</name>\n")
        _write_value(write, value, depth + 1)
        write(b"</member>\n")
    write(b"</struct>")


def _check_depth(depth: int) -> None:
    if depth >= _DEPTH:
        raise ValueError(f"the value is nested more than {_DEPTH} deep, or contains itself")


def _write_text(write: _Write, text: str) -> None:
    """Escape text for an element.

    Raises:
        ValueError: XML does not allow a character.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as err:
        raise ValueError(f"XML cannot hold the character {text[err.start]!r}") from err
    if not _fits_xml(text, data):
        raise ValueError(f"XML cannot hold the character {_NOT_XML.findall(text)[0]!r}")
    _write_escaped(write, data)


def _fits_xml(text: str, data: bytes) -> bool:
    """Return whether XML allows all characters of a text, given as text and as UTF-8."""
    # Deleting control characters and comparing lengths is several times faster than searching for them.
    return len(data.translate(None, _CONTROLS)) == len(data) and "\ufffe" not in text and "\uffff" not in text


def _write_escaped(write: _Write, data: bytes) -> None:
    """Write UTF-8 text for an element.

    A long text becomes a CDATA section: escaping 350 KB of XML takes 0.7 ms and makes it larger. A text with carriage
    returns is escaped: it needs character references, which CDATA sections cannot have.
    """
    if len(data) < _CDATA_BYTES or b"\r" in data:
        escaped = data.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        write(escaped.replace(b"\r", b"&#13;"))
        return
    write(b"<![CDATA[")
    # A regular expression takes two to three times as long.
    write(data.replace(b"]]>", b"]]]]><![CDATA[>"))
    write(b"]]>")
