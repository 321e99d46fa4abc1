"""Every kind of file-backed helper."""

import os
import re

import lxml.etree
import Bcfg2.Server.Plugin


class Note(Bcfg2.Server.Plugin.FileBacked):
    """A file whose lines count."""

    def __init__(self, name, fam):
        Bcfg2.Server.Plugin.FileBacked.__init__(self, name, fam)
        self.lines = []

    def Index(self):
        self.lines = self.data.split()


class Notes(Bcfg2.Server.Plugin.Plugin, Bcfg2.Server.Plugin.DirectoryBacked, Bcfg2.Server.Plugin.Connector):
    """Notes/*.txt for templates."""

    __child__ = Note
    patterns = re.compile(r".*\.txt$")
    ignore = re.compile(r"README")

    def __init__(self, core, datastore):
        Bcfg2.Server.Plugin.Plugin.__init__(self, core, datastore)
        Bcfg2.Server.Plugin.Connector.__init__(self)
        Bcfg2.Server.Plugin.DirectoryBacked.__init__(self, self.data, self.core.fam)

    def get_additional_data(self, metadata):
        return dict((name, note.lines) for name, note in self.entries.items())


class Sites(Bcfg2.Server.Plugin.Plugin, Bcfg2.Server.Plugin.Connector, Bcfg2.Server.Plugin.TemplateDataProvider):
    """Sites/config.xml, a StructFile; Sites/plain.xml, an XMLFileBacked; a file watched by hand."""

    def __init__(self, core):
        Bcfg2.Server.Plugin.Plugin.__init__(self, core)
        self.config = Bcfg2.Server.Plugin.StructFile(os.path.join(self.data, "config.xml"), should_monitor=True)
        self.plain = Bcfg2.Server.Plugin.XMLFileBacked(os.path.join(self.data, "plain.xml"), core.fam, True, "Plain")
        self.events = []
        self.handle = core.fam.AddMonitor(os.path.join(self.data, "watched"), self)

    def HandleEvent(self, event):
        assert event.requestID == self.handle
        self.events.append((event.code2str(), os.path.basename(event.filename)))

    def get_additional_groups(self, metadata):
        return [element.get("name") for element in self.config.Match(metadata) if element.tag == "Site"]

    def get_additional_data(self, metadata):
        return dict(
            tree=[child.tag for child in self.config.XMLMatch(metadata)],
            events=self.events,
            plain=[child.tag for child in self.plain.entries],
            extras=len(self.plain.extras),
            variables=self.variables(metadata),
        )

    def variables(self, metadata):
        entry = lxml.etree.Element("Path", name="/etc/site")
        helpers = Bcfg2.Server.Plugin.helpers
        return [
            helpers.get_template_data(entry, metadata, "/a/template"),
            helpers.get_xml_template_data(self.config, metadata),
        ]

    def get_template_data(self, entry, metadata, template):
        return dict(name="not this one", site_variable="from Sites: %s" % os.path.basename(template))

    def get_xml_template_data(self, structfile, metadata):
        return dict(xml_variable=os.path.basename(structfile.name))


class Prio(Bcfg2.Server.Plugin.PrioDir):
    """Like Rules, with names in any case."""

    def __init__(self, core, datastore):
        Bcfg2.Server.Plugin.PrioDir.__init__(self, core, datastore)

    def _matches(self, entry, metadata, candidate):
        return entry.get("name").lower() == candidate.get("name").lower()


class SpoolData(Bcfg2.Server.Plugin.SpecificData):
    def bind_entry(self, entry, metadata):
        entry.set("type", "file")
        entry.text = self.data
        return entry


class Spool(Bcfg2.Server.Plugin.GroupSpool):
    """Spool/<path>/template[.G|.H] and info.xml."""

    filename_pattern = "template"
    es_child_cls = SpoolData
