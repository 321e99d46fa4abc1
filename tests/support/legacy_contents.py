"""What a Bcfg2 server has in its database, for tests: said to Bcfg2 1.3.4 itself, which stores it in its own way.

`CONTENTS` is what `tests/peers/launchers/fill_database.py` takes. Times are those of Europe/Berlin.
"""

from __future__ import annotations

import base64
from typing import Any

ZONE = "Europe/Berlin"
#: What Bcfg2 is told to keep of a file, so that one of them is too large.
FILE_LIMIT = "1k"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


DIFFERENCE = "- Grüße\n+ Gruß\n  Ende"
BINARY = "\1" * 9
LARGE = "- x\n" * 300
_DIFFERENCE, _SECRET, _BINARY, _LARGE = map(_encoded, (DIFFERENCE, "- secret", BINARY, LARGE))

#: One entry of each kind, and each way in which a path can differ.
BAD = f"""
<Action name="restart" status="check" rc="3"/>
<Package name="nginx" type="deb" version="1.24-1" current_version="1.22-9"/>
<Package name="vim" type="deb" version="9.0" current_exists="false"/>
<Path name="/etc/motd" type="file" owner="root" group="root" mode="0644" current_owner="daemon" current_group="daemon"
 current_mode="0600" current_bdiff="{_DIFFERENCE}"/>
<Path name="/etc/key" type="file" owner="root" group="root" mode="0600" sensitive="true" current_mode="0644"
 current_bdiff="{_SECRET}"/>
<Path name="/etc/blob" type="file" owner="root" group="root" mode="0644" current_bfile="{_BINARY}"/>
<Path name="/etc/large" type="file" owner="root" group="root" mode="0644" current_bdiff="{_LARGE}"/>
<Path name="/etc/link" type="symlink" to="motd" current_to="issue"/>
<Path name="/etc/gone" type="nonexistent"/>
<Path name="/srv" type="directory" owner="root" group="root" mode="0755" prune="true"><Prune name="/srv/x"
 path="/srv/x"/><Prune name="/srv/y" path="/srv/y"/></Path>
<Service name="nginx" type="deb" status="on" current_status="off"/>
<SEBoolean name="httpd_can_sendmail" value="on"/>
<SEPort name="tcp/8080" selinuxtype="http_port_t" current_selinuxtype="other_port_t"/>
<SEFcontext name="/srv(/.*)?" selinuxtype="srv_t" filetype="all" current_selinuxtype="tmp_t"/>
<SENode name="192.0.2.0/24" selinuxtype="node_t" proto="ipv4"/>
<SELogin name="alice" selinuxuser="staff_u" current_selinuxuser="user_u"/>
<SEUser name="staff_u" roles="staff_r" prefix="user" current_roles="user_r" current_prefix="user"/>
<SEInterface name="eth0" selinuxtype="netif_t" current_selinuxtype="other_t"/>
<SEPermissive name="httpd_t"/>
<SEModule name="foo" disabled="false" current_disabled="true"/>
<POSIXUser name="alice" uid="1000" group="users" gecos="Alice" home="/home/alice" shell="/bin/sh" current_uid="1001"
 current_shell="/bin/zsh"/>
<POSIXGroup name="users" gid="100" current_gid="101"/>
<Path name="/etc/unbound" failure="no generator for it"/>
"""
MODIFIED = '<Service name="cron" status="on" current_status="off"/>'
EXTRA = """
<Package name="telnetd" type="deb" current_version="0.17"><Instance version="0.17" release="5" arch="amd64"/></Package>
<Service name="rpcbind" status="off" current_status="on"/>
"""


def statistics(
    time: str, *, bad: str = "", modified: str = "", extra: str = "", state: str = "dirty", start: float | None = None
) -> str:
    """An element as the server of Bcfg2 hands it on; `time` is that of its own clock."""
    stamps = "" if start is None else f'<OpStamps start="{start}" inventory="{start + 1.5}" finished="{start + 4.25}"/>'
    return (
        f'<Statistics total="30" good="7" version="2.0" revision="r42" state="{state}" time="{time}">'
        f"<Bad>{bad}</Bad><Modified>{modified}</Modified><Extra>{extra}</Extra>{stamps}</Statistics>"
    )


def _report(client: str, stats: str, groups: tuple[str, ...] = ("blue", "debian")) -> dict[str, Any]:
    metadata = {"server": "bcfg2.example.net", "profile": "web", "groups": list(groups), "bundles": ["base", "nginx"]}
    return {"hostname": client, "metadata": metadata, "stats": stats}


CONTENTS: dict[str, Any] = {
    "clients": [["alpha.example.net", "1.3.4"], ["beta.example.net", None], ["Gamma.example.net", "1.3.3"]],
    "probes": [
        ["alpha.example.net", "arch", "x86_64\n"],
        ["alpha.example.net", "motd", "Grüße\n"],
        ["beta.example.net", "arch", "aarch64\n"],
    ],
    "probe_groups": [["alpha.example.net", "zone-b"], ["alpha.example.net", "arch-x"], ["delta.example.net", "lonely"]],
    "reports": [
        _report(
            "alpha.example.net",
            # 2014-03-01 12:00:00 UTC
            statistics("Sat Mar  1 13:00:00 2014", bad=BAD, modified=MODIFIED, extra=EXTRA, start=1393675190.125),
        ),
        _report("alpha.example.net", statistics("Sat Mar  1 13:30:00 2014", bad=BAD, start=1393676990.0)),
        _report("alpha.example.net", statistics("Sat Mar  1 14:00:00 2014", state="clean", start=1393678790.0)),
        # The hour that the clock shows twice: 01:15 UTC is its second 02:15, of which the client's clock knows.
        _report("beta.example.net", statistics("Sun Oct 26 02:15:00 2014", state="clean", start=1414286090.0)),
        _report("Gamma.example.net", statistics("Tue Jul  1 10:00:00 2014", state="clean"), groups=()),
    ],
    "expired": ["Gamma.example.net"],
}
