"""Files that Cfg recognises but cannot use. They make the entry fail, because another file would replace them.

Two kinds exist: a file whose handler is not in ``[cfg] handlers``, and a file with a known name or extension in a wrong
place, such as ``info.xml.H_host`` or ``motd.genshi.G10_web``. Reading such a file is an error, so that it is counted.
"""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.specificity import SUFFIX, Specificity
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgCreator, CfgDelta, CfgGenerator, CfgHandler, CfgInfo

#: The reason why a file cannot be used.
NOT_IN_USE = "its handler is not in use ([cfg] handlers leaves it out)"

_INFO = re.compile(rf"(?:info\.xml|:?info){SUFFIX}")
_EXTENSIONS = re.compile(rf"(?:\.(?:cat|cheetah|crypt|diff|genshi|jinja2))+{SUFFIX}")


class NotInUse(CfgGenerator):
    """A file that generates content, but whose handler is not in use."""

    def handle_event(self, event: FileEvent) -> None:
        raise RepositoryError(f"{self.path}: no Cfg handler accepts a file with this name: {NOT_IN_USE}")

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        raise PluginExecutionError(f"{self.path}: cannot be used: {NOT_IN_USE}")


class UnusedDelta(CfgDelta):
    """A delta whose handler is not in use."""

    def handle_event(self, event: FileEvent) -> None:
        raise RepositoryError(f"{self.path}: cannot be used: {NOT_IN_USE}")

    def change(self, content: Content) -> Content:
        raise PluginExecutionError(f"{self.path}: cannot be used: {NOT_IN_USE}")


class Misnamed(CfgHandler):
    """A file that says something about an entry, but under a name that Cfg does not accept.

    Attributes:
        is_info: true if it gives attributes: then the entry fails for all clients in its name, else only for those that
            have no more specific content.
        problem: the message.
    """

    def __init__(
        self, path: Path, specificity: Specificity, context: PluginContext, is_info: bool, reason: str
    ) -> None:
        super().__init__(path, specificity, context)
        self.is_info = is_info
        self.problem = f"{path}: no Cfg handler accepts a file with this name: {reason}"

    def handle_event(self, event: FileEvent) -> None:
        raise RepositoryError(self.problem)

    def concerns(self, metadata: ClientMetadata, generator: CfgGenerator | None) -> bool:
        """Return true if the entry of a client, whose content `generator` has, cannot be bound."""
        if not self.specificity.matches(metadata):
            return False
        return self.is_info or generator is None or self.specificity.rank <= generator.specificity.rank


def unusable(
    path: Path, left_out: tuple[type[CfgHandler], Specificity] | None, context: PluginContext
) -> CfgHandler | None:
    """Return the handler for a file that no handler in use accepts; None if the file is not known at all.

    `left_out`: the handler that would accept the file if it was in use, and the specificity, or None.
    """
    if left_out is not None:
        handler, specificity = left_out
        if issubclass(handler, CfgGenerator | CfgCreator):
            return NotInUse(path, specificity, context)
        if issubclass(handler, CfgInfo):
            return Misnamed(path, specificity, context, True, NOT_IN_USE)
        return None
    base = path.parent.name
    match = _INFO.fullmatch(path.name)
    if match is not None:
        reason = "use info.xml with Client or Group elements"
        return Misnamed(path, Specificity.of_match(match), context, True, reason)
    match = _EXTENSIONS.fullmatch(path.name, len(base)) if path.name.startswith(base) else None
    if match is not None:
        reason = "the name must have one extension, at the end, after .H_<host> or .G<priority>_<group>"
        return Misnamed(path, Specificity.of_match(match), context, False, reason)
    return None
