"""What plugins are asked: one small abstract class per role.

A plugin implements as many as it likes. Every hook, validator, connector and probe is asked in the order of
``(sort_order, name)``. Unless a method says otherwise, an exception is logged with the plugin, the hook and the client,
and the others go on.

XML elements are `lxml.etree` elements. An *entry* is an element such as ``<Path name="/etc/motd"/>``; it is *abstract*
until a generator has *bound* it, that is, has added what the client needs to install it. A *structure* is an element
``Bundle`` or ``Independent`` whose children are entries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lxml import etree

from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup, MetadataQuery
from geventcore.tls.identity import PeerIdentity

if TYPE_CHECKING:
    from geventcore.specfiles.specificity import Specificity
    from geventcore.specfiles.structfile import StructFile

#: Binds an abstract entry in place for a client; `PluginExecutionError` if it cannot.
Binder = Callable[[etree._Element, ClientMetadata], None]

#: ``(ip, port)`` or ``(ip, port, flow info, scope)`` of the peer; the second may be a host name for local callers.
Address = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ForEveryClient:
    """A binding key that is the same for every client, until a file or the settings change."""

    key: Hashable


class Generator(ABC):
    """Binds entries.

    Attributes:
        entries: tag -> name -> binder, for entries that can be looked up. Replaced as a whole when files change.
    """

    entries: Mapping[str, Mapping[str, Binder]]

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Whether `bind_entry` can bind this entry. Asked only if no generator has it in `entries`."""
        return False

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an entry for which `handles_entry` was true; `PluginExecutionError` if that fails."""
        raise NotImplementedError

    def binding_key(self, entry: etree._Element, metadata: ClientMetadata) -> Hashable | None:
        """What the result of binding an entry depends on, besides the abstract entry itself; None if that is not known.

        Asked instead of binding, if the generator is the one that would bind: an entry that was bound for an equal key
        is not bound again. So there is a key only if binding has no effect but on the entry, and never fails. Whatever
        is read from files belongs into the key: an object that a change of the file replaces does. The entry is shared,
        and not to be changed. A key that is the same for every client is best given as `ForEveryClient`: then this is
        asked again only when something has changed.
        """
        return None


class Structure(ABC):
    """Provides structures."""

    @abstractmethod
    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """The client's structures, fresh elements that the caller may change.

        An exception makes the client's whole configuration an error.
        """


class MetadataSource(ABC):
    """Knows the clients and their groups. Exactly one plugin does.

    Methods raise `MetadataConsistencyError` about a bad or unknown client and `MetadataRuntimeError` if the source is
    not ready or cannot write.
    """

    @property
    @abstractmethod
    def query(self) -> MetadataQuery:
        """Questions about all clients; `by_name` is filled in by the core."""

    @abstractmethod
    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> bool:
        """Whether the caller is who it says, and may call (docs: reference/protocol, "Who is the client").

        `MetadataUnavailable` if that cannot be found out just now: the caller is told to come again.
        """

    @abstractmethod
    def resolve_client(self, address: Address, cleanup_cache: bool = False) -> str:
        """The canonical name of the client that calls from an address.

        `cleanup_cache` drops what older sessions from that address left.
        """

    @abstractmethod
    def get_initial_metadata(self, client_name: str) -> ClientMetadata:
        """A client's metadata before connectors add theirs; the caller may change it."""

    @abstractmethod
    def merge_additional_groups(self, metadata: ClientMetadata, groups: Iterable[str]) -> None:
        """Add groups that a connector gave, and what follows from them."""

    @abstractmethod
    def merge_additional_data(self, metadata: ClientMetadata, source: str, data: Any) -> None:
        """Add a connector's data as attribute `source`, unless there is one."""

    @abstractmethod
    def register_dynamic_group(self, group: MetadataGroup, source: str) -> None:
        """Declare a group that connector `source` defines; a name that is taken is kept, with a warning."""

    @abstractmethod
    def set_profile(self, client: str, profile: str, address: Address, require_public: bool = True) -> None:
        """Give a client a profile, durably; creates the client if it is unknown."""

    @abstractmethod
    def set_version(self, client: str, version: str) -> None:
        """Record the version that a client declared, durably; creates the client if it is unknown."""

    @abstractmethod
    def list_clients(self) -> list[str]:
        """Names of all clients."""


class Connector(ABC):
    """Adds groups and data to a client's metadata."""

    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        """Groups that the client is in, too; a `MetadataGroup` also declares the group."""
        return []

    def get_additional_data(self, metadata: ClientMetadata) -> Any:
        """What becomes the attribute of the metadata that is named like the plugin."""
        return {}


class Probing(ABC):
    """Has clients run probes."""

    @abstractmethod
    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """``<probe name= source= interpreter=>script</probe>`` elements; `source` is the plugin's name."""

    @abstractmethod
    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Take the results: elements with `name`, `source` and text. When this returns they are stored durably.

        An exception becomes a fault.
        """


class Statistics(ABC):
    """Takes what clients report at the end of a run.

    Class attributes:
        needs_good_entries: whether it looks at the entries that are as they should be: nearly the whole upload. If no
            plugin does, their element ``Good`` is there, but nothing in it.
    """

    needs_good_entries: ClassVar[bool] = True

    @abstractmethod
    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        """Take the root of an upload, which has a ``Statistics`` descendant. When this returns it is stored.

        `StatisticsNotStored` makes the call fail, so that the client sends it again, or says that it could not.
        """


class Threaded(ABC):
    """Has work of its own, in threads."""

    @abstractmethod
    def start_threads(self) -> None:
        """Start the threads; called once, in the process that serves."""


class PullSource(ABC):
    """Knows the state that clients reported, for taking it over into the repository."""

    def get_extra(self, client: str) -> list[tuple[str, str, str | None]]:
        """Entries found on the client that its configuration does not have: ``(tag, name, type)``."""
        return []

    @abstractmethod
    def get_current_entry(
        self, client: str, entry_tag: str, entry_name: str
    ) -> tuple[str | None, str | None, str | None, bytes | None]:
        """``(owner, group, mode, content)`` of an entry as it is on the client."""


class PullTarget(ABC):
    """Can take over state from clients into the repository."""

    @abstractmethod
    def accept_choices(self, entry: etree._Element, metadata: ClientMetadata) -> list[Specificity]:
        """For whom the new data could be stored, most specific last."""

    @abstractmethod
    def accept_pull_data(self, specific: Specificity, new_entry: Mapping[str, Any], verbose: bool) -> None:
        """Store the data; `PluginExecutionError` if that cannot be done."""


class Decision(ABC):
    """Tells clients which entries may be installed, or must not."""

    @abstractmethod
    def get_decisions(self, metadata: ClientMetadata, mode: str) -> list[tuple[str, str]]:
        """``(tag, name)`` patterns for mode ``whitelist`` or ``blacklist``; shell wildcards in both."""


class StructureValidator(ABC):
    """Checks and amends a client's structures before they are bound."""

    @abstractmethod
    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        """Change the list or its elements in place. `ValidationError` becomes a fault."""


class GoalValidator(ABC):
    """Checks and amends a client's bound configuration."""

    @abstractmethod
    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Change the configuration in place. `ValidationError` becomes a fault."""

    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        """Whether `validate_goals` may do anything for a client. If no plugin says so, no tree need be built."""
        return True


class Version(ABC):
    """Knows the revision of the repository."""

    @abstractmethod
    def get_revision(self) -> str:
        """The revision; any exception means that it is not known."""


class ClientRunHooks(ABC):
    """Wants to know when clients run."""

    def start_client_run(self, metadata: ClientMetadata) -> None:
        """A configuration is about to be built."""

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """A configuration has been built."""

    def end_statistics(self, metadata: ClientMetadata) -> None:
        """A report has been taken."""


class ClientACLs(ABC):
    """Decides who may call what (docs: reference/protocol, "ACLs")."""

    def check_acl_ip(self, address: Address, method: str) -> bool | None:
        """By address: True allows, False denies, None leaves it to `check_acl_metadata`. An exception denies."""
        return True

    def check_acl_metadata(self, metadata: ClientMetadata, method: str) -> bool:
        """By client; asked only if an address check returned None. An exception denies."""
        return True


class TemplateDataProvider(ABC):
    """Gives templates variables."""

    def get_template_data(self, entry: etree._Element, metadata: ClientMetadata, template: str) -> Mapping[str, Any]:
        """Variables for the template file at path `template` that makes the content of `entry`."""
        return {}

    def get_xml_template_data(self, structfile: StructFile, metadata: ClientMetadata) -> Mapping[str, Any]:
        """Variables for an XML file that is a template."""
        return {}
