"""``:info`` and ``info``: the attributes of a file as Bcfg2 1.3 reads them (docs: reference/plugins/cfg)."""

from __future__ import annotations

from pathlib import Path

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.handlers import CfgInfo, Info
from geventcore.specfiles.legacy_info import NAMES, parse_info


class LegacyInfo(CfgInfo):
    """``:info`` or ``info``, for all clients. An ``info.xml`` in the same directory overrides it."""

    basenames = NAMES
    is_specific = False
    priority = 0
    yields_to_content = True
    rank = 1

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._info: Info | None = None
        self._problem = f"{path}: the file has not been read"

    def handle_event(self, event: FileEvent) -> None:
        try:
            self._info = Info(parse_info(self.path))
        except RepositoryError as err:
            self._problem = str(err)
            raise

    @property
    def info_for_all(self) -> Info | None:
        return self._info

    def info_for(self, name: str, metadata: ClientMetadata) -> Info | None:
        if self._info is None:
            raise PluginExecutionError(self._problem)
        return self._info
