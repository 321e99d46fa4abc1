"""``geventcore crypt``: encrypt and decrypt files of the repository, and elements of its XML files.

What is written is what the server reads: a file of Cfg becomes ``<file>.crypt``, an element of a property file keeps
its place and gets an attribute with the name of the passphrase. A file that fails is reported, and the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from lxml import etree

from geventcore.cli.common import start_logging, with_settings
from geventcore.crypt import ENCRYPTION_OPTIONS, EncryptionError, Passphrases, is_encrypted
from geventcore.errors import GeventcoreError, RepositoryError
from geventcore.options import LoadedSettings
from geventcore.options.common import ENCODING
from geventcore.specfiles.creation import create_durably
from geventcore.specfiles.durable import write_durably

EXTENSION = ".crypt"
_PRIVATE_MODE = 0o600


@dataclass(frozen=True)
class Job:
    """What is to be done to each file.

    Attributes:
        passphrases: those of the configuration.
        encoding: that of the texts in elements once they are decrypted.
        name: the passphrase that is named on the command line, or None.
        encrypting: True to encrypt, False to decrypt, None for whichever there is to do.
        to_stdout: whether to print the result and write nothing.
        remove: whether to remove the file that was encrypted.
        interactive: whether to ask for each element.
        xpath: which elements, or None.
    """

    passphrases: Passphrases
    encoding: str
    name: str | None
    encrypting: bool | None
    to_stdout: bool
    remove: bool
    interactive: bool
    xpath: str | None

    def passphrase_name(self) -> str:
        """The passphrase to encrypt with; `EncryptionError` if it is not clear which."""
        names = [self.name] if self.name is not None else list(self.passphrases.by_name)
        if len(names) != 1:
            among = f"one of {', '.join(names)} with -p" if names else "there are none in [encryption]"
            raise EncryptionError(f"which passphrase is meant? {among}")
        if names[0] not in self.passphrases:
            raise EncryptionError(f"[encryption] has no passphrase {names[0]}")
        return names[0]

    def decrypt(self, data: bytes, name: str | None = None) -> bytes:
        """Decrypt with the passphrase of the command line, or else that of `name`, or else whichever fits."""
        name = self.name if self.name is not None else name
        return self.passphrases.decrypt_any(data) if name is None else self.passphrases.decrypt(data, name)

    # -- files of Cfg

    def do_file(self, path: Path) -> None:
        """Encrypt or decrypt a whole file."""
        data = _read(path)
        encrypting = not is_encrypted(data) if self.encrypting is None else self.encrypting
        if encrypting:
            if is_encrypted(data):
                raise EncryptionError("it is encrypted already")
            result = self.passphrases.encrypt(data, self.passphrase_name())
        else:
            result = self.decrypt(data)
        if self.to_stdout:
            click.echo(result, nl=False)
        elif encrypting:
            write_durably(path.with_name(path.name + EXTENSION), result)
            if self.remove:
                path.unlink()
        elif path.name.endswith(EXTENSION):
            target = path.with_name(path.name.removesuffix(EXTENSION))
            if create_durably(target, result, _PRIVATE_MODE) != result:
                raise EncryptionError(f"not decrypted: {target} exists and is not the same; remove it first")
        else:
            write_durably(path, result)

    # -- elements of property files

    def do_elements(self, path: Path) -> None:
        """Encrypt or decrypt elements of an XML file."""
        parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
        try:
            tree = etree.ElementTree(etree.fromstring(_read(path), parser))
        except etree.XMLSyntaxError as err:
            raise RepositoryError(f"not well-formed: {err.msg}") from err
        elements = self._elements(tree.getroot())
        encrypted = {element for element in elements if is_encrypted((element.text or "").encode())}
        if self.encrypting is None and encrypted and len(encrypted) < len(elements):
            raise EncryptionError("some elements are encrypted and some are not: say --encrypt or --decrypt")
        encrypting = not encrypted if self.encrypting is None else self.encrypting
        for element in elements:
            if (element in encrypted) == encrypting:
                continue
            if self.interactive and not click.confirm(
                f"{'Encrypt' if encrypting else 'Decrypt'} {tree.getpath(element)}?", err=True
            ):
                continue
            self._do_element(element, encrypting)
        document = etree.tostring(tree, pretty_print=True, encoding="UTF-8", xml_declaration=False)
        if self.to_stdout:
            click.echo(document, nl=False)
        else:
            write_durably(path, document)

    def _elements(self, root: etree._Element) -> list[etree._Element]:
        """Those that are meant and have a text."""
        try:
            found = root.xpath(self.xpath or "descendant-or-self::*[@encrypted]")
        except etree.XPathError as err:
            raise RepositoryError(f"--xpath {self.xpath}: {err}") from err
        if not isinstance(found, list) or not all(isinstance(node, etree._Element) for node in found):
            raise RepositoryError(f"--xpath {self.xpath}: this finds no elements")
        if not found and self.xpath is None:
            found = list(root.iter(etree.Element))
        elements = [node for node in found if isinstance(node, etree._Element) and (node.text or "").strip()]
        if not elements:
            raise RepositoryError("there are no elements with text to encrypt or decrypt")
        return elements

    def _do_element(self, element: etree._Element, encrypting: bool) -> None:
        text = element.text or ""
        given = element.get("encrypted", "")
        known = given if given in self.passphrases else None
        if encrypting:
            name = known if known is not None and self.name is None else self.passphrase_name()
            element.set("encrypted", name)
            element.text = self.passphrases.encrypt(text.encode(self.encoding), name).decode()
            return
        try:
            element.text = self.decrypt(text.encode(), known).decode(self.encoding)
        except ValueError as err:
            raise EncryptionError(f"line {element.sourceline}: {element.tag}: XML cannot hold what is in it") from err


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise RepositoryError(f"cannot be read: {err.strerror}") from err


def _is_property_file(path: Path) -> bool:
    if path.suffix != ".xml":
        return False
    try:
        return etree.fromstring(_read(path), etree.XMLParser(resolve_entities=False)).tag == "Properties"
    except etree.XMLSyntaxError:
        return False


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--encrypt/--decrypt", "encrypting", default=None, help="Which. [default: decrypt what is encrypted]")
@click.option(
    "--properties/--cfg",
    "properties",
    default=None,
    help="Elements of XML files, or whole files. [default: elements if the root element is Properties]",
)
@click.option("-p", "--passphrase", "name", metavar="NAME", help="The name of the passphrase: a key of [encryption].")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the result, and leave all files as they are.")
@click.option("--remove", is_flag=True, help="Remove each file once it is encrypted.")
@click.option("-I", "--interactive", is_flag=True, help="Ask before each element.")
@click.option("--xpath", metavar="EXPRESSION", help="Which elements. [default: those with encrypted, or else all]")
@with_settings()
def command(
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
    """Encrypt or decrypt files of the repository.

    A file of Cfg is encrypted into FILE.crypt and decrypted into the file without that extension. In a property file
    elements are encrypted where they stand. The passphrases are in the section [encryption]; with several of them, say
    which one to encrypt with. To decrypt, the one that fits is found.
    """
    start_logging(settings)
    settings.options.add(*ENCRYPTION_OPTIONS)
    settings.check(ENCRYPTION_OPTIONS)
    job = Job(Passphrases.of(settings), settings[ENCODING], name, encrypting, to_stdout, remove, interactive, xpath)
    failed = 0
    for path in files:
        try:
            if _is_property_file(path) if properties is None else properties:
                job.do_elements(path)
            else:
                job.do_file(path)
        except (GeventcoreError, OSError) as err:
            failed += 1
            reason = err.strerror or err if isinstance(err, OSError) else err
            click.echo(f"{path}: {reason}", err=True)
    return 1 if failed else 0
