"""The encryption and decryption of files of the repository, and of elements of its XML files.

The results are in the server's format. A file of Cfg becomes ``<file>.crypt``. An element of a property file is
replaced in place and gets an attribute with the name of the passphrase. After an error in a file, the others are still
processed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from lxml import etree

from geventcore.cli.command import start_logging
from geventcore.crypt import ENCRYPTION_OPTIONS, EncryptionError, Passphrases, is_encrypted
from geventcore.errors import GeventcoreError, RepositoryError
from geventcore.options import LoadedSettings
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.creation import create_durably

EXTENSION = ".crypt"
_PRIVATE_MODE = 0o600


@dataclass(frozen=True)
class Job:
    """The work to do for each file.

    Attributes:
        passphrases: name -> passphrase from the configuration.
        encoding: encoding of decrypted texts in elements.
        name: name of the passphrase on the command line, or None.
        encrypting: True to encrypt, False to decrypt, None to choose by the contents.
        to_stdout: whether to print the result instead of writing a file.
        remove: whether to remove the encrypted file.
        interactive: whether to ask for each element.
        xpath: selection of elements, or None.
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
        """Return name and passphrase for encryption.

        Raises:
            EncryptionError: the choice is ambiguous, or there is no passphrase.
        """
        names = [self.name] if self.name is not None else list(self.passphrases.by_name)
        if len(names) != 1:
            among = f"one of {', '.join(names)} with -p" if names else "there are none in [encryption]"
            raise EncryptionError(f"name the passphrase: {among}")
        if names[0] not in self.passphrases:
            raise EncryptionError(f"[encryption] has no passphrase {names[0]}")
        return names[0]

    def decrypt(self, data: bytes, name: str | None = None) -> bytes:
        """Decrypt with the passphrase of the command line, else with that of `name`, else with any that fits."""
        name = self.name if self.name is not None else name
        return self.passphrases.decrypt_any(data) if name is None else self.passphrases.decrypt(data, name)

    # -- files of Cfg

    def do_file(self, path: Path) -> None:
        """Encrypt or decrypt a whole file."""
        data = read(path)
        encrypting = not is_encrypted(data) if self.encrypting is None else self.encrypting
        if encrypting:
            if is_encrypted(data):
                raise EncryptionError("the file is encrypted already")
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
                raise EncryptionError(f"not decrypted: {target} exists with other contents; remove it first")
        else:
            write_durably(path, result)

    # -- elements of property files

    def do_elements(self, path: Path) -> None:
        """Encrypt or decrypt elements of an XML file."""
        parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
        try:
            tree = etree.ElementTree(etree.fromstring(read(path), parser))
        except etree.XMLSyntaxError as err:
            raise RepositoryError(f"not well-formed: {err.msg}") from err
        elements = self._elements(tree.getroot())
        encrypted = {element for element in elements if is_encrypted((element.text or "").encode())}
        if self.encrypting is None and encrypted and len(encrypted) < len(elements):
            raise EncryptionError("some elements are encrypted and some are not: pass --encrypt or --decrypt")
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
        """Return the selected elements that have a text."""
        try:
            found = root.xpath(self.xpath or "descendant-or-self::*[@encrypted]")
        except etree.XPathError as err:
            raise RepositoryError(f"--xpath {self.xpath}: {err}") from err
        if not isinstance(found, list) or not all(isinstance(node, etree._Element) for node in found):
            raise RepositoryError(f"--xpath {self.xpath}: no element matches")
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
            raise EncryptionError(
                f"line {element.sourceline}: {element.tag}: XML cannot represent the decrypted text"
            ) from err


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise RepositoryError(f"cannot be read: {err.strerror}") from err


def is_property_file(path: Path) -> bool:
    if path.suffix != ".xml":
        return False
    try:
        return etree.fromstring(read(path), etree.XMLParser(resolve_entities=False)).tag == "Properties"
    except etree.XMLSyntaxError:
        return False


def run_all(
    job: Job,
    files: Sequence[Path],
    properties: bool | None,
    report: Callable[[Path, bool], None] = lambda _path, _is_whole: None,
) -> int:
    """Do the work for each file, and name the files that fail; return the exit status.

    `properties` is true for elements of XML files, false for whole files, None to choose by the contents. `report` is
    called for each file that is done, with true for a whole file.
    """
    failed = 0
    for path in files:
        try:
            is_elements = is_property_file(path) if properties is None else properties
            if is_elements:
                job.do_elements(path)
            else:
                job.do_file(path)
            report(path, not is_elements)
        except (GeventcoreError, OSError) as err:
            failed += 1
            reason = err.strerror or err if isinstance(err, OSError) else err
            click.echo(f"{path}: {reason}", err=True)
    return 1 if failed else 0


def passphrases_of(settings: LoadedSettings) -> Passphrases:
    """Start the log, and return the passphrases of the site.

    Raises:
        ConfigError: a value is wrong.
    """
    start_logging(settings)
    settings.options.add(*ENCRYPTION_OPTIONS)
    settings.check(ENCRYPTION_OPTIONS)
    return Passphrases.of(settings)
