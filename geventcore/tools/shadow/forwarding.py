"""A port that answers from the old server, and lets this program compare what clients get.

A client that is pointed at this port makes its run as ever: every call goes to the old server, and its answer to the
client, unchanged. When a client gets its configuration, the same is built here, with the results of probes that the
client has sent in this run, and compared. The client does not wait for that.

The old server sees calls from this machine's address. So a call of the user ``root``, for whom the address stands, is
sent on as one of the client that our client list has for the caller's address. Clients that show a certificate cannot
be served: the certificate ends at this port.
"""

from __future__ import annotations

import logging
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xmlrpc.client import loads

from geventcore.core.base import Core
from geventcore.core.client_documents import DocumentError, ProbeReader
from geventcore.errors import ConfigError, GeventcoreError, MetadataError, RequestError
from geventcore.log import shortened
from geventcore.plugin.interfaces import Probing, ResultLimit
from geventcore.plugins.metadata import Metadata
from geventcore.plugins.probes import Probes
from geventcore.tools.server_calls import CallFailed, exchange
from geventcore.tools.shadow.asking import OldServer, Shadow, document_text
from geventcore.tools.shadow.comparison import parse_document
from geventcore.tools.shadow.outcome import HostResult
from geventcore.wire.basicauth import format_authorization, parse_authorization
from geventcore.wire.xmlrpc import called_method

log = logging.getLogger(__name__)

#: The longest body of a call that is sent on.
_LONGEST_BODY_BYTES = 512 << 20
#: The time in which a client must send the next part of its call, in seconds.
_CLIENT_SECONDS = 60.0
_ADDRESS_USER = "root"


@dataclass(frozen=True)
class _Seen:
    """A document that a client has sent or got."""

    host: str
    probe_data: str | None = None
    configuration: bytes | None = None


class Forwarder:
    """The port, and the comparison beside it.

    Attributes:
        address: the host and port that it listens on.
    """

    def __init__(self, shadow: Shadow, listen: tuple[str, int], certificate: Path, key: Path | None) -> None:
        """Listen at once; `serve` answers.

        Raises:
            ConfigError: the certificate is unusable, or the address cannot be listened on.
        """
        self._shadow = shadow
        self._core: Core = shadow.core
        self._server: OldServer = shadow.server
        self._tls = shadow.server.access.tls_context()
        self._seen: queue.SimpleQueue[_Seen | None] = queue.SimpleQueue()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as err:
            raise ConfigError(f"{certificate}: no usable certificate with its key: {err}") from err
        if shadow.server.access.old_tls:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        try:
            self._listener = _Listener(listen, context, self._answer)
        except OSError as err:
            raise ConfigError(f"cannot listen on {listen[0]}:{listen[1]}: {err.strerror}") from err
        host, port = self._listener.server_address[:2]
        self.address = (str(host), int(port))

    def serve(self, report: Callable[[HostResult], None], seconds: float | None = None) -> None:
        """Answer clients, and call `report` with each result, until `stop` or the end of a time."""
        thread = threading.Thread(target=self._listener.serve_forever, name="forwarder", daemon=True)
        thread.start()
        timer = None if seconds is None else threading.Timer(seconds, self.stop)
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            while (seen := self._seen.get()) is not None:
                result = self._take(seen)
                if result is not None:
                    report(result)
        finally:
            if timer is not None:
                timer.cancel()
            self._listener.shutdown()
            self._listener.server_close()
            thread.join()

    def stop(self) -> None:
        """End `serve`; may be called from anywhere."""
        self._seen.put(None)

    # -- in the threads of clients

    def _answer(self, body: bytes, authorization: str | None, address: tuple[str, int]) -> tuple[int, str, bytes]:
        """Send a call on, and return the old server's answer."""
        host, sent = self._identify(authorization, address)
        headers = {"Content-Type": "text/xml"}
        if sent is not None:
            headers["Authorization"] = sent
        method = called_method(body)
        try:
            status, reason, answer = exchange(self._server.access, body, headers, self._tls)
        except CallFailed as err:
            log.warning("%s: cannot send on %s: %s", host or address[0], shortened(method), err)
            return 502, "the old server does not answer", b""
        if status != 200:
            log.warning("%s: the old server answers %s with status %s", host or address[0], shortened(method), status)
        elif host is not None:
            self._note(host, method, body, answer)
        return status, reason, answer

    def _identify(self, authorization: str | None, address: tuple[str, int]) -> tuple[str | None, str | None]:
        """Return the client that calls, or None, and the ``Authorization`` header to send on."""
        try:
            given = parse_authorization(authorization)
        except RequestError:
            return None, authorization
        source = self._core.metadata_source()
        table = source.client_list.table if isinstance(source, Metadata) else None
        if table is None:
            return given.user, authorization
        if given.user != _ADDRESS_USER:
            return table.canonical(table.uuids.get(given.user, given.user)), authorization
        try:
            host = source.resolve_client((address[0], None))
        except MetadataError as err:
            log.warning("%s: cannot tell which client this is: %s", address[0], err)
            return None, authorization
        return host, format_authorization(host, given.password)

    def _note(self, host: str, method: str, body: bytes, answer: bytes) -> None:
        if method == "RecvProbeData":
            try:
                (document,), _ = loads(body)
            # The parser raises errors of several libraries; the old server has accepted the call.
            except Exception as err:  # noqa: BLE001
                log.warning("%s: cannot read the results of its probes: %s", host, err)
                return
            self._seen.put(_Seen(host, probe_data=str(document)))
        elif method == "GetConfig":
            self._seen.put(_Seen(host, configuration=answer))

    # -- in the thread that compares

    def _take(self, seen: _Seen) -> HostResult | None:
        self._core.handle_file_events()
        if seen.host not in self._core.metadata_source().list_clients():
            return HostResult(seen.host, problem="it is not a client here; see geventcore admin client add")
        if seen.probe_data is not None:
            self._take_probe_data(seen.host, seen.probe_data)
            return None
        try:
            (text,), _ = loads(seen.configuration or b"", use_builtin_types=True)
        # A fault, or no XML-RPC at all.
        except Exception as err:  # noqa: BLE001
            return HostResult(seen.host, problem=f"the old server gives no configuration: {err}")
        try:
            root = parse_document(document_text(text), "configuration of the old server")
        except GeventcoreError as err:
            return HostResult(seen.host, problem=str(err))
        if root.tag == "error":
            return HostResult(seen.host, problem=f"the old server gives no configuration: {root.get('type')}")
        return self._shadow.result(seen.host, root, [])

    def _take_probe_data(self, host: str, document: str) -> None:
        """Remember results of probes for the comparison; nothing is stored."""
        plugins = self._core.plugins.by_name

        def limit_of(source: str) -> ResultLimit | None:
            plugin = plugins[source]
            if not isinstance(plugin, Probing):
                raise KeyError(source)
            return plugin.result_limit

        reader = ProbeReader(limit_of)
        try:
            reader.feed(document)
            results = reader.close()
            metadata = self._core.build_metadata(host)
            for source, elements in results.by_source.items():
                plugin = plugins.get(source)
                # Other plugins with probes store what they get in the repository.
                if isinstance(plugin, Probes):
                    plugin.receive_data(metadata, list(elements.values()))
        except (DocumentError, GeventcoreError) as err:
            log.warning("%s: cannot use the results of its probes: %s", host, err)
        self._core.metadata.expire(host)


#: Answers a call: body, ``Authorization`` header, address -> status, reason, body.
_Answer = Callable[[bytes, str | None, tuple[str, int]], tuple[int, str, bytes]]


class _Listener(ThreadingHTTPServer):
    """The HTTP server, with TLS."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, listen: tuple[str, int], context: ssl.SSLContext, answer: _Answer) -> None:
        if ":" in listen[0]:
            self.address_family = socket.AF_INET6
        self.context = context
        self.answer = answer
        super().__init__(listen, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Make the handshake in the thread of the connection, so that a slow one holds up nobody."""
        request.settimeout(_CLIENT_SECONDS)
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError as err:
            log.info("%s: the TLS handshake has failed: %s", client_address[0], err)
            return
        with secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.info("%s: the connection has broken off", client_address[0], exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            self.send_error(411)
            return
        if not 0 <= length <= _LONGEST_BODY_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        status, reason, answer = self.server.answer(body, self.headers.get("Authorization"), self.client_address[:2])
        self.send_response(status, reason)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s: %s", self.client_address[0], format % args)
