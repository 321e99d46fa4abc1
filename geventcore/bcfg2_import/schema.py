"""The tables of Bcfg2 1.3 and 1.4 that the import reads, as Django made them.

The versions differ in few columns: only 1.4 stores whether a report is of a dry run, or of a run for important entries.
Databases of early 1.3 versions lack the tables of later kinds of entries. The import ignores all other tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import TableClause, column, table
from sqlalchemy.sql import quoted_name


@dataclass(frozen=True)
class Bcfg2Table:
    """A table of Bcfg2.

    Attributes:
        name: name of the table.
        required, optional: columns that the import reads.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def present(self, found: Collection[str]) -> TableClause:
        """Return the table with its existing columns."""
        columns = [*self.required, *(name for name in self.optional if name in found)]
        return table(quoted_name(self.name, quote=True), *(column(quoted_name(name, quote=True)) for name in columns))


CLIENT_LIST = Bcfg2Table("Server_metadataclientmodel", ("hostname", "version"))
PROBE_DATA = Bcfg2Table("Server_probesdatamodel", ("id", "hostname", "probe", "timestamp", "data"))
PROBE_GROUPS = Bcfg2Table("Server_probesgroupsmodel", ("id", "hostname", "group"))

REPORT_CLIENT = Bcfg2Table("Reporting_client", ("id", "name", "creation", "expiration"))
INTERACTION = Bcfg2Table(
    "Reporting_interaction",
    (
        *("id", "client_id", "timestamp", "state", "repo_rev_code", "server", "good_count", "total_count"),
        *("bad_count", "modified_count", "extra_count", "profile_id"),
    ),
    ("dry_run", "only_important"),
)
PERFORMANCE = Bcfg2Table("Reporting_performance", ("interaction_id", "metric", "value"))
GROUP = Bcfg2Table("Reporting_group", ("id", "name"))
BUNDLE = Bcfg2Table("Reporting_bundle", ("id", "name"))
INTERACTION_GROUPS = Bcfg2Table("Reporting_interaction_groups", ("interaction_id", "group_id"))
INTERACTION_BUNDLES = Bcfg2Table("Reporting_interaction_bundles", ("interaction_id", "bundle_id"))
PERMISSIONS = Bcfg2Table("Reporting_fileperms", ("id", "owner", "group", "mode"))
LINK = Bcfg2Table("Reporting_linkentry", ("pathentry_ptr_id", "target_path", "current_path"))

_ENTRY = ("id", "name", "state", "exists")


def _entry(model: str, *columns: str) -> Bcfg2Table:
    return Bcfg2Table(f"Reporting_{model}entry", (*_ENTRY, *columns))


#: Tag of an entry -> its table. The table of references has the plural of the tag in its name; see `references`.
ENTRIES: Mapping[str, Bcfg2Table] = {
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
FAILURE = Bcfg2Table("Reporting_failureentry", ("id", "name", "entry_type", "message"))


def references(tag: str) -> Bcfg2Table:
    """Return the table that links reports to entries of a tag; the tag "" stands for failures."""
    stem = tag.lower() or "failure"
    return Bcfg2Table(f"Reporting_interaction_{stem}s", ("interaction_id", f"{stem}entry_id"))


#: Tables of Bcfg2 that the import ignores: they are empty, or useless for another server.
IGNORED = frozenset(
    {
        *("Reporting_fileacl", "Reporting_pathentry_acls", "Reporting_deviceentry"),
        *("Reporting_group_groups", "Reporting_group_bundles"),
    }
)
#: Prefixes of Bcfg2's tables.
PREFIXES = ("Server_", "Reporting_")
#: The same for 1.2 and earlier, which had other tables for reports.
OLD_PREFIX = "reports_"
#: Tables in which Django, or South before it, recorded the creation of the others.
MIGRATIONS = (
    Bcfg2Table("south_migrationhistory", ("id", "applied")),
    Bcfg2Table("django_migrations", ("id", "applied")),
)

#: Tables that exist in every database with reports.
REPORT_TABLES = (
    *(REPORT_CLIENT, INTERACTION, PERFORMANCE, GROUP, BUNDLE, INTERACTION_GROUPS, INTERACTION_BUNDLES),
    *(PERMISSIONS, LINK, FAILURE, references("")),
    *(one for tag in ("Action", "Package", "Path", "Service") for one in (ENTRIES[tag], references(tag))),
)
#: Tables that some versions of 1.3 lack.
LATER_TABLES = tuple(
    one
    for tag in ENTRIES
    if tag.startswith(("SE", "POSIX")) and tag != "Service"
    for one in (ENTRIES[tag], references(tag))
)
