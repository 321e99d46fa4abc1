"""Checking the signatures of package lists with ``gpgv``, which comes with every GnuPG."""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.kinds.base import Verifier

PROGRAM = "gpgv"
#: How long a check may take, in seconds.
CHECK_SECONDS = 60.0
_ARMOR_BEGIN, _ARMOR_END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"


def dearmored(key: bytes) -> bytes:
    """The keys of a file in the binary form, whichever form it has (RFC 9580, 6.2)."""
    if _ARMOR_BEGIN not in key:
        return key
    found = b""
    for block in key.split(_ARMOR_BEGIN)[1:]:
        _, _, body = block.partition(_ARMOR_END)[0].replace(b"\r", b"").partition(b"\n\n")
        # The checksum is a line of its own.
        lines = [line.strip() for line in body.splitlines() if not line.startswith(b"=")]
        try:
            found += base64.b64decode(b"".join(lines), validate=True)
        except binascii.Error as err:
            raise PackageSourceError(f"the key is damaged: {err}") from err
    return found


def verifier(keys: Iterable[bytes]) -> Verifier:
    """A check for signatures by one of some keys, each the content of a file."""
    ring = b"".join(map(dearmored, keys))

    def verify(path: Path, signature: Path | None) -> bytes:
        program = shutil.which(PROGRAM)
        if program is None:
            raise PackageSourceError(
                f"{PROGRAM} is not installed, so the signature of {path.name} cannot be checked; install it, or set "
                "[packages] signatures = ignore"
            )
        with tempfile.TemporaryDirectory() as directory:
            keyring, output = Path(directory, "keyring.gpg"), Path(directory, "content")
            keyring.write_bytes(ring)
            command = [program, "--homedir", directory, "--keyring", str(keyring)]
            command += ["--output", str(output), str(path)] if signature is None else [str(signature), str(path)]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, errors="replace", timeout=CHECK_SECONDS, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as err:
                raise PackageSourceError(f"the signature of {path.name} cannot be checked: {err}") from err
            if done.returncode:
                reason = " ".join(done.stderr.split()).replace("gpgv: ", "")
                raise PackageSourceError(f"the signature of {path.name} is not by a key of the source: {reason}")
            return output.read_bytes() if signature is None else path.read_bytes()

    return verify
