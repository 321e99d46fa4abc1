"""A certificate authority as sites have one: an openssl configuration, a serial number and an index."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from geventcore.tls.authority import Authority

CONFIGURATION = """
[ca]
default_ca = site
[site]
dir = {directory}
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir/newcerts
certificate = $dir/ca.crt
private_key = $dir/ca.key
default_md = sha256
default_days = 30
policy = policy
x509_extensions = extensions
copy_extensions = {copy_extensions}
unique_subject = no
[policy]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
emailAddress = optional
[extensions]
basicConstraints = CA:false
extendedKeyUsage = serverAuth
"""


@dataclass(frozen=True)
class OpensslCA:
    """Where it is.

    Attributes:
        config: its openssl configuration.
        certificate: its own certificate, signed by itself.
        directory: serial numbers, the index and the issued certificates.
    """

    config: Path
    certificate: Path
    directory: Path

    @property
    def issued(self) -> list[Path]:
        """The certificates that it has issued."""
        return sorted((self.directory / "newcerts").iterdir())


def make_openssl_ca(directory: Path, passphrase: str | None = None, copy_extensions: str = "copy") -> OpensslCA:
    """A new authority in a directory that does not exist."""
    (directory / "newcerts").mkdir(parents=True)
    authority = Authority.create("The site's CA", "rsa")
    (directory / "ca.crt").write_bytes(authority.certificate_pem)
    (directory / "ca.key").write_bytes(authority.key_pem)
    if passphrase is not None:
        command = ["openssl", "pkey", "-aes256", "-passout", f"pass:{passphrase}"]
        done = subprocess.run(command, input=authority.key_pem, check=True, capture_output=True)
        (directory / "ca.key").write_bytes(done.stdout)
    (directory / "index.txt").touch()
    (directory / "serial").write_text("1000\n")
    config = directory / "openssl.cnf"
    config.write_text(CONFIGURATION.format(directory=directory, copy_extensions=copy_extensions))
    return OpensslCA(config, directory / "ca.crt", directory)
