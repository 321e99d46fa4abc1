"""What the configuration file says about every Path that Cfg binds."""

from __future__ import annotations

from geventcore.options import Settings
from geventcore.options.common import (
    MDATA_GROUP,
    MDATA_IMPORTANT,
    MDATA_MODE,
    MDATA_OWNER,
    MDATA_PARANOID,
    MDATA_SECONTEXT,
    MDATA_SENSITIVE,
)
from geventcore.plugins.cfg.info import Info
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


#: How many sets of attributes are kept. There are fewer in a site, but a templated info.xml makes new ones for ever.
MAX_KEPT = 20_000


class Attributes(tuple[tuple[str | bytes, str | bytes], ...]):
    """Names and values. lxml takes ASCII as bytes a third faster than as text.

    Part of the keys of bound entries, so it is compared as an object and not pair by pair.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


class PathSettings:
    """The values of one reading of the configuration.

    Attributes:
        directory: what the directory in the repository is called, for messages.
        settings: the settings that these come from.
        validation: whether content is verified.
        defaults: the attributes of ``[mdata]``.
        attributes: those of a file without an ``info.xml``.
    """

    directory = "Cfg"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.validation = settings[VALIDATION]
        self._defaults = {option.key: settings[option] for option in _MDATA}
        self.defaults = _encoded(self._defaults)
        self.attributes = _encoded({**self._defaults, "type": "file"})
        self._by_info: dict[Info, Attributes] = {}
        self._by_attributes: dict[tuple[tuple[str, str], ...], Attributes] = {}

    def attributes_with(self, info: Info) -> Attributes:
        """All attributes that a file gets: the defaults, those of `info` over them, and the type."""
        merged = self._by_info.get(info)
        if merged is None:
            if len(self._by_info) >= MAX_KEPT:
                self._by_info, self._by_attributes = {}, {}
            merged = _encoded({**self._defaults, **dict(info.attributes), "type": "file"})
            # Most files of a site have one of a few sets of attributes, which is then kept once.
            merged = self._by_attributes.setdefault(info.attributes, merged)
            self._by_info[info] = merged
        return merged


def _encoded(attributes: dict[str, str]) -> Attributes:
    return Attributes((_ascii(name), _ascii(value)) for name, value in attributes.items())


def _ascii(text: str) -> str | bytes:
    return text.encode("ascii") if text.isascii() else text
