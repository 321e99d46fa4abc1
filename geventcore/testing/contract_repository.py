"""The repository of the contract tests: clients of every kind of authentication, and a little of everything else.

Which client a caller is taken for shows in its configuration: each of `CLIENTS` has an entry ``/client/<name>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

#: Name -> attributes of its element in clients.xml. The addresses are loopback ones that nobody else has.
CLIENTS: Mapping[str, Mapping[str, str]] = {
    "plain": {"uuid": "u-plain", "password": "own of plain", "address": "127.0.0.11"},
    "colons": {"password": "a:b::c"},
    "secure": {"secure": "true", "password": "own of secure", "address": "127.0.0.12"},
    "secure-without": {"secure": "true", "address": "127.0.0.13"},
    "by-certificate": {"auth": "cert", "floating": "true"},
    "at-home": {"auth": "cert", "address": "127.0.0.14"},
    "both": {"auth": "cert+password", "password": "own of both", "address": "127.0.0.15"},
    "bootstrapped": {"auth": "bootstrap", "floating": "true"},
    "twin-a": {"address": "127.0.0.16"},
    "twin-b": {"address": "127.0.0.16"},
    "doomed": {},
    "large": {"profile": "large"},
    "greedy": {"profile": "large"},
}
#: Clients that only make runs.
HOSTS = tuple(f"host{number:03}.example.net" for number in range(200))

#: The content of the large file: with everything around it an answer of some 350 KB.
LARGE_CONTENT = "".join(f"{number:06} abcdefghijklmnopqrstuvwxyz\n" for number in range(10_600))


def write_repository(directory: Path) -> None:
    """Write the repository into `directory`, which must not exist."""
    directory.mkdir()
    for name, text in _texts().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _texts() -> dict[str, str]:
    clients = [
        *(_element("Client", {"name": name, "profile": "basic", **given}) for name, given in CLIENTS.items()),
        *(_element("Client", {"name": name, "profile": "basic"}) for name in HOSTS),
    ]
    identities = [f'  <Client name="{name}"><Path name="/client/{name}"/></Client>' for name in CLIENTS]
    directories = [
        _element("Path", {"type": "directory", "name": name, "owner": "root", "group": "root", "mode": "0755"})
        for name in ("/etc/probed", *(f"/client/{name}" for name in CLIENTS))
    ]
    return {
        "Metadata/clients.xml": "\n".join(["<Clients>", *clients, "</Clients>", ""]),
        "Metadata/groups.xml": """\
<Groups>
  <Group name="basic" profile="true" public="true" default="true">
    <Bundle name="base"/>
    <Bundle name="identity"/>
  </Group>
  <Group name="large" profile="true" public="true">
    <Bundle name="large"/>
    <Bundle name="identity"/>
  </Group>
  <Group name="private" profile="true"/>
  <Group name="probed"/>
</Groups>
""",
        "Bundler/base.xml": """\
<Bundle>
  <Path name="/etc/motd"/>
  <Group name="probed">
    <Path name="/etc/probed"/>
  </Group>
</Bundle>
""",
        "Bundler/identity.xml": "\n".join(["<Bundle>", *identities, "</Bundle>", ""]),
        "Bundler/large.xml": '<Bundle>\n  <Path name="/srv/large"/>\n</Bundle>\n',
        "Rules/rules.xml": "\n".join(['<Rules priority="1">', *directories, "</Rules>", ""]),
        "Cfg/etc/motd/motd": "Welcome é the message of the day\n",
        "Cfg/srv/large/large": LARGE_CONTENT,
        "Decisions/whitelist.xml": '<Decisions>\n  <Decision type="Path" name="/etc/*"/>\n</Decisions>\n',
        "Probes/kernel": "#!/bin/sh\necho group:probed\n",
        "Properties/site.xml": "<Properties/>\n",
    }


def _element(tag: str, attributes: Mapping[str, str]) -> str:
    return f"  <{tag} " + " ".join(f'{name}="{value}"' for name, value in attributes.items()) + "/>"
