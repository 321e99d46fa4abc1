"""One directory of Cfg, and the binding of its entry.

The steps of binding: set the attributes of ``[mdata]``, override them by those of ``info.xml``, set ``type="file"``,
generate or create the content, verify it, and set it as text, or as ``empty="true"``. If a step fails, attributes that
were set before stay.

This is the hottest code of a render. Everything that does not depend on the client is computed once and cached until a
file changes: the candidates in their order, and the merged attributes.
"""

from __future__ import annotations

import copy
import logging
import stat
from collections.abc import Callable, Hashable, Iterable

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ForEveryClient
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.deltas import PlainAndDelta, applicable
from geventcore.plugins.cfg.handlers import CfgCreator, CfgDelta, CfgGenerator, CfgHandler, CfgInfo, CfgVerifier
from geventcore.plugins.cfg.names import requested_name
from geventcore.plugins.cfg.path_settings import PathSettings
from geventcore.plugins.cfg.unusable import Misnamed
from geventcore.specfiles.most_specific import Candidates

log = logging.getLogger(__name__)


class _Parts:
    """The handlers of a directory by kind; immutable."""

    __slots__ = ("creators", "deltas", "generators", "info", "misnamed", "verifiers")

    def __init__(self, handlers: Iterable[CfgHandler]) -> None:
        handlers = list(handlers)
        infos = [handler for handler in handlers if isinstance(handler, CfgInfo)]
        infos.sort(key=lambda info: (info.rank, str(info.path)))
        self.info = infos[0] if infos else None
        for other in infos[1:]:
            log.error("%s: ignoring this file: the attributes are in %s", other.path, infos[0].path)
        self.deltas = tuple(handler for handler in handlers if isinstance(handler, CfgDelta | PlainAndDelta))
        self.misnamed = tuple(handler for handler in handlers if isinstance(handler, Misnamed))
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
        name: the entry's name: the path of the file on the client.
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
        """The files: name -> handler, or None for an ignored file. Only `put` and `drop` change it."""
        return self._files

    def put(self, filename: str, handler: CfgHandler | None) -> None:
        """Add or replace a file."""
        self._files[filename] = handler
        self._forget_parts()

    def drop(self, filename: str) -> None:
        """Remove a file."""
        self._files.pop(filename, None)
        self._forget_parts()

    def _forget_parts(self) -> None:
        self._version += 1
        self._parts = None

    def prepare(self) -> _Parts:
        """Sort the handlers into `_Parts` before the next binding needs them."""
        while True:
            # File events are not applied during a binding, but a creator may add its file in the middle of one.
            version = self._version
            parts = _Parts(handler for handler in list(self._files.values()) if handler is not None)
            self._parts = parts
            if version == self._version:
                return parts

    def bind(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an abstract entry in place; `PluginExecutionError` if that fails."""
        parts = self._parts or self.prepare()
        settings = self._settings()
        if parts.info is None:
            entry.attrib.update(settings.attributes)
        else:
            _apply_info(parts.info, entry, metadata, settings)
        generator = parts.generators.best(metadata)
        for file in parts.misnamed:
            if file.concerns(metadata, generator):
                raise PluginExecutionError(file.problem)
        if generator is None:
            content = self._create(parts, entry, metadata)
        else:
            content = _generate(generator, parts.deltas, entry, metadata)
            if entry.get("mode") == "inherit":
                entry.set("mode", _mode_of(generator))
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
        """Return the result of `bind` as a key; None if it needs a template, a command, or a new file."""
        parts = self._parts or self.prepare()
        settings = self._settings()
        generator = parts.generators.best(metadata)
        if generator is None or (parts.verifiers and settings.validation) or parts.deltas or parts.misnamed:
            return None
        content = generator.content_for_all
        for_all = content is not None and parts.generators.is_for_all
        if content is None:
            content = generator.tracked_content(entry, metadata)
        if content is None or (content.text is None and entry.get("encoding") != "base64"):
            return None
        if parts.info is None:
            if settings.inherits_mode:
                return None
            key: Hashable = (content, settings.attributes)
            return ForEveryClient(key) if for_all else key
        info = parts.info.info_for_all
        if info is None:
            for_all = False
            info = parts.info.info_for(requested_name(entry), metadata)
            if info is None:
                return None
        if info.inherits_mode or settings.inherits_mode:
            return None
        key = (content, settings.attributes_with(info), info.acls)
        return ForEveryClient(key) if for_all else key

    def _create(self, parts: _Parts, entry: etree._Element, metadata: ClientMetadata) -> Content:
        creator = parts.creators.best(metadata)
        if creator is None:
            raise PluginExecutionError(
                f"no file in {self._settings().directory}{self.name} applies to {metadata.hostname}"
            )
        try:
            return creator.create_content(entry, metadata)
        except PluginExecutionError:
            raise
        except Exception as err:
            raise _failure(creator, err) from err

    def __repr__(self) -> str:
        return f"CfgEntry({self.name})"


def _generate(
    generator: CfgGenerator,
    deltas: Iterable[CfgDelta | PlainAndDelta],
    entry: etree._Element,
    metadata: ClientMetadata,
) -> Content:
    """Return the content that `generator` has for a client, changed by the deltas for the client."""
    handler: CfgHandler = generator
    try:
        content = generator.get_content(entry, metadata)
        if deltas:
            for delta in applicable(deltas, generator.specificity, metadata):
                handler = delta
                content = delta.change(content)
    except PluginExecutionError:
        raise
    except Exception as err:
        raise _failure(handler, err) from err
    return content


def _mode_of(generator: CfgGenerator) -> str:
    """Return the mode of a generator's file, for ``mode="inherit"``."""
    try:
        return f"{stat.S_IMODE(generator.path.stat().st_mode):04o}"
    except OSError as err:
        raise PluginExecutionError(f"{generator.path}: cannot read the mode: {err.strerror}") from err


def _failure(handler: CfgHandler, err: Exception) -> PluginExecutionError:
    """Convert any exception of a handler, such as one of a site's template, into one with a one-line message."""
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
            raise PluginExecutionError(f"{handler.path}: no Info element applies to {metadata.hostname}")
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
