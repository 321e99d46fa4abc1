"""RequiredAttrs: attributes that entries and package sources must have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from geventcore.tools.lint.base import Check
from geventcore.tools.lint.documents import label_of
from geventcore.tools.lint.findings import Finding, Kind

_Format = Callable[[str], bool]


def _any(_value: str) -> bool:
    return True


def _matching(pattern: str) -> _Format:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.match(value) is not None


_is_absolute = _matching(r"/.+")
_is_account = _matching(r"(?:[A-Za-z\[\\\]^_`][\w\-\[\\\]^`]{0,30}|\d+)\Z")
_is_mode = _matching(r"[0-7]{3,4}")
_is_number = _matching(r"\d+\Z")
_is_se_type = _matching(r"[a-z_]+_t")
_is_se_user = _matching(r"[a-z_]+_u")


def _are_roles(value: str) -> bool:
    roles = value.split()
    return bool(roles) and all(re.match(r"[a-z_]+_r\Z", role) for role in roles)


#: Attribute -> what is expected, for messages.
EXPECTED = {
    _is_absolute: "an absolute path",
    _is_account: "a name or a number",
    _is_mode: "three or four octal digits",
    _is_number: "a number",
    _is_se_type: "a type of SELinux, which ends in _t",
    _is_se_user: "a user of SELinux, which ends in _u",
    _are_roles: "roles of SELinux, which end in _r",
}


@dataclass(frozen=True)
class _Row:
    """The requirements of one type of entries.

    Attributes:
        attributes: name -> format.
        needs_text: true if the element needs text, or ``empty="true"``.
    """

    attributes: Mapping[str, _Format] = field(default_factory=dict)
    needs_text: bool = False


_OWNED = {"owner": _is_account, "group": _is_account, "mode": _is_mode}
_DEVICE = {"major": _is_number, "minor": _is_number}

#: Tag -> type -> requirements; type "" for any other type.
ROWS: dict[str, dict[str, _Row]] = {
    "Path": {
        "": _Row({"name": _is_absolute}),
        **{kind: _Row(_OWNED) for kind in ("augeas", "directory", "permissions")},
        "device": _Row({**_OWNED, "dev_type": _matching(r"(?:block|char|fifo)\Z")}),
        "file": _Row(_OWNED, needs_text=True),
        "hardlink": _Row({**_OWNED, "to": _is_absolute}),
        **{kind: _Row() for kind in ("symlink", "ignore", "nonexistent")},
        "vcs": _Row({"vcstype": _matching(r"(?:svn|git)\Z"), "revision": _any, "sourceurl": _any}),
    },
    "Service": {"": _Row({"name": _any}), "smf": _Row({"name": _any, "FMRI": _any})},
    "Action": {
        "none": _Row(
            {
                "name": _any,
                "timing": _matching(r"(?:pre|post|both)\Z"),
                "when": _matching(r"(?:modified|always)\Z"),
                "status": _matching(r"(?:ignore|check)\Z"),
                "command": _any,
            }
        )
    },
    "Package": {"": _Row({"name": _any})},
    "SEBoolean": {"none": _Row({"name": _any, "value": _matching(r"(?:on|off)\Z")})},
    "SEModule": {"none": _Row({"name": _any}, needs_text=True)},
    "SEPort": {"none": _Row({"name": _matching(r"\d+(?:-\d+)?/(?:tcp|udp)"), "selinuxtype": _is_se_type})},
    "SEFcontext": {"none": _Row({"name": _any, "selinuxtype": _is_se_type})},
    "SENode": {
        "none": _Row({"name": _matching(r".*/"), "selinuxtype": _is_se_type, "proto": _matching(r"(?:ipv6|ipv4)\Z")})
    },
    "SELogin": {"none": _Row({"name": _is_account, "selinuxuser": _is_se_user})},
    "SEUser": {"none": _Row({"name": _is_se_user, "roles": _are_roles, "prefix": _any})},
    "SEInterface": {"none": _Row({"name": _any, "selinuxtype": _is_se_type})},
    "SEPermissive": {"none": _Row({"name": _is_se_type})},
    "POSIXGroup": {"none": _Row({"name": _is_account})},
    "POSIXUser": {"none": _Row({"name": _is_account})},
}
_MISSING = "required-attrs-missing"


class RequiredAttrs(Check):
    """Entries in bundles and Rules, and the sources of Packages."""

    name = "RequiredAttrs"
    kinds = (
        Kind(
            "unknown-entry-type",
            "error",
            "An entry has a type that its kind of entries does not have.",
            "Remove the attribute type.",
        ),
        Kind("unknown-entry-tag", "error", "No client knows this kind of entries.", "Correct the name of the element."),
        Kind(_MISSING, "error", "An entry lacks attributes or text that it needs.", "Add what is missing."),
        Kind(
            "required-attr-format",
            "error",
            "An attribute has a value that clients do not understand.",
            "Correct the value.",
        ),
        Kind(
            "missing-elements",
            "error",
            "A Path has some default ACLs, but not for user, group and other.",
            'Add the missing ones: <ACL type="default" scope="user" user="" perms="rwx"/> and so on.',
        ),
        Kind("extra-attrs", "warning", "An attribute has no effect here.", "Remove the attribute."),
    )

    def run(self) -> Iterator[Finding]:
        plugins = self.site.plugins
        if "Packages" in plugins:
            yield from self._check_sources()
        # Defaults may add what is missing.
        if "Defaults" in plugins:
            return
        if "Rules" in plugins:
            for path in self.site.plugin_files("Rules"):
                if self.site.concerns(path):
                    for element in self.site.document(path).tagged("Path"):
                        yield from self._check(element, "Path", path)
        if "Bundler" in plugins:
            for path in self.site.bundle_files:
                if self.site.concerns(path) and not self.site.is_template(path):
                    yield from self._check_bundle(path)

    def _check_sources(self) -> Iterator[Finding]:
        path = self.site.repository / "Packages" / "sources.xml"
        if not path.is_file():
            return
        for element in self.site.document(path).tagged("Source"):
            kind = element.get("type", "")
            needed = ("url", "rawurl", "pulp_id") if kind == "yum" else ("url", "rawurl")
            if not any(element.get(name) for name in needed):
                message = f"{self.site.relative(path)}: a source of type {kind} has no {' or '.join(needed)}"
                yield self.found_at(_MISSING, message, element, path)
            if element.get("recommended") and kind != "apt":
                message = f"{self.site.relative(path)}: recommended has no effect for a source of type {kind}"
                place = self.site.place(path, element, "recommended")
                yield self.found("extra-attrs", message, place, label_of(element))

    def _check_bundle(self, path: Path) -> Iterator[Finding]:
        for element in self.site.document(path).elements():
            tag = str(element.tag)
            if tag.startswith("Bound"):
                yield from self._check(element, tag.removeprefix("Bound"), path)
            elif tag == "Path" and "name" not in element.attrib and "glob" not in element.attrib:
                yield self._missing(element, path, "name or glob")
            elif tag == "Package" and "name" not in element.attrib and "group" not in element.attrib:
                yield self._missing(element, path, "name or group")

    def _missing(self, element: etree._Element, path: Path, what: str) -> Finding:
        return self.found_at(_MISSING, f"{label_of(element)} lacks {what}", element, path)

    def _check(self, element: etree._Element, tag: str, path: Path) -> Iterator[Finding]:
        rows = ROWS.get(tag)
        if rows is None:
            yield self.found_at("unknown-entry-tag", f"{label_of(element)}: there is no {tag}", element, path)
            return
        kind = element.get("type")
        row = rows.get(kind or "") or rows.get("")
        if row is None:
            if kind is not None:
                message = f"{label_of(element)}: {tag} has no types, but this one has the type {kind}"
                yield self.found_at("unknown-entry-type", message, element, path)
                return
            row = rows["none"]
        attributes = dict(row.attributes)
        if tag == "Path":
            yield from self._check_acls(element, path)
            if kind == "device" and element.get("dev_type") in ("block", "char"):
                attributes |= _DEVICE
        missing = [name for name in attributes if name not in element.attrib]
        if missing:
            yield self._missing(element, path, ", ".join(missing))
        for name, is_valid in attributes.items():
            value = element.get(name)
            if value is not None and not is_valid(value):
                expected = f"; expected {EXPECTED[is_valid]}" if is_valid in EXPECTED else ""
                message = f"{label_of(element)}: the value {value!r} of {name} is wrong{expected}"
                place = self.site.place(path, element, name)
                yield self.found("required-attr-format", message, place, label_of(element))
        is_empty = element.get("empty", "false").lower() == "true"
        if row.needs_text and not is_empty and not element.text:
            yield self._missing(element, path, 'text, or empty="true"')

    def _check_acls(self, element: etree._Element, path: Path) -> Iterator[Finding]:
        found = set()
        for acl in element.iterchildren("ACL"):
            scope = acl.get("scope")
            if acl.get("type") == "default" and (scope == "other" or (scope and acl.get(scope) == "")):
                found.add(scope)
        absent = {"user", "group", "other"} - found
        if found and absent:
            message = f"{label_of(element)}: default ACLs for {', '.join(sorted(absent))} are missing"
            yield self.found_at("missing-elements", message, element, path)
