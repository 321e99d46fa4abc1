"""The site's certificate authorities: the sections ``[sslca_<name>]``.

``openssl ca`` signs certificates, with the site's own configuration of the authority. That file sets more than the key:
extensions, the policy on names, serial numbers, the index for revocation, keys in hardware. Only openssl itself
supports all of it. It does not lock its index against a second openssl, so the processes of this server sign one
certificate at a time.
"""

from __future__ import annotations

import fcntl
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509

from geventcore.errors import PluginExecutionError, TLSError
from geventcore.options import Option, Settings, types
from geventcore.plugin.programs import run_program
from geventcore.regular_files import read_file
from geventcore.specfiles.creation import PathLocks
from geventcore.tls.authority import has_issued
from geventcore.tls.pem import read_certificates

#: The timeout for signing, and for waiting until another process has signed, in seconds.
SIGN_SECONDS = 30.0
_POLL_SECONDS = 0.05
#: The limit on certificates between one and its root. A longer chain counts as a cycle.
_MAX_CHAIN = 10
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)

_locks = PathLocks()


@dataclass(frozen=True)
class CertificateAuthority:
    """A certificate authority of the site.

    Attributes:
        name: its name in ``sslcert.xml``.
        config: its openssl configuration file; None if it cannot sign.
        passphrase: the passphrase of its key, or None.
        chaincert: the file with its certificate and those above it, or None.
        is_root: true if the chain in that file ends with a root.
    """

    name: str
    config: Path | None
    passphrase: str | None
    chaincert: Path | None
    is_root: bool

    @classmethod
    def of(cls, settings: Settings, name: str) -> CertificateAuthority:
        """Return the authority `name`; `ConfigError` if its options are invalid."""
        section = f"sslca_{name}"
        return cls(
            name,
            settings[
                Option(section, "config", types.OPTIONAL_PATH, None, "The openssl configuration of this authority.")
            ],
            settings[
                Option(
                    section, "passphrase", types.OPTIONAL_STRING, None, "The passphrase of the CA's key.", secret=True
                )
            ],
            settings[
                Option(
                    section, "chaincert", types.OPTIONAL_PATH, None, "The certificates of the CA and those above it."
                )
            ],
            settings[Option(section, "root_ca", types.BOOLEAN, False, "The chaincert ends with a root certificate.")],
        )

    def sign(self, request: bytes, days: int) -> bytes:
        """Sign a request; both are in PEM. `PluginExecutionError`, in one line, if signing fails."""
        if self.config is None:
            raise PluginExecutionError(
                f"[sslca_{self.name}] has no option config, which is required to sign certificates"
            )
        with tempfile.TemporaryDirectory(prefix="geventcore-") as directory, self._alone(self.config):
            request_file = Path(directory, "request.pem")
            request_file.write_bytes(request)
            command = ["openssl", "ca", "-config", str(self.config), "-in", str(request_file)]
            command += ["-days", str(days), "-batch", "-notext"]
            if self.passphrase is not None:
                # Other users can read a command line or an environment, but not this directory.
                passphrase_file = Path(directory, "passphrase")
                passphrase_file.write_text(f"{self.passphrase}\n")
                command += ["-passin", f"file:{passphrase_file}"]
            output = run_program(command, SIGN_SECONDS)
        found = _CERTIFICATE.search(output)
        if found is None:
            raise PluginExecutionError(f"openssl ca with {self.config} printed no certificate")
        return found[0]

    @contextmanager
    def _alone(self, config: Path) -> Iterator[None]:
        with _locks.hold(config):
            try:
                stream = config.open("rb")
            except OSError as err:
                raise PluginExecutionError(f"[sslca_{self.name}] config = {config}: {err.strerror}") from err
            with stream:
                deadline = time.monotonic() + SIGN_SECONDS
                while True:
                    try:
                        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        # A blocking lock would stop every greenlet of this process.
                        if time.monotonic() > deadline:
                            raise PluginExecutionError(
                                f"{config}: timeout after {SIGN_SECONDS:g} seconds: another process is signing with it"
                            ) from None
                        time.sleep(_POLL_SECONDS)
                yield

    def chain(self) -> bytes:
        """Return the content of ``chaincert``, to append to certificates; `PluginExecutionError` if there is none."""
        if self.chaincert is None:
            raise PluginExecutionError(f"[sslca_{self.name}] has no option chaincert, which append_chain requires")
        try:
            return read_file(self.chaincert)
        except OSError as err:
            raise PluginExecutionError(f"{self.chaincert}: cannot be read: {err.strerror}") from err

    def check(self, certificates: Sequence[x509.Certificate]) -> None:
        """Check that the first certificate is valid now and was issued by this authority.

        The others may be intermediates. `PluginExecutionError` if the check fails, or if ``chaincert`` is not usable.
        """
        if self.chaincert is None:
            raise PluginExecutionError(
                f"[sslca_{self.name}] has no option chaincert, which is required to check certificates"
            )
        try:
            trusted = read_certificates("chaincert", self.chaincert)
        except TLSError as err:
            raise PluginExecutionError(str(err)) from err
        current = certificates[0]
        _check_validity(current)
        for _ in range(_MAX_CHAIN):
            issuer = _issuer(current, trusted)
            if issuer is not None and (not self.is_root or _is_root(issuer)):
                _check_validity(issuer)
                return
            issuer = issuer or _issuer(current, certificates[1:])
            if issuer is None or issuer == current:
                break
            _check_validity(issuer)
            current = issuer
        raise PluginExecutionError(f"the certificate was not issued by an authority in {self.chaincert}")


def _issuer(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> x509.Certificate | None:
    return next((found for found in authorities if _may_issue(found) and has_issued(found, certificate)), None)


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        # Old root certificates have no extensions.
        return certificate.version is x509.Version.v1
    except ValueError:
        return False


def _is_root(certificate: x509.Certificate) -> bool:
    return has_issued(certificate, certificate)


def _check_validity(certificate: x509.Certificate) -> None:
    now = datetime.now(timezone.utc)
    subject = certificate.subject.rfc4514_string()
    if now > certificate.not_valid_after_utc:
        raise PluginExecutionError(f"the certificate {subject} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if now < certificate.not_valid_before_utc:
        raise PluginExecutionError(
            f"the certificate {subject} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        )
