"""What ssh-keygen says of keys."""

from __future__ import annotations

import subprocess
from pathlib import Path


def ssh_keygen_public(private: str, directory: Path, passphrase: str = "") -> str:
    """Type and public key that ssh-keygen finds in a private key; it needs a file for that."""
    path = directory / "some-key"
    path.write_text(private)
    path.chmod(0o600)
    command = ["ssh-keygen", "-y", "-P", passphrase, "-f", str(path)]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[:2])
