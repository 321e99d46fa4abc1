"""What a Bcfg2 client says in its calls, and what it accepts as an answer.

The requests of all clients of a profile are the same bytes, made once: `prepare` makes one run for each profile, one
call after another, and takes from its answers what those clients upload. Like the original, a client sends back every
entry it received, with the contents of the files.
"""

from __future__ import annotations

import base64
import html
import http.client
import re
import socket
import ssl
import time
import xmlrpc.client
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from tests.repositories.generate import GeneratedClient

#: In the order of a run.
METHODS = ("DeclareVersion", "GetProbes", "RecvProbeData", "GetConfig", "RecvStats")

_HEAD_LIMIT = 64 * 1024
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
#: How the text of an answer begins: escaped, or in a CDATA section.
_STARTS = {"GetConfig": re.compile(rb"(?:<|&lt;)Configuration"), "GetProbes": re.compile(rb"(?:<|&lt;)probes")}
_GZIP = re.compile(rb"\r\ncontent-encoding:[^\r]*gzip", re.IGNORECASE)


class LoadError(Exception):
    """The server does not answer as a Bcfg2 server should, even to one client alone."""


class AttemptFailed(Exception):
    """One attempt of a call failed; the text is the kind of error."""


@dataclass(frozen=True)
class Requests:
    """The bytes that clients of one profile send: method -> head and body."""

    by_method: Mapping[str, bytes]
    names_client: bool


class Target:
    """The server, and how to talk to it.

    Attributes:
        address: IPv4 address and port.
        context: for connections of the load. It asks for no check of the server's certificate: that is work of the
            client alone, and `call_once` has done it.
    """

    def __init__(self, url: str, ca: Path, password: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or not parts.port:
            raise LoadError(f"{url} is not https://host:port")
        self.address = (socket.gethostbyname(parts.hostname), parts.port)
        self.host = f"{parts.hostname}:{parts.port}"
        self.context = self._context()
        self._checking_context = self._context()
        self._checking_context.verify_mode = ssl.CERT_REQUIRED
        self._checking_context.load_verify_locations(ca)
        self._authorization = base64.b64encode(f"root:{password}".encode()).decode()

    @staticmethod
    def _context() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def headers(self) -> dict[str, str]:
        """Those of the original client on Python 3, but for Host and Content-Length."""
        return {
            "Authorization": f"Basic {self._authorization}",
            "Accept-Encoding": "gzip",
            "Content-Type": "text/xml",
            "User-Agent": "Python-xmlrpc/3.11",
        }

    def request(self, method: str, *arguments: str) -> bytes:
        """Head and body of one call."""
        body = xmlrpc.client.dumps(arguments, method).encode()
        head = [f"POST /RPC2 HTTP/1.1\r\nHost: {self.host}\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in self.headers().items()]
        head.append(f"Content-Length: {len(body)}\r\n\r\n")
        return "".join(head).encode() + body

    def call_once(self, source: str, method: str, *arguments: str) -> str | bool:
        """One blocking call from the address `source`.

        Raises:
            LoadError: there was no answer, or not the expected one.
        """
        body = xmlrpc.client.dumps(arguments, method).encode()
        connection = http.client.HTTPSConnection(
            *self.address, timeout=90, context=self._checking_context, source_address=(source, 0)
        )
        try:
            connection.request("POST", "/RPC2", body, self.headers() | {"Accept-Encoding": "identity"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise LoadError(f"{method} from {source}: status {answer.status}")
            value = xmlrpc.client.loads(content)[0][0]
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise LoadError(f"{method} from {source}: {error}") from error
        finally:
            connection.close()
        if not isinstance(value, (str, bool)):
            raise LoadError(f"{method} from {source}: {type(value).__name__} is not the type a client expects")
        return value


def prepare(target: Target, clients: Sequence[GeneratedClient]) -> dict[str, Requests]:
    """Make one run for each profile, and from its answers what clients of that profile send.

    Raises:
        LoadError: a call failed, or the server could not bind an entry.
    """
    prepared: dict[str, Requests] = {}
    for client in clients:
        if client.profile in prepared:
            continue
        by_method = {
            "DeclareVersion": target.request("DeclareVersion", "1.3.4"),
            "GetProbes": target.request("GetProbes"),
            "GetConfig": target.request("GetConfig"),
        }
        target.call_once(client.address, "DeclareVersion", "1.3.4")
        probe_data = _probe_data(str(target.call_once(client.address, "GetProbes")))
        if probe_data is not None:
            by_method["RecvProbeData"] = target.request("RecvProbeData", probe_data)
            target.call_once(client.address, "RecvProbeData", probe_data)
        configuration = str(target.call_once(client.address, "GetConfig"))
        if " failure=" in configuration or not configuration.startswith("<Configuration"):
            raise LoadError(f"the configuration of {client.name} is not in order: {configuration[:500]}")
        statistics = _statistics(configuration)
        by_method["RecvStats"] = target.request("RecvStats", statistics)
        target.call_once(client.address, "RecvStats", statistics)
        prepared[client.profile] = Requests(by_method, names_client=client.name in configuration)
    return prepared


def _probe_data(probes: str) -> str | None:
    """What a client uploads for these probes; None for none."""
    upload = ElementTree.Element("ProbeData")
    for probe in ElementTree.fromstring(probes).iter("probe"):
        data = ElementTree.SubElement(
            upload, "probe-data", {"name": probe.get("name", ""), "source": probe.get("source", "")}
        )
        data.text = f"group:{probe.get('name')}\nLinux 6.1.0-18-amd64 x86_64\n0.17\n"
    return _ascii(upload) if len(upload) else None


def _statistics(configuration: str) -> str:
    """What a client uploads for this configuration when everything is as it should be."""
    received = ElementTree.fromstring(configuration)
    entries = [entry for structure in received for entry in structure]
    upload = ElementTree.Element("upload-statistics")
    count = str(len(entries))
    attributes = {"total": count, "version": "2.0", "revision": received.get("revision", "-1"), "good": count}
    statistics = ElementTree.SubElement(upload, "Statistics", attributes | {"state": "clean"})
    for name in ("Modified", "Extra", "Good", "Bad"):
        ElementTree.SubElement(statistics, name)
    for entry in entries:
        if entry.tag == "Path":
            entry.attrib.update(current_owner="0", current_group="0", current_mode=entry.get("mode", ""))
        entry.set("qtext", "")
        statistics[2].append(entry)
    stages = ("start", "probe_download", "probe_upload", "config_download", "config_parse", "initialization")
    stamps = {stage: f"{time.time() + 0.1 * number:.2f}" for number, stage in enumerate((*stages, "finished"))}
    ElementTree.SubElement(statistics, "OpStamps", stamps)
    return _ascii(upload)


def _ascii(element: ElementTree.Element) -> str:
    text: bytes = ElementTree.tostring(element)
    return text.decode()


def is_complete(received: bytearray, ended: bool) -> bool:
    """Whether an HTTP answer is all there; `ended`: the peer has closed."""
    end_of_head = received.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
    if end_of_head < 0:
        return False
    length = _CONTENT_LENGTH.search(received, 0, end_of_head)
    if length is not None:
        return len(received) - end_of_head - 4 >= int(length[1])
    if _CHUNKED.search(received, 0, end_of_head):
        return received.endswith(b"0\r\n\r\n")
    return ended


def checked_body(method: str, received: bytearray, client: GeneratedClient, names_client: bool) -> bytes:
    """The body of an answer.

    Raises:
        AttemptFailed: it is not what the method answers to this client.
    """
    status = received[9:12].decode("latin-1")
    if status != "200":
        raise AttemptFailed(f"status {status}")
    end_of_head = received.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
    head, body = received[: end_of_head + 2], bytes(memoryview(received)[end_of_head + 4 :])
    if _CHUNKED.search(head):
        body = _dechunk(body)
    if _GZIP.search(head):
        body = zlib.decompress(body, 16 + zlib.MAX_WBITS)
    start = body[:600]
    if b"<fault>" in start:
        raise AttemptFailed(f"fault: {html.unescape(start.decode(errors='replace'))[-300:]}")
    if method == "GetConfig":
        if not _STARTS["GetConfig"].search(start):
            raise AttemptFailed("no configuration")
        if names_client and client.name.encode() not in body:
            raise AttemptFailed("the configuration of another client")
    elif method == "GetProbes":
        if not _STARTS["GetProbes"].search(start):
            raise AttemptFailed("no probes")
    elif b"<boolean>1</boolean>" not in start:
        raise AttemptFailed("not True")
    return body


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
