"""Write a Bcfg2 repository as production sites have them: always the same, but for the salts of secrets.

`geventcore.simulation.repository` writes a repository that servers of every age understand. This one has what makes
real configurations expensive: a host has about 490 entries in 48 bundles (240 KB of XML), of which 28 files and 2
bundles are templates. They read the client's metadata, property files (XML, JSON) and results of probes. Defaults
and Rules have regular expressions. Packages resolves dependencies from a list in ``apt`` beside the plugins,
GroupPatterns gives each host its rack, SSHbase its keys. Some files are encrypted, and some entries have an ``altsrc``.

A server of the repository needs `SITE_OPTIONS`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geventcore import crypt
from geventcore.simulation.repository import (
    DOMAIN,
    FIRST_ADDRESS,
    ZONES,
    GeneratedClient,
    configuration_file,
    joined_lines,
    word,
    write_text,
)

SITE_PLUGINS = (
    "Bundler",
    "Cfg",
    "Decisions",
    "Defaults",
    "GroupPatterns",
    "Metadata",
    "Packages",
    "Probes",
    "Properties",
    "Rules",
    "SSHbase",
)
PASSPHRASE = "correct horse battery staple"
#: Section -> option -> value, for the server's configuration file.
SITE_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "encryption": {"site": PASSPHRASE},
    "rules": {"regex": "true"},
    "defaults": {"replace_name": "true"},
    "packages": {"refresh_interval": "0"},
}
RACKS = 8
#: Hosts named ``node00000`` and so on are in rack 0 to 7 by their last digit.
_PROBES = ("cpu", "load", "memory", "site-facts")
#: The positions of templates among the files of a client; 14 are Genshi's, 14 are Jinja2's.
_TEMPLATE_EVERY = 8
_KINDS = "PPPPPKKKSA"


@dataclass(frozen=True)
class SiteShape:
    """The size of a repository.

    Attributes:
        clients: number of clients, at most 60000.
        profiles: number of profiles; clients take them in turn.
        bundles: bundles per client; half of them are shared by all clients, half belong to the profile.
        entries: entries per bundle.
        file_bytes: size of one configuration file, within one line.
    """

    clients: int = 50
    profiles: int = 4
    bundles: int = 48
    entries: int = 10
    file_bytes: int = 640


def generate_site(directory: Path, shape: SiteShape) -> list[GeneratedClient]:
    """Write the repository into `directory`, which must not exist or be empty, and return its clients, in order.

    Raises:
        FileExistsError: there is something in `directory`.
        OSError: it can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty")
    site = _Site(directory, shape)
    site.write_metadata()
    site.write_bundles()
    site.write_rules()
    site.write_data()
    site.write_packages()
    return list(site.clients)


def probe_results(client: GeneratedClient, run: int) -> dict[str, str]:
    """Return what the probes of a client say in a run: probe name -> text. The load differs from run to run."""
    number = int(client.name[4:9])
    return {
        "cpu": f"model {number % 3}\ncores {4 << number % 3}\ngroup:cores-{4 << number % 3}\n",
        "load": f"{(number + run) % 97 / 10:.1f}\n",
        "memory": f"{8 << number % 4}\n",
        "site-facts": f'{{"role": "{client.profile}", "disks": ["sda", "sdb"]}}',
    }


def probe_upload(client: GeneratedClient, run: int) -> str:
    """Return the argument of RecvProbeData with which the client sends `probe_results`."""
    results = probe_results(client, run)
    data = "".join(f'<probe-data name="{name}" source="Probes">{text}</probe-data>' for name, text in results.items())
    return f"<probe-data>{data}</probe-data>"


class _Site:
    def __init__(self, directory: Path, shape: SiteShape) -> None:
        self._directory = directory
        self._shape = shape
        self.clients = [
            GeneratedClient(f"node{number:05}.{DOMAIN}", _address(number), f"profile-{number % shape.profiles:02}")
            for number in range(shape.clients)
        ]
        half = shape.bundles // 2
        self._shared = [f"base-{number:02}" for number in range(shape.bundles - half)]
        self._own = {
            f"profile-{profile:02}": [f"role-{profile:02}-{number:02}" for number in range(half)]
            for profile in range(shape.profiles)
        }
        self._packages: list[str] = []

    def _write(self, name: str, *content: str) -> None:
        write_text(self._directory / name, joined_lines(*content))

    @property
    def _bundles(self) -> list[str]:
        return [*self._shared, *(bundle for own in self._own.values() for bundle in own)]

    def write_metadata(self) -> None:
        self._write(
            "Metadata/clients.xml",
            "<Clients>",
            *(
                f'  <Client name="{client.name}" profile="{client.profile}" address="{client.address}"'
                ' version="1.3.4"/>'
                for client in self.clients
            ),
            "</Clients>",
        )
        groups = ["<Groups>"]
        for number, (profile, bundles) in enumerate(self._own.items()):
            default = ' default="true"' if number == 0 else ""
            groups += [
                f'  <Group name="{profile}" profile="true" public="true"{default}>',
                '    <Group name="base"/>',
                f'    <Group name="{ZONES[number % 2]}"/>',
                *(f'    <Bundle name="{bundle}"/>' for bundle in bundles),
                "  </Group>",
            ]
        groups += [
            '  <Group name="base">',
            '    <Group name="debian"/>',
            '    <Group name="amd64"/>',
            *(f'    <Bundle name="{bundle}"/>' for bundle in self._shared),
            "  </Group>",
            *(f'  <Group name="{zone}" category="zone"/>' for zone in ZONES),
            *(f'  <Group name="rack-{rack}" category="rack"/>' for rack in range(RACKS)),
            '  <Group name="debian" category="os"/>',
            '  <Group name="amd64"/>',
            "</Groups>",
        ]
        self._write("Metadata/groups.xml", *groups)
        self._write(
            "GroupPatterns/config.xml",
            "<GroupPatterns>",
            *(
                f"  <GroupPattern><NamePattern>node\\d*{rack}\\.</NamePattern><Group>rack-{rack}</Group></GroupPattern>"
                for rack in range(RACKS)
            ),
            "  <GroupPattern><NameRange>node[[0-9]]</NameRange><Group>first-ten</Group></GroupPattern>",
            "</GroupPatterns>",
        )

    def write_bundles(self) -> None:
        for position, bundle in enumerate(self._bundles):
            self._write(f"Bundler/{bundle}.xml", *self._bundle(bundle, position))

    def _bundle(self, bundle: str, position: int) -> Iterator[str]:
        is_template = bundle in ("base-05", "role-00-05", "role-01-05", "role-02-05", "role-03-05")
        yield '<Bundle xmlns:py="http://genshi.edgewall.org/">' if is_template else "<Bundle>"
        for index in range(self._shape.entries):
            serial = position * self._shape.entries + index
            kind = _KINDS[index % len(_KINDS)]
            yield from self._entry(bundle, index, serial, kind, is_template)
        if bundle == "base-00":
            for key in ("ssh_host_rsa_key", "ssh_host_rsa_key.pub", "ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
                yield f'  <Path name="/etc/ssh/{key}"/>'
        yield "</Bundle>"

    def _entry(self, bundle: str, index: int, serial: int, kind: str, is_template: bool) -> Iterator[str]:
        if kind == "P":
            name = f"/etc/{bundle}/conf.d/{index:02}-{word(serial, 'file')}.conf"
            self._write_file(name, serial, index)
            alternative = f' altsrc="/etc/{bundle}/conf.d/alternative.conf"' if index == 4 and serial % 9 == 4 else ""
            if alternative:
                self._write_file(f"/etc/{bundle}/conf.d/alternative.conf", serial, 0)
            condition = " py:if=\"'base' in metadata.groups\"" if is_template else ""
            element = f'<Path name="{name}"{alternative}{condition}/>'
        elif kind == "K":
            name = f"{bundle}-{word(serial, 'package')}-{index}"
            self._packages.append(name)
            element = f'<Package name="{name}"/>'
        else:
            tag = "Service" if kind == "S" else "Action"
            element = f'<{tag} name="{bundle}-{word(serial, tag)}"/>'
        if index == 3:
            for zone in ZONES:
                yield f'  <Group name="{zone}">{element}</Group>'
        else:
            yield f"  {element}"

    def _write_file(self, name: str, serial: int, index: int) -> None:
        directory = self._directory / f"Cfg{name}"
        base = directory / directory.name
        size = self._shape.file_bytes
        if index == 1 and serial // self._shape.entries % 24 < 7:
            number = serial // self._shape.entries % 24
            write_text(base.with_name(f"{base.name}.genshi"), _GENSHI[number % len(_GENSHI)] + _filler(serial, size))
        elif index == 2 and serial // self._shape.entries % 24 < 7:
            number = serial // self._shape.entries % 24
            write_text(base.with_name(f"{base.name}.jinja2"), _JINJA[number % len(_JINJA)] + _filler(serial, size))
        elif index == 0 and serial // self._shape.entries % 24 == 9:
            secret = configuration_file(f"secret {serial}", size)
            write_text(base.with_name(f"{base.name}.crypt"), _encrypted(secret))
        else:
            write_text(base, configuration_file(f"{serial}", size))
        if index == 2:
            for priority, zone in enumerate(ZONES, start=10):
                if not base.with_name(f"{base.name}.jinja2").exists():
                    write_text(
                        base.with_name(f"{base.name}.G{priority}_{zone}"), configuration_file(f"{serial} {zone}", size)
                    )
        if index in (0, 4):
            owner = ("root", "daemon", "www-data")[serial % 3]
            write_text(
                directory / "info.xml", f'<FileInfo><Info owner="{owner}" group="{owner}" mode="0640"/></FileInfo>\n'
            )

    def write_rules(self) -> None:
        self._write(
            "Rules/services.xml",
            '<Rules priority="10">',
            '  <Group name="zone-a"><Service name="base-.*" type="systemd" status="on" restart="true"/></Group>',
            '  <Group name="zone-b"><Service name="base-.*" type="systemd" status="on" restart="false"/></Group>',
            '  <Service name="role-.*" type="systemd" status="on"/>',
            "</Rules>",
        )
        self._write(
            "Rules/actions.xml",
            '<Rules priority="10">',
            *(
                f'  <Action name="{bundle}-.*" timing="post" when="modified" status="ignore"'
                f' command="/usr/bin/systemctl try-reload-or-restart {bundle}"/>'
                for bundle in self._bundles
            ),
            "</Rules>",
        )
        self._write(
            "Defaults/all.xml",
            '<Defaults priority="10">',
            '  <Service name=".*" bootstatus="on" install="true"/>',
            '  <Action name=".*" build="true"/>',
            '  <Path name="/etc/role-.*" important="false"/>',
            '  <Group name="zone-a"><Path name="/etc/ssh/.*" important="true"/></Group>',
            '  <Package name="base-.*" priority="%{name}"/>',
            "</Defaults>",
        )
        for mode in ("whitelist", "blacklist"):
            self._write(
                f"Decisions/{mode}.xml",
                "<Decisions>",
                '  <Decision type="Path" name="/etc/base-00/*"/>',
                '  <Group name="zone-a"><Decision type="Package" name="*"/></Group>',
                "</Decisions>",
            )

    def write_data(self) -> None:
        for name in _PROBES:
            self._write(f"Probes/{name}", "#!/bin/sh", f"# the fact {name}", "uname -srm")
        secret = _encrypted("a secret of the site")
        self._write(
            "Properties/site.xml",
            "<Properties>",
            *(f"  <server name='{word(number, 'server')}' port='{8000 + number}'/>" for number in range(5)),
            f'  <password encrypted="site">{secret}</password>',
            "</Properties>",
        )
        self._write(
            "Properties/zones.xml",
            "<Properties>",
            *(
                f'  <Group name="{zone}"><resolver address="10.{number}.0.53"/></Group>'
                for number, zone in enumerate(ZONES)
            ),
            "</Properties>",
        )
        self._write("Properties/ntp.json", '{"servers": ["ntp1.example.net", "ntp2.example.net"], "minimum": 2}')

    def write_packages(self) -> None:
        stanzas = []
        for number, name in enumerate(self._packages):
            depends = f"Depends: lib{number % 10}-{word(number % 10, 'library')}\n" if number % 3 == 0 else ""
            stanzas.append(f"Package: {name}\nVersion: 1.{number}\nArchitecture: amd64\n{depends}\n")
        stanzas += [
            f"Package: lib{number}-{word(number, 'library')}\nVersion: 2\nArchitecture: amd64\n\n"
            for number in range(10)
        ]
        path = self._directory / "apt/dists/stable/main/binary-amd64/Packages.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress("".join(stanzas).encode(), mtime=0))
        self._write(
            "Packages/sources.xml",
            "<Sources>",
            f'  <Group name="debian"><Source type="apt" url="file://{self._directory}/apt" version="stable">'
            "<Component>main</Component><Arch>amd64</Arch></Source></Group>",
            "</Sources>",
        )


def _address(number: int) -> str:
    address = FIRST_ADDRESS + number
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _filler(serial: int, size: int) -> str:
    return configuration_file(f"template {serial}", max(size - 250, 80)).replace("${", "$ {")


def _encrypted(text: str) -> str:
    return crypt.encrypt(text.encode(), PASSPHRASE).decode()


_GENSHI: Sequence[str] = (
    "# Template for ${metadata.hostname}\n"
    "{% for group in sorted(metadata.groups) %}\\\ngroup = ${group}\n{% end %}\\\n",
    "{% for server in metadata.Properties['site.xml'].xdata.findall('server') %}\\\n"
    "server = ${server.get('name')}:${server.get('port')}\n{% end %}\\\n",
    "cores = ${metadata.Probes.get('cpu', 'unknown').splitlines()[0]}\n"
    "{% if 'zone-a' in metadata.groups %}\\\nzone = a\n{% end %}\\\n",
    "{% python\ndef line(number, server):\n    return '%d: %s' % (number, server)\n%}\\\n"
    "{% for number, server in enumerate(metadata.Properties['ntp.json'].json['servers']) %}\\\n"
    "${line(number, server)}\n{% end %}\\\n",
    "{% for resolver in metadata.Properties['zones.xml'].XMLMatch(metadata).findall('resolver') %}\\\n"
    "nameserver ${resolver.get('address')}\n{% end %}\\\n",
    "rack = ${metadata.group_in_category('rack')}\nprofile = ${metadata.profile}\n",
    "{% choose int(metadata.Probes.get('memory', '0')) > 16 %}\\\n"
    "{% when True %}cache = large\n{% end %}{% otherwise %}cache = small\n{% end %}{% end %}\\\n"
    "role = ${metadata.Probes['site-facts'].json['role'] if 'site-facts' in metadata.Probes else 'unknown'}\n",
)
_JINJA: Sequence[str] = (
    "# Template for {{ metadata.hostname }}\n"
    "{% for group in metadata.groups|sort %}\ngroup = {{ group }}\n{% endfor %}\n",
    "{% for server in metadata.Properties['site.xml'].xdata.findall('server') %}\n"
    "server = {{ server.get('name') }}:{{ server.get('port') }}\n{% endfor %}\n",
    "{% if 'zone-a' in metadata.groups %}\nzone = a\n{% else %}\nzone = b\n{% endif %}\n"
    "memory = {{ metadata.Probes.get('memory', '0')|trim }}\n",
    "{% macro line(name) %}\ntime from {{ name }}\n{% endmacro %}\n"
    "{% for name in metadata.Properties['ntp.json'].json.servers %}{{ line(name) }}{% endfor %}\n",
    "{% set resolvers = metadata.Properties['zones.xml'].XMLMatch(metadata).findall('resolver') %}\n"
    "{{ resolvers|length }} resolvers\n",
    "rack = {{ metadata.group_in_category('rack') or 'none' }}\nbundles = {{ metadata.bundles|length }}\n",
    "path = {{ name }}\ngroups = {{ metadata.groups|sort|join(', ') }}\n",
)
