"""The parsers of whatever comes from outside, each as a function of bytes.

A function returns nothing. It raises only if the parser is wrong: an exception that its callers do not expect, or a
result that depends on how the input was cut, or that is not the same after writing and reading it again.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from lxml import etree

from geventcore.cli.components import all_components
from geventcore.core.client_documents import OTHER_BYTES, DocumentError, ProbeReader, ReportLimits, ReportReader
from geventcore.errors import ConfigError, PackageSourceError, PluginExecutionError, RequestError, SpecificityError
from geventcore.filemonitor.lookup import look_up
from geventcore.filemonitor.pseudo import Pseudo
from geventcore.filemonitor.snapshot import Snapshot
from geventcore.options import OptionSet
from geventcore.options.sources import ConfigFiles
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.client_names import HOST_NAMES, is_misread
from geventcore.plugin.interfaces import ResultLimit
from geventcore.plugin.specificity import FOR_ALL, Specificity, file_name, parse_file_name
from geventcore.plugins.metadata.clients import ClientTable
from geventcore.plugins.metadata.groups import GroupTable
from geventcore.plugins.packages.downloads import Downloads
from geventcore.plugins.packages.kinds.apt import AptParser
from geventcore.plugins.packages.kinds.apt_release import parse_release, signed_text
from geventcore.plugins.packages.kinds.base import Kind, Origin
from geventcore.plugins.packages.kinds.pacman import PacmanKind
from geventcore.plugins.packages.kinds.pkgng import PkgngKind
from geventcore.plugins.packages.kinds.yum import YumKind
from geventcore.plugins.packages.versions import debian_satisfies, debian_version, rpm_version
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.reporting.format import decode, encode
from geventcore.reporting.parsing import parse_interaction
from geventcore.specfiles.xmlfile import repository_parser
from geventcore.specfiles.xmltext import illegal_position, replace_illegal
from geventcore.wire.basicauth import format_authorization, parse_authorization
from geventcore.wire.http1 import CLOSED, NEED_DATA, HTTPLimits, RequestParser
from geventcore.wire.proxy_protocol import ProxyHeader, ProxyHeaderParser
from geventcore.wire.xmlrpc import Call, called_method, dump_call, parse_call

Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {}

_LIMITS = HTTPLimits(head_bytes=1 << 20, body_bytes=1 << 20)


def target(function: Target) -> Target:
    """Add a function to the targets."""
    TARGETS[function.__name__] = function
    return function


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@lru_cache(maxsize=1)
def _directory() -> Path:
    """A directory of this process for targets that read files, in memory where that is possible."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    made = Path(tempfile.mkdtemp(prefix="fuzz", dir=place))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


# -- the wire


def _requests(pieces: Iterator[bytes]) -> list[object]:
    parser = RequestParser(_LIMITS)
    events: list[object] = []
    try:
        for piece in [*pieces, b""]:
            parser.receive_data(piece)
            while (event := parser.next_event()) not in (NEED_DATA, CLOSED):
                events.append(event)
            if event is CLOSED:
                break
    except RequestError as err:
        events.append(err.status)
    return events


@target
def http(data: bytes) -> None:
    """Requests of a connection; the same ones however the bytes arrive."""
    if not data:
        return
    whole = _requests(iter([data[1:]]) if data[1:] else iter([]))
    cut = _requests(_pieces(data[1:], data[0] % 64 + 1)) if len(data) < 4096 else whole
    assert whole == cut, (whole, cut)


def _proxy_header(pieces: Iterator[bytes]) -> ProxyHeader | str | None:
    parser = ProxyHeaderParser()
    try:
        for piece in pieces:
            parser.receive_data(piece)
            if parser.header is not None:
                break
    except RequestError:
        return "refused"
    return parser.header


@target
def proxy(data: bytes) -> None:
    """The header of a balancer; the same one however the bytes arrive."""
    if not data:
        return
    whole = _proxy_header(iter([data[1:]])) if data[1:] else None
    cut = _proxy_header(_pieces(data[1:], data[0] % 64 + 1))
    assert whole == cut, (whole, cut)


@target
def xmlrpc(data: bytes) -> None:
    """A call, and the same after it is written and read again."""
    called_method(data)
    try:
        call = parse_call(data)
    except RequestError:
        return
    try:
        written = dump_call(call.method, *call.params)
    except (TypeError, ValueError):
        return  # such as a date that a client writes and the server never does
    again = parse_call(written)
    assert isinstance(again, Call)
    assert dump_call(again.method, *again.params) == written


@target
def basic_auth(data: bytes) -> None:
    """The value of a header."""
    try:
        credentials = parse_authorization(data.decode("latin-1"))
    except RequestError as err:
        if err.status != 401:
            raise
        return
    header = format_authorization(credentials.user, credentials.password)
    assert parse_authorization(header) == credentials


# -- what clients upload


@target
def uploads(data: bytes) -> None:
    """A report and probe results: read in pieces; the report is stored as a line, and read again."""
    text = data.decode("utf-8", "surrogateescape" if data[-1:] == b"\n" else "replace")
    size = len(text) % 61 + 1 if len(text) < 4096 else 65536
    for limits in (ReportLimits(), ReportLimits(entries=2, bytes=3000, is_whole=True)):
        reader = ReportReader(limits)
        for start in range(0, len(text), size):
            reader.feed(text[start : start + size])
        with contextlib.suppress(DocumentError, PluginExecutionError):
            root = reader.close()
            report = parse_interaction(ClientMetadata("h"), root, timestamp=1, server="s", file_limit=1000)
            assert decode(encode(report)) == report
        assert reader.held_bytes <= limits.bytes + OTHER_BYTES
    probes = ProbeReader({"Probes": ResultLimit(1000, "")}.__getitem__)
    for start in range(0, len(text), size):
        probes.feed(text[start : start + size])
    with contextlib.suppress(DocumentError):
        for named in probes.close().by_source.values():
            assert all(len(element.text or "") <= 1000 for element in named.values())


@target
def stored_reports(data: bytes) -> None:
    """A line of a spool file, which somebody may have changed."""
    try:
        report = decode(data)
    except ValueError:
        return
    assert decode(encode(report)) == report


@target
def probe_data(data: bytes) -> None:
    """The result of a probe, as other clients' templates may read it."""
    text = data.decode("utf-8", "replace")
    result = ProbeData(text)
    _ = (result.xdata, result.json, result.yaml)
    assert illegal_position(replace_illegal(text)) is None


# -- files of the site


@lru_cache(maxsize=1)
def _options() -> OptionSet:
    return all_components().options


@target
def options_files(data: bytes) -> None:
    """A configuration file, and each value as each option's type."""
    path = _directory() / "bcfg2.conf"
    path.write_bytes(data)
    files = ConfigFiles()
    try:
        files.read(path)
    except ConfigError as err:
        if "\n" in str(err):
            raise
        return
    for section in files.sections():
        for key in files.spelled_keys(section):
            with contextlib.suppress(ConfigError):
                value = files.get(section, key)
                _parse_value(section, key, value)


def _parse_value(section: str, key: str, value: str) -> None:
    for option in _options():
        if (option.section, option.key) == (section, key):
            with contextlib.suppress(ValueError):
                option.type.format(option.type.parse(value))


def _site_document(data: bytes) -> etree._Element | None:
    try:
        return etree.fromstring(data, repository_parser())
    except etree.XMLSyntaxError:
        return None


@target
def clients_xml(data: bytes) -> None:
    """The client list."""
    root = _site_document(data)
    if root is not None:
        table = ClientTable.of_root(root, "clients.xml", lambda: None)
        assert all(not HOST_NAMES.problem(name) for name in table.clients)


@target
def groups_xml(data: bytes) -> None:
    """The groups, and what a client gets by them."""
    root = _site_document(data)
    if root is not None:
        table = GroupTable.of_root(root, "groups.xml")
        for name in list(table.declared)[:50]:
            table.get(name)


@target
def file_names(data: bytes) -> None:
    """Names of files in the repository, and of files that are stored for a client."""
    name = data.decode("utf-8", "surrogateescape")
    parts = parse_file_name(name, "motd")
    if parts is not None and "." not in parts.extension:
        try:
            written = file_name("motd", parts.specificity, parts.extension)
        except SpecificityError:
            pass
        else:
            assert parse_file_name(written, "motd") == parts
    with contextlib.suppress(SpecificityError):
        stored = file_name("motd", Specificity(name))
        again = parse_file_name(stored, "motd")
        assert again is not None
        assert (again.specificity, again.extension) == (Specificity(name), "")
        assert "/" not in stored
    if not HOST_NAMES.problem(name):
        assert not is_misread(name)
    assert FOR_ALL.is_for_all


@lru_cache(maxsize=1)
def _monitor() -> Pseudo:
    return Pseudo(["*~", ".#*", "*.sw?", "SCCS", "4913"])


@target
def monitored_names(data: bytes) -> None:
    """Names that appear in a monitored directory, and paths with links in them."""
    name = data[:255].replace(b"\0", b"").replace(b"/", b"")
    _monitor().is_ignored(os.fsdecode(data[:4096]))
    if name in (b"", b".", b".."):
        return
    directory = _directory() / "monitored"
    directory.mkdir(exist_ok=True)
    path = os.path.join(os.fsencode(directory), name)
    snapshot = Snapshot(str(directory), _monitor().is_ignored)
    snapshot.refresh()
    link = bool(len(data) % 2)
    if link:
        os.symlink(data[:200].replace(b"\0", b"") or b".", path)
    else:
        with open(path, "wb"):
            pass
    try:
        changes = snapshot.refresh()
        look_up(str(directory), os.fsdecode(name) + "/x", lambda _directory, _name: None)
        is_there = os.path.exists(path) and not _monitor().is_ignored(os.fsdecode(name))
        assert any(change[0] == os.fsdecode(name) for change in changes) is is_there
    finally:
        os.unlink(path)
    snapshot.refresh()
    assert os.fsdecode(name) not in snapshot.entries


# -- lists of packages


@target
def package_lists(data: bytes) -> None:
    """``Packages`` files of apt, their ``Release``, and versions."""
    stream = iter([data, b""])
    parser = AptParser("amd64")
    with contextlib.suppress(PackageSourceError):
        parser.feed(lambda _size: next(stream))
    text = data.decode("utf-8", "surrogateescape")
    parse_release(signed_text(text))
    for package in list(parser.records.packages.values())[:5]:
        for alternatives in package.requires[:5]:
            for condition in alternatives[:3]:
                debian_satisfies(package.version, condition.version)


@target
def versions(data: bytes) -> None:
    """Versions of packages have an order."""
    first, _, second = data.decode("utf-8", "surrogateescape").partition("\n")
    for make in (debian_version, lambda text: rpm_version(*[*text.split("-", 2), "", "", ""][:3])):
        one, other = make(first), make(second)
        assert [one < other, one == other, other < one].count(True) == 1


_ORIGIN = Origin("", "http://h/", "", "1", ("main",), ("x",))


def _read(kind: Kind, data: bytes) -> None:
    path = _directory() / "list"
    path.write_bytes(data)
    downloads = cast(Downloads, SimpleNamespace(path=lambda _url: path))
    with contextlib.suppress(PackageSourceError):
        kind.read(_ORIGIN, "x", downloads, frozenset({"/bin/sh"}))


@target
def package_archives(data: bytes) -> None:
    """Lists of packages of the other kinds, compressed or not."""
    for kind in (PacmanKind(), PkgngKind(), YumKind()):
        _read(kind, data)


def quiet() -> None:
    """Log nothing: a fuzzer makes thousands of errors a second."""
    logging.disable(logging.CRITICAL)
