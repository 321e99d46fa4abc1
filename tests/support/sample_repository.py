"""A small repository that a real client can install, every entry of it, below a directory of the test's choice.

One client, `CLIENT`, known by the address 127.0.0.1 (so its user is `root`). It exercises probes that set groups,
conditionals by group and by host, plain and templated files, base64 content, properties, rules for directories, links
and actions, and decision lists. Owners are this process's user and group, so no run needs to be root.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

CLIENT = "client.example.net"

#: What an install leaves: path below the root -> content.
INSTALLED_FILES: Mapping[str, bytes] = {
    "etc/motd": f"Welcome to {CLIENT} (blue)\n".encode(),
    "etc/issue": "Größe: 10 €\n".encode(),
    "etc/hosts.allow": b"ALL: 192.0.2.0/24\n",
    "etc/probed.conf": b"set by a probe\n",
    "etc/empty": b"",
    # A control character has no place in XML, so this one travels as base64. The 1.3.4 client on Python 3 takes only
    # UTF-8 text in base64, which keeps real binary data out of a repository for all peers.
    "srv/blob": "bell \a, größer\n".encode(),
    "srv/action-ran": b"",
}
#: Directories an install makes: path below the root -> permission bits.
INSTALLED_DIRECTORIES: Mapping[str, int] = {"srv": 0o755, "srv/private": 0o700}
#: Symbolic links an install makes: path below the root -> target.
INSTALLED_LINKS: Mapping[str, str] = {"etc/motd.link": "motd"}
#: A path that an install removes.
REMOVED_FILE = "etc/unwanted"
#: The number of entries in the client's configuration: files, directories, the link, the removed file, the action.
ENTRY_COUNT = len(INSTALLED_FILES) - 1 + len(INSTALLED_DIRECTORIES) + len(INSTALLED_LINKS) + 1 + 1

#: 1.3.4 reads `whitelist`, newer servers read `whitelist.xml`; each ignores the other's file.
_DECISION_SUFFIXES = ("", ".xml")


def write_sample(directory: Path, root: Path) -> None:
    """Write the repository into `directory`, with every entry below the absolute path `root`."""
    owner, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    for name, text in _texts(root, owner, group).items():
        _write(directory / name, text.encode())
    for name, content in _variants(root).items():
        _write(directory / name, content)
    for path in _cfg_paths():
        mode = "0600" if path == "etc/hosts.allow" else "0644"
        encoding = ' encoding="base64"' if path == "srv/blob" else ""
        _write(
            directory / f"Cfg{root}/{path}/info.xml",
            f'<FileInfo><Info owner="{owner}" group="{group}" mode="{mode}"{encoding}/></FileInfo>\n'.encode(),
        )


def _cfg_paths() -> list[str]:
    return [path for path in INSTALLED_FILES if path != "srv/action-ran"]


def _texts(root: Path, owner: str, group: str) -> dict[str, str]:
    """The XML files and the probe."""
    whose = f'owner="{owner}" group="{group}"'
    etc_decision = f'  <Decision type="Path" name="{root}/etc/*"/>\n'
    whitelist = f"<Decisions>\n{etc_decision}</Decisions>\n"
    blacklist = f'<Decisions>\n{etc_decision}  <Decision type="Action" name="*"/>\n</Decisions>\n'
    return {
        "Metadata/clients.xml": f"""\
<Clients>
  <Client name="{CLIENT}" profile="basic" address="127.0.0.1" uuid="c0ffee"/>
</Clients>
""",
        "Metadata/groups.xml": """\
<Groups>
  <Group name="basic" profile="true" public="true" default="true">
    <Bundle name="login"/>
    <Bundle name="storage"/>
    <Group name="blue"/>
  </Group>
  <Group name="other" profile="true" public="true"/>
  <Group name="blue" category="colour"/>
  <Group name="red" category="colour"/>
  <Group name="probed">
    <Bundle name="probed"/>
  </Group>
</Groups>
""",
        "Bundler/login.xml": f"""\
<Bundle>
  <Path name="{root}/etc/motd"/>
  <Path name="{root}/etc/issue"/>
  <Path name="{root}/etc/empty"/>
  <Client name="{CLIENT}">
    <Path name="{root}/etc/hosts.allow"/>
  </Client>
  <Path name="{root}/etc/motd.link"/>
  <Group name="red">
    <Path name="{root}/etc/only-for-red"/>
  </Group>
  <Path name="{root}/{REMOVED_FILE}"/>
</Bundle>
""",
        "Bundler/storage.xml": f"""\
<Bundle>
  <Path name="{root}/srv"/>
  <Path name="{root}/srv/private"/>
  <Path name="{root}/srv/blob"/>
  <Action name="touch"/>
</Bundle>
""",
        "Bundler/probed.xml": f"""\
<Bundle>
  <Path name="{root}/etc/probed.conf"/>
</Bundle>
""",
        "Rules/rules.xml": f"""\
<Rules priority="1">
  <Path type="directory" name="{root}/srv" {whose} mode="0755"/>
  <Path type="directory" name="{root}/srv/private" {whose} mode="0700"/>
  <Path type="symlink" name="{root}/etc/motd.link" to="motd"/>
  <Path type="nonexistent" name="{root}/{REMOVED_FILE}"/>
  <Action name="touch" timing="post" when="modified" command="touch {root}/srv/action-ran" status="check"/>
</Rules>
""",
        **{f"Decisions/whitelist{suffix}": whitelist for suffix in _DECISION_SUFFIXES},
        **{f"Decisions/blacklist{suffix}": blacklist for suffix in _DECISION_SUFFIXES},
        "Properties/site.xml": """\
<Properties>
  <colour>blue</colour>
</Properties>
""",
        "Probes/site": "#!/bin/sh\necho group:probed\necho a value\n",
    }


def _variants(root: Path) -> dict[str, bytes]:
    """The files below Cfg: for each path the right one, among wrong ones."""
    cfg = f"Cfg{root}"
    content = INSTALLED_FILES
    template = "Welcome to ${metadata.hostname} (${metadata.Properties['site.xml'].xdata.find('colour').text})\n"
    return {
        f"{cfg}/etc/motd/motd.genshi": template.encode(),
        f"{cfg}/etc/issue/issue": b"for everyone\n",
        f"{cfg}/etc/issue/issue.G10_blue": content["etc/issue"],
        f"{cfg}/etc/issue/issue.G90_red": b"for others\n",
        f"{cfg}/etc/hosts.allow/hosts.allow": b"for everyone\n",
        f"{cfg}/etc/hosts.allow/hosts.allow.G99_basic": b"for the group\n",
        f"{cfg}/etc/hosts.allow/hosts.allow.H_{CLIENT}": content["etc/hosts.allow"],
        f"{cfg}/etc/probed.conf/probed.conf.G50_probed": content["etc/probed.conf"],
        f"{cfg}/etc/empty/empty": content["etc/empty"],
        f"{cfg}/srv/blob/blob": content["srv/blob"],
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
