"""The content of a file, in the one form that it is needed in.

A repository may be large, so a file is kept once: as text if XML can hold it, otherwise as bytes. Where clients get it
in base64, the bytes give way to that form when the first of them asks. Text that is ASCII is kept as bytes, which lxml
takes as well, and faster.
"""

from __future__ import annotations

import base64

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.specfiles.xmltext import decode_text, illegal_position


class Content:
    """The content of a file; never changes, whichever form it is kept in.

    Attributes:
        text: as an XML element's text, which is ASCII if it is bytes; None if XML cannot hold it.
    """

    __slots__ = ("_base64", "_bytes", "_encoding", "_name", "text")

    def __init__(self, name: object, encoding: str, text: str | bytes | None, data: bytes | None) -> None:
        """Exactly one of `text` and `data` is given. `name` is the file's, for messages."""
        self.text = text
        self._name = name
        self._encoding = encoding
        self._bytes = data
        self._base64: str | None = None

    @classmethod
    def of_bytes(cls, data: bytes, encoding: str, name: object) -> Content:
        """The content of a file that has been read."""
        try:
            text = decode_text(data, encoding, name)
        except RepositoryError:
            return cls(name, encoding, None, data)
        if text.isascii() and text.encode("ascii") == data:
            return cls(name, encoding, data, None)
        # Some encodings spell one text in several ways (byte order marks, shift states): then only the bytes are exact.
        if text.encode(encoding) != data:
            return cls(name, encoding, None, data)
        return cls(name, encoding, text, None)

    @classmethod
    def of_text(cls, text: str, encoding: str, name: object) -> Content:
        """The content that a template or the like made; `PluginExecutionError` if it is no text in the encoding."""
        if illegal_position(text) is None:
            return cls(name, encoding, text, None)
        return cls(name, encoding, None, _encode(text, encoding, name))

    def decode(self) -> str:
        """The text of a content that has no `text`; `PluginExecutionError` says why, unless it is just unusual."""
        try:
            return decode_text(self.as_bytes(), self._encoding, self._name)
        except RepositoryError as err:
            raise PluginExecutionError(f'{err}; deliver it with encoding="base64" in info.xml') from err

    def as_bytes(self) -> bytes:
        """The bytes; `PluginExecutionError` if the text has characters that the encoding does not know."""
        data, text = self._bytes, self.text
        if data is not None:
            return data
        if text is None:
            return base64.b64decode(self._base64 or "")
        return text if isinstance(text, bytes) else _encode(text, self._encoding, self._name)

    @property
    def base64(self) -> str:
        """In base64, one line."""
        if self._base64 is None:
            self._base64 = base64.b64encode(self.as_bytes()).decode("ascii")
            self._bytes = None
        return self._base64


def _encode(text: str, encoding: str, name: object) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as err:
        raise PluginExecutionError(f"{name}: {err.object[err.start]!r} is no {encoding} text") from err
