"""TGenshi and TCheetah: trees of templates, as in Bcfg2 1.3 (docs: reference/plugins/legacy).

``TGenshi/etc/motd/template.newtxt`` generates ``/etc/motd``. The file name may have a suffix for a host or group. An
``info.xml``, ``:info`` or ``info`` in the directory gives attributes, as in Cfg.
"""

from __future__ import annotations

from typing import ClassVar

from geventcore.plugins.cfg.handlers import HandlerTable
from geventcore.plugins.cfg.info import InfoXML
from geventcore.plugins.cfg.legacy_info import LegacyInfo
from geventcore.plugins.cfg.plugin import FileGenerator
from geventcore.plugins.cfg.templates import CheetahGenerator, GenshiGenerator


class NewTextTemplate(GenshiGenerator):
    """``template.newtxt``: Genshi's newer text syntax."""

    basenames: ClassVar[tuple[str, ...]] = ("template.newtxt",)
    extensions: ClassVar[tuple[str, ...]] = ()
    ignored_extensions: ClassVar[tuple[str, ...]] = ()


class OtherGenshiTemplate(NewTextTemplate):
    """``template.txt``, Genshi's old text syntax, and ``template.xml``, an XML template."""

    engine = "genshi-tgenshi"
    basenames = ("template.txt", "template.xml")


class CheetahTemplate(CheetahGenerator):
    """``template``: a Cheetah template."""

    basenames = ("template",)
    extensions: ClassVar[tuple[str, ...]] = ()


class TGenshi(FileGenerator):
    """A plugin that generates files from Genshi templates."""

    deprecated = True

    def handler_table(self) -> HandlerTable:
        return HandlerTable.of_classes([InfoXML, LegacyInfo, NewTextTemplate, OtherGenshiTemplate])


class TCheetah(FileGenerator):
    """A plugin that generates files from Cheetah templates."""

    deprecated = True

    def handler_table(self) -> HandlerTable:
        return HandlerTable.of_classes([InfoXML, LegacyInfo, CheetahTemplate])
