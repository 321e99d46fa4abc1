"""Write a Bcfg2 repository of a chosen size, byte for byte the same for the same parameters.

Every client gets `bundles` bundles with `entries` entries in all. Half of the bundles are the same for all clients,
half belong to the client's profile. Of twenty entries ten are files from Cfg, seven packages, two services and one an
action, bound by Rules: a host has about as many packages as files. Of the ten files one is a Genshi template, three
have variants for groups, two have an info.xml, and one is named below two Group conditions of which each client meets
one. One bundle in ten is a Genshi template; the rules for services stand below Group conditions. 400 entries make a
configuration of about 350 KB.

Formats and plugins are those that 1.3.4 and newer servers have in common: Bundler, Cfg, Decisions, Metadata, Probes,
Properties, Rules. Clients are known by address, each by one of its own from 127.0.0.0/8, so that one machine can play
all of them, and by host name as user name. Their version is declared already: a run of a 1.3.4 client changes nothing
in clients.xml.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from xml.etree import ElementTree

DOMAIN = "bench.example.net"
#: 127.1.0.1 upwards: apart from 127.0.0.1, where servers listen and which some grant more rights.
FIRST_ADDRESS = (127 << 24) + (1 << 16) + 1
ZONES = ("zone-a", "zone-b")


@dataclass(frozen=True)
class Shape:
    """The size of a repository.

    Attributes:
        clients: number of clients, at most 60000.
        groups: number of profiles; clients take them in turn.
        bundles: bundles per client.
        entries: entries per client, spread evenly over its bundles.
        probes: number of probes, the same for all clients.
        file_bytes: size of one configuration file, within one line.
    """

    clients: int = 100
    groups: int = 4
    bundles: int = 20
    entries: int = 400
    probes: int = 4
    file_bytes: int = 1400

    def __post_init__(self) -> None:
        for attribute in fields(self):
            if getattr(self, attribute.name) < (0 if attribute.name == "probes" else 1):
                raise ValueError(f"{attribute.name} must be positive, not {getattr(self, attribute.name)}")
        if self.clients > 60000:
            raise ValueError(f"there are addresses for 60000 clients, not for {self.clients}")
        if self.entries < self.bundles:
            raise ValueError(f"{self.entries} entries do not fill {self.bundles} bundles")


@dataclass(frozen=True)
class GeneratedClient:
    """One client of a generated repository."""

    name: str
    address: str
    profile: str


@dataclass(frozen=True)
class _Entry:
    """One entry of a bundle; `serial` counts all entries of the repository, `index` those of the bundle."""

    bundle: str
    index: int
    serial: int

    @property
    def kind(self) -> str:
        position = self.index % 20
        if position < 10:
            return "Path"
        return "Package" if position < 17 else "Service" if position < 19 else "Action"

    @property
    def name(self) -> str:
        if self.kind == "Path":
            return f"/etc/{self.bundle}/conf.d/{self.index:03}-{word(self.serial, 'file')}.conf"
        return f"{self.bundle}-{word(self.serial, self.kind)}-{self.index}"

    @property
    def is_template(self) -> bool:
        return self.index % 20 == 3

    @property
    def has_variants(self) -> bool:
        return self.index % 20 in (5, 8, 9)

    @property
    def has_info(self) -> bool:
        return self.index % 20 in (2, 6)

    @property
    def is_conditional(self) -> bool:
        return self.index % 20 == 7


def generate(directory: Path, shape: Shape) -> list[GeneratedClient]:
    """Write the repository into `directory`, which must not exist or be empty.

    Returns:
        Its clients, in order.

    Raises:
        FileExistsError: there is something in `directory`.
        OSError: it can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty")
    clients = list(_clients(shape))
    bundles = _bundles(shape)
    entries = {bundle: list(_entries(shape, bundle, number)) for number, bundle in enumerate(bundles)}
    everything = [entry for bundle in bundles for entry in entries[bundle]]
    write_text(directory / "Metadata/clients.xml", _clients_xml(clients))
    write_text(directory / "Metadata/groups.xml", _groups_xml(shape))
    for bundle in bundles:
        write_text(directory / f"Bundler/{bundle}.xml", _bundle_xml(entries[bundle]))
    for entry in everything:
        if entry.kind == "Path":
            _write_cfg(directory, entry, shape)
    for kind in ("Package", "Service", "Action"):
        write_text(directory / f"Rules/{kind.lower()}.xml", _rules_xml(kind, everything))
    for number in range(shape.probes):
        write_text(directory / f"Probes/{_probe_name(number)}", _probe(number))
    write_text(directory / "Properties/site.xml", _properties_xml())
    for mode in ("whitelist", "blacklist"):
        # 1.3.4 reads the name without an extension, newer servers the one with.
        for suffix in ("", ".xml"):
            write_text(directory / f"Decisions/{mode}{suffix}", _decisions_xml())
    return clients


def read_clients(repository: Path) -> list[GeneratedClient]:
    """The clients of a repository generated earlier, in order."""
    root = ElementTree.parse(repository / "Metadata/clients.xml").getroot()
    return [
        GeneratedClient(client.attrib["name"], client.attrib["address"], client.attrib["profile"])
        for client in root.iter("Client")
    ]


def _profile(number: int) -> str:
    return f"profile-{number:02}"


def _probe_name(number: int) -> str:
    return f"facts-{number:02}"


def _clients(shape: Shape) -> Iterator[GeneratedClient]:
    for number in range(shape.clients):
        address = FIRST_ADDRESS + number
        dotted = ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))
        yield GeneratedClient(f"node{number:05}.{DOMAIN}", dotted, _profile(number % shape.groups))


def _shared_bundles(shape: Shape) -> list[str]:
    return [f"base-{number:02}" for number in range(shape.bundles - shape.bundles // 2)]


def _profile_bundles(shape: Shape, profile: int) -> list[str]:
    return [f"role-{profile:02}-{number:02}" for number in range(shape.bundles // 2)]


def _bundles(shape: Shape) -> list[str]:
    own = [bundle for profile in range(shape.groups) for bundle in _profile_bundles(shape, profile)]
    return _shared_bundles(shape) + own


def _entries(shape: Shape, bundle: str, number: int) -> Iterator[_Entry]:
    """The entries of one bundle; the first bundles of a client take one more if they don't divide evenly."""
    share, rest = divmod(shape.entries, shape.bundles)
    shared = len(_shared_bundles(shape))
    own = shape.bundles // 2
    position = number if number < shared else shared + (number - shared) % own
    for index in range(share + (position < rest)):
        yield _Entry(bundle, index, number * (share + 1) + index)


def _clients_xml(clients: Sequence[GeneratedClient]) -> str:
    rows = [
        f'  <Client name="{client.name}" profile="{client.profile}" address="{client.address}" version="1.3.4"/>'
        for client in clients
    ]
    return joined_lines("<Clients>", *rows, "</Clients>")


def _groups_xml(shape: Shape) -> str:
    lines = ["<Groups>"]
    for number in range(shape.groups):
        default = ' default="true"' if number == 0 else ""
        lines += [
            f'  <Group name="{_profile(number)}" profile="true" public="true"{default}>',
            '    <Group name="base"/>',
            f'    <Group name="{ZONES[number % len(ZONES)]}"/>',
            *(f'    <Bundle name="{bundle}"/>' for bundle in _profile_bundles(shape, number)),
            "  </Group>",
        ]
    lines += [
        '  <Group name="base">',
        *(f'    <Bundle name="{bundle}"/>' for bundle in _shared_bundles(shape)),
        "  </Group>",
        *(f'  <Group name="{zone}" category="zone"/>' for zone in ZONES),
        *(f'  <Group name="{_probe_name(number)}"/>' for number in range(shape.probes)),
        "</Groups>",
    ]
    return joined_lines(*lines)


def _bundle_xml(entries: Sequence[_Entry]) -> str:
    """Bundles whose number ends in 5 are Genshi templates."""
    is_template = entries[0].bundle.endswith("5")
    lines = ['<Bundle xmlns:py="http://genshi.edgewall.org/">' if is_template else "<Bundle>"]
    for entry in entries:
        condition = " py:if=\"'base' in metadata.groups\"" if is_template and entry.index % 5 == 1 else ""
        element = f'<{entry.kind} name="{entry.name}"{condition}/>'
        if entry.is_conditional:
            lines += [f'  <Group name="{zone}">{element}</Group>' for zone in ZONES]
        else:
            lines.append(f"  {element}")
    return joined_lines(*lines, "</Bundle>")


def _rules_xml(kind: str, everything: Sequence[_Entry]) -> str:
    """The rules for one kind of entry; those for services differ by zone."""
    names = [entry.name for entry in everything if entry.kind == kind]
    if kind == "Service":
        rules = [
            line
            for zone, service in zip(ZONES, ("systemd", "chkconfig"), strict=True)
            for line in (
                f'  <Group name="{zone}">',
                *(f'    <Service name="{name}" type="{service}" status="on" restart="true"/>' for name in names),
                "  </Group>",
            )
        ]
    elif kind == "Package":
        rules = [f'  <Package name="{name}" type="deb" version="auto"/>' for name in names]
    else:
        attributes = 'timing="post" when="modified" command="/usr/bin/systemctl try-reload" status="ignore"'
        rules = [f'  <Action name="{name}" {attributes}/>' for name in names]
    return joined_lines('<Rules priority="10">', *rules, "</Rules>")


def _properties_xml() -> str:
    return joined_lines(
        "<Properties>",
        *(f"  <server name='{word(number, 'server')}' port='{8000 + number}'/>" for number in range(5)),
        "</Properties>",
    )


def _decisions_xml() -> str:
    return joined_lines(
        "<Decisions>",
        '  <Decision type="Path" name="/etc/base-00/*"/>',
        '  <Decision type="Package" name="*"/>',
        "</Decisions>",
    )


def _probe(number: int) -> str:
    return joined_lines(
        "#!/bin/sh",
        f"# fact {number}",
        f"echo group:{_probe_name(number)}",
        "uname -srm",
        "cut -d ' ' -f 1 /proc/loadavg",
    )


def _write_cfg(directory: Path, entry: _Entry, shape: Shape) -> None:
    folder = directory / f"Cfg{entry.name}"
    base = folder / folder.name
    if entry.is_template:
        write_text(base.with_name(f"{base.name}.genshi"), _template(entry.serial, shape.file_bytes))
    else:
        write_text(base, configuration_file(f"{entry.serial}", shape.file_bytes))
    if entry.has_variants:
        for priority, zone in enumerate(ZONES, start=10):
            variant = configuration_file(f"{entry.serial} {zone}", shape.file_bytes)
            write_text(base.with_name(f"{base.name}.G{priority}_{zone}"), variant)
    if entry.has_info:
        owner = ("root", "daemon", "www-data")[entry.serial % 3]
        info = f'<FileInfo><Info owner="{owner}" group="{owner}" mode="0640"/></FileInfo>'
        write_text(folder / "info.xml", joined_lines(info))


def configuration_file(seed: str, size: int) -> str:
    """Text such as daemons read; about one line in twelve has a character that XML must escape."""
    text = f"# Configuration {seed}; managed centrally, changes made here are lost\n"
    number = 0
    while len(text) < size:
        key = f"{word(number, seed)}_{word(number, seed + 'key')}"
        value = _digest(f"{seed} {number}")
        if number % 12 == 7:
            text += f'{key} = "<{value[:6]}> & {value[6:14]}"\n'
        elif number % 5 == 4:
            text += f"\n[{key}]\n"
        else:
            text += f"{key} = {value[:8]}\n"
        number += 1
    return text


def _template(serial: int, size: int) -> str:
    """A Genshi text template that uses the client's name, its groups and a property file."""
    loops = (
        "# Template for ${metadata.hostname}\n"
        "{% for group in sorted(metadata.groups) %}\\\n"
        "group = ${group}\n"
        "{% end %}\\\n"
        "{% for server in metadata.Properties['site.xml'].xdata.findall('server') %}\\\n"
        "server = ${server.get('name')}:${server.get('port')}\n"
        "{% end %}\\\n"
        "{% if 'zone-a' in metadata.groups %}\\\n"
        "zone = a\n"
        "{% end %}\\\n"
    )
    return loops + configuration_file(f"template {serial}", max(size - 250, 80))


def word(number: int, salt: str) -> str:
    """A pronounceable word that depends on the arguments only."""
    digest = bytes.fromhex(_digest(f"{salt} {number}")[:6])
    return "".join("bdfgklmnprst"[byte % 12] + "aeiou"[byte // 12 % 5] for byte in digest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def joined_lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
