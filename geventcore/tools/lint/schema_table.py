"""The XML files of a repository: the elements, attributes and values that each kind may have.

`schema_writer` makes the files in ``schemas/`` of this table. They are part of the package, so that editors find them.
Facts: the manual's reference of each plugin, and the documents that this server reads.

An attribute is written ``name:type``, with ``!`` behind the name if it is required; without a type it is any text. The
children of an element are names, or ``Name=Type`` for an element whose type has another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: Attributes that this program accepts and Bcfg2 does not: (schema, element, attribute) -> what to know.
OWN_EXTENSIONS: dict[tuple[str, str, str], str] = {
    ("privkey.xsd", "Params", "type"): "This server also makes keys of the types ecdsa and ed25519; Bcfg2 does not.",
    ("sslca-key.xsd", "Key", "type"): "This server also makes keys of the type ecdsa; Bcfg2 does not.",
    ("grouplogic.xsd", "Group", "category"): "This server uses the attribute; the schema of Bcfg2 lacks it.",
}
#: Required attributes that a plugin may add: (element, attribute) -> the plugins.
ADDED_BY_PLUGINS: dict[tuple[str, str], frozenset[str]] = {
    ("Package", "type"): frozenset({"Packages", "Defaults"}),
}

#: Name -> values, or the name of a type of XML Schema, or a pattern.
ENUMERATIONS: dict[str, str] = {
    "pathtype": "augeas device directory file hardlink ignore nonexistent permissions symlink vcs",
    "devtype": "block char fifo",
    "vcstype": "svn git",
    "pkgtype": "apk ips macport opencsw pacman deb rpm blast encap sysv ebuild yum freebsdpkg pkgng homebrew",
    "pkgverify": "optional default mandatory all",
    "servicetype": "chkconfig deb rc-update smf upstart systemd launchd freebsd",
    "onoff": "on off",
    "status": "on off ignore",
    "restart": "true false interactive 0 1",
    "timing": "pre post both",
    "when": "always modified",
    "actionstatus": "check ignore",
    "acltype": "default access",
    "aclscope": "user group other mask",
    "authtype": "cert+password bootstrap cert",
    "sourcetype": "yum apt pac pkgng",
    "keytype": "rsa dsa",
    "format": "pem der",
    "mechanism": "mail rss www",
    "entrytag": (
        "Action Package Path POSIXGroup POSIXUser SEBoolean SEFcontext SEInterface SELogin SEModule SENode "
        "SEPermissive SEPort SEUser Service"
    ),
}
PATTERNS: dict[str, str] = {
    "seport": r"\d+(-\d+)?/(tcp|udp)",
    "perms": r"[rwx\-]{1,3}|[0-7]",
}
BUILTIN: dict[str, str] = {
    "boolean": "boolean",
    "integer": "integer",
    "count": "nonNegativeInteger",
    "positive": "positiveInteger",
}


@dataclass(frozen=True)
class Element:
    """A type of elements.

    Attributes:
        attributes: see the top of this module.
        children: the names of child elements, in any order and number.
        has_text: true if the element may have text.
        needs_child: true if at least one child is required.
        one_kind: true if all children must be of one kind, and of the kinds before ``|`` there may be one only.
        any_attribute: true if the element may have any attribute.
    """

    attributes: str = ""
    children: str = ""
    has_text: bool = False
    needs_child: bool = False
    one_kind: bool = False
    any_attribute: bool = False

    def child_types(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the type of each child."""
        for word in self.children.replace("|", " ").split():
            name, _, kind = word.partition("=")
            yield name, kind or name


@dataclass(frozen=True)
class Schema:
    """A kind of files.

    Attributes:
        roots: the names of root elements.
        elements: type -> definition. Without another name, the elements of a type have the type's name.
        about: the files, for the documentation.
    """

    roots: tuple[str, ...]
    elements: dict[str, Element]
    about: str


_CONDITION = "name! negate:boolean"
_ROOT = "version origin revision lax_decryption:boolean"

# -- entries

_PATH = (
    "name! type:pathtype dev_type:devtype major:count minor:count mode:count owner group secontext important:boolean "
    "recursive:boolean prune:boolean to empty:boolean vcstype:vcstype revision sourceurl encrypted lens encoding "
    "sensitive:boolean paranoid:boolean"
)
_PACKAGE = (
    "name! type!:pkgtype arch version release file simplefile multiarch srcs bname verify:boolean pkg_checks:boolean "
    "pkg_verify:boolean verify_flags"
)
_SERVICE = (
    "name! status:status bootstatus:onoff restart:restart install:boolean type:servicetype FMRI sequence target "
    "parameters custom_target mode supervised"
)
_SE_ENTRIES = {
    "SEBoolean": "name! value!:onoff",
    "SEPort": "name!:seport selinuxtype! mlsrange",
    "SEFcontext": "name! selinuxtype! filetype mlsrange",
    "SENode": "name! selinuxtype! proto mlsrange",
    "SELogin": "name! selinuxuser! mlsrange",
    "SEUser": "name! roles! prefix! mlsrange",
    "SEInterface": "name! selinuxtype! mlsrange",
    "SEPermissive": "name!",
}
_AUGEAS = {
    "Set": "path! value!",
    "Setm": "base! sub! value",
    "Clear": "path!",
    "Move": "source! destination!",
    "Remove": "path!",
    "Insert": "path! label! where",
    "Initial": "",
}
_ABSTRACT = {
    "Package": Element("name group verify:boolean type:pkgverify recommended:boolean"),
    "Path": Element("name glob altsrc"),
    "Service": Element("name! verify:boolean"),
    "Action": Element("name! verify:boolean"),
    "POSIXUser": Element("name! verify:boolean"),
    "POSIXGroup": Element("name! verify:boolean"),
    **{tag: Element("name! disabled:boolean") for tag in (*_SE_ENTRIES, "SEModule")},
}
_MEMBERS = "MemberOf Group=MemberGroup Client=MemberGroup"


def _concrete(prefix: str = "", *, lax: bool = False) -> dict[str, Element]:
    """Return the types of concrete entries. With `lax`, nothing but the name is required, as in Defaults."""

    def attributes(text: str) -> str:
        return text.replace("name!", "NAME").replace("!", "").replace("NAME", "name!") if lax else text

    return {
        f"{prefix}Path": Element(_PATH, f"ACL {' '.join(_AUGEAS)}", has_text=True),
        f"{prefix}Package": Element(attributes(_PACKAGE), "Instance"),
        f"{prefix}Service": Element(_SERVICE),
        f"{prefix}Action": Element(
            attributes(
                "name! command! timing:timing when:when status:actionstatus build:boolean shell:boolean "
                "important:boolean type"
            )
        ),
        f"{prefix}POSIXUser": Element("name! uid group gecos home shell", _MEMBERS),
        f"{prefix}POSIXGroup": Element("name! gid"),
        **{f"{prefix}{tag}": Element(attributes(text)) for tag, text in _SE_ENTRIES.items()},
        f"{prefix}SEModule": Element("name! disabled:boolean encoding empty:boolean", has_text=True),
    }


_PARTS = {
    "ACL": Element("type!:acltype scope:aclscope perms!:perms user group"),
    **{name: Element(text, has_text=name == "Initial") for name, text in _AUGEAS.items()},
    "Instance": Element(
        "arch epoch version release simplefile pkg_verify:boolean verify_flags install_missing:boolean "
        "fix_version:boolean reinstall_broken:boolean"
    ),
    "MemberOf": Element("group", has_text=True),
    "MemberGroup": Element(_CONDITION, _MEMBERS),
}


def _with_containers(children: str, needs_child: bool = False) -> dict[str, Element]:
    """Return the conditions that hold these children and each other."""
    return {
        tag: Element(_CONDITION, f"{children} Group Client", needs_child=needs_child) for tag in ("Group", "Client")
    }


_BOUND = _concrete("Bound")
_STRUCTURES = f"{' '.join(_ABSTRACT)} {' '.join(_BOUND)} Bundle RequiredBundle"
_BUNDLE: dict[str, Element] = {
    "Bundle": Element(f"description independent:boolean name {_ROOT}", f"{_STRUCTURES} Group Client"),
    "RequiredBundle": Element("name! inherit_modification:boolean"),
    **_with_containers(_STRUCTURES),
    **_ABSTRACT,
    **_BOUND,
    **_PARTS,
}
_RULES = _concrete()
_RULE_TAGS = " ".join(_RULES)
_DEFAULTS = _concrete(lax=True)
_DEFAULT_TAGS = " ".join(tag for tag in _DEFAULTS if not tag.startswith("SEM"))

# -- files of Cfg

_INFO_CHOICE = "FileInfo Info | Group Client Path"
_PASSPHRASE = {"Passphrase": Element("encrypted", has_text=True)}
_ALLOW = "Allow Params"

SCHEMAS: dict[str, Schema] = {
    "metadata.xsd": Schema(
        ("Groups",),
        {
            "Groups": Element("version origin revision", "Group Client Groups"),
            "Group": Element(
                "name! profile:boolean public:boolean default:boolean category negate:boolean",
                "Bundle Group Client Groups",
            ),
            "Client": Element(_CONDITION, "Bundle Group Client Groups"),
            "Bundle": Element("name!"),
        },
        "Metadata/groups.xml and the files that it includes",
    ),
    "clients.xsd": Schema(
        ("Clients",),
        {
            "Clients": Element("version", "Client Clients"),
            "Client": Element(
                "name! profile! auth:authtype uuid password location floating:boolean secure:boolean address version "
                "pingable pingtime",
                "Alias",
            ),
            "Alias": Element("name! address"),
        },
        "Metadata/clients.xml",
    ),
    "bundle.xsd": Schema(("Bundle",), _BUNDLE, "Bundler"),
    "base.xsd": Schema(
        ("Base",),
        {**_BUNDLE, "Base": Element(_ROOT, f"{_STRUCTURES} Group Client")},
        "Base",
    ),
    "rules.xsd": Schema(
        ("Rules",),
        {
            "Rules": Element(f"priority!:integer {_ROOT}", f"{_RULE_TAGS} Group Client Rules"),
            **_with_containers(f"{_RULE_TAGS} Rules"),
            **_RULES,
            **_PARTS,
        },
        "Rules",
    ),
    "svcmgr.xsd": Schema(
        ("Services",),
        {
            "Services": Element(f"priority!:integer {_ROOT}", "Service Group Client Services"),
            **_with_containers("Service Services"),
            "Service": _RULES["Service"],
        },
        "Svcmgr",
    ),
    "defaults.xsd": Schema(
        ("Defaults",),
        {
            "Defaults": Element(f"priority!:integer {_ROOT}", f"{_DEFAULT_TAGS} Group Client Defaults"),
            **_with_containers(f"{_DEFAULT_TAGS} Defaults"),
            **_DEFAULTS,
            **_PARTS,
        },
        "Defaults",
    ),
    "pkglist.xsd": Schema(
        ("PackageList",),
        {
            "PackageList": Element(
                f"priority!:integer type:pkgtype uri multiarch srcs {_ROOT}", "Package Group Client PackageList"
            ),
            **_with_containers("Package"),
            "Package": Element(
                _PACKAGE.replace("type!", "type").replace("name!", "name") + " uri url recommended", "Instance"
            ),
            "Instance": _PARTS["Instance"],
        },
        "Pkgmgr",
    ),
    "packages.xsd": Schema(
        ("Sources",),
        {
            "Sources": Element(_ROOT, "Source Group Client Sources", needs_child=True),
            **_with_containers("Source Sources", needs_child=True),
            "Source": Element(
                "type!:sourcetype url rawurl version name pulp_id recommended:boolean essential:boolean "
                "debsrc:boolean priority:integer pin_priority:integer proxy",
                "Component Arch GPGKey Blacklist Whitelist Options",
            ),
            **{
                name: Element("name" if name == "Arch" else "", has_text=True)
                for name in ("Component", "Arch", "GPGKey", "Blacklist", "Whitelist")
            },
            "Options": Element("serveronly:boolean clientonly:boolean", any_attribute=True),
        },
        "Packages/sources.xml",
    ),
    "deps.xsd": Schema(
        ("Dependencies",),
        {
            "Dependencies": Element(f"priority:integer {_ROOT}", "Package Service Path Group Client Dependencies"),
            **_with_containers("Package Service Path"),
            **{tag: Element("name! verify:boolean", "Package Service Path") for tag in ("Package", "Service", "Path")},
        },
        "Deps",
    ),
    "decisions.xsd": Schema(
        ("Decisions",),
        {
            "Decisions": Element(_ROOT, "Decision Group Client Decisions"),
            **_with_containers("Decision Decisions", needs_child=True),
            "Decision": Element("type! name!"),
        },
        "Decisions",
    ),
    "info.xsd": Schema(
        ("FileInfo",),
        {
            "FileInfo": Element(_ROOT, "Info Group Client Path FileInfo"),
            **{tag: Element(_CONDITION, _INFO_CHOICE, one_kind=True) for tag in ("Group", "Client", "Path")},
            "Info": Element(
                "encoding group important:boolean owner mode secontext paranoid:boolean sensitive:boolean",
                "ACL Group=AclCondition Client=AclCondition",
            ),
            "AclCondition": Element(_CONDITION, "ACL Group=AclCondition Client=AclCondition"),
            "ACL": _PARTS["ACL"],
        },
        "info.xml of Cfg, SSHbase, SSLCA, TGenshi and TCheetah",
    ),
    "privkey.xsd": Schema(
        ("PrivateKey",),
        {
            "PrivateKey": Element(
                f"perhost:boolean category priority:positive {_ROOT}", "Params Passphrase Group Client"
            ),
            **_with_containers("Params Passphrase", needs_child=True),
            "Params": Element("bits:positive type:keytype"),
            **_PASSPHRASE,
        },
        "privkey.xml of Cfg",
    ),
    "pubkey.xsd": Schema(("PublicKey",), {"PublicKey": Element(_ROOT)}, "pubkey.xml of Cfg"),
    "authorizedkeys.xsd": Schema(
        ("AuthorizedKeys",),
        {
            "AuthorizedKeys": Element(_ROOT, "Allow Params Group Client", needs_child=True),
            **_with_containers(_ALLOW, needs_child=True),
            "Allow": Element("from group category host", "Option Params", has_text=True),
            "Option": Element("name! value"),
            "Params": Element(any_attribute=True),
        },
        "authorized_keys.xml and authorizedkeys.xml of Cfg",
    ),
    "sslca-cert.xsd": Schema(
        ("CertInfo",),
        {
            "CertInfo": Element(_ROOT, "Cert subjectAltName Group Client", needs_child=True),
            **_with_containers("Cert subjectAltName", needs_child=True),
            "Cert": Element("key! format:format ca days:positive c l st o ou emailaddress append_chain:boolean chain"),
            "subjectAltName": Element(has_text=True),
        },
        "sslcert.xml of Cfg, and cert.xml of SSLCA",
    ),
    "sslca-key.xsd": Schema(
        ("KeyInfo",),
        {
            "KeyInfo": Element(
                f"perhost:boolean category priority:positive {_ROOT}", "Key Group Client", needs_child=True
            ),
            **_with_containers("Key", needs_child=True),
            "Key": Element("type:keytype bits:positive"),
        },
        "sslkey.xml of Cfg, and key.xml of SSLCA",
    ),
    "grouppatterns.xsd": Schema(
        ("GroupPatterns",),
        {
            "GroupPatterns": Element(_ROOT, "GroupPattern GroupPatterns"),
            "GroupPattern": Element("", "NamePattern NameRange Group", needs_child=True),
            **{tag: Element(has_text=True) for tag in ("NamePattern", "NameRange", "Group")},
        },
        "GroupPatterns/config.xml",
    ),
    "grouplogic.xsd": Schema(
        ("GroupLogic",),
        {
            "GroupLogic": Element(_ROOT, "Group Client GroupLogic", needs_child=True),
            "Group": Element(_CONDITION, "Group Client"),
            "Client": Element(_CONDITION, "Group Client"),
        },
        "GroupLogic/groups.xml",
    ),
    "awstags.xsd": Schema(
        ("AWSTags",),
        {
            "AWSTags": Element(_ROOT, "Tag AWSTags", needs_child=True),
            "Tag": Element("name! value", "Group", needs_child=True),
            "Group": Element(has_text=True),
        },
        "AWSTags/config.xml",
    ),
    "nagiosgen.xsd": Schema(
        ("NagiosGen",),
        {
            "NagiosGen": Element(_ROOT, "Option Group Client NagiosGen", needs_child=True),
            **_with_containers("Option", needs_child=True),
            "Option": Element("name!", has_text=True),
        },
        "NagiosGen/config.xml",
    ),
    "fileprobes.xsd": Schema(
        ("FileProbes",),
        {
            "FileProbes": Element(_ROOT, "FileProbe Group Client FileProbes", needs_child=True),
            **_with_containers("FileProbe", needs_child=True),
            "FileProbe": Element("name! encoding update:boolean owner group mode"),
        },
        "FileProbes/config.xml",
    ),
    "acl-ip.xsd": Schema(
        ("ACL",),
        {
            "ACL": Element(_ROOT, "Allow Deny Defer ACL"),
            **{tag: Element("method! address netmask") for tag in ("Allow", "Deny", "Defer")},
        },
        "ACL/ip.xml",
    ),
    "acl-metadata.xsd": Schema(
        ("ACL",),
        {
            "ACL": Element(_ROOT, "Allow Deny Group Client ACL"),
            **_with_containers("Allow Deny"),
            **{tag: Element("method!") for tag in ("Allow", "Deny")},
        },
        "ACL/metadata.xml",
    ),
    "report-configuration.xsd": Schema(
        ("Reports",),
        {
            "Reports": Element("", "Report", needs_child=True),
            "Report": Element("name! good:boolean modified:boolean refreshtime", "Delivery Machine", needs_child=True),
            "Delivery": Element("mechanism!:mechanism type", "Destination", needs_child=True),
            "Destination": Element("address!"),
            "Machine": Element("name!"),
        },
        "etc/report-configuration.xml, of an old version of Bcfg2",
    ),
}
