"""XML-RPC: both directions against the standard library, and what must be refused."""

from __future__ import annotations

import contextlib
import datetime
import xmlrpc.client
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geventcore.errors import RequestError
from geventcore.wire import ResponseError
from geventcore.wire.xmlrpc import (
    Call,
    XMLRPCLimits,
    dump_call,
    dump_fault,
    dump_response,
    dump_string_response,
    parse_call,
    parse_response,
)
from tests.support.own_process import count_cyclic_objects

#: Everything that XML can hold; the long ones are written in another way than the short ones.
CHARACTERS = st.characters(
    exclude_categories=["Cs"], exclude_characters=[*map(chr, set(range(0x20)) - {9, 10, 13}), "\ufffe", "\uffff"]
)
MARKUP = st.lists(st.sampled_from(["a", "<", ">", "&lt;", "]]>", "]", "<![CDATA[", "\r", "\n", "é"])).map("".join)
TEXTS = st.text(CHARACTERS, max_size=30) | MARKUP | MARKUP.map(lambda text: text + "x" * 5000 + text)


def values(texts: st.SearchStrategy[str], integers: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    scalars = (
        st.none() | st.booleans() | integers | texts | st.floats(allow_nan=False, allow_infinity=False) | st.binary()
    )
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=10
    )


def as_read(value: Any) -> Any:
    """What a reader gets: bytes that are text come as text."""
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
            dump_response(text)
        except ValueError:
            return value
        return text
    if isinstance(value, list):
        return [as_read(item) for item in value]
    if isinstance(value, dict):
        return {key: as_read(item) for key, item in value.items()}
    return value


def without_carriage_returns(text: str) -> str:
    """The standard library does not write carriage returns so that they survive."""
    return text.replace("\r", "")


INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


class TestRoundTrips:
    @given(value=values(TEXTS, INT64))
    def test_response_to_us(self, value: Any) -> None:
        assert parse_response(dump_response(value)) == as_read(value)

    @given(value=values(TEXTS, INT64))
    def test_response_to_the_standard_library(self, value: Any) -> None:
        (read,), _ = xmlrpc.client.loads(dump_response(value).decode(), use_builtin_types=True)
        assert read == as_read(value)

    @given(value=values(TEXTS.map(without_carriage_returns), INT32))
    def test_response_from_the_standard_library(self, value: Any) -> None:
        assert parse_response(xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True).encode()) == value

    @given(params=st.lists(values(TEXTS, INT64), max_size=3))
    def test_call_to_us(self, params: list[Any]) -> None:
        assert parse_call(dump_call("A.b", params)) == Call("A.b", tuple(as_read(params)))

    @given(params=st.lists(values(TEXTS, INT64), max_size=3))
    def test_call_to_the_standard_library(self, params: list[Any]) -> None:
        read, method = xmlrpc.client.loads(dump_call("A.b", params).decode(), use_builtin_types=True)
        assert (method, list(read)) == ("A.b", as_read(params))

    @given(params=st.lists(values(TEXTS.map(without_carriage_returns), INT32), max_size=3).map(tuple))
    def test_call_from_the_standard_library(self, params: tuple[Any, ...]) -> None:
        body = xmlrpc.client.dumps(params, "A.b", allow_none=True).encode()
        assert parse_call(body) == Call("A.b", params)

    @given(text=TEXTS)
    def test_string_response(self, text: str) -> None:
        body = dump_string_response(text.encode())
        assert parse_response(body) == text
        assert xmlrpc.client.loads(body) == ((text,), None)

    @given(code=INT32, text=st.text())
    def test_fault(self, code: int, text: str) -> None:
        body = dump_fault(code, text)
        with pytest.raises(xmlrpc.client.Fault) as ours:
            parse_response(body)
        with pytest.raises(xmlrpc.client.Fault) as theirs:
            xmlrpc.client.loads(body)
        assert (ours.value.faultCode, ours.value.faultString) == (theirs.value.faultCode, theirs.value.faultString)
        assert ours.value.faultCode == code
        assert len(ours.value.faultString) == len(text)

    def test_fault_from_the_standard_library(self) -> None:
        body = xmlrpc.client.dumps(xmlrpc.client.Fault(-32601, "unknown <method>"), methodresponse=True)
        with pytest.raises(xmlrpc.client.Fault) as caught:
            parse_response(body.encode())
        assert (caught.value.faultCode, caught.value.faultString) == (-32601, "unknown <method>")


class TestWriting:
    @pytest.mark.parametrize(
        ("value", "read"),
        [
            ((1, ("a", ())), [1, ["a", []]]),
            ({3, 1, 2}, [1, 2, 3]),
            (frozenset(["b", "a"]), ["a", "b"]),
            (b"text", "text"),
            (bytearray(b"text"), "text"),
            (b"not text \xff", b"not text \xff"),
            (b"not XML \x00", b"not XML \x00"),
            (b"not XML \xef\xbf\xbf", b"not XML \xef\xbf\xbf"),
            (xmlrpc.client.Binary(b"text"), b"text"),
            (xmlrpc.client.DateTime("20260102T03:04:05"), xmlrpc.client.DateTime("20260102T03:04:05")),
            (datetime.datetime(2026, 1, 2, 3, 4, 5), xmlrpc.client.DateTime("20260102T03:04:05")),
            (2**31 - 1, 2**31 - 1),
            (2**31, 2**31),
            (-(2**63), -(2**63)),
        ],
    )
    def test_values_of_other_types(self, value: Any, read: Any) -> None:
        result = parse_response(dump_response(value))
        assert result == read
        assert type(result) is type(read)

    def test_set_that_cannot_be_sorted(self) -> None:
        assert sorted(parse_response(dump_response({1, "a"})), key=str) == [1, "a"]

    def test_integers_of_32_bits_are_ints(self) -> None:
        assert b"<int>2147483647</int>" in dump_response(2**31 - 1)
        assert b"<i8>2147483648</i8>" in dump_response(2**31)

    def test_deep_values_are_read_again(self) -> None:
        value: Any = "leaf"
        for _ in range(25):
            value = {"a": [value]}
        assert parse_response(dump_response(value)) == value

    @pytest.mark.parametrize(
        ("value", "error"),
        [
            (object(), TypeError),
            ([object()], TypeError),
            (iter([1]), TypeError),
            (1j, TypeError),
            ({1: "a"}, TypeError),
            ({None: "a"}, TypeError),
            (2**63, ValueError),
            (-(2**63) - 1, ValueError),
            (float("nan"), ValueError),
            (float("inf"), ValueError),
            ("NUL \0", ValueError),
            ("escape \x1b", ValueError),
            ("long \x1b" + "a" * 5000, ValueError),
            ("\ud800", ValueError),
            ("\uffff", ValueError),
            ({"\x01": 1}, ValueError),
        ],
    )
    def test_values_that_cannot_be_sent(self, value: Any, error: type[Exception]) -> None:
        with pytest.raises(error) as caught:
            dump_response(value)
        assert type(caught.value) is error
        with pytest.raises(error):
            dump_call("method", [value])

    def test_error_names_the_character(self) -> None:
        with pytest.raises(ValueError, match=r"'\\x1b'"):
            dump_response("fine\n\x1b")

    def test_value_that_contains_itself(self) -> None:
        array: list[Any] = []
        array.append(array)
        struct: dict[str, Any] = {}
        struct["a"] = struct
        for value in (array, struct):
            with pytest.raises(ValueError, match="nested"):
                dump_response(value)

    @pytest.mark.parametrize("code", [2**31, -(2**63), 2**63, 10**30])
    def test_fault_code_of_any_size(self, code: int) -> None:
        with pytest.raises(xmlrpc.client.Fault):
            parse_response(dump_fault(code, "text"))


def call(params: str, method: str = "method") -> bytes:
    return f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>".encode()


def value_of(xml: str) -> Any:
    """The value of an element inside ``value``."""
    (value,) = parse_call(call(f"<param><value>{xml}</value></param>")).params
    return value


class TestReading:
    @pytest.mark.parametrize(
        ("xml", "value"),
        [
            ("<i4>-7</i4>", -7),
            ("<int> +7\n</int>", 7),
            ("<int>2147483647</int>", 2**31 - 1),
            ("<i8>-9223372036854775808</i8>", -(2**63)),
            ("<boolean>1</boolean>", True),
            ("<boolean>0</boolean>", False),
            ("<string> a &lt; &#233; </string>", " a < é "),
            ("<string/>", ""),
            ("<string>a<![CDATA[<b>]]>c<!-- comment -->d<?pi?></string>", "a<b>cd"),
            ("bare &amp; text", "bare & text"),
            (" ", " "),
            ("", ""),
            ("\n<int>1</int>\n", 1),
            ("<double>-1.5e3</double>", -1500.0),
            ("<double>.5</double>", 0.5),
            ("<dateTime.iso8601>20260102T03:04:05</dateTime.iso8601>", xmlrpc.client.DateTime("20260102T03:04:05")),
            ("<base64>\naGVs\nbG8=\n</base64>", b"hello"),
            ("<base64/>", b""),
            ("<array><data/></array>", []),
            ("<array>\n<data>\n<value>a</value> <value><nil/></value>\n</data>\n</array>", ["a", None]),
            ("<struct/>", {}),
            (
                "<struct><member><name>a</name><value>1</value></member>"
                "<member><name>a</name><value>2</value></member></struct>",
                {"a": "2"},
            ),
            ("<struct><member><name> </name><value/></member></struct>", {" ": ""}),
            ("<nil/>", None),
            ("<ex:nil xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions'/>", None),
        ],
    )
    def test_values(self, xml: str, value: Any) -> None:
        result = value_of(xml)
        assert result == value
        assert type(result) is type(value)

    @pytest.mark.parametrize(
        "body",
        [
            b"<methodCall><methodName>method</methodName></methodCall>",
            b"<methodCall><methodName>method</methodName><params/></methodCall>",
            b"\xef\xbb\xbf<?xml version='1.0'?><methodCall><methodName> method </methodName></methodCall>",
            "<?xml version='1.0' encoding='utf-16'?><methodCall><methodName>method</methodName></methodCall>".encode(
                "utf-16"
            ),
        ],
    )
    def test_calls_without_params(self, body: bytes) -> None:
        assert parse_call(body) == Call("method", ())

    def test_declared_encoding_counts(self) -> None:
        text = "<?xml version='1.0' encoding='iso-8859-1'?>" + call("<param><value>é</value></param>").decode()
        assert parse_call(text.encode("iso-8859-1")).params == ("é",)

    @pytest.mark.parametrize(
        "xml",
        [
            "<int/>",
            "<int>1.0</int>",
            "<int>1_0</int>",
            "<int>0x10</int>",
            "<int>٣</int>",
            "<int>2147483648</int>",
            "<int>" + "9" * 100_000 + "</int>",
            "<i4>-2147483649</i4>",
            "<i8>9223372036854775808</i8>",
            "<int><int>1</int></int>",
            "<i1>1</i1>",
            "<boolean>true</boolean>",
            "<boolean>2</boolean>",
            "<double>nan</double>",
            "<double>inf</double>",
            "<double>1,5</double>",
            "<double/>",
            "<base64>*</base64>",
            "<base64>YQ</base64>",
            "<base64>é</base64>",
            "<nil>text</nil>",
            "<array/>",
            "<array><data/><data/></array>",
            "<array><value>1</value></array>",
            "<array>text<data/></array>",
            "<struct><member/></struct>",
            "<struct><member><name>a</name></member></struct>",
            "<struct><member><value>a</value></member></struct>",
            "<struct><member><value>a</value><name>a</name></member></struct>",
            "<struct><member><name>a</name><value>a</value><value>b</value></member></struct>",
            "<struct><value>a</value></struct>",
            "<int>1</int><int>2</int>",
            "text<int>1</int>",
            "<value>1</value>",
            "<object>1</object>",
            "<INT>1</INT>",
            "&undefined;",
            "<string>\x01</string>",
        ],
    )
    def test_bad_values(self, xml: str) -> None:
        with pytest.raises(RequestError) as caught:
            value_of(xml)
        assert caught.value.status == 500

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"text",
            b"\0" * 20,
            b"\xff\xfe<",
            b"<methodCall>",
            b"<methodCall/>",
            b"<methodCall><methodName/></methodCall>",
            b"<methodCall><methodName> </methodName></methodCall>",
            b"<methodCall><params/></methodCall>",
            b"<methodCall><params/><methodName>a</methodName></methodCall>",
            b"<methodCall><methodName>a</methodName><params/><params/></methodCall>",
            b"<methodCall><methodName>a</methodName><methodName>b</methodName></methodCall>",
            b"<methodCall>text<methodName>a</methodName></methodCall>",
            b"<methodCall><methodName>a</methodName></methodCall><methodCall/>",
            b"<methodCall><methodName>a</methodName></methodCall>text",
            b"<methodCall><methodName>\xff</methodName></methodCall>",
            b"<methodCall><methodName>&#xd800;</methodName></methodCall>",
            b"<html><body/></html>",
            call("<param/>"),
            call("<value>1</value>"),
            call("<param><value/><value/></param>"),
            dump_response("not a call"),
            dump_fault(1, "not a call"),
        ],
    )
    def test_not_a_call(self, body: bytes) -> None:
        with pytest.raises(RequestError) as caught:
            parse_call(body)
        assert caught.value.status == 500

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            call(""),
            b"<methodResponse/>",
            b"<methodResponse><params/></methodResponse>",
            b"<methodResponse><params><param><value/></param><param><value/></param></params></methodResponse>",
            b"<methodResponse><fault/></methodResponse>",
            b"<methodResponse><fault><value>text</value></fault></methodResponse>",
            b"<methodResponse><fault><value><struct/></value></fault></methodResponse>",
        ],
    )
    def test_not_a_response(self, body: bytes) -> None:
        with pytest.raises(ResponseError):
            parse_response(body)

    @pytest.mark.parametrize(
        "document_type",
        [
            "<!DOCTYPE methodCall>",
            "<!DOCTYPE methodCall SYSTEM 'http://example.com/a.dtd'>",
            "<!DOCTYPE methodCall [<!ENTITY a 'b'>]>",
            "<!DOCTYPE methodCall [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
            "<!DOCTYPE m [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]>",
            "<!DOCTYPE m [<!ENTITY % a SYSTEM 'file:///etc/passwd'> %a;]>",
        ],
    )
    def test_document_types_are_refused(self, document_type: str) -> None:
        with pytest.raises(RequestError, match="document type"):
            parse_call(document_type.encode() + call(""))

    @pytest.mark.parametrize("encoding", ["idna", "rot13", "utf-7", "nonsense", "cp1252", "hex", "punycode"])
    def test_other_encodings_are_refused(self, encoding: str) -> None:
        with pytest.raises(RequestError, match="encoding"):
            parse_call(f"<?xml version='1.0' encoding='{encoding}'?>".encode() + call(""))

    @given(body=st.binary(max_size=100))
    def test_noise(self, body: bytes) -> None:
        with pytest.raises(RequestError):
            parse_call(body)

    @given(data=st.data())
    def test_damaged_call_is_read_or_refused(self, data: st.DataObject) -> None:
        params = ("text", 1, True, [None, 2.5], {"a": b"\xff"})
        body = bytearray(b"<?xml version='1.0' encoding='utf-8'?>" + dump_call("A.b", params).partition(b"?>")[2])
        for _ in range(data.draw(st.integers(1, 3))):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(RequestError):
            assert isinstance(parse_call(bytes(body)), Call)


class TestLimits:
    @staticmethod
    def nested(depth: int) -> bytes:
        opening = "<value><array><data>" * depth
        closing = "</data></array></value>" * depth
        return call(f"<param>{opening}{closing}</param>")

    def test_depth(self) -> None:
        limits = XMLRPCLimits(depth=33)
        assert isinstance(parse_call(self.nested(10), limits), Call)
        with pytest.raises(RequestError, match="33 elements deep"):
            parse_call(self.nested(11), limits)
        with pytest.raises(RequestError, match="deep"):
            parse_call(self.nested(100_000))

    def test_elements(self) -> None:
        body = call("<param><value/></param>" * 50)
        assert len(parse_call(body, XMLRPCLimits(elements=103)).params) == 50
        with pytest.raises(RequestError, match="102 elements"):
            parse_call(body, XMLRPCLimits(elements=102))

    def test_bytes(self) -> None:
        body = call("")
        assert parse_call(body, XMLRPCLimits(body_bytes=len(body))) == Call("method", ())
        with pytest.raises(RequestError, match="bytes"):
            parse_call(body, XMLRPCLimits(body_bytes=len(body) - 1))

    def test_client_reads_long_lists(self) -> None:
        names = [f"host{number}" for number in range(60_000)]
        assert parse_response(dump_response(names)) == names


def read_a_call() -> None:
    parse_call(call("<param><value>text</value></param>"))


def test_no_reference_cycles() -> None:
    """What a request allocated is gone when it is answered, without the garbage collector."""
    assert count_cyclic_objects(read_a_call) == 0
