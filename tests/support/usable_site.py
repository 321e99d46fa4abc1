"""What a configuration needs so that a server starts with it: a repository, a certificate, a key and a password."""

from __future__ import annotations

from pathlib import Path

from geventcore.tls.authority import Authority, write_private
from tests.support.plugin_context import METADATA, write_files


def communication_section(directory: Path) -> str:
    """Write a certificate and a key; return the section that names them."""
    server = Authority.create("Test CA").issue("localhost", dns_names=["localhost"], server=True)
    (directory / "server.crt").write_bytes(server.certificate_pem)
    write_private(directory / "server.key", server.key_pem)
    return f"[communication]\ncertificate = {directory}/server.crt\nkey = {directory}/server.key\npassword = secret\n"


def usable_sections(directory: Path) -> str:
    """Write a repository, a certificate and a key; return the configuration, which ends in the section ``[server]``."""
    write_files(directory / "repository", METADATA)
    return f"{communication_section(directory)}[server]\nrepository = {directory}/repository\n"
