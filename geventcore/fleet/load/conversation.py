"""What clients send in their calls, and what they accept as an answer.

A run is ``DeclareVersion → GetProbes → [RecvProbeData] → GetConfig → RecvStats``. Bodies are made once and shared: the
answer to a list of probes by all clients that got the same list, the statistics by all whose configurations are alike,
which is judged by the number of elements. Like the client of Bcfg2 1.3.4, statistics send back every entry that was
received, with the contents of the files.
"""

from __future__ import annotations

import base64
import re
import time
import zlib
from dataclasses import dataclass
from xml.etree import ElementTree
from xmlrpc.client import Fault

from geventcore.fleet.client_run import CLIENT_VERSION
from geventcore.fleet.load.job import LoadClient
from geventcore.fleet.probes import plausible_answer, probe_data, read_probes
from geventcore.wire import ResponseError
from geventcore.wire.xmlrpc import dump_call, parse_response

#: In the order of a run.
METHODS = ("DeclareVersion", "GetProbes", "RecvProbeData", "GetConfig", "RecvStats")
DECLARE_VERSION, GET_PROBES, RECV_PROBE_DATA, GET_CONFIG, RECV_STATS = range(len(METHODS))

#: Kinds of configurations that statistics are kept for; those beyond send what the most similar one does.
_MOST_SHAPES = 64
_MOST_LENGTHS = 10_000

_HEAD_LIMIT = 64 * 1024
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_GZIP = re.compile(rb"\r\ncontent-encoding:[^\r]*gzip", re.IGNORECASE)
#: How the text of an answer begins: escaped, or in a CDATA section.
_STARTS = {GET_CONFIG: re.compile(rb"(?:<|&lt;)Configuration"), GET_PROBES: re.compile(rb"(?:<|&lt;)probes")}
#: An answer tells what it is within so many bytes.
_START_BYTES = 600


class AttemptFailed(Exception):
    """One attempt of a call failed; the text is the kind of error, the same for all of its kind."""


class Answer:
    """One HTTP answer as it comes in."""

    __slots__ = ("_chunked", "_data", "_expected", "_gzip", "_head_end")

    def __init__(self) -> None:
        self._data = bytearray()
        self._head_end = 0
        self._expected: int | None = None
        self._chunked = self._gzip = False

    @property
    def size(self) -> int:
        """Number of bytes received."""
        return len(self._data)

    def receive(self, data: memoryview) -> bool:
        """Take in the next bytes; true if the answer is complete."""
        self._data += data
        if not self._head_end:
            self._read_head()
            if not self._head_end:
                return False
        if self._expected is not None:
            return len(self._data) >= self._expected
        return self._chunked and self._data.endswith(b"0\r\n\r\n")

    def end(self) -> None:
        """The server has closed; `AttemptFailed` if something is missing."""
        if not self._head_end or self._expected is not None or self._chunked:
            raise AttemptFailed("connection closed early")

    def body(self) -> bytes | bytearray:
        """The body of a complete answer with status 200.

        Raises:
            AttemptFailed: it has another status, or is damaged.
        """
        status = self._data[9:12].decode("latin-1")
        if status != "200":
            raise AttemptFailed(f"HTTP status {status}")
        body: bytes | bytearray = self._data[self._head_end :]
        if not (self._chunked or self._gzip):
            return body
        try:
            if self._chunked:
                body = _dechunk(bytes(body))
            return zlib.decompress(body, 16 + zlib.MAX_WBITS) if self._gzip else body
        except (ValueError, zlib.error) as error:
            raise AttemptFailed("damaged answer") from error

    def _read_head(self) -> None:
        end = self._data.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
        if end < 0:
            if len(self._data) > _HEAD_LIMIT:
                raise AttemptFailed("no HTTP answer")
            return
        self._head_end = end + 4
        length = _CONTENT_LENGTH.search(self._data, 0, end)
        if length is not None:
            self._expected = self._head_end + int(length[1])
        self._chunked = length is None and _CHUNKED.search(self._data, 0, end) is not None
        self._gzip = _GZIP.search(self._data, 0, end) is not None


class Conversation:
    """The requests of all clients of one server.

    Args:
        authority: ``host:port`` for the Host header.
        path: the request's target.
        password: of all clients.
    """

    def __init__(self, authority: str, path: str, password: str) -> None:
        self._start = f"POST {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Basic "
        # Those of the original client on Python 3.
        self._rest = (
            "\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml\r\nUser-Agent: Python-xmlrpc/3.11\r\nContent-Length: "
        )
        # Clients quote the password for a URL and take it apart again in a way that turns blanks into plus signs.
        self._password = password.replace(" ", "+")
        self._bodies = {
            DECLARE_VERSION: dump_call("DeclareVersion", (CLIENT_VERSION,)),
            GET_PROBES: dump_call("GetProbes", ()),
            GET_CONFIG: dump_call("GetConfig", ()),
        }
        self._heads: dict[str, bytes] = {}
        self._probe_uploads: dict[bytes, bytes | None] = {}
        #: Length of an answer -> number of its elements -> what is sent for it.
        self._shapes: dict[int, int] = {}
        self._statistics: dict[int, _Statistics] = {}

    def head(self, user: str, body: bytes) -> bytes:
        """The head of a request of a user."""
        head = self._heads.get(user)
        if head is None:
            token = base64.b64encode(f"{user}:{self._password}".encode()).decode()
            head = self._heads[user] = f"{self._start}{token}{self._rest}".encode()
        return head + b"%d\r\n\r\n" % len(body)

    def body(self, method: int) -> bytes:
        """What is sent with a method that sends the same always."""
        return self._bodies[method]

    def probe_upload(self, client: LoadClient, answer: bytes | bytearray) -> bytes | None:
        """What a client sends after this answer to GetProbes; None for nothing.

        Raises:
            AttemptFailed: it is no list of probes.
        """
        key = bytes(answer)
        if key not in self._probe_uploads:
            try:
                probes = read_probes(_text(answer))
            except ValueError as error:
                raise AttemptFailed(str(error)) from error
            answers = [(probe, plausible_answer(client.name, probe)) for probe in probes]
            upload = dump_call("RecvProbeData", (probe_data(answers),)) if answers else None
            self._probe_uploads[key] = upload
        return self._probe_uploads[key]

    def statistics(self, client: LoadClient, answer: bytes | bytearray) -> bytes:
        """What a client sends after this answer to GetConfig.

        Raises:
            AttemptFailed: it is no configuration, or that of another client.
        """
        # Counting elements takes a while; configurations that differ in the client's name only are often as long.
        shape = self._shapes.get(len(answer))
        if shape is None:
            shape = answer.count(b"<") + answer.count(b"&lt;")
            if len(self._shapes) < _MOST_LENGTHS:
                self._shapes[len(answer)] = shape
        known = self._statistics.get(shape)
        if known is None:
            if len(self._statistics) >= _MOST_SHAPES:
                return self._statistics[min(self._statistics, key=lambda other: abs(other - shape))].body
            body = dump_call("RecvStats", (statistics_document(_text(answer)),))
            known = self._statistics[shape] = _Statistics(body, client.name.encode() in answer)
        if known.names_client and client.name.encode() not in answer:
            raise AttemptFailed("the configuration of another client")
        return known.body


@dataclass(frozen=True)
class _Statistics:
    """What clients with one shape of configuration send, and whether such configurations hold their client's name."""

    body: bytes
    names_client: bool


def check_answer(method: int, body: bytes | bytearray) -> None:
    """Raises AttemptFailed if this is not what a method answers."""
    start = body[:_START_BYTES]
    if b"<fault>" in start:
        raise AttemptFailed(f"fault: {_fault_text(body)}")
    expected = _STARTS.get(method)
    if expected is None:
        if b"<boolean>1</boolean>" not in start:
            raise AttemptFailed("not True")
    elif not expected.search(start):
        raise AttemptFailed("no configuration" if method == GET_CONFIG else "no probes")


def bad_entries(configuration: bytes | bytearray) -> int:
    """How many entries the server could not bind, in the body of an answer to GetConfig."""
    return configuration.count(b' failure="')


def statistics_document(configuration: str) -> str:
    """What a client uploads for this configuration when everything is as it should be.

    Raises:
        AttemptFailed: it is no configuration.
    """
    try:
        received = ElementTree.fromstring(configuration)
    except ElementTree.ParseError as error:
        raise AttemptFailed("the configuration is not XML") from error
    entries = [entry for structure in received for entry in structure if entry.tag != "Bundle"]
    upload = ElementTree.Element("upload-statistics")
    count = str(len(entries))
    attributes = {"total": count, "version": "2.0", "revision": received.get("revision", "-1"), "good": count}
    statistics = ElementTree.SubElement(upload, "Statistics", attributes | {"state": "clean"})
    lists = {name: ElementTree.SubElement(statistics, name) for name in ("Modified", "Extra", "Good", "Bad")}
    for entry in entries:
        if entry.tag == "Path":
            entry.attrib.update(current_owner="0", current_group="0", current_mode=entry.get("mode", ""))
        entry.set("qtext", "")
        lists["Good"].append(entry)
    stages = ("start", "probe_download", "probe_upload", "config_download", "config_parse", "initialization")
    stamps = {stage: f"{time.time() + 0.1 * number:.2f}" for number, stage in enumerate((*stages, "finished"))}
    ElementTree.SubElement(statistics, "OpStamps", stamps)
    text: bytes = ElementTree.tostring(upload)
    return text.decode("ascii")


def _text(answer: bytes | bytearray) -> str:
    try:
        value = parse_response(bytes(answer))
    except (Fault, ResponseError) as error:
        raise AttemptFailed(f"unreadable answer: {error}") from error
    if not isinstance(value, str):
        raise AttemptFailed(f"{type(value).__name__} is not the type of answer that a client expects")
    return value


def _fault_text(body: bytes | bytearray) -> str:
    try:
        parse_response(bytes(body))
    except Fault as fault:
        return f"{fault.faultCode}: {fault.faultString}"[:300]
    except ResponseError as error:
        return str(error)
    return "unreadable"


def _dechunk(body: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.index(b"\r\n", position)
        size = int(body[position:end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        position = end + 4 + size
