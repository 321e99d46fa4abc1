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
from collections.abc import Callable, Hashable, Iterable

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ForEveryClient
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgCreator, CfgGenerator, CfgHandler, CfgInfo, CfgVerifier
from geventcore.plugins.cfg.names import requested_name
from geventcore.plugins.cfg.path_settings import PathSettings
from geventcore.specfiles.specificity import Candidates

log = logging.getLogger(__name__)


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

    __slots__ = ("_files", "_parts", "_settings", "_version", "name")

    def __init__(self, name: str, settings: Callable[[], PathSettings]) -> None:
        self.name = name
        self._settings = settings
        self._files: dict[str, CfgHandler | None] = {}
        self._parts: _Parts | None = None
        self._version = 0

    @property
    def files(self) -> dict[str, CfgHandler | None]:
        """File name -> handler, or None for a file that is left alone. Changed by `put` and `drop` only."""
        return self._files

    def put(self, filename: str, handler: CfgHandler | None) -> None:
        """A file has come."""
        self._files[filename] = handler
        self._forget_parts()

    def drop(self, filename: str) -> None:
        """A file is gone."""
        self._files.pop(filename, None)
        self._forget_parts()

    def _forget_parts(self) -> None:
        self._version += 1
        self._parts = None

    def prepare(self) -> _Parts:
        """Work out now what the next binding would."""
        while True:
            # File events are applied while nothing is bound, but a creator adds its file in the middle of a binding.
            version = self._version
            parts = _Parts(handler for handler in list(self._files.values()) if handler is not None)
            self._parts = parts
            if version == self._version:
                return parts

    def bind(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Make an abstract entry concrete; `PluginExecutionError` if that fails."""
        parts = self._parts or self.prepare()
        settings = self._settings()
        if parts.info is None:
            entry.attrib.update(settings.attributes)
        else:
            _apply_info(parts.info, entry, metadata, settings)
        generator = parts.generators.best(metadata)
        if generator is None:
            content = self._create(parts, entry, metadata)
        else:
            try:
                content = generator.get_content(entry, metadata)
            except PluginExecutionError:
                raise
            except Exception as err:
                raise _failure(generator, err) from err
        if parts.verifiers and settings.validation:
            _verify(parts.verifiers, entry, metadata, content)
        text: str | bytes | None = content.base64 if entry.get("encoding") == "base64" else content.text
        if text is None:
            text = content.decode()
        if text:
            entry.text = text  # type: ignore[assignment]  # the stubs do not know that ASCII may be bytes
        else:
            entry.text = None
            entry.set("empty", "true")

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """What `bind` would give the entry, if that takes neither a template nor a command nor a new file."""
        parts = self._parts or self.prepare()
        settings = self._settings()
        generator = parts.generators.best(metadata)
        content = generator.content_for_all if generator is not None else None
        if content is None or (parts.verifiers and settings.validation):
            return None
        if content.text is None and entry.get("encoding") != "base64":
            return None
        for_all = parts.generators.is_for_all
        if parts.info is None:
            key: Hashable = (content, settings.attributes)
            return ForEveryClient(key) if for_all else key
        info = parts.info.info_for_all
        if info is None:
            for_all = False
            info = parts.info.info_for(requested_name(entry), metadata)
            if info is None:
                return None
        key = (content, settings.attributes_with(info), info.acls)
        return ForEveryClient(key) if for_all else key

    def _create(self, parts: _Parts, entry: etree._Element, metadata: ClientMetadata) -> Content:
        creator = parts.creators.best(metadata)
        if creator is None:
            raise PluginExecutionError(f"no file of {self._settings().directory}{self.name} is for {metadata.hostname}")
        try:
            return creator.create_content(entry, metadata)
        except PluginExecutionError:
            raise
        except Exception as err:
            raise _failure(creator, err) from err

    def __repr__(self) -> str:
        return f"CfgEntry({self.name})"


def _failure(handler: CfgHandler, err: Exception) -> PluginExecutionError:
    """What to raise instead of what a handler raised: one line. Sites' templates and commands may raise anything."""
    message = str(err)
    if not isinstance(err, GeventcoreError):
        log.debug("%s failed", handler.path, exc_info=err)
        message = f"{handler.path}: {type(err).__name__}: {err}"
    return PluginExecutionError(" ".join(message.split()))


def _apply_info(handler: CfgInfo, entry: etree._Element, metadata: ClientMetadata, settings: PathSettings) -> None:
    info = handler.info_for_all
    if info is None:
        try:
            info = handler.info_for(requested_name(entry), metadata)
        except PluginExecutionError:
            raise
        except Exception as err:
            raise _failure(handler, err) from err
        finally:
            if info is None:
                entry.attrib.update(settings.defaults)
        if info is None:
            raise PluginExecutionError(f"{handler.path}: no Info element fits {metadata.hostname}")
    entry.attrib.update(settings.attributes_with(info))
    for acl in info.acls:
        entry.append(copy.deepcopy(acl))


def _verify(
    verifiers: Iterable[Candidates[CfgVerifier]], entry: etree._Element, metadata: ClientMetadata, content: Content
) -> None:
    data = content.as_bytes()
    for candidates in verifiers:
        verifier = candidates.best(metadata)
        if verifier is None:
            continue
        try:
            verifier.verify(entry, metadata, data)
        except PluginExecutionError:
            raise
        except Exception as err:
            raise _failure(verifier, err) from err
