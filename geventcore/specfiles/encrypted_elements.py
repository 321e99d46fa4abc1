"""Encrypted texts in XML files: ``<password encrypted="name">U2FsdGVkX1…</password>``.

The attribute names a passphrase of ``[encryption]``. The text is decrypted when the file is loaded, or for a template
when it is rendered; the attribute stays. Elements without text are skipped. If a text cannot be decrypted, the file is
not used. With lax decryption (``lax_decryption="true"`` at the root element, else ``[encryption] lax_decryption``) the
text stays encrypted instead.
"""

from __future__ import annotations

import logging
from pathlib import Path

from lxml import etree

from geventcore.crypt import EncryptionError, Passphrases, is_encrypted
from geventcore.errors import RepositoryError
from geventcore.options import Settings
from geventcore.specfiles.xmltext import decode_text

log = logging.getLogger(__name__)

_ENCRYPTED = etree.XPath("descendant-or-self::*[@encrypted]")


def _elements(root: etree._Element) -> list[etree._Element]:
    found = _ENCRYPTED(root)
    assert isinstance(found, list)
    return [element for element in found if isinstance(element, etree._Element) and (element.text or "").strip()]


def decrypt_elements(
    root: etree._Element, path: Path, settings: Settings, encoding: str, *, skip_plain: bool = False
) -> None:
    """Decrypt the encrypted texts in the tree of file `path`, in place.

    `RepositoryError` names file, line, element and passphrase. With `skip_plain`, texts that are not in the encrypted
    format are skipped: in the source of a template they may be expressions.
    """
    elements = _elements(root)
    if not elements:
        return
    passphrases = Passphrases.of(settings)
    lax = root.get("lax_decryption", str(passphrases.lax)).lower() == "true"
    for element in elements:
        data = (element.text or "").encode()
        if skip_plain and not is_encrypted(data):
            continue
        name = element.get("encrypted", "")
        where = f"{path}: line {element.sourceline}: {element.tag}"
        try:
            try:
                plain = passphrases.decrypt(data, name)
            except EncryptionError as err:
                raise RepositoryError(f"{where}: cannot be decrypted: {err}") from err
            element.text = decode_text(plain, encoding, f'{where} encrypted="{name}"')
        except RepositoryError as err:
            if not lax:
                raise
            log.debug("%s; the text stays encrypted", err)


def encrypt_elements(root: etree._Element, settings: Settings, encoding: str) -> None:
    """Encrypt the plain texts of elements that name a passphrase; `EncryptionError` if that fails."""
    for element in _elements(root):
        text = element.text or ""
        if not is_encrypted(text.encode()):
            element.text = (
                Passphrases.of(settings).encrypt(text.encode(encoding), element.get("encrypted", "")).decode()
            )
