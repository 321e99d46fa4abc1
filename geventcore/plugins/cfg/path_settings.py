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


#: How many sets of attributes are kept: sites have a few dozen, but a templated info.xml could make new ones for ever.
MAX_MERGED = 10_000

Attributes = tuple[tuple[str, str], ...]


class PathSettings:
    """The values of one reading of the configuration.

    Attributes:
        settings: the settings that these come from.
        validation: whether content is verified.
        defaults: the attributes of ``[mdata]``.
        attributes: those of a file without an ``info.xml``.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.validation = settings[VALIDATION]
        self.defaults: Attributes = tuple((option.key, settings[option]) for option in _MDATA)
        self.attributes: Attributes = (*self.defaults, ("type", "file"))
        self._merged: dict[Attributes, Attributes] = {}

    def attributes_with(self, info: Info) -> Attributes:
        """All attributes that a file gets: the defaults, those of `info` over them, and the type."""
        merged = self._merged.get(info.attributes)
        if merged is None:
            merged = tuple({**dict(self.defaults), **dict(info.attributes), "type": "file"}.items())
            if len(self._merged) < MAX_MERGED:
                self._merged[info.attributes] = merged
        return merged
