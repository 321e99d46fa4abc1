"""Account: files for logins, as in Bcfg2 1.3 (docs: reference/plugins/legacy).

``static.passwd`` and ``dyn.passwd`` are ``/etc/passwd``, and the same for ``group``. ``static.limits.conf`` and
``static.sudoers`` are extended by lines for users: those in ``superusers``, and those whom ``useraccess`` or
``rootlike`` name for the client's short host name (``user:host``). ``<user>.key`` are root's authorized keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Source, Sources
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.regular_files import read_text
from geventcore.specfiles.directory import Directory

_Maker = Callable[["Account", ClientMetadata], str]


class _Text:
    """A file of the plugin."""

    def __init__(self, path: object, encoding: str) -> None:
        self.path = path
        self.text = ""
        self._encoding = encoding

    def handle_event(self, event: FileEvent) -> None:
        self.text = read_text(self.path, self._encoding)  # type: ignore[arg-type]  # a path


class Account(Plugin, Generator, Explaining):
    """A plugin that generates files for logins."""

    deprecated = True

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._files: Directory[_Text] = Directory(
            self.directory,
            context.file_monitor,
            lambda path: _Text(path, context.encoding),
            re.compile(r"(?:static|dyn)\..+|useraccess|superusers|rootlike|.+\.key"),
            recursive=False,
        )

    @property
    def entries(self) -> Mapping[str, Mapping[str, Binder]]:  # type: ignore[override]  # the files that exist
        """See `Generator`: the files whose main source exists."""
        found = dict.fromkeys(
            (name for name, (source, _, _) in _MADE.items() if source in self._files.children), self.bind_entry
        )
        return {"Path": found, "ConfigFile": found}

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Set owner, mode and content of the entry."""
        _, mode, make = _MADE[entry.get("name", "")]
        text = make(self, metadata)
        for name, value in (("owner", "root"), ("group", "root"), ("mode", mode)):
            entry.set(name, value)
        if entry.tag == "Path":
            entry.set("type", "file")
        entry.text = text or None
        if not text:
            entry.set("empty", "true")

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the file without which there is no content."""
        name, mode, _ = _MADE[entry.get("name", "")]
        fixed = Source(self.name, "plugin", text=f"{entry.get('name')} always has the mode {mode} and belongs to root")
        text = Source(
            self.name, "plugin", str(self.directory / name), text="assembled from this file and those beside it"
        )
        attributes = {**dict.fromkeys(("owner", "group", "mode", "type"), fixed), "empty": text}
        return Sources(attributes, text=text)

    def _text(self, name: str) -> str:
        file = self._files.children.get(name)
        if file is None:
            raise PluginExecutionError(f"{self.directory}/{name} does not exist")
        return file.text

    def _users(self, name: str, metadata: ClientMetadata) -> list[str]:
        """Return the users whom a file with words ``user:host`` names for a client."""
        host = metadata.hostname.partition(".")[0]
        file = self._files.children.get(name)
        pairs = [word.partition(":") for word in file.text.split()] if file is not None else []
        return [user for user, _, where in pairs if where == host]

    def _database(self, name: str) -> str:
        return self._text(f"static.{name}") + self._text(f"dyn.{name}")

    def _passwd(self, metadata: ClientMetadata) -> str:
        return self._database("passwd")

    def _group(self, metadata: ClientMetadata) -> str:
        return self._database("group")

    def _limits(self, metadata: ClientMetadata) -> str:
        users = self._users("useraccess", metadata)
        lines = [f"{user} hard maxlogins 1024\n" for user in (*self._text("superusers").split(), *users)]
        if "*" not in users:
            lines.append("* hard maxlogins 0\n")
        return self._text("static.limits.conf") + "".join(lines)

    def _roots(self, metadata: ClientMetadata) -> list[str]:
        return [*self._text("superusers").split(), *self._users("rootlike", metadata)]

    def _root_keys(self, metadata: ClientMetadata) -> str:
        keys = (self._files.children.get(f"{user}.key") for user in self._roots(metadata))
        return "".join(key.text for key in keys if key is not None)

    def _sudoers(self, metadata: ClientMetadata) -> str:
        return self._text("static.sudoers") + "".join(f"{user} ALL=(ALL) ALL\n" for user in self._roots(metadata))


#: Entry -> the file without which it is not generated, its mode, and the method that makes its content.
_MADE: dict[str, tuple[str, str, _Maker]] = {
    "/etc/passwd": ("static.passwd", "0644", Account._passwd),
    "/etc/group": ("static.group", "0644", Account._group),
    "/etc/security/limits.conf": ("static.limits.conf", "0600", Account._limits),
    "/root/.ssh/authorized_keys": ("superusers", "0600", Account._root_keys),
    "/etc/sudoers": ("static.sudoers", "0440", Account._sudoers),
}
