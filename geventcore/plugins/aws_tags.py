"""AWSTags: groups and data from the tags of EC2 instances (docs: reference/plugins/awstags).

The instance whose private DNS name is the client's name is asked for; its tags are ``metadata.AWSTags``. In
``config.xml`` a ``Tag`` with regular expressions ``name`` and, optionally, ``value`` gives groups; the first tag whose
name fits decides. ``$1``, ``$2`` … in a group stand for what the parentheses of ``value``, or else of ``name``, found.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import PluginExecutionError, PluginInitError
from geventcore.options import Option, types
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ClientRunHooks, Connector
from geventcore.plugins.group_patterns import fill_in_captures
from geventcore.specfiles.durable import create_if_missing
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile

ACCESS_KEY_ID = Option(
    "awstags",
    "access_key_id",
    types.OPTIONAL_STRING,
    None,
    "The access key that tags are read with.\n\n"
    "Without one boto3 looks for credentials where it always does: environment, its own files, the instance's role.",
)
SECRET_ACCESS_KEY = Option(
    "awstags",
    "secret_access_key",
    types.OPTIONAL_STRING,
    None,
    "The secret that belongs to the access key.",
    secret=True,
)
REGION = Option(
    "awstags",
    "region",
    types.OPTIONAL_STRING,
    None,
    "The AWS region of the instances, such as eu-central-1; without it boto3's own default.",
)
CACHE = Option(
    "awstags",
    "cache",
    types.BOOLEAN,
    True,
    "Whether tags are kept until AWSTags.expire_cache is called, instead of only during a client run.",
)
TIMEOUT = Option(
    "awstags",
    "timeout",
    types.seconds(0.1),
    5.0,
    "How long one attempt to reach AWS may take, in seconds; there are two.",
)
ATTEMPTS = 2
#: How many questions to AWS are under way at once. Each needs a thread, and others need threads, too.
MAX_CONCURRENT = 4


@dataclass(frozen=True)
class TagPattern:
    """One ``Tag`` element."""

    name: re.Pattern[str]
    value: re.Pattern[str] | None
    groups: tuple[str, ...]

    def groups_for(self, tags: Mapping[str, str]) -> list[str]:
        """The groups that tags lead to. Tags are looked at in the order of their names."""
        for name in sorted(tags):
            match = self.name.search(name)
            if match is not None:
                if self.value is not None:
                    match = self.value.search(tags[name])
                return [] if match is None else [fill_in_captures(group, match) for group in self.groups]
        return []


class AWSTags(Plugin, Connector, ClientRunHooks):
    """Asks EC2 for tags."""

    options: ClassVar[tuple[Option[Any], ...]] = (ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION, CACHE, TIMEOUT)
    remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.remote_methods, "expire_cache")
    child_remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.child_remote_methods, "expire_cache")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        settings = context.settings
        if bool(settings[ACCESS_KEY_ID]) != bool(settings[SECRET_ACCESS_KEY]):
            raise PluginInitError("[awstags] access_key_id and secret_access_key: one is of no use without the other")
        try:
            self._boto3 = importlib.import_module("boto3")
            self._boto_config = importlib.import_module("botocore.config").Config
            self._boto_errors: tuple[type[Exception], ...] = (
                importlib.import_module("botocore.exceptions").BotoCoreError,
                importlib.import_module("botocore.exceptions").ClientError,
                ValueError,  # about settings
            )
        except ImportError as err:
            raise PluginInitError(f"boto3 is needed: install geventcore[aws] ({err})") from err
        path = self.directory / "config.xml"
        create_if_missing(path, b"<AWSTags/>\n")
        self._places = threading.BoundedSemaphore(MAX_CONCURRENT)
        self._client: Any = None
        self._client_lock = threading.Lock()
        self._cache: dict[str, Mapping[str, str]] = {}
        self._patterns: tuple[TagPattern, ...] = ()
        self._config = XMLFile(path, context.file_monitor, self._load)

    # -- config.xml

    def _load(self, document: XMLDocument) -> None:
        patterns = (self._read(element, document) for element in document.root.iter("Tag"))
        self._patterns = tuple(pattern for pattern in patterns if pattern is not None)
        self.context.expire_metadata()

    def _read(self, element: etree._Element, document: XMLDocument) -> TagPattern | None:
        value = element.get("value")
        groups = tuple((group.text or "").strip() for group in element.iterchildren("Group"))
        try:
            if not element.get("name"):
                raise ValueError("it has no name")
            return TagPattern(
                re.compile(element.get("name", "")),
                None if value is None else re.compile(value),
                tuple(group for group in groups if group),
            )
        except (re.error, ValueError) as err:
            self.log.error("%s: line %s: this Tag cannot be used: %s", document.path, element.sourceline, err)
            return None

    # -- tags

    def _tags(self, metadata: ClientMetadata) -> Mapping[str, str]:
        """The tags of a client, the same for one metadata object; `PluginExecutionError` if EC2 cannot be asked."""
        found: Mapping[str, str] | None = metadata.scratch.get(type(self))
        if found is None:
            cache = self._cache
            found = cache.get(metadata.hostname)
            if found is None:
                found = cache[metadata.hostname] = self._ask(metadata.hostname)
            metadata.scratch[type(self)] = found
        return found

    def _ask(self, hostname: str) -> Mapping[str, str]:
        with self._client_lock:
            if self._client is None:
                # Made when it is first needed: that reads a lot of files.
                self._client = self.context.offload(self._make_client)
        filters = [{"Name": "private-dns-name", "Values": [hostname]}]
        try:
            with self._places:
                answer = self.context.offload(self._client.describe_instances, Filters=filters)
        except self._boto_errors as err:
            raise PluginExecutionError(f"the tags of {hostname} are not known: {' '.join(str(err).split())}") from err
        instances = [instance for found in answer["Reservations"] for instance in found["Instances"]]
        if not instances:
            self.debug_log("there is no EC2 instance %s", hostname)
            return {}
        if len(instances) > 1:
            self.log.warning("%d EC2 instances are called %s; the first is used", len(instances), hostname)
        return {tag["Key"]: tag["Value"] for tag in instances[0].get("Tags", ())}

    def _make_client(self) -> Any:
        settings = self.context.settings
        seconds = settings[TIMEOUT]
        try:
            return self._boto3.session.Session().client(
                "ec2",
                region_name=settings[REGION],
                aws_access_key_id=settings[ACCESS_KEY_ID],
                aws_secret_access_key=settings[SECRET_ACCESS_KEY],
                config=self._boto_config(
                    connect_timeout=seconds,
                    read_timeout=seconds,
                    retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                ),
            )
        except self._boto_errors as err:
            raise PluginExecutionError(f"EC2 cannot be asked: {' '.join(str(err).split())}") from err

    def expire_cache(self, hostname: str | None = None) -> bool:
        """Forget the tags of one client, or of all."""
        if hostname is None:
            self._cache = {}
        else:
            self._cache.pop(hostname, None)
        self.context.expire_metadata(hostname)
        return True

    def start_client_run(self, metadata: ClientMetadata) -> None:
        """Without a cache: tags are those of now in the next run."""
        if not self.context.settings[CACHE]:
            self._cache.pop(metadata.hostname, None)

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Without a cache: tags, and the metadata that were made from them, were good for this run."""
        if not self.context.settings[CACHE]:
            self.expire_cache(metadata.hostname)

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        """The groups that the tags lead to."""
        tags = self._tags(metadata)
        # A capture that found nothing may leave nothing of a name.
        return [group for pattern in self._patterns for group in pattern.groups_for(tags) if group]

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, str]:
        """The tags."""
        return dict(self._tags(metadata))
