"""The command behind the name ``bcfg2-crypt``, with its flags; it chooses the direction by the contents of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from geventcore.cli.command import with_settings
from geventcore.cli.crypt.job import Job, passphrases_of, run_all
from geventcore.options import LoadedSettings
from geventcore.options.server import ENCODING


@click.command("bcfg2-crypt")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--encrypt/--decrypt",
    "encrypting",
    default=None,
    help="The direction. [default: decrypt encrypted files, encrypt others]",
)
@click.option(
    "--properties/--cfg",
    "properties",
    default=None,
    help="Process elements of XML files, or whole files. [default: elements if the root element is Properties]",
)
@click.option("-p", "--passphrase", "name", metavar="NAME", help="The name of the passphrase: a key of [encryption].")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the result, and do not write files.")
@click.option("--remove", is_flag=True, help="Remove each file after its encryption.")
@click.option("-I", "--interactive", is_flag=True, help="Ask before each element.")
@click.option(
    "--xpath", metavar="EXPRESSION", help="Select elements. [default: those with the attribute encrypted, else all]"
)
@with_settings()
def original(
    settings: LoadedSettings,
    files: Sequence[Path],
    encrypting: bool | None,
    properties: bool | None,
    name: str | None,
    to_stdout: bool,
    remove: bool,
    interactive: bool,
    xpath: str | None,
) -> int:
    """Encrypt or decrypt files as bcfg2-crypt does: without a mode, the contents decide.

    A file of Cfg is encrypted to FILE.crypt and decrypted to the file without that extension. In a property file,
    elements are encrypted in place. The passphrases are in the section [encryption]. If there are several, name one for
    encryption. Decryption finds the right one.
    """
    job = Job(passphrases_of(settings), settings[ENCODING], name, encrypting, to_stdout, remove, interactive, xpath)
    return run_all(job, files, properties)
