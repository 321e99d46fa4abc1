"""Cfg, InfoXML and TemplateAbuse: the files of Cfg and their attributes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geventcore.options.server import MDATA_MODE, MDATA_PARANOID
from geventcore.plugins.cfg.encrypted import EncryptedGenerator
from geventcore.plugins.cfg.handlers import CfgInfo
from geventcore.plugins.cfg.plaintext import PlaintextGenerator
from geventcore.plugins.cfg.templates import TemplateGenerator
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind
from geventcore.tools.lint.site import CfgEntry
from geventcore.tools.options import REQUIRED_INFO


class Cfg(Check):
    """Files that Cfg does not use, or uses in an ambiguous way."""

    name = "Cfg"
    plugin = "Cfg"
    kinds = (
        Kind(
            "no-pubkey-xml",
            "warning",
            "A private key has no public key that is made of it.",
            "Create the directory of the key with the ending .pub, with a file pubkey.xml.",
        ),
        Kind(
            "unknown-cfg-files",
            "error",
            "Files of Cfg do not belong to an entry.",
            "A file lies in a directory of its own name: Cfg/etc/motd/motd. Move, rename or remove it, or add it to "
            "[server] ignore_files.",
        ),
        Kind(
            "extra-cfg-files",
            "error",
            "Files of Cfg are served although [server] ignore_files matches their paths.",
            "Move them out of Cfg: the server compares the patterns only with the name of the file.",
        ),
        Kind(
            "multiple-global-handlers",
            "error",
            "An entry has several contents for all clients.",
            "Keep one of the files, or make the others specific to a group or a host.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        files = self.site.cfg
        for name, found in (("unknown-cfg-files", files.unknown), ("extra-cfg-files", files.extra)):
            if found:
                word = "not used" if name == "unknown-cfg-files" else "served, although they look ignored"
                listing = ", ".join(map(self.site.relative, found))
                yield self.found(name, f"these files are {word}: {listing}", found[0], others=found[1:])
        for entry in files.entries.values():
            contents = [
                file.path
                for file in entry.of_kind(PlaintextGenerator, TemplateGenerator, EncryptedGenerator)
                if file.specificity.is_for_all
            ]
            if len(contents) > 1:
                names = ", ".join(path.name for path in contents)
                message = f"{self.site.relative(entry.directory)} has several contents for all clients: {names}"
                yield self.found(
                    "multiple-global-handlers", message, contents[0], f"Path:{entry.name}", others=contents[1:]
                )
            yield from self._check_key(entry)

    def _check_key(self, entry: CfgEntry) -> Iterator[Finding]:
        private = entry.directory / "privkey.xml"
        if not any(file.path == private for file in entry.files) or not self.site.concerns(private):
            return
        public = self.site.cfg.entries.get(f"{entry.name}.pub")
        if public is None or not any(file.path.name == "pubkey.xml" for file in public.files):
            message = f"{entry.name} has no public key: {entry.name}.pub has no pubkey.xml"
            yield self.found("no-pubkey-xml", message, private, f"Path:{entry.name}")


class InfoXML(Check):
    """The attributes of files."""

    name = "InfoXML"
    plugin = "Cfg"
    kinds = (
        Kind(
            "no-infoxml",
            "warning",
            "An entry of Cfg has no info.xml, and gets the defaults of [mdata].",
            'Add an info.xml: <FileInfo><Info owner="root" group="root" mode="0644"/></FileInfo>.',
        ),
        Kind(
            "required-infoxml-attrs-missing",
            "error",
            "An Info element lacks attributes that [InfoXML] required_attrs asks for.",
            "Add the attributes.",
        ),
        Kind(
            "paranoid-false",
            "warning",
            "Clients do not keep a copy of the old file.",
            'Set paranoid="true", or remove the attribute if the default is true.',
        ),
    )

    def run(self) -> Iterator[Finding]:
        required = self.site.settings[REQUIRED_INFO]
        is_paranoid = self.site.settings[MDATA_PARANOID] == "true"
        for entry in self.site.cfg.entries.values():
            path = entry.directory / "info.xml"
            if not self.site.concerns(path):
                continue
            if not entry.of_kind(CfgInfo):
                yield self.found("no-infoxml", f"{entry.name} has no info.xml", path, f"Path:{entry.name}")
                continue
            for element in self.site.document(path).tagged("Info") if path.is_file() else ():
                missing = [name for name in required if name not in element.attrib]
                if missing:
                    message = f"Info of {entry.name} lacks {', '.join(missing)}"
                    yield self.found_at("required-infoxml-attrs-missing", message, element, path)
                value = element.get("paranoid", "").lower()
                if value == "false" if is_paranoid else value != "true":
                    message = f"clients keep no copy of the old {entry.name}"
                    yield self.found_at("paranoid-false", message, element, path)


class TemplateAbuse(Check):
    """Scripts that are templates."""

    name = "TemplateAbuse"
    kinds = (
        Kind(
            "templated-script",
            "warning",
            "A script is made from a template.",
            "Write the script as a plain file that reads its values from a second file, which is the template.",
        ),
        Kind(
            "templated-executable",
            "warning",
            "An executable file is made from a template.",
            "Write the program as a plain file that reads its values from a second file, which is the template.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        if "Cfg" not in self.site.plugins:
            return
        for entry in self.site.cfg.entries.values():
            for file in entry.of_kind(TemplateGenerator):
                if not self.site.concerns(file.path):
                    continue
                if Path(entry.name).suffix in (".pl", ".py", ".sh", ".rb"):
                    message, name = f"{entry.name} is a script, and a template", "templated-script"
                elif self.site.read(file.path).startswith(b"#!"):
                    message, name = f"{entry.name} begins with #!, and is a template", "templated-script"
                elif self._is_executable(entry):
                    message, name = f"{entry.name} is executable, and a template", "templated-executable"
                else:
                    continue
                yield self.found(name, message, file.path, f"Path:{entry.name}")

    def _is_executable(self, entry: CfgEntry) -> bool:
        path = entry.directory / "info.xml"
        root = self.site.document(path).root if path.is_file() else None
        default = self.site.settings[MDATA_MODE]
        for element in root.iterchildren("Info") if root is not None else ():
            try:
                if int(element.get("mode", default), 8) & 0o100:
                    return True
            except ValueError:
                continue
        return False
