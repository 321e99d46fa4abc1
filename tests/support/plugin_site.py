"""A server with Metadata and some other plugins, over the file monitor that notices changes, and what tests ask it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.options import Option
from geventcore.options.server import FILEMONITOR
from geventcore.plugin.client_metadata import ClientMetadata
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

#: Everybody is in these groups and has this bundle.
GROUPS = (
    '<Groups><Group name="p" profile="true" public="true" default="true">'
    '<Bundle name="b"/><Group name="web"/></Group></Groups>'
)


@contextmanager
def plugin_site(
    root: Path,
    plugins: Sequence[str],
    files: Mapping[str, str | bytes],
    options: Mapping[Option[Any], Any] | None = None,
) -> Iterator[SmallServer]:
    """A server whose repository holds `files`, besides the smallest metadata."""
    write_files(root, {**METADATA, "Metadata/groups.xml": GROUPS, **files})
    with small_server(root, ["Metadata", *plugins], {FILEMONITOR: "inotify", **(options or {})}) as server:
        yield server


def configuration(server: SmallServer, hostname: str = "h") -> etree._Element:
    """A client's whole configuration."""
    return server.core.build_configuration(hostname)


def entry_of(server: SmallServer, tag: str, name: str, hostname: str = "h") -> etree._Element:
    """The one entry of a name in a client's configuration."""
    (found,) = (each for each in configuration(server, hostname).iter(tag) if each.get("name") == name)
    return found


def metadata_of(server: SmallServer, hostname: str = "h") -> ClientMetadata:
    """A client's metadata, as they are now."""
    return server.core.build_metadata(hostname)


def messages(caplog: pytest.LogCaptureFixture, text: str, level: int = logging.WARNING) -> list[str]:
    """The messages of at least a level that have a text in them."""
    return [record.getMessage() for record in caplog.records if record.levelno >= level and text in record.getMessage()]
