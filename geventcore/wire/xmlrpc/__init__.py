"""XML-RPC: a parser and a writer.

| XML-RPC | parsed as | written from |
|---|---|---|
| ``i4``, ``int``, ``i8`` | `int` | `int`: ``int`` up to 32 bits, else ``i8`` |
| ``boolean`` | `bool` | `bool` |
| ``string`` or bare text | `str` | `str`, and `bytes` that are UTF-8 text |
| ``double`` | `float` | `float` |
| ``dateTime.iso8601`` | `xmlrpc.client.DateTime` | the same, `datetime.datetime` |
| ``base64`` | `bytes` | other `bytes`, `xmlrpc.client.Binary` |
| ``array`` | `list` | `list`, `tuple`, `set`, `frozenset` |
| ``struct`` | `dict` | `dict` with `str` keys |
| ``nil``, ``ex:nil`` | None | None |
"""

from geventcore.wire.xmlrpc.reading import (
    Call,
    CallReader,
    Readers,
    TextReader,
    XMLRPCLimits,
    called_method,
    parse_call,
    parse_response,
)
from geventcore.wire.xmlrpc.writing import dump_call, dump_fault, dump_response, dump_string_response

__all__ = [
    "Call",
    "CallReader",
    "Readers",
    "TextReader",
    "XMLRPCLimits",
    "called_method",
    "dump_call",
    "dump_fault",
    "dump_response",
    "dump_string_response",
    "parse_call",
    "parse_response",
]
