"""The interfaces of plugins: one small abstract class per role.

A plugin implements one or more of them. Hooks, validators, connectors and probes are called in the order of
``(sort_order, name)``. An exception is logged with the plugin, the hook, the client, the file and the line. Its
consequence depends on the interface (docs: development/plugin, "Failures").

XML elements are `lxml.etree` elements. An *entry* is an element such as ``<Path name="/etc/motd"/>``; it is *abstract*
until a generator has *bound* it, that is, has added what the client needs to install it. A *structure* is an element
``Bundle`` or ``Independent`` whose children are entries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup, MetadataQuery
from geventcore.plugin.specificity import Specificity
from geventcore.tls.identity import PeerIdentity

#: Binds an abstract entry in place for a client; `PluginExecutionError` if it cannot.
Binder = Callable[[etree._Element, ClientMetadata], None]

#: ``(ip, port)`` or ``(ip, port, flow info, scope)`` of the peer; the second may be a host name for local callers.
Address = tuple[Any, ...]


#: The key in `ClientMetadata.scratch` of the names of bundles that a client should have, beside those of its metadata.
#: A plugin with structures may set it. Bundles that no plugin provides are treated as missing.
REQUIRED_BUNDLES = "required bundles"


@dataclass(frozen=True, slots=True)
class ForEveryClient:
    """A binding key that is the same for every client, until a file or the settings change."""

    key: Hashable


class DeclaredDependencies(ABC):
    """A plugin that says what its part in a client's configuration depends on (docs: design/render-cache).

    It is for plugins with structures, generators, validators, and variables of templates. The part of one that does not
    say it, or whose subclass overrides such a method, is asked for every time.
    """

    @abstractmethod
    def dependencies(self, metadata: ClientMetadata) -> Hashable | None:
        """Return what the plugin's part depends on, besides what is known anyway; None if that is unknown.

        Known are the files of the repository and the settings, whose changes are counted
        (`PluginContext.repository_changed`), the fields of the client's metadata, what is read of connectors' data
        through a recording view (`geventcore.plugin.recording`), and keys that the plugin gives for entries. It is
        called for every configuration. A part without side effects that depends on nothing else has an empty tuple.
        """


class Generator(ABC):
    """A plugin that binds entries.

    Attributes:
        entries: tag -> name -> binder, for entries that can be looked up; by default none. Replace it as a whole when
            files change.
    """

    entries: Mapping[str, Mapping[str, Binder]] = MappingProxyType({})

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true if `bind_entry` can bind this entry. Called only if no generator has it in `entries`."""
        return False

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an entry for which `handles_entry` was true; `PluginExecutionError` if that fails."""
        raise NotImplementedError

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """Return everything that the bound entry depends on, besides the abstract entry; None if that is unknown.

        It is called before binding: an entry that was bound for an equal key is taken from the cache. So return a key
        only if binding changes nothing but the entry, and never fails. The key must include the content of files; an
        object that a change of the file replaces is enough. The entry is shared and must not be changed. If the key is
        the same for every client, return a `ForEveryClient`: then this is called again only after a change.
        """
        return None


class Structure(ABC):
    """A plugin that provides structures."""

    @abstractmethod
    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return the client's structures: fresh elements that the caller may change.

        An exception makes the client's whole configuration an error.
        """


class MetadataSource(ABC):
    """The plugin that knows the clients and their groups. Exactly one plugin implements it.

    Methods raise `MetadataConsistencyError` about a bad or unknown client and `MetadataRuntimeError` if the source is
    not ready or cannot write.
    """

    @property
    @abstractmethod
    def query(self) -> MetadataQuery:
        """Queries about all clients; the core sets `by_name`."""

    @abstractmethod
    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> bool:
        """Return true if the caller is authentic (docs: reference/protocol, "Identification of the client").

        Log the reason of a refusal at level WARNING: the core knows only that access was denied.

        Raises:
            MetadataUnavailable: the caller cannot be identified at the moment and is asked to retry.
        """

    @abstractmethod
    def resolve_client(self, address: Address, cleanup_cache: bool = False) -> str:
        """Return the canonical name of the client that calls from an address.

        `cleanup_cache` drops older sessions of that address.
        """

    @abstractmethod
    def get_initial_metadata(self, client_name: str) -> ClientMetadata:
        """Return a client's metadata without the data of connectors; the caller may change it."""

    @abstractmethod
    def merge_additional_groups(self, metadata: ClientMetadata, groups: Iterable[str]) -> None:
        """Add the groups of a connector, and the groups and bundles that they imply."""

    @abstractmethod
    def merge_additional_data(self, metadata: ClientMetadata, source: str, data: Any) -> None:
        """Add a connector's data as the attribute `source`, unless it exists."""

    @abstractmethod
    def register_dynamic_group(self, group: MetadataGroup, source: str) -> None:
        """Declare a group of the connector `source`; if the name is taken, keep the old group and log a warning."""

    @abstractmethod
    def set_profile(self, client: str, profile: str, address: Address, require_public: bool = True) -> None:
        """Set a client's profile durably; create the client if it is unknown."""

    @abstractmethod
    def set_version(self, client: str, version: str) -> None:
        """Record a client's declared version durably; create the client if it is unknown."""

    @abstractmethod
    def list_clients(self) -> list[str]:
        """Return the names of all clients."""


class IfUnavailable(Enum):
    """The data of a connector while its source is not available."""

    FAIL = "fail"
    NOTHING = "nothing"
    LAST_KNOWN = "last known"


class Connector(ABC):
    """A plugin that adds groups and data to a client's metadata.

    An exception fails the call: a configuration without these groups would be a wrong one.

    Class attributes:
        reuse_seconds: the time for which a result is used again for the same client, if its other groups, the
            repository and the settings are the same, and the client has uploaded nothing. 0 asks every time.
        if_unavailable: the data while the hook raises `SourceUnavailable`, `DatabaseUnavailable` or an `OSError`:
            none, so that the call fails; no groups and an empty dictionary; or the client's last result.
        last_known_seconds: the age up to which the last result is used. It is kept in memory, by each process.
    """

    reuse_seconds: ClassVar[float] = 5.0
    if_unavailable: ClassVar[IfUnavailable] = IfUnavailable.FAIL
    last_known_seconds: ClassVar[float] = 24 * 3600.0

    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        """Return more groups of the client; a `MetadataGroup` also declares the group."""
        return []

    def get_additional_data(self, metadata: ClientMetadata) -> Any:
        """Return the value of the metadata attribute with the plugin's name."""
        return {}


@dataclass(frozen=True)
class ResultLimit:
    """The longest result of a probe.

    Attributes:
        bytes: its length in UTF-8.
        option: the option that sets it, for messages; empty if there is none.
    """

    bytes: int
    option: str = ""


class Probing(ABC):
    """A plugin that has clients run probes."""

    @property
    def result_limit(self) -> ResultLimit | None:
        """The longest result that is read; an upload with a longer one is refused. None reads any."""
        return None

    @abstractmethod
    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return ``<probe name= source= interpreter=>script</probe>`` elements; `source` is the plugin's name."""

    @abstractmethod
    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Store the results durably: elements with `name`, `source` and text.

        An exception becomes a fault.
        """


class Statistics(ABC):
    """A plugin that receives the reports of clients at the end of a run.

    Class attributes:
        needs_good_entries: true if it reads the correct entries, which are nearly the whole upload. If no plugin does,
            the element ``Good`` is empty, and no entry has a text.
    """

    needs_good_entries: ClassVar[bool] = True

    @abstractmethod
    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        """Store an upload durably, given its root, which has a ``Statistics`` descendant.

        `StatisticsNotStored` makes the call fail, so that the client retries or reports the failure.
        """


class Threaded(ABC):
    """A plugin with threads of its own."""

    @abstractmethod
    def start_threads(self) -> None:
        """Start the threads; called once, in the process that serves."""


class PullSource(ABC):
    """A plugin that provides the reported state of clients, to import it into the repository."""

    def get_extra(self, client: str) -> list[tuple[str, str, str | None]]:
        """Return the entries on the client that its configuration does not have: ``(tag, name, type)``."""
        return []

    @abstractmethod
    def get_current_entry(
        self, client: str, entry_tag: str, entry_name: str
    ) -> tuple[str | None, str | None, str | None, bytes | None]:
        """Return ``(owner, group, mode, content)`` of an entry as it is on the client."""


class PullTarget(ABC):
    """A plugin that can import the state of clients into the repository."""

    @abstractmethod
    def accept_choices(self, entry: etree._Element, metadata: ClientMetadata) -> list[Specificity]:
        """Return the specificities under which the new data can be stored, most specific last."""

    @abstractmethod
    def accept_pull_data(self, specific: Specificity, new_entry: Mapping[str, Any], verbose: bool) -> None:
        """Store the data; `PluginExecutionError` if that fails."""


class Decision(ABC):
    """A plugin that provides lists of entries which clients may install, or must not."""

    @abstractmethod
    def get_decisions(self, metadata: ClientMetadata, mode: str) -> list[tuple[str, str]]:
        """Return ``(tag, name)`` patterns with shell wildcards; `mode` is ``whitelist`` or ``blacklist``."""


class StructureValidator(ABC):
    """A plugin that checks and amends a client's structures before they are bound."""

    @abstractmethod
    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        """Change the list or its elements in place. `ValidationError` becomes a fault."""


class GoalValidator(ABC):
    """A plugin that checks and amends a client's bound configuration."""

    @abstractmethod
    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Change the configuration in place. `ValidationError` becomes a fault."""

    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        """Return true if `validate_goals` may change or reject a client's configuration.

        If all plugins return false, the configuration is written without building a tree.
        """
        return True


#: The amendment of an entry that a validator of entries leaves as it is, for every client.
UNCHANGED = ForEveryClient(None)


class EntryValidator(GoalValidator):
    """A validator of goals that amends each entry by itself, so that no tree of the configuration is needed."""

    @abstractmethod
    def amendment(self, tag: str, name: str, metadata: ClientMetadata) -> Hashable | None:
        """Return everything that amending an entry depends on, besides the bound entry; None if that is unknown.

        The rules are those of `Generator.binding_key`. `UNCHANGED` is for an entry that no client has amended.
        """

    @abstractmethod
    def amend_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Amend a bound entry in place, as `validate_goals` does with each."""


class Version(ABC):
    """A plugin that knows the revision of the repository."""

    @abstractmethod
    def get_revision(self) -> str:
        """Return the revision; any exception means that it is unknown."""


class ClientRunHooks(ABC):
    """A plugin that is notified of client runs."""

    def start_client_run(self, metadata: ClientMetadata) -> None:
        """Handle the start of a client run, before the configuration is built."""

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Handle the end of building a configuration."""

    def end_statistics(self, metadata: ClientMetadata) -> None:
        """Handle the end of a run, after the client's report is stored."""


class ClientACLs(ABC):
    """A plugin with access rules for methods (docs: reference/protocol, "ACLs")."""

    def check_acl_ip(self, address: Address, method: str) -> bool | None:
        """Check a call by address: True allows, False denies, None defers to `check_acl_metadata`; exceptions deny."""
        return True

    def check_acl_metadata(self, metadata: ClientMetadata, method: str) -> bool:
        """Check a call by client; called only if an address check returned None. Exceptions deny.

        Callers may have chosen the client's name (docs: design/security), so a name proves nothing about a machine.
        """
        return True

    def check_acl_caller(self, address: Address, metadata: ClientMetadata, method: str) -> bool:
        """Check a call by client and address; the server calls this one. By default as `check_acl_metadata`."""
        return self.check_acl_metadata(metadata, method)


class TemplateFile(Protocol):
    """An XML file that is rendered for each client; see `geventcore.specfiles.structfile.StructFile`."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def root(self) -> etree._Element:
        """The root as it stands in the file, includes resolved; `RepositoryError` if the file was never good."""

    def match(self, metadata: ClientMetadata) -> list[etree._Element]:
        """The elements for a client: copies in document order, conditions replaced by their contents."""

    def xml_match(self, metadata: ClientMetadata) -> etree._Element:
        """The tree for a client, the contents of conditions at the end of their parents."""


class TemplateDataProvider(ABC):
    """A plugin that provides variables for templates."""

    def get_template_data(self, entry: etree._Element, metadata: ClientMetadata, template: str) -> Mapping[str, Any]:
        """Return variables for the template file at path `template`, which generates the content of `entry`."""
        return {}

    def get_xml_template_data(self, structfile: TemplateFile, metadata: ClientMetadata) -> Mapping[str, Any]:
        """Return variables for an XML file that is a template."""
        return {}
