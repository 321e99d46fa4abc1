"""Plugins that some version of Bcfg2 had and that do not exist here. The error for their names says what to use."""

from __future__ import annotations

#: Name -> what to use instead.
GONE_PLUGINS: dict[str, str] = {
    "Acl": "the plugin is called ACL",
    "Chiba": "write network settings as templates in Cfg",
    "Compat": "POSIXCompat and ServiceCompat change entries for old clients",
    "Crontab": "write the files of cron in Cfg",
    "DBMetadata": "use Metadata; [metadata] use_database = yes keeps the clients in a database",
    "FileUpload": "FileProbes fetches files of clients",
    "GBundler": "Bundler reads templates of Genshi, too",
    "Hierarchy": "use groups in groups in Metadata/groups.xml",
    "Svn2": "Svn does the same",
    "Vars": "Properties gives values to templates",
    "Vhost": "write virtual hosts as templates in Cfg",
}
