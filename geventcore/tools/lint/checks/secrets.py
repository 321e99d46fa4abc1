"""Secrets: private keys and passwords that everybody who reads the repository can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from geventcore.plugins.cfg.encrypted import EncryptedGenerator
from geventcore.plugins.cfg.handlers import CfgGenerator
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.findings import Finding, Kind, Place

_PRIVATE_KEY = re.compile(rb"^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----", re.MULTILINE)
#: Tokens with forms of their own: Amazon, GitHub, GitLab, Slack, Google, Stripe.
_TOKEN = re.compile(
    rb"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|xox[baprs]-[\w-]{10,}|AIza[\w-]{35}"
    rb"|sk_live_[A-Za-z0-9]{20,})\b"
)
_WORDS = re.compile(r"pass(?:word|phrase|wd)?|secret|token|api_?key|private_?key", re.IGNORECASE)
_ASSIGNMENT = re.compile(
    rb"^[ \t]*[\w.-]*(?:password|passwd|passphrase|secret|api_?key)[\w.-]*[ \t]*[:=][ \t]*(?P<value>[^\s#;]{6,})",
    re.IGNORECASE | re.MULTILINE,
)
#: Values that stand for a secret, and are none.
_PLACEHOLDER = re.compile(rb"[$<{%@]|\*{3}|^(?:true|false|yes|no|none|null|change_?me|/|file:|env:)", re.IGNORECASE)
#: Larger files are no configuration that people write.
MOST_BYTES = 1 << 20


class Secrets(Check):
    """Secrets in plain text, in Cfg and Properties."""

    name = "Secrets"
    is_own = True
    kinds = (
        Kind(
            "private-key-in-plain-text",
            "warning",
            "A private key is in the repository in plain text.",
            "Run geventcore crypt encrypt --cfg --remove FILE, and replace the key if others have read it.",
        ),
        Kind(
            "secret-in-plain-text",
            "note",
            "A password or token is probably in the repository in plain text.",
            "Run geventcore crypt encrypt, and replace the secret if others have read it.",
        ),
    )

    def run(self) -> Iterator[Finding]:
        if "Cfg" in self.site.plugins:
            for entry in self.site.cfg.entries.values():
                for file in entry.of_kind(CfgGenerator):
                    if self.site.concerns(file.path) and not issubclass(file.handler, EncryptedGenerator):
                        yield from self._check_text(file.path.name, file.path)
        if "Properties" in self.site.plugins:
            for path in self.site.below("Properties", "*.xml"):
                if self.site.concerns(path):
                    for element in self.site.document(path).elements():
                        if self._is_secret(element):
                            message = f"{element.tag} has a secret in plain text"
                            yield self.found_at("secret-in-plain-text", message, element, path)

    def _is_secret(self, element: etree._Element) -> bool:
        text = (element.text or "").strip()
        name = f"{etree.QName(element).localname} {element.get('name', '')}"
        is_plain = "encrypted" not in element.attrib and not _PLACEHOLDER.search(text.encode())
        return is_plain and len(text) >= 6 and not len(element) and _WORDS.search(name) is not None

    def _check_text(self, name: str, path: Path) -> Iterator[Finding]:
        data = self.site.read(path)
        if len(data) > MOST_BYTES or b"\0" in data:
            return
        match = _PRIVATE_KEY.search(data)
        if match is not None:
            yield self.found("private-key-in-plain-text", f"{name} is a private key", _place(path, data, match.start()))
            return
        for match in _TOKEN.finditer(data):
            yield self.found("secret-in-plain-text", "this looks like a token", _place(path, data, match.start()))
        for match in _ASSIGNMENT.finditer(data):
            if not _PLACEHOLDER.search(match["value"]):
                place = _place(path, data, match.start("value"))
                yield self.found("secret-in-plain-text", "this looks like a password", place)


def _place(path: Path, data: bytes, position: int) -> Place:
    start = data.rfind(b"\n", 0, position) + 1
    return Place(path, data.count(b"\n", 0, position) + 1, position - start + 1)
