"""A structure and both validators, style of 1.4."""

import lxml.etree

from Bcfg2.Server.Plugin import GoalValidator, Plugin, Structure, StructureValidator, ValidationError


class Extras(Plugin, Structure, StructureValidator, GoalValidator):
    """Adds an Independent, changes it, and marks what was bound."""

    create = False
    sort_order = 600

    def BuildStructures(self, metadata):
        root = lxml.etree.Element("Independent", name="extras")
        lxml.etree.SubElement(root, "Path", name="/etc/motd.site")
        lxml.etree.SubElement(root, "Path", name="/slow/one")
        lxml.etree.SubElement(root, "Path", name="/slow/bad")
        lxml.etree.SubElement(root, "Path", name="/slow/crash")
        return [root]

    def validate_structures(self, metadata, structures):
        if "refused" in metadata.groups:
            raise ValidationError("no structures for %s" % metadata.hostname)
        for struct in structures:
            struct.set("validated", self.name)

    def validate_goals(self, metadata, config):
        for path in config.xpath("//Path[@name='/slow/one']"):
            path.set("goal", "checked")
