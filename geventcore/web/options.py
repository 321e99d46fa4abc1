"""The options of the web pages."""

from __future__ import annotations

import ipaddress
from typing import Any

from geventcore.options import Option, types
from geventcore.options.listen_address import ListenAddress, parse_address


class WebAddressesType(types.ValueType[tuple[ListenAddress, ...]]):
    """Addresses with commas between them."""

    accepts = "addresses such as 127.0.0.1:6780, [::]:6780 or unix:/run/geventcore/web.sock"
    metavar = "ADDRESSES"

    def parse(self, text: str) -> tuple[ListenAddress, ...]:
        found = tuple(parse_address(item.strip()) for item in text.split(",") if item.strip())
        if not found:
            raise ValueError("no address")
        return found

    def format(self, value: Any) -> str:
        return ", ".join(map(str, value))


class NetworksType(types.ValueType[tuple[Any, ...]]):
    """Networks with commas between them."""

    accepts = "IP addresses or networks with commas between them, such as 127.0.0.1, 10.0.0.0/8"
    metavar = "NETWORKS"

    def parse(self, text: str) -> tuple[Any, ...]:
        try:
            return tuple(ipaddress.ip_network(item.strip()) for item in text.split(",") if item.strip())
        except ValueError as err:
            raise ValueError(str(err)) from None

    def format(self, value: Any) -> str:
        return ", ".join(map(str, value))


LISTEN: Option[tuple[ListenAddress, ...]] = Option(
    "web",
    "listen",
    WebAddressesType(),
    (ListenAddress(host="127.0.0.1", port=6782),),
    "The addresses of the web pages.\n\n"
    "Loopback addresses and UNIX sockets need no password, because only users of this machine reach them. "
    "Any other address needs [web] users_file with a user ('geventcore web user add') or [web] proxy_header, and uses "
    "TLS with the server's certificate unless [web] tls = no.",
    flags=("--listen",),
    at_start=True,
)
LOGIN = Option(
    "web",
    "login",
    types.choice("auto", "always"),
    "auto",
    "Whether local callers need a password, too: always, or (auto) only callers from other machines.",
    at_start=True,
)
TLS = Option(
    "web",
    "tls",
    types.choice("auto", "no", "yes"),
    "auto",
    "Whether the pages use TLS, with [communication] certificate and key. With auto, TCP ports that other machines "
    "reach do. Choose no if a proxy in front uses TLS.",
    at_start=True,
)
HOSTS: Option[tuple[str, ...]] = Option(
    "web",
    "hosts",
    types.ListType(",", "host names and addresses with commas between them"),
    (),
    "Further names by which browsers ask for the pages, such as ``reports.example.com``. Requests for other names are "
    "refused (status 421), so that no page of another site reads these pages under a name of its own. The address that "
    "receives the request, localhost, and the name of this machine are always accepted.",
    at_start=True,
)
USERS_FILE = Option(
    "web",
    "users_file",
    types.PATH,
    "<state>/etc/web-users",
    "The file of users and their passwords, hashed with Argon2. 'geventcore web user' changes it.",
)
SECRET_FILE = Option(
    "web",
    "secret_file",
    types.PATH,
    "<state>/etc/web-secret",
    "The file with the key that signs sessions. It is made at the first start that needs it. Removing it ends all "
    "sessions at the next start.",
    at_start=True,
)
SESSION_HOURS = Option(
    "web", "session_hours", types.integer(1, 720), 12, "How long a session lasts, in hours.", at_start=True
)
PROXY_HEADER = Option(
    "web",
    "proxy_header",
    types.OPTIONAL_STRING,
    None,
    "The header in which a proxy names the user that it has authenticated, such as X-Remote-User.\n\n"
    "It counts only in requests from [web] trusted_proxies. The proxy must remove the header from the requests that it "
    "receives.",
    at_start=True,
)
TRUSTED_PROXIES: Option[tuple[Any, ...]] = Option(
    "web",
    "trusted_proxies",
    NetworksType(),
    (),
    "The addresses of proxies that may name the user with [web] proxy_header. They count as proxies on UNIX sockets, "
    "too, if there is at least one address.",
    at_start=True,
)
HIDDEN_PROBES: Option[tuple[str, ...]] = Option(
    "web",
    "hidden_probes",
    types.ListType(",", "names of probes with commas between them; wildcards are allowed"),
    ("*password*", "*secret*", "*token*", "*private*", "*key*"),
    "The probes whose results the pages hide.",
)
SERVERS: Option[tuple[str, ...]] = Option(
    "web",
    "servers",
    types.ListType(",", "addresses of admin listeners with commas between them"),
    (),
    "The admin listeners that the page about running servers asks, such as 10.0.0.5:6780. The default is that of this "
    "machine, see [admin] listen.",
    at_start=True,
)
PAGE_SIZE = Option("web", "page_size", types.integer(10, 1000), 50, "The number of rows on a page.")

WEB_OPTIONS: tuple[Option[Any], ...] = (
    *(LISTEN, LOGIN, TLS, HOSTS, USERS_FILE, SECRET_FILE, SESSION_HOURS, PROXY_HEADER, TRUSTED_PROXIES),
    *(HIDDEN_PROBES, SERVERS, PAGE_SIZE),
)
