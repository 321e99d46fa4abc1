"""Text for XML documents: files are decoded once, and invalid bytes or characters are reported with their line.

XML does not allow most control characters, lone surrogates, U+FFFE and U+FFFF.
"""

from __future__ import annotations

import re

from geventcore.errors import RepositoryError

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: The bytes that are legal anywhere in UTF-8. Deleting them is ten times as fast as searching for illegal ones.
_LEGAL_BYTES = bytes(byte for byte in range(256) if byte >= 0x20 or byte in b"\t\n\r")


def illegal_position(text: str) -> int | None:
    """Return the position of the first character that XML does not allow, or None."""
    try:
        if not text.encode("utf-8").translate(None, _LEGAL_BYTES) and "\ufffe" not in text and "\uffff" not in text:
            return None
    except UnicodeEncodeError:
        pass  # a lone surrogate; the search finds it
    match = _ILLEGAL.search(text)
    return match.start() if match else None


def replace_illegal(text: str) -> str:
    """Replace each character that XML does not allow by U+FFFD, the replacement character."""
    return text if illegal_position(text) is None else _ILLEGAL.sub("\ufffd", text)


def decode_text(data: bytes, encoding: str, name: object) -> str:
    """Decode a file's bytes to text that XML allows; `RepositoryError` names the file and the line."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise RepositoryError(
            f"{name}: line {line}: byte 0x{data[err.start]:02x} is not valid {encoding} ({err.reason})"
        ) from err
    position = illegal_position(text)
    if position is not None:
        line = text.count("\n", 0, position) + 1
        raise RepositoryError(f"{name}: line {line}: XML does not allow the character U+{ord(text[position]):04X}")
    return text
