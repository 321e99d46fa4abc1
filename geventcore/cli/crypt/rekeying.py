"""``geventcore crypt rekey``: a passphrase replaced in the whole repository."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from lxml import etree

from geventcore.cli.command import with_settings
from geventcore.cli.crypt.job import EXTENSION, passphrases_of, read
from geventcore.crypt import EncryptionError, Passphrases, is_encrypted
from geventcore.options import LoadedSettings
from geventcore.options.server import REPOSITORY
from geventcore.repository.durable_writes import write_durably
from geventcore.units import counted


@click.command("rekey")
@click.argument("old")
@click.argument("new")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say which files would change.")
@with_settings()
def rekey(settings: LoadedSettings, old: str, new: str, paths: Sequence[Path], dry_run: bool) -> int:
    """Encrypt everything that the passphrase OLD encrypts with the passphrase NEW.

    Both are names in [encryption]. PATHS are files or directories; none means the repository. Files whose names end
    in .crypt and elements with the attribute encrypted are changed. Everything is decrypted before the first file is
    written, so that a secret that cannot be decrypted leaves all as it is. Remove OLD from [encryption] afterwards.
    """
    phrases = passphrases_of(settings)
    for name in (old, new):
        if name not in phrases:
            raise EncryptionError(f"[encryption] has no passphrase {name}")
    if old == new:
        raise EncryptionError("OLD and NEW are the same passphrase")
    changes: dict[Path, bytes] = {}
    for path in _files(paths or [Path(settings[REPOSITORY])]):
        data = _rekeyed(path, phrases, old, new)
        if data is not None:
            changes[path] = data
    for path, data in changes.items():
        if not dry_run:
            write_durably(path, data)
        click.echo(f"{path}: {'would be encrypted' if dry_run else 'encrypted'} with {new}")
    click.echo(f"{counted(len(changes), 'file')} {'to change' if dry_run else 'changed'}", err=True)
    return 0


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
        for directory, names, files in os.walk(path):
            names[:] = sorted(name for name in names if not name.startswith("."))
            yield from (Path(directory, name) for name in sorted(files) if name.endswith((EXTENSION, ".xml")))


def _rekeyed(path: Path, phrases: Passphrases, old: str, new: str) -> bytes | None:
    """Return the new content of a file, None if it has nothing of the old passphrase."""
    data = read(path)
    if path.name.endswith(EXTENSION):
        try:
            plain = phrases.decrypt(data, old)
        except EncryptionError:
            # Another passphrase must fit, else the file is lost to both.
            try:
                phrases.decrypt_any(data)
            except EncryptionError as err:
                raise EncryptionError(f"{path}: {err}; nothing is changed") from err
            return None
        return phrases.encrypt(plain, new)
    if b"encrypted" not in data:
        return None
    try:
        parser = etree.XMLParser(strip_cdata=False, resolve_entities=False, no_network=True)
        tree = etree.ElementTree(etree.fromstring(data, parser))
    except etree.XMLSyntaxError as err:
        raise EncryptionError(f"{path}: line {err.lineno}: not well-formed: {err.msg}; nothing is changed") from err
    changed = False
    for element in tree.getroot().iter(etree.Element):
        text = (element.text or "").encode()
        if str(element.get("encrypted", "")).lower() != old.lower() or not is_encrypted(text):
            continue
        try:
            element.text = phrases.encrypt(phrases.decrypt(text, old), new).decode()
        except EncryptionError as err:
            raise EncryptionError(f"{path}: line {element.sourceline}: {err}; nothing is changed") from err
        element.set("encrypted", new)
        changed = True
    if not changed:
        return None
    encoding = tree.docinfo.encoding or "UTF-8"
    declared = data.lstrip().startswith(b"<?xml")
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n' if declared else ""
    return f"{head}{etree.tostring(tree, encoding='unicode')}\n".encode(encoding, "xmlcharrefreplace")
