"""TLS 1.3 records made by hand, for what no TLS library lets a client do."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_APPLICATION_DATA = b"\x17"
_HANDSHAKE = b"\x16"


class KeyUpdatingClient:
    """A client in memory, with ``TLS_AES_128_GCM_SHA256``, that takes over the encryption after the handshake.

    RFC 8446: 5.2 (records), 7.1 and 7.3 (keys), 4.6.3 and 7.2 (key updates).
    """

    def __init__(self, context: ssl.SSLContext, key_log: Path) -> None:
        context.keylog_filename = str(key_log)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self._key_log = key_log
        self._secret = b""
        self._sequence = 0

    def read_secret(self) -> None:
        """Take over, once the handshake is done."""
        for line in self._key_log.read_text().splitlines():
            if line.startswith("CLIENT_TRAFFIC_SECRET_0 "):
                self._secret = bytes.fromhex(line.split()[2])

    def data(self, content: bytes) -> bytes:
        """A record with application data."""
        return self._record(content + _APPLICATION_DATA)

    def key_update(self) -> bytes:
        """A record that announces the client's next key, which the following records use."""
        record = self._record(b"\x18\x00\x00\x01\x00" + _HANDSHAKE)
        self._secret, self._sequence = _expand(self._secret, b"traffic upd", 32), 0
        return record

    def _record(self, inner: bytes) -> bytes:
        nonce = int.from_bytes(_expand(self._secret, b"iv", 12), "big") ^ self._sequence
        self._sequence += 1
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        key = AESGCM(_expand(self._secret, b"key", 16))
        return head + key.encrypt(nonce.to_bytes(12, "big"), inner, head)


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)
