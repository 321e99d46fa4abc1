"""AWSTags: groups and data from the tags of EC2 instances (docs: reference/plugins/awstags).

The client's instance is the one whose private DNS name is the client's name; its tags are ``metadata.AWSTags``. In
``config.xml``, a ``Tag`` with regular expressions ``name`` and, optionally, ``value`` gives groups; the first tag with
a matching name decides. ``$1``, ``$2`` … in a group are replaced by the captures of ``value``, or else of ``name``.
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
from geventcore.plugins.client_answers import ClientAnswers
from geventcore.plugins.group_patterns import fill_in_captures
from geventcore.repository.durable_writes import create_if_missing
from geventcore.specfiles.xmlfile import XMLDocument, XMLFile

ACCESS_KEY_ID = Option(
    "awstags",
    "access_key_id",
    types.OPTIONAL_STRING,
    None,
    "The access key for reading tags.\n\n"
    "By default boto3 takes credentials from the environment, its own files, or the instance's role.",
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
    "The AWS region of the instances, such as eu-central-1. By default boto3's own setting is used.",
)
CACHE = Option(
    "awstags",
    "cache",
    types.BOOLEAN,
    True,
    "Cache tags until AWSTags.expire_cache is called, instead of only during a client run.",
)
TIMEOUT = Option(
    "awstags",
    "timeout",
    types.seconds(0.1),
    5.0,
    "The timeout of one attempt to reach AWS, in seconds; there are two attempts.",
)
ATTEMPTS = 2
#: The characters with a meaning in values of filters, and the one that takes it away.
_WILDCARDS = re.compile(r"[*?\\]")
#: The number of concurrent requests to AWS. Each occupies a thread of the pool, which other work needs, too.
MAX_CONCURRENT = 4


@dataclass(frozen=True)
class TagPattern:
    """One ``Tag`` element."""

    name: re.Pattern[str]
    value: re.Pattern[str] | None
    groups: tuple[str, ...]

    def groups_for(self, tags: Mapping[str, str]) -> list[str]:
        """Return the groups for a client's tags. Tags are compared in the order of their names."""
        for name in sorted(tags):
            match = self.name.search(name)
            if match is not None:
                if self.value is not None:
                    match = self.value.search(tags[name])
                return [] if match is None else [fill_in_captures(group, match) for group in self.groups]
        return []


class AWSTags(Plugin, Connector, ClientRunHooks):
    """A plugin that gets groups and data from EC2 tags."""

    #: It keeps what it has asked for itself.
    reuse_seconds: ClassVar[float] = 0
    options: ClassVar[tuple[Option[Any], ...]] = (ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION, CACHE, TIMEOUT)
    remote_methods: ClassVar[tuple[str, ...]] = (*Plugin.remote_methods, "expire_cache")
    broadcast_methods: ClassVar[tuple[str, ...]] = (*Plugin.broadcast_methods, "expire_cache")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        settings = context.settings
        if bool(settings[ACCESS_KEY_ID]) != bool(settings[SECRET_ACCESS_KEY]):
            raise PluginInitError("[awstags] access_key_id and secret_access_key: set both or neither")
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
        create_if_missing(path, b"<AWSTags/>\n", context.read_only)
        self._places = threading.BoundedSemaphore(MAX_CONCURRENT)
        self._client: Any = None
        self._client_lock = threading.Lock()
        self._tags: ClientAnswers[Mapping[str, str]] = ClientAnswers(self._ask)
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
                raise ValueError("the attribute name is missing")
            return TagPattern(
                re.compile(element.get("name", "")),
                None if value is None else re.compile(value),
                tuple(group for group in groups if group),
            )
        except (re.error, ValueError) as err:
            self.log.error("%s: line %s: ignoring this Tag: %s", document.path, element.sourceline, err)
            return None

    # -- tags

    def _ask(self, hostname: str) -> Mapping[str, str]:
        """Return the tags of a client; `PluginExecutionError` if EC2 cannot be asked."""
        with self._client_lock:
            if self._client is None:
                # Created on first use, because creating it reads many files.
                self._client = self.context.offload(self._make_client)
        filters = [{"Name": "private-dns-name", "Values": [_WILDCARDS.sub(r"\\\g<0>", hostname)]}]
        try:
            with self._places:
                answer = self.context.offload(self._client.describe_instances, Filters=filters)
        except self._boto_errors as err:
            raise PluginExecutionError(
                f"cannot read the tags of {hostname} from EC2: {' '.join(str(err).split())}"
            ) from err
        instances = [instance for found in answer["Reservations"] for instance in found["Instances"]]
        if not instances:
            self.debug_log("no EC2 instance has the name %s", hostname)
            return {}
        if len(instances) > 1:
            self.log.warning("%d EC2 instances have the name %s; using the first", len(instances), hostname)
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
            raise PluginExecutionError(f"cannot create an EC2 client: {' '.join(str(err).split())}") from err

    def expire_cache(self, hostname: str | None = None) -> bool:
        """Remove the cached tags of one client, or of all."""
        self._tags.forget(hostname)
        self.context.expire_metadata(hostname)
        return True

    def start_client_run(self, metadata: ClientMetadata) -> None:
        """Drop the client's tags, unless they are cached, so that this run reads them again."""
        if not self.context.settings[CACHE]:
            self._tags.forget(metadata.hostname)

    def end_client_run(self, metadata: ClientMetadata) -> None:
        """Drop the client's tags, unless they are cached, and the metadata that were built from them."""
        if not self.context.settings[CACHE]:
            self.expire_cache(metadata.hostname)

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        """Return the groups for the client's tags."""
        tags = self._tags.of(metadata)
        # An empty capture may make the group's name empty.
        return [group for pattern in self._patterns for group in pattern.groups_for(tags) if group]

    def get_additional_data(self, metadata: ClientMetadata) -> Mapping[str, str]:
        """Return the client's tags."""
        return dict(self._tags.of(metadata))
