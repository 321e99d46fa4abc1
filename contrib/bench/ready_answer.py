"""A plugin for benchmarks: a call whose answer is ready, so that only the server around it is measured."""

from __future__ import annotations

from typing import ClassVar

from geventcore.plugin.base import Plugin
from geventcore.rpc.methods import XMLText

#: What a configuration of medium size looks like, 200 KB of it.
_ENTRY = b'<Path type="file" name="/etc/service.d/%04d.conf" owner="root" group="root" mode="0644">content</Path>\n'
DOCUMENT = XMLText(b"<Configuration>" + b"".join(_ENTRY % number for number in range(2000)) + b"</Configuration>")


class ReadyAnswer(Plugin):
    """Has a method that answers at once."""

    creates_directory = False
    remote_methods: ClassVar[tuple[str, ...]] = ("get",)

    def get(self) -> XMLText:
        """The document."""
        return DOCUMENT
