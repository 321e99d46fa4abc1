"""The tables of Bcfg2 1.3 and 1.4, as Django made them, as far as something is taken from them.

The two differ in little: 1.4 knows of a report whether it was a dry run and whether only important entries were looked
at. A database that was made by an early 1.3 lacks the tables of the entries that came later. All else that is found
stays where it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import TableClause, column, table
from sqlalchemy.sql import quoted_name


@dataclass(frozen=True)
class LegacyTable:
    """A table of Bcfg2.

    Attributes:
        name: its name.
        required, optional: the columns that are read.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def present(self, found: Collection[str]) -> TableClause:
        """The table with those of its columns that there are."""
        columns = [*self.required, *(name for name in self.optional if name in found)]
        return table(quoted_name(self.name, quote=True), *(column(quoted_name(name, quote=True)) for name in columns))


CLIENT_LIST = LegacyTable("Server_metadataclientmodel", ("hostname", "version"))
PROBE_DATA = LegacyTable("Server_probesdatamodel", ("id", "hostname", "probe", "timestamp", "data"))
PROBE_GROUPS = LegacyTable("Server_probesgroupsmodel", ("id", "hostname", "group"))

REPORT_CLIENT = LegacyTable("Reporting_client", ("id", "name", "creation", "expiration"))
INTERACTION = LegacyTable(
    "Reporting_interaction",
    (
        *("id", "client_id", "timestamp", "state", "repo_rev_code", "server", "good_count", "total_count"),
        *("bad_count", "modified_count", "extra_count", "profile_id"),
    ),
    ("dry_run", "only_important"),
)
PERFORMANCE = LegacyTable("Reporting_performance", ("interaction_id", "metric", "value"))
GROUP = LegacyTable("Reporting_group", ("id", "name"))
BUNDLE = LegacyTable("Reporting_bundle", ("id", "name"))
INTERACTION_GROUPS = LegacyTable("Reporting_interaction_groups", ("interaction_id", "group_id"))
INTERACTION_BUNDLES = LegacyTable("Reporting_interaction_bundles", ("interaction_id", "bundle_id"))
PERMISSIONS = LegacyTable("Reporting_fileperms", ("id", "owner", "group", "mode"))
LINK = LegacyTable("Reporting_linkentry", ("pathentry_ptr_id", "target_path", "current_path"))

_ENTRY = ("id", "name", "state", "exists")


def _entry(model: str, *columns: str) -> LegacyTable:
    return LegacyTable(f"Reporting_{model}entry", (*_ENTRY, *columns))


#: Tag of an entry -> its table. That of the references to it has the plural of the tag in its name; see `references`.
ENTRIES: Mapping[str, LegacyTable] = {
    "Action": _entry("action", "status", "output"),
    "Package": _entry("package", "target_version", "current_version", "verification_details"),
    "Path": _entry("path", "path_type", "detail_type", "details", "target_perms_id", "current_perms_id"),
    "Service": _entry("service", "target_status", "current_status"),
    "SEBoolean": _entry("seboolean", "value"),
    "SEPort": _entry("seport", "selinuxtype", "current_selinuxtype"),
    "SEFcontext": _entry("sefcontext", "selinuxtype", "current_selinuxtype", "filetype"),
    "SENode": _entry("senode", "selinuxtype", "current_selinuxtype", "proto"),
    "SELogin": _entry("selogin", "selinuxuser", "current_selinuxuser"),
    "SEUser": _entry("seuser", "roles", "current_roles", "prefix", "current_prefix"),
    "SEInterface": _entry("seinterface", "selinuxtype", "current_selinuxtype"),
    "SEPermissive": _entry("sepermissive"),
    "SEModule": _entry("semodule", "disabled", "current_disabled"),
    "POSIXUser": _entry(
        "posixuser",
        *("uid", "current_uid", "group", "current_group", "gecos", "current_gecos"),
        *("home", "current_home", "shell", "current_shell"),
    ),
    "POSIXGroup": _entry("posixgroup", "gid", "current_gid"),
}
#: Entries that could not be bound, of any tag.
FAILURE = LegacyTable("Reporting_failureentry", ("id", "name", "entry_type", "message"))


def references(tag: str) -> LegacyTable:
    """The table that says which report has which entries of a tag; the tag "" stands for failures."""
    stem = tag.lower() or "failure"
    return LegacyTable(f"Reporting_interaction_{stem}s", ("interaction_id", f"{stem}entry_id"))


#: What Bcfg2 has beside that, and what nothing is taken from: it was never filled, or means nothing to another server.
IGNORED = frozenset(
    {
        *("Reporting_fileacl", "Reporting_pathentry_acls", "Reporting_deviceentry"),
        *("Reporting_group_groups", "Reporting_group_bundles"),
    }
)
#: What the tables that Bcfg2 made for itself begin with.
PREFIXES = ("Server_", "Reporting_")
#: The same of 1.2 and earlier, which had other tables for its reports.
OLD_PREFIX = "reports_"
#: Tables in which Django, or South before it, noted when it made the others.
MIGRATIONS = (
    LegacyTable("south_migrationhistory", ("id", "applied")),
    LegacyTable("django_migrations", ("id", "applied")),
)

#: What is always there if reports are.
REPORT_TABLES = (
    *(REPORT_CLIENT, INTERACTION, PERFORMANCE, GROUP, BUNDLE, INTERACTION_GROUPS, INTERACTION_BUNDLES),
    *(PERMISSIONS, LINK, FAILURE, references("")),
    *(one for tag in ("Action", "Package", "Path", "Service") for one in (ENTRIES[tag], references(tag))),
)
#: What came in the course of 1.3.
LATER_TABLES = tuple(
    one
    for tag in ENTRIES
    if tag.startswith(("SE", "POSIX")) and tag != "Service"
    for one in (ENTRIES[tag], references(tag))
)
