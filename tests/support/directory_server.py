"""A directory server for tests: it really listens, and speaks as much LDAP as a search needs.

The messages are taken apart and put together by pyasn1, with the grammar that ldap3 brings.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ldap3.protocol.rfc4511 import (
    LDAPDN,
    AttributeDescription,
    AttributeValue,
    BindResponse,
    LDAPMessage,
    LDAPString,
    MessageID,
    PartialAttribute,
    PartialAttributeList,
    ProtocolOp,
    ResultCode,
    SearchResultDone,
    SearchResultEntry,
    Vals,
)
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import SubstrateUnderrunError

Entries = Mapping[str, Mapping[str, Sequence[bytes]]]
SUCCESS = 0
INVALID_CREDENTIALS = 49


class DirectoryServer:
    """Answers every search with the same entries.

    Attributes:
        entries: distinguished name -> attribute -> values.
        credentials: the only name and password that may log in besides nobody; None for any.
        searches: what was asked: (base, scope, name of the attribute in the filter and its value, attributes).
        connections: how many have been accepted.
        silent: whether searches get no answer.
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, entries: Entries, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.entries = entries
        self.credentials: tuple[str, str] | None = None
        self.searches: list[tuple[str, int, str, list[str]]] = []
        self.connections = 0
        self.silent = False
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="directory server")]
        self._threads[0].start()

    def hang_up(self) -> None:
        """End all conversations, as servers do with idle ones."""
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._open = []

    def close(self) -> None:
        """Stop listening, and end all conversations."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._converse, args=(sock,), name="directory conversation")
            self._threads.append(thread)
            self._open.append(sock)
            thread.start()

    def _converse(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            if self._tls is None:
                self._answer_all(sock)
            else:
                with self._tls.wrap_socket(sock, server_side=True) as wrapped:
                    self._open.append(wrapped)
                    self._answer_all(wrapped)

    def _answer_all(self, sock: socket.socket) -> None:
        received = b""
        while True:
            try:
                message, received = decoder.decode(received, asn1Spec=LDAPMessage())
            except SubstrateUnderrunError:
                more = sock.recv(65536)
                if not more:
                    return
                received += more
                continue
            operation = message["protocolOp"]
            kind = operation.getName()
            for answer in self._answers(kind, operation[kind]):
                reply = LDAPMessage()
                reply["messageID"] = MessageID(int(message["messageID"]))
                reply["protocolOp"] = ProtocolOp().setComponentByName(*answer)
                sock.sendall(encoder.encode(reply))

    def _answers(self, kind: str, request: Any) -> Iterator[tuple[str, Any]]:
        if kind == "bindRequest":
            yield "bindResponse", self._result(BindResponse(), self._bind(request))
        elif kind == "searchRequest":
            comparison = request["filter"]["equalityMatch"] if request["filter"].getName() == "equalityMatch" else None
            self.searches.append(
                (
                    str(request["baseObject"]),
                    int(request["scope"]),
                    f"{comparison['attributeDesc']}={comparison['assertionValue']}" if comparison else "",
                    [str(name) for name in request["attributes"]],
                )
            )
            if not self.silent:
                for name, attributes in self.entries.items():
                    yield "searchResEntry", self._entry(name, attributes)
                yield "searchResDone", self._result(SearchResultDone(), SUCCESS)

    def _bind(self, request: Any) -> int:
        given = (str(request["name"]), str(request["authentication"]["simple"]))
        return SUCCESS if self.credentials in (None, given) or given == ("", "") else INVALID_CREDENTIALS

    @staticmethod
    def _result(response: Any, code: int) -> Any:
        response["resultCode"] = ResultCode(code)
        response["matchedDN"] = LDAPDN("")
        response["diagnosticMessage"] = LDAPString("")
        return response

    @staticmethod
    def _entry(name: str, attributes: Mapping[str, Sequence[bytes]]) -> Any:
        entry = SearchResultEntry()
        entry["object"] = LDAPDN(name)
        found = PartialAttributeList()
        for position, (attribute, values) in enumerate(attributes.items()):
            partial = PartialAttribute()
            partial["type"] = AttributeDescription(attribute)
            partial["vals"] = Vals()
            for index, value in enumerate(values):
                partial["vals"].setComponentByPosition(index, AttributeValue(value))
            found.setComponentByPosition(position, partial)
        entry["attributes"] = found
        return entry


@contextlib.contextmanager
def directory_server(entries: Entries, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[DirectoryServer]:
    """A server that is closed at the end."""
    server = DirectoryServer(entries, tls, port)
    try:
        yield server
    finally:
        server.close()
