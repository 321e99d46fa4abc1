"""Every way to name a client, with every proof, from everywhere: the rules of the client that is meant apply.

There is a client for each combination of authentication type, ``secure`` and ``floating``. Each is called for by its
name, its name in upper case, its alias, its uuid, its address and its certificate, with its own password, that of the
site, and none, from its address, another client's and nobody's. What must happen is written down here once more, apart
from the table of the server.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveServer, LiveSite
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import Client

TYPES = ("cert", "bootstrap", "cert+password")
OTHER_ADDRESS, NO_ADDRESS = "127.0.7.200", "127.0.7.201"
NAMINGS = ("name", "UPPER", "alias", "ALIAS", "uuid", "address", "certificate", "certificate of alias")
ANOTHER = "another client"
PROOFS = ("own", "site", "none")
PLACES = ("home", "another client's", "nobody's")


@dataclass(frozen=True)
class Target:
    """A client of the site."""

    number: int
    auth: str
    is_secure: bool
    is_floating: bool

    @property
    def name(self) -> str:
        return f"t{self.number}.example.com"

    @property
    def alias(self) -> str:
        return f"alias{self.number}.example.com"

    @property
    def address(self) -> str:
        return f"127.0.7.{self.number + 1}"

    @property
    def own_password(self) -> str:
        return f"own of {self.number}"

    @property
    def element(self) -> str:
        secure, floating = str(self.is_secure).lower(), str(self.is_floating).lower()
        return (
            f'<Client name="{self.name}" profile="basic" auth="{self.auth}" address="{self.address}" '
            f'uuid="Uuid-{self.number}" password="{self.own_password}" secure="{secure}" floating="{floating}">'
            f'<Alias name="{self.alias}"/></Client>'
        )


TARGETS = [Target(number, *kind) for number, kind in enumerate(itertools.product(TYPES, (False, True), (False, True)))]


def may_pass(target: Target, naming: str, proof: str, place: str) -> bool:
    """What the documentation says."""
    has_certificate = naming.startswith("certificate")
    if naming == "address" and place != "home":
        return False
    if has_certificate and place != "home" and not target.is_floating:
        return False
    fits = proof == "own" or (proof == "site" and not target.is_secure)
    if target.auth == "cert":
        return has_certificate
    if target.auth == "bootstrap":
        return has_certificate or fits
    return fits


def caller(site: LiveSite, target: Target, naming: str, proof: str, place: str) -> Client:
    user = {
        "name": target.name,
        "UPPER": target.name.upper(),
        "alias": target.alias,
        "ALIAS": target.alias.upper(),
        "uuid": f"Uuid-{target.number}",
    }.get(naming, "root")
    certificate = None
    if naming.startswith("certificate"):
        certificate = site.client_certificate(target.alias if naming.endswith("alias") else target.name)
    password = {"own": target.own_password, "site": GLOBAL_PASSWORD, "none": "wrong"}[proof]
    source = {"home": target.address, "another client's": OTHER_ADDRESS, "nobody's": NO_ADDRESS}[place]
    return site.client(user, password, source=source, certificate=certificate)


def identity_of(client: Client) -> str | None:
    """The target whose configuration the caller gets, or another client; None if access is denied."""
    reply = client.exchange(client.request("GetConfig"))
    if reply.status == 401:
        return None
    found = re.findall(r'name="/client/([^"]*)"', reply.value)
    assert len(found) <= 1
    return str(found[0]) if found else ANOTHER


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    site = new_site(plugins=[*PLUGINS, "ACL"])
    clients = site.repository / "Metadata/clients.xml"
    other = f'<Client name="other" profile="basic" address="{OTHER_ADDRESS}"/>'
    elements = "".join(target.element for target in TARGETS)
    clients.write_text(clients.read_text().replace("</Clients>", f"{elements}{other}</Clients>"))
    names = [target.name for target in TARGETS]
    (site.repository / "Bundler/identity.xml").write_text(
        "<Bundle>"
        + "".join(f'<Client name="{name}"><Path name="/client/{name}"/></Client>' for name in names)
        + "</Bundle>"
    )
    (site.repository / "Rules/identity.xml").write_text(
        '<Rules priority="2">'
        + "".join(f'<Path type="directory" name="/client/{name}" mode="0755"/>' for name in names)
        + "</Rules>"
    )
    (site.repository / "ACL").mkdir()
    (site.repository / "ACL/metadata.xml").write_text(
        '<ACL><Allow method="Get*"/><Allow method="AssertProfile"/><Allow method="DeclareVersion"/>'
        '<Allow method="ping"/></ACL>'
    )
    with site.start() as running:
        yield running


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("auth", TYPES)
def test_the_rules_of_the_canonical_client_apply_however_it_is_named(
    server: LiveServer, naming: str, auth: str
) -> None:
    wrong = []
    for target, proof, place in itertools.product(TARGETS, PROOFS, PLACES):
        if target.auth != auth:
            continue
        found = identity_of(caller(server.site, target, naming, proof, place))
        expected = target.name if may_pass(target, naming, proof, place) else None
        if (naming, proof, place) == ("address", "site", "another client's"):
            expected = ANOTHER  # It has that address.
        if found != expected:
            wrong.append((target, proof, place, found))
    assert not wrong


@pytest.mark.parametrize("place", ["home", "another client's", "nobody's"])
@pytest.mark.parametrize("user", ["", " ", "\t"])
def test_an_empty_user_is_nobody(server: LiveServer, user: str, place: str) -> None:
    for target in TARGETS:
        source = {"home": target.address, "another client's": OTHER_ADDRESS, "nobody's": NO_ADDRESS}[place]
        for password in (GLOBAL_PASSWORD, target.own_password):
            assert identity_of(server.site.client(user, password, source=source)) is None


@pytest.mark.parametrize("source", [NO_ADDRESS, "127.0.0.2"])
@pytest.mark.parametrize(
    "user", ["localhost", "LOCALHOST", "localhost.localdomain", "ip6-localhost", "x.localhost", "localhost."]
)
def test_the_name_of_the_server_itself_opens_nothing_from_elsewhere(server: LiveServer, user: str, source: str) -> None:
    for method, arguments in (("get_statistics", ()), ("Metadata.remove_client", ("other",))):
        client = server.site.client(user, source=source)
        assert client.exchange(client.request(method, *arguments)).status == 401
    assert 'name="other"' in (server.site.repository / "Metadata/clients.xml").read_text()


@pytest.mark.parametrize("method", ["get_statistics", "Metadata.list_clients", "set_debug"])
def test_a_registered_name_opens_no_method_either(server: LiveServer, method: str) -> None:
    client = server.site.client("someone", source=NO_ADDRESS)
    assert client.exchange(client.request(method)).status == 401


def test_a_new_client_takes_no_address_from_a_known_one(server: LiveServer) -> None:
    target = next(target for target in TARGETS if target.is_secure and target.auth == "cert+password")
    attacker = server.site.client("attacker", source=target.address)
    attacker.call("AssertProfile", "basic")
    victim = server.site.client("root", target.own_password, source=target.address)
    assert identity_of(victim) == target.name
    text = (server.site.repository / "Metadata/clients.xml").read_text()
    assert re.search('<Client name="attacker"[^>]*>', text)
    assert text.count(f'address="{target.address}"') == 1


def test_one_client_after_the_other_on_one_connection(server: LiveServer) -> None:
    """The server keeps who called from an address and port, and must not mix them up."""
    plain, secure = (
        next(target for target in TARGETS if target.is_secure is is_secure and target.auth == "cert+password")
        for is_secure in (False, True)
    )
    at_home = server.site.client("root", source=plain.address)
    as_root = at_home.with_changes(user="root")
    as_secure = at_home.with_changes(user=secure.name, password=secure.own_password)
    with at_home.connect() as connection:
        for client, expected in ((as_root, plain), (as_secure, secure), (as_root, plain), (as_secure, secure)):
            assert f'"/client/{expected.name}"' in connection.call(client, "GetConfig")
