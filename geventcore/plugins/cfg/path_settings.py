"""The settings for every Path that Cfg binds."""

from __future__ import annotations

from geventcore.options import Settings
from geventcore.options.server import (
    MDATA_GROUP,
    MDATA_IMPORTANT,
    MDATA_MODE,
    MDATA_OWNER,
    MDATA_PARANOID,
    MDATA_SECONTEXT,
    MDATA_SENSITIVE,
)
from geventcore.plugins.cfg.handlers import Info
from geventcore.plugins.cfg.options import VALIDATION

_MDATA = (
    MDATA_OWNER,
    MDATA_GROUP,
    MDATA_MODE,
    MDATA_SECONTEXT,
    MDATA_IMPORTANT,
    MDATA_PARANOID,
    MDATA_SENSITIVE,
)


#: The limit on cached sets of attributes. A site has fewer, but a templated info.xml may produce new ones endlessly.
MAX_KEPT = 20_000


class Attributes(tuple[tuple[str | bytes, str | bytes], ...]):
    """Attribute names and values. lxml accepts ASCII as bytes, a third faster than text.

    It is part of the keys of bound entries, so for speed it is compared by identity and not pair by pair.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


class PathSettings:
    """The settings of paths in one version of the configuration.

    Attributes:
        directory: what the directory in the repository is called, for messages.
        validation: whether content is verified.
        defaults: the attributes of ``[mdata]``.
        inherits_mode: true if the default mode is that of the file in the repository.
        attributes: the attributes of a file without an ``info.xml``.
    """

    directory = "Cfg"

    def __init__(self, settings: Settings) -> None:
        self.validation = settings[VALIDATION]
        self._defaults = {option.key: settings[option] for option in _MDATA}
        self.inherits_mode = self._defaults[MDATA_MODE.key] == "inherit"
        self.defaults = _encoded(self._defaults)
        self.attributes = _encoded({**self._defaults, "type": "file"})
        self._by_info: dict[Info, Attributes] = {}
        self._by_attributes: dict[tuple[tuple[str, str], ...], Attributes] = {}

    def attributes_with(self, info: Info) -> Attributes:
        """Return all attributes of a file: the defaults, overridden by those of `info`, and the type."""
        merged = self._by_info.get(info)
        if merged is None:
            if len(self._by_info) >= MAX_KEPT:
                self._by_info, self._by_attributes = {}, {}
            merged = _encoded({**self._defaults, **dict(info.attributes), "type": "file"})
            # Most files of a site have one of a few sets of attributes, which are then stored once.
            merged = self._by_attributes.setdefault(info.attributes, merged)
            self._by_info[info] = merged
        return merged


def _encoded(attributes: dict[str, str]) -> Attributes:
    return Attributes((_ascii(name), _ascii(value)) for name, value in attributes.items())


def _ascii(text: str) -> str | bytes:
    return text.encode("ascii") if text.isascii() else text
