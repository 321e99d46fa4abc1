"""One directory of Cfg: the entry that it stands for, and how a client gets it.

Binding, in this order: the attributes of ``[mdata]`` are set; those of ``info.xml`` go over them; ``type="file"``; the
content is generated, or else created; it is verified; it becomes text, or ``empty="true"``. What was set stays on an
entry that fails later.

This is the hottest code of a render. Everything that does not depend on the client is worked out once and kept until a
file changes: the candidates in their order, and the merged attributes.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgCreator, CfgGenerator, CfgHandler, CfgInfo, CfgVerifier
from geventcore.plugins.cfg.names import requested_name
from geventcore.plugins.cfg.path_settings import PathSettings
from geventcore.specfiles.specificity import Candidates

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class _Parts:
    """The handlers of a directory by what they do; never changes."""

    __slots__ = ("creators", "generators", "info", "verifiers")

    def __init__(self, handlers: Iterable[CfgHandler]) -> None:
        handlers = list(handlers)
        infos = [handler for handler in handlers if isinstance(handler, CfgInfo)]
        self.info = infos[0] if infos else None
        self.generators = Candidates([handler for handler in handlers if isinstance(handler, CfgGenerator)])
        self.creators = Candidates([handler for handler in handlers if isinstance(handler, CfgCreator)])
        verifiers: dict[type, list[CfgVerifier]] = {}
        for handler in handlers:
            if isinstance(handler, CfgVerifier):
                verifiers.setdefault(type(handler), []).append(handler)
        self.verifiers = tuple(Candidates(group) for group in verifiers.values())


class CfgEntry:
    """A directory with its files.

    Attributes:
        name: what the entry is called: the directory's path on the client.
    """

    __slots__ = ("_files", "_parts", "_settings", "name")

    def __init__(self, name: str, settings: Callable[[], PathSettings]) -> None:
        self.name = name
        self._settings = settings
        self._files: dict[str, CfgHandler | None] = {}
        self._parts: _Parts | None = None

    @property
    def files(self) -> dict[str, CfgHandler | None]:
        """File name -> handler, or None for a file that is left alone. Changed by `put` and `drop` only."""
        return self._files

    def put(self, filename: str, handler: CfgHandler | None) -> None:
        """A file has come."""
        self._files[filename] = handler
        self._parts = None

    def drop(self, filename: str) -> None:
        """A file is gone."""
        self._files.pop(filename, None)
        self._parts = None

    def bind(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Make an abstract entry concrete; `PluginExecutionError` if that fails."""
        parts = self._parts
        if parts is None:
            # The files are those of one moment: events are applied while nothing is bound.
            parts = self._parts = _Parts(handler for handler in self._files.values() if handler is not None)
        settings = self._settings()
        if parts.info is None:
            entry.attrib.update(settings.attributes)
        else:
            _apply_info(parts.info, entry, metadata, settings)
        content = self._content(parts, entry, metadata)
        if parts.verifiers and settings.validation:
            _verify(parts.verifiers, entry, metadata, content)
        _deliver(content, entry)

    def _content(self, parts: _Parts, entry: etree._Element, metadata: ClientMetadata) -> Content:
        generator = parts.generators.best(metadata)
        if generator is not None:
            return _guarded(generator, generator.get_content, entry, metadata)
        creator = parts.creators.best(metadata)
        if creator is not None:
            return _guarded(creator, creator.create_content, entry, metadata)
        raise PluginExecutionError(f"no file of Cfg{self.name} is for {metadata.hostname}")

    def __repr__(self) -> str:
        return f"CfgEntry({self.name})"


def _guarded(handler: CfgHandler, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a handler's method; whatever it raises becomes a `PluginExecutionError` of one line."""
    try:
        return method(*args, **kwargs)
    except PluginExecutionError:
        raise
    except GeventcoreError as err:
        raise PluginExecutionError(" ".join(str(err).split())) from err
    except Exception as err:
        # Sites' templates and commands may raise anything: it fails this entry only.
        log.debug("%s failed", handler.path, exc_info=err)
        raise PluginExecutionError(" ".join(f"{handler.path}: {type(err).__name__}: {err}".split())) from err


def _apply_info(handler: CfgInfo, entry: etree._Element, metadata: ClientMetadata, settings: PathSettings) -> None:
    try:
        info = _guarded(handler, handler.info_for, requested_name(entry), metadata)
        if info is None:
            raise PluginExecutionError(f"{handler.path}: no Info element fits {metadata.hostname}")
    except PluginExecutionError:
        entry.attrib.update(settings.defaults)
        raise
    entry.attrib.update(settings.attributes_with(info))
    for acl in info.acls:
        entry.append(copy.deepcopy(acl))


def _verify(
    verifiers: Iterable[Candidates[CfgVerifier]], entry: etree._Element, metadata: ClientMetadata, content: Content
) -> None:
    data = content.as_bytes()
    for candidates in verifiers:
        verifier = candidates.best(metadata)
        if verifier is not None:
            _guarded(verifier, verifier.verify, entry, metadata, data)


def _deliver(content: Content, entry: etree._Element) -> None:
    if content.is_empty:
        entry.text = None
        entry.set("empty", "true")
    else:
        entry.text = content.base64 if entry.get("encoding") == "base64" else content.text
