"""Keys of ``bcfg2.conf`` that belong to other programs.

The server, the client and the tools of Bcfg2 share one file. So the server does not warn of keys that one of them
reads.
"""

from __future__ import annotations

#: Section -> keys, in lower case.
BCFG2_KEYS: dict[str, tuple[str, ...]] = {
    "server": (
        *("repository", "plugins", "filemonitor", "ignore_files", "fam_blocking", "listen_all", "backend", "children"),
        *("umask", "user", "group", "vcs_root"),
    ),
    "components": ("bcfg2", "encoding", "lockfile"),
    "communication": (
        *("password", "ca", "certificate", "key", "protocol", "authentication", "timeout", "user", "retries"),
        *("retry_delay", "servercommonnames"),
    ),
    "logging": ("debug", "verbose", "path", "syslog", "performance", "performance_interval"),
    "caching": ("client_metadata",),
    "mdata": ("owner", "group", "mode", "important", "paranoid", "secontext", "sensitive"),
    "database": (
        *("engine", "name", "user", "password", "host", "port", "schema", "options"),
        *("reporting_engine", "reporting_name", "reporting_user", "reporting_password", "reporting_host"),
        *("reporting_port", "reporting_schema", "reporting_options"),
    ),
    "reporting": (
        *("config", "transport", "storage", "file_limit", "max_children", "redis_host", "redis_port", "redis_db"),
        *("time_zone", "web_debug", "web_prefix", "django_settings"),
    ),
    "metadata": ("use_database",),
    "probes": ("use_database", "allowed_groups"),
    "rules": ("regex", "replace_name"),
    "defaults": ("replace_name",),
    "properties": ("writes_enabled", "automatch"),
    "cfg": ("validation", "category", "passphrase", "handlers"),
    "sshkeys": ("category", "passphrase"),
    "sslca": ("category", "passphrase"),
    "sshbase": ("passphrase",),
    "packages": ("backends", "cache", "resolver", "metadata", "version", "yum_config", "apt_config"),
    "packages:pulp": ("username", "password"),
    "ldap": ("retries", "retry_delay", "cache"),
    "awstags": ("access_key_id", "secret_access_key", "cache"),
    "svn": ("user", "password", "always_trust", "conflict_resolution"),
    "bcfg2_test": ("nose_options", "ignore_entries", "children"),
    "bcfg2-info": ("interpreter",),
    "lint": ("plugins",),
    "Validate": ("schema",),
    "InfoXML": ("required_attrs",),
    "MergeFiles": ("threshold",),
    "paranoid": ("path", "max_copies"),
}

#: Sections with keys that the site chooses, or with keys that we do not know completely.
FREE_SECTIONS = frozenset({"encryption", "packages:yum", "errors", "Comments", "client"})

#: Prefixes of section names: a site has one such section for each certificate authority.
FREE_SECTION_PREFIXES = ("sslca_",)


def is_free(section: str) -> bool:
    """Return whether a section may have any key."""
    return section in FREE_SECTIONS or section.startswith(FREE_SECTION_PREFIXES)
