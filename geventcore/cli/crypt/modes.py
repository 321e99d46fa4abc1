"""The commands of ``geventcore crypt`` that work on single files."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from lxml import etree

from geventcore.cli.command import common_flags, with_settings
from geventcore.cli.crypt.job import EXTENSION, Job, is_property_file, passphrases_of, read, run_all
from geventcore.crypt import EncryptionError, Passphrases, is_encrypted
from geventcore.errors import GeventcoreError, RepositoryError
from geventcore.options import LoadedSettings
from geventcore.options.server import ENCODING
from geventcore.repository.durable_writes import write_durably

F = TypeVar("F", bound=Callable[..., Any])

#: A directory in memory, so that plain text never reaches a disk.
_IN_MEMORY = "/dev/shm"


class _Modes(click.Group):
    """A group that explains a file in the place of a command: Bcfg2's program chose the direction by itself."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not ctx.resilient_parsing and os.path.exists(args[0]):
            ctx.fail(f"say what to do with {args[0]}: geventcore crypt encrypt, decrypt or edit {args[0]}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Modes)
@common_flags
def command() -> None:
    """Encrypt, decrypt and edit files of the repository.

    A file of Cfg is encrypted to FILE.crypt. In a property file, elements are encrypted in place. The passphrases are
    in the section [encryption]. If there are several, name one for encryption; decryption finds the right one.
    """


def _file_flags(function: F) -> F:
    """Add the arguments that encryption and decryption share."""
    for option in (
        click.option("--xpath", metavar="EXPRESSION", help="The elements. [default: with encrypted=…, else all]"),
        click.option("-I", "--interactive", is_flag=True, help="Ask before each element."),
        click.option("-p", "--passphrase", "name", metavar="NAME", help="The passphrase: a key of [encryption]."),
        click.option(
            "--properties/--cfg",
            "properties",
            default=None,
            help="Elements of XML files, or whole files. [default: elements if the root is Properties]",
        ),
        click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path)),
    ):
        function = option(function)
    return function


@command.command("encrypt")
@_file_flags
@click.option("--remove", is_flag=True, help="Remove the plain file when the encrypted one is written.")
@click.option("--keep", is_flag=True, help="Leave the plain file beside the encrypted one.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the result, and write nothing.")
@with_settings()
def encrypt(
    settings: LoadedSettings,
    files: Sequence[Path],
    properties: bool | None,
    name: str | None,
    interactive: bool,
    xpath: str | None,
    remove: bool,
    keep: bool,
    to_stdout: bool,
) -> int:
    """Encrypt files, or elements of property files.

    For a file of Cfg, say what becomes of the plain text: --remove or --keep.
    """
    if remove and keep:
        raise click.UsageError("pass --remove or --keep, not both")
    phrases = passphrases_of(settings)
    if not (remove or keep or to_stdout):
        for path in files:
            # What cannot be encrypted at all is told for each file below.
            if not path.is_file() or is_encrypted(read(path)):
                continue
            if not (is_property_file(path) if properties is None else properties):
                raise EncryptionError(
                    f"{path} would stay as plain text beside {path.name}{EXTENSION}: pass --remove or --keep"
                )
    job = Job(phrases, settings[ENCODING], name, True, to_stdout, remove, interactive, xpath)
    return run_all(job, files, properties, _report(to_stdout, "encrypted", remove))


@command.command("decrypt")
@_file_flags
@click.option("--write", is_flag=True, help="Write plain text to the repository instead of printing it.")
@with_settings()
def decrypt(
    settings: LoadedSettings,
    files: Sequence[Path],
    properties: bool | None,
    name: str | None,
    interactive: bool,
    xpath: str | None,
    write: bool,
) -> int:
    """Decrypt files, or elements of property files, and print the result.

    With --write, FILE.crypt is decrypted to FILE beside it, and elements in place.
    """
    job = Job(passphrases_of(settings), settings[ENCODING], name, False, not write, False, interactive, xpath)
    return run_all(job, files, properties, _report(not write, "decrypted", False))


def _report(is_silent: bool, done: str, removed: bool) -> Callable[[Path, bool], None]:
    def report(path: Path, is_whole: bool) -> None:
        if is_silent:
            return
        where = ""
        if is_whole and done == "encrypted":
            where = f" to {path.name}{EXTENSION}" + (", and removed the plain file" if removed else "")
        elif is_whole and path.name.endswith(EXTENSION):
            where = f" to {path.name.removesuffix(EXTENSION)}; it is plain text in the repository"
        click.echo(f"{path}: {done}{where}", err=True)

    return report


@command.command("edit")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-p", "--passphrase", "name", metavar="NAME", help="The passphrase of a new file.")
@with_settings()
def edit(settings: LoadedSettings, file: Path, name: str | None) -> int:
    """Open an encrypted file, or a property file, in an editor, and encrypt it again.

    The editor ($VISUAL, $EDITOR, or vi) gets a temporary file that only you can read, in memory if possible. A file
    that does not exist is made. Nothing is written if the text stays the same.
    """
    phrases = passphrases_of(settings)
    encoding = settings[ENCODING]
    is_new = not file.exists()
    if not is_new and is_property_file(file):
        plain = _decrypted_properties(read(file), phrases, encoding)
        changed = _edited(plain, file.name)
        if changed is None:
            click.echo(f"{file}: not changed", err=True)
            return 0
        write_durably(file, _encrypted_properties(changed, phrases, encoding, str(file)))
    else:
        if not file.name.endswith(EXTENSION):
            raise EncryptionError(f"{file}: the name of an encrypted file ends in {EXTENSION}")
        fitting = name or (None if is_new else _fitting(read(file), phrases))
        job = Job(phrases, encoding, fitting, True, False, False, False, None)
        key = job.passphrase_name()
        changed = _edited(b"" if is_new else phrases.decrypt(read(file), key), file.name.removesuffix(EXTENSION))
        if changed is None:
            click.echo(f"{file}: not changed", err=True)
            return 0
        write_durably(file, phrases.encrypt(changed, key))
    click.echo(f"{file}: encrypted again", err=True)
    return 0


def _fitting(data: bytes, phrases: Passphrases) -> str:
    """Return the name of the passphrase of an encrypted text; `EncryptionError` if none fits."""
    for name in phrases.by_name:
        try:
            phrases.decrypt(data, name)
        except EncryptionError:
            continue
        return name
    phrases.decrypt_any(data)
    raise EncryptionError("no passphrase in [encryption] decrypts it")


def _parsed(data: bytes, name: str) -> etree._ElementTree:
    try:
        parser = etree.XMLParser(strip_cdata=False, resolve_entities=False, no_network=True)
        return etree.ElementTree(etree.fromstring(data, parser))
    except etree.XMLSyntaxError as err:
        raise RepositoryError(f"{name}: line {err.lineno}: not well-formed: {err.msg}") from err


def _decrypted_properties(data: bytes, phrases: Passphrases, encoding: str) -> bytes:
    tree = _parsed(data, "the file")
    for element in tree.getroot().iter(etree.Element):
        text = (element.text or "").encode()
        if element.get("encrypted") and is_encrypted(text):
            element.text = phrases.decrypt(text, str(element.get("encrypted"))).decode(encoding)
    return etree.tostring(tree, encoding="UTF-8")


def _encrypted_properties(data: bytes, phrases: Passphrases, encoding: str, name: str) -> bytes:
    tree = _parsed(data, name)
    for element in tree.getroot().iter(etree.Element):
        text = element.text or ""
        if element.get("encrypted") and text.strip() and not is_encrypted(text.encode()):
            element.text = phrases.encrypt(text.encode(encoding), str(element.get("encrypted"))).decode()
    return etree.tostring(tree, encoding="UTF-8") + b"\n"


def _edited(plain: bytes, name: str) -> bytes | None:
    """Return the text after an editor had it, None if it is the same; `GeventcoreError` if the editor fails."""
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    directory = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="geventcore-", dir=directory) as temporary:
        path = Path(temporary, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(plain)
        try:
            status = subprocess.run([*words, str(path)], check=False).returncode
        except OSError as err:
            raise GeventcoreError(f"cannot start the editor {words[0]}: {err.strerror}; set $EDITOR") from err
        if status:
            raise GeventcoreError(f"the editor ended with status {status}; nothing is changed")
        changed = path.read_bytes()
    return None if changed == plain else changed
