"""``geventcore init``: create a new site, ready to be served.

The site is created in a temporary directory beside its place and renamed at the end. So a failure leaves nothing
behind.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click

from geventcore import sample_site
from geventcore.errors import ConfigError
from geventcore.options.types import DEFAULT_PORT
from geventcore.tls.authority import Authority, write_private

SERVER_CONFIGURATION = "bcfg2.conf"
CLIENT_CONFIGURATION = "client-bcfg2.conf"

#: The length of random passwords in bytes. 24 bytes are 32 letters: impossible to guess, and short enough to copy.
_PASSWORD_BYTES = 24
_PASSWORD = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class SiteAddress:
    """The addresses of a site's server.

    Attributes:
        hostname: name that clients connect to, also in the server's certificate.
        host, port: address to listen on; an IPv6 address without brackets.
    """

    hostname: str
    host: str
    port: int

    @classmethod
    def parse(cls, hostname: str | None, address: str | None) -> SiteAddress:
        """Parse the flags of the command line.

        Raises:
            ConfigError: a value is wrong.
        """
        if address is None:
            hostname = hostname or "localhost"
            host, port = hostname, DEFAULT_PORT
        else:
            try:
                parts = urlsplit(f"//{address}")
                host, port = parts.hostname or "", DEFAULT_PORT if parts.port is None else parts.port
            except ValueError as err:
                raise ConfigError(f"cannot listen on {address!r}: {err}") from err
            if not host or not port or parts.netloc != address or "@" in address:
                raise ConfigError(f"cannot listen on {address!r}: expected HOST:PORT")
        ip = _ip(host)
        if hostname is None and ip is not None and (ip.is_unspecified or isinstance(ip, IPv6Address)):
            raise ConfigError(f"clients cannot connect to the address {host}: pass the server's name, too (--hostname)")
        hostname = hostname or host
        # In the client's list of names (serverCommonNames), the separator is a colon.
        if not re.fullmatch(r"[A-Za-z0-9._-]+", hostname):
            raise ConfigError(f"invalid host name {hostname!r}: expected letters, digits, dots and hyphens")
        return cls(hostname, host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def create_site(directory: Path, address: SiteAddress, password: str | None = None) -> None:
    """Make a site in `directory`, which must not exist; without a password a random one is taken.

    Raises `GeventcoreError` if that cannot be done; then nothing is left behind.
    """
    if password is None:
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
    elif not _PASSWORD.fullmatch(password):
        raise ConfigError("the password has characters that some clients cannot send: expected ASCII without blanks")
    directory = Path(os.path.abspath(directory))
    if os.path.lexists(directory):
        raise ConfigError(f"{directory} exists already and is not overwritten")
    if not str(directory).isprintable():
        raise ConfigError(f"{str(directory)!r}: a configuration file cannot contain this path")
    try:
        # Only the owner may read it: it contains keys, the password and the repository.
        temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as err:
        raise ConfigError(f"cannot create {directory}: {err.strerror}") from err
    try:
        _fill(temporary, directory, address, password)
        os.rename(temporary, directory)
    except BaseException as err:
        shutil.rmtree(temporary)
        if isinstance(err, OSError):
            reason = (
                "it exists already" if err.errno in (errno.ENOTEMPTY, errno.ENOTDIR, errno.EEXIST) else err.strerror
            )
            raise ConfigError(f"cannot create {directory}: {reason}") from err
        raise


def _fill(temporary: Path, directory: Path, address: SiteAddress, password: str) -> None:
    """Write the files to `temporary`; `directory` is their final place."""
    sample_site.copy_repository(temporary / "repository")
    (temporary / "state").mkdir()
    _make_certificates(temporary / "tls", address)
    values = {
        "directory": str(directory),
        "repository": str(directory / "repository"),
        "plugins": ", ".join(sample_site.PLUGINS),
        "address": str(address),
        "hostname": address.hostname,
        "port": str(address.port),
        "password": password,
    }
    for name in (SERVER_CONFIGURATION, CLIENT_CONFIGURATION):
        write_private(temporary / name, sample_site.configuration(name, **values).encode())


def _make_certificates(directory: Path, address: SiteAddress) -> None:
    names = {address.hostname, address.host, "localhost"}
    ips = {"127.0.0.1", "::1"}
    for name in list(names):
        ip = _ip(name)
        if ip is not None:
            names.remove(name)
            if not ip.is_unspecified:
                ips.add(str(ip))
    authority = Authority.create(f"geventcore CA of {address.hostname}"[:64])
    server = authority.issue(address.hostname, dns_names=sorted(names), ip_addresses=sorted(ips), server=True)
    directory.mkdir()
    (directory / "ca.crt").write_bytes(authority.certificate_pem)
    (directory / "server.crt").write_bytes(server.certificate_pem)
    write_private(directory / "ca.key", authority.key_pem)
    write_private(directory / "server.key", server.key_pem)


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--hostname", metavar="NAME", help="The server's name for clients.  [default: the host in --address]")
@click.option("--address", metavar="HOST:PORT", help=f"Address to listen on.  [default: localhost:{DEFAULT_PORT}]")
@click.option("--password", help="The password that all clients share.  [default: a random one]")
def command(directory: Path, hostname: str | None, address: str | None, password: str | None) -> None:
    """Create a new site in DIRECTORY, which must not exist.

    The site has a small documented repository, a certificate authority, the server's certificate, and configuration
    files for the server and for clients.
    """
    create_site(directory, SiteAddress.parse(hostname, address), password)
    server, client = (shlex.quote(str(directory / name)) for name in (SERVER_CONFIGURATION, CLIENT_CONFIGURATION))
    click.echo(
        f"""Created a new site in {directory}:

  {SERVER_CONFIGURATION:18} the server's configuration, with the clients' password
  {CLIENT_CONFIGURATION:18} a client's configuration, to copy to clients
  {"repository":18} the repository; start with its README
  {"tls":18} the certificate authority and the server's certificate

Start the server:
  geventcore server -C {server}

Test it with simulated clients:
  geventcore simulate -C {client} --clients 10
"""
    )
