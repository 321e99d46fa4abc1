"""``Bcfg2.Server.Plugin.interfaces``: the roles of plugins under Bcfg2's names.

The interface of nearly the same name in `geventcore.plugin.interfaces` documents each hook.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from lxml import etree

from geventcore.compat.plugin_base import Plugin
from geventcore.errors import GeventcoreError, PluginInitError
from geventcore.options import Option
from geventcore.plugin.failures import describe
from geventcore.plugin.version_control import VCS_ROOT
from geventcore.repository.durable_writes import write_durably

__all__ = [
    "Caching",
    "ClientACLs",
    "ClientRunHooks",
    "Connector",
    "Decision",
    "Generator",
    "GoalValidator",
    "Metadata",
    "Probing",
    "PullSource",
    "PullTarget",
    "Statistics",
    "Structure",
    "StructureValidator",
    "TemplateDataProvider",
    "Threaded",
    "ThreadedStatistics",
    "Version",
]


def _missing(plugin: object, method: str) -> NoReturn:
    raise NotImplementedError(f"{type(plugin).__name__} does not have the method {method}")


class Generator:
    """A plugin that binds entries: those in `Entries`, and those that `HandlesEntry` accepts."""

    def HandlesEntry(self, entry: Any, metadata: Any) -> bool:
        return False

    def HandleEntry(self, entry: Any, metadata: Any) -> Any:
        return entry


class Structure:
    def BuildStructures(self, metadata: Any) -> list[Any]:
        _missing(self, "BuildStructures")


class Metadata:
    """The plugin that knows the clients and their groups."""

    def viz(self, hosts: Any, bundles: Any, key: Any, only_client: Any, colors: Any) -> str:
        return ""

    def set_version(self, client: str, version: str) -> None:
        pass

    def set_profile(self, client: str, profile: str, address: Any) -> None:
        pass

    def resolve_client(self, address: Any, cleanup_cache: bool = False) -> str:
        name: str = address[1]
        return name

    def AuthenticateConnection(self, cert: Any, user: str, password: str, address: Any) -> bool:
        _missing(self, "AuthenticateConnection")

    def get_initial_metadata(self, client_name: str) -> Any:
        _missing(self, "get_initial_metadata")

    def merge_additional_data(self, imd: Any, source: str, data: Any) -> None:
        _missing(self, "merge_additional_data")

    def merge_additional_groups(self, imd: Any, groups: Any) -> None:
        _missing(self, "merge_additional_groups")

    def update_client_list(self) -> None:
        pass


class Connector:
    def get_additional_groups(self, metadata: Any) -> list[Any]:
        return []

    def get_additional_data(self, metadata: Any) -> Any:
        return {}


class Probing:
    def GetProbes(self, metadata: Any) -> list[Any]:
        return []

    def ReceiveData(self, metadata: Any, datalist: Any) -> None:
        pass


class Statistics(Plugin):
    """A plugin that receives the reports of clients."""

    create = False

    def process_statistics(self, client: Any, xdata: Any) -> None:
        _missing(self, "process_statistics")


class Threaded:
    def start_threads(self) -> None:
        _missing(self, "start_threads")


class ThreadedStatistics(Statistics, Threaded):
    """A plugin that handles reports in its own thread. At shutdown, waiting reports are saved in a file."""

    #: The limit on waiting reports.
    MAXIMUM = 100_000

    def __init__(self, core: Any, datastore: str | None = None) -> None:
        Statistics.__init__(self, core, datastore)
        self.terminate = core.terminate
        self.work_queue: queue.Queue[tuple[Any, Any] | None] = queue.Queue(self.MAXIMUM)
        self.pending_file = os.path.join(self.datastore, "etc", f"{self.name}.pending")
        self._thread: threading.Thread | None = None

    def start_threads(self) -> None:
        self._thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        self._thread.start()

    def process_statistics(self, client: Any, xdata: Any) -> None:
        try:
            self.work_queue.put_nowait((client, xdata))
        except queue.Full:
            self.logger.warning(
                "%s: dropping the report of %s, because too many reports are waiting", self.name, client.hostname
            )

    def handle_statistic(self, metadata: Any, data: Any) -> None:
        _missing(self, "handle_statistic")

    def run(self) -> None:
        """Run the thread."""
        self._load()
        while self.running:
            item = self.work_queue.get()
            if item is None:
                return
            self._handle(*item)

    def _handle(self, metadata: Any, data: Any) -> None:
        try:
            self.handle_statistic(metadata, data)
        except Exception as err:  # noqa: BLE001 - one report that a plugin stumbles over must not end its thread
            self.logger.error("%s.handle_statistic failed for %s: %s", self.name, metadata.hostname, describe(err))

    def shutdown(self) -> None:
        """Save the waiting reports."""
        Statistics.shutdown(self)
        waiting = []
        while not self.work_queue.empty():
            item = self.work_queue.get_nowait()
            if item is not None:
                waiting.append([item[0].hostname, etree.tostring(item[1], encoding="unicode")])
        self.work_queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout=5)
        if waiting:
            os.makedirs(os.path.dirname(self.pending_file), exist_ok=True)
            write_durably(Path(self.pending_file), json.dumps(waiting).encode())

    def _load(self) -> None:
        """Queue the reports that were saved at the last shutdown."""
        try:
            with open(self.pending_file, encoding="utf-8") as stream:
                waiting = [(host, etree.fromstring(text)) for host, text in json.load(stream)]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, etree.XMLSyntaxError) as err:
            self.logger.error("%s: cannot read the saved reports in %s: %s", self.name, self.pending_file, err)
            return
        for host, element in waiting:
            try:
                self.process_statistics(self.core.build_metadata(host), element)
            except GeventcoreError as err:
                self.logger.error("%s: dropping the report of %s: %s", self.name, host, err)
        os.unlink(self.pending_file)


class PullSource:
    def GetExtra(self, client: str) -> list[Any]:
        return []

    def GetCurrentEntry(self, client: str, e_type: str, e_name: str) -> tuple[Any, Any, Any, Any]:
        _missing(self, "GetCurrentEntry")


class PullTarget:
    def AcceptChoices(self, entry: Any, metadata: Any) -> list[Any]:
        _missing(self, "AcceptChoices")

    def AcceptPullData(self, specific: Any, new_entry: Any, verbose: bool) -> None:
        _missing(self, "AcceptPullData")


class Decision:
    def GetDecisions(self, metadata: Any, mode: str) -> list[tuple[str, str]]:
        return []


class StructureValidator:
    def validate_structures(self, metadata: Any, structures: Any) -> None:
        _missing(self, "validate_structures")


class GoalValidator:
    def validate_goals(self, metadata: Any, config: Any) -> None:
        _missing(self, "validate_goals")


class Version(Plugin):
    """A plugin that knows the revision of the repository.

    Class attributes:
        __vcs_metadata_path__: a path in the root of a working copy that must exist; None for no check.
    """

    create = False
    options: ClassVar[list[Any]] = []
    server_options: ClassVar[tuple[Option[Any], ...]] = (VCS_ROOT,)
    __rmi__: ClassVar[list[str]] = [*Plugin.__rmi__, "get_revision"]
    __vcs_metadata_path__: ClassVar[str | None] = None

    def __init__(self, core: Any, datastore: str | None = None) -> None:
        Plugin.__init__(self, core, datastore)
        self.vcs_root = str(core.context.settings[VCS_ROOT])
        self.vcs_path: str | None = None
        if self.__vcs_metadata_path__:
            self.vcs_path = os.path.join(self.vcs_root, self.__vcs_metadata_path__)
            if not os.path.exists(self.vcs_path):
                raise PluginInitError(f"{self.vcs_root} has no {self.__vcs_metadata_path__}; see [server] vcs_root")

    def get_revision(self) -> str:
        _missing(self, "get_revision")


class ClientRunHooks:
    def start_client_run(self, metadata: Any) -> None:
        pass

    def end_client_run(self, metadata: Any) -> None:
        pass

    def end_statistics(self, metadata: Any) -> None:
        pass


class ClientACLs:
    def check_acl_ip(self, address: Any, rmi: str) -> bool | None:
        return True

    def check_acl_metadata(self, metadata: Any, rmi: str) -> bool:
        return True


class TemplateDataProvider:
    def get_template_data(self, entry: Any, metadata: Any, template: str) -> dict[str, Any]:
        return {}

    def get_xml_template_data(self, structfile: Any, metadata: Any) -> dict[str, Any]:
        return {}


class Caching:
    """A plugin with a cache that others may expire."""

    def expire_cache(self, key: Any = None) -> None:
        _missing(self, "expire_cache")
