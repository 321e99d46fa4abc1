"""The content of a file, stored in a single form to save memory.

A repository may be large, so a file's content is stored once: as text if XML allows it, else as bytes. If clients get
it in base64, that form replaces the bytes on first use. ASCII text is stored as bytes, which lxml accepts faster.
"""

from __future__ import annotations

import base64

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.specfiles.xmltext import decode_text, illegal_position


class Content:
    """The content of a file; immutable, whichever form it is stored in.

    Attributes:
        text: the content as an XML element's text, which is ASCII if it is bytes; None if XML does not allow it.
    """

    __slots__ = ("_base64", "_bytes", "_encoding", "_name", "text")

    def __init__(self, name: object, encoding: str, text: str | bytes | None, data: bytes | None) -> None:
        """Store exactly one of `text` and `data`. `name` is the file's name, for messages."""
        self.text = text
        self._name = name
        self._encoding = encoding
        self._bytes = data
        self._base64: str | None = None

    @classmethod
    def of_bytes(cls, data: bytes, encoding: str, name: object) -> Content:
        """Create the content from a file's bytes."""
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
        """Create the content from generated text; `PluginExecutionError` if the encoding cannot represent it."""
        if illegal_position(text) is None:
            return cls(name, encoding, text, None)
        return cls(name, encoding, None, _encode(text, encoding, name))

    def decode(self) -> str:
        """Return the text of a content without `text`; `PluginExecutionError` if XML does not allow it."""
        try:
            return decode_text(self.as_bytes(), self._encoding, self._name)
        except RepositoryError as err:
            raise PluginExecutionError(f'{err}; deliver it with encoding="base64" in info.xml') from err

    def as_bytes(self) -> bytes:
        """Return the bytes; `PluginExecutionError` if the encoding cannot represent the text."""
        data, text = self._bytes, self.text
        if data is not None:
            return data
        if text is None:
            return base64.b64decode(self._base64 or "")
        return text if isinstance(text, bytes) else _encode(text, self._encoding, self._name)

    @property
    def base64(self) -> str:
        """Return the content in base64, in one line."""
        if self._base64 is None:
            self._base64 = base64.b64encode(self.as_bytes()).decode("ascii")
            self._bytes = None
        return self._base64


def _encode(text: str, encoding: str, name: object) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as err:
        raise PluginExecutionError(f"{name}: cannot encode {err.object[err.start]!r} in {encoding}") from err
