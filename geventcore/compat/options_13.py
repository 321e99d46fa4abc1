"""``Bcfg2.Options`` of Bcfg2 1.3: `OptionParser`, the constants of options, and functions that convert values.

``OptionParser({"repo": Bcfg2.Options.SERVER_REPOSITORY})`` is a dictionary of options that has their values after
`parse`. The values come from the configuration of the server: the command line of a program is never read here. The
constants of options that only Bcfg2's client and tools have do not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from geventcore.compat import option_types
from geventcore.compat.current import get_core
from geventcore.compat.options import Option, server_value
from geventcore.errors import ConfigError
from geventcore.options import types

__all__ = [
    "DEFAULT_CONFIG_LOCATION",
    "DEFAULT_INSTALL_PREFIX",
    "DefaultConfigParser",
    "OptionFailure",
    "OptionParser",
    "OptionSet",
    "colon_split",
    "dict_split",
    "get_bool",
    "get_gid",
    "get_int",
    "get_option_parser",
    "get_size",
    "get_timeout",
    "get_uid",
    "list_split",
    "list_split_anchored_regex",
]

DEFAULT_CONFIG_LOCATION = "/etc/bcfg2.conf"
DEFAULT_INSTALL_PREFIX = "/usr"

list_split = option_types.comma_list
list_split_anchored_regex = option_types.anchored_regex_list
colon_split = option_types.colon_list
dict_split = option_types.literal_dict
get_size = option_types.size
get_timeout = option_types.timeout
get_uid = option_types.username
get_gid = option_types.groupname
get_int = int


def get_bool(text: Any) -> bool:
    """Convert a text to a boolean; `ValueError` if it is not one."""
    return text if isinstance(text, bool) else types.BOOLEAN.parse(str(text))


class OptionFailure(ConfigError):
    """An option is missing or invalid."""


class OptionSet(dict[str, Any]):
    """Options by name; after `parse`, their values.

    Attributes:
        cfp: the configuration file.
    """

    def __init__(self, args: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), *_: Any, **__: Any) -> None:
        """Create a set. Other arguments, such as the name of a configuration file, are ignored."""
        super().__init__(args)
        self.optinfo: dict[str, Any] = dict(self)

    @property
    def cfp(self) -> Any:
        return get_core().setup.cfp

    def parse(self, argv: Any = (), do_getopt: bool = True) -> None:
        """Replace the options by their values; `ConfigError` if one is invalid."""
        settings = get_core().context.settings
        for name, option in self.optinfo.items():
            self[name] = option.value(settings) if isinstance(option, Option) else option
        self.setdefault("args", [])

    def add_option(self, name: str, option: Any) -> None:
        """Add an option, which gets its value when `parse` is called."""
        self[name] = self.optinfo[name] = option

    def update(self, *args: Any, **named: Any) -> None:
        """Add several options."""
        for name, option in dict(*args, **named).items():
            self.add_option(name, option)


class OptionParser(OptionSet):
    """The set of options of a program."""

    def reparse(self) -> None:
        """Read the values again, after a change of the configuration."""
        self.parse()


def get_option_parser() -> OptionParser:
    """Return the options of the server with their values."""
    parser = OptionParser({**CLI_COMMON_OPTIONS, **DAEMON_COMMON_OPTIONS, **SERVER_COMMON_OPTIONS})
    parser.parse()
    return parser


class DefaultConfigParser:
    """The configuration file of the server; its methods accept a `default`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(get_core().setup.cfp, name)


#: Constant -> section, key, default and conversion. If the server has the option, its own default and type are used.
_OPTIONS: dict[str, tuple[str, str, Any, Any]] = {
    "CFG_VALIDATION": ("cfg", "validation", True, get_bool),
    "DB_ENGINE": ("database", "engine", "sqlite3", None),
    "DB_HOST": ("database", "host", "localhost", None),
    "DB_NAME": ("database", "name", "/var/lib/bcfg2/etc/bcfg2.sqlite", None),
    "DB_OPTIONS": ("database", "options", {}, dict_split),
    "DB_PASSWORD": ("database", "password", None, None),
    "DB_PORT": ("database", "port", "", None),
    "DB_SCHEMA": ("database", "schema", "public", None),
    "DB_USER": ("database", "user", None, None),
    "DEBUG": ("logging", "debug", False, get_bool),
    "DJANGO_DEBUG": ("reporting", "web_debug", None, get_bool),
    "DJANGO_TIME_ZONE": ("reporting", "time_zone", None, None),
    "DJANGO_WEB_PREFIX": ("reporting", "web_prefix", None, None),
    "ENCODING": ("components", "encoding", "UTF-8", None),
    "INSTALL_PREFIX": ("server", "prefix", DEFAULT_INSTALL_PREFIX, None),
    "LOCKFILE": ("components", "lockfile", "/var/lock/bcfg2.run", None),
    "LOGGING_FILE_PATH": ("logging", "path", None, None),
    "LOGGING_SYSLOG": ("logging", "syslog", True, get_bool),
    "LOG_PERFORMANCE": ("logging", "performance", False, None),
    "MDATA_GROUP": ("mdata", "group", "root", None),
    "MDATA_IMPORTANT": ("mdata", "important", "False", None),
    "MDATA_MODE": ("mdata", "mode", "644", None),
    "MDATA_OWNER": ("mdata", "owner", "root", None),
    "MDATA_PARANOID": ("mdata", "paranoid", "true", None),
    "MDATA_SECONTEXT": ("mdata", "secontext", "__default__", None),
    "MDATA_SENSITIVE": ("mdata", "sensitive", "false", None),
    "PARANOID_MAX_COPIES": ("paranoid", "max_copies", 1, None),
    "PARANOID_PATH": ("paranoid", "path", "/var/cache/bcfg2", None),
    "PERFLOG_INTERVAL": ("logging", "performance_interval", 300.0, get_timeout),
    "REPORTING_FILE_LIMIT": ("reporting", "file_limit", 1048576, get_size),
    "REPORTING_TRANSPORT": ("reporting", "transport", "DirectStore", None),
    "SCHEMA_PATH": ("lint", "schema", "/usr/share/bcfg2/schemas", None),
    "SENDMAIL_PATH": ("reports", "sendmailpath", "/usr/lib/sendmail", None),
    "SERVER_AUTHENTICATION": ("communication", "authentication", "cert+password", None),
    "SERVER_BACKEND": ("server", "backend", "best", None),
    "SERVER_CA": ("communication", "ca", None, None),
    "SERVER_CERT": ("communication", "certificate", "/etc/pki/tls/certs/bcfg2.crt", None),
    "SERVER_CHILDREN": ("server", "children", None, get_int),
    "SERVER_DAEMON_GROUP": ("server", "group", 0, get_gid),
    "SERVER_DAEMON_USER": ("server", "user", 0, get_uid),
    "SERVER_FAM_BLOCK": ("server", "fam_blocking", False, get_bool),
    "SERVER_FAM_IGNORE": ("server", "ignore_files", (), list_split),
    "SERVER_FILEMONITOR": ("server", "filemonitor", "default", None),
    "SERVER_KEY": ("communication", "key", "/etc/pki/tls/private/bcfg2.key", None),
    "SERVER_LISTEN_ALL": ("server", "listen_all", False, get_bool),
    "SERVER_LOCATION": ("components", "bcfg2", "https://localhost:6789", None),
    "SERVER_PASSWORD": ("communication", "password", None, None),
    "SERVER_PLUGINS": ("server", "plugins", (), list_split),
    "SERVER_PROBE_ALLOWED_GROUPS": ("probes", "allowed_groups", ".*", list_split_anchored_regex),
    "SERVER_PROTOCOL": ("communication", "protocol", "xmlrpc/ssl", None),
    "SERVER_REPOSITORY": ("server", "repository", "/var/lib/bcfg2", None),
    "SERVER_UMASK": ("server", "umask", "0077", None),
    "SERVER_VCS_ROOT": ("server", "vcs_root", None, None),
    "VERBOSE": ("logging", "verbose", False, get_bool),
    "WEB_CFILE": ("reporting", "config", "/etc/bcfg2-web.conf", None),
}


def _option(section: str, key: str, default: Any, convert: Any) -> Option:
    return server_value(section, key) or Option("", default, cf=(section, key), cook=convert)


globals().update({name: _option(*row) for name, row in _OPTIONS.items()})
CFILE = Option("", DEFAULT_CONFIG_LOCATION, env="BCFG2_CONFIG")
DAEMON = Option("", None, dest="daemon")
HELP = Option("", False, dest="help")
VERSION = Option("", False, dest="version")


def _named(**names: str) -> dict[str, Option]:
    return {name: globals()[constant] for name, constant in names.items()}


CLI_COMMON_OPTIONS = _named(
    configfile="CFILE",
    debug="DEBUG",
    encoding="ENCODING",
    help="HELP",
    logging="LOGGING_FILE_PATH",
    syslog="LOGGING_SYSLOG",
    verbose="VERBOSE",
    version="VERSION",
)
DAEMON_COMMON_OPTIONS = _named(
    daemon="DAEMON",
    daemon_gid="SERVER_DAEMON_GROUP",
    daemon_uid="SERVER_DAEMON_USER",
    listen_all="SERVER_LISTEN_ALL",
    umask="SERVER_UMASK",
)
SERVER_COMMON_OPTIONS = _named(
    authentication="SERVER_AUTHENTICATION",
    backend="SERVER_BACKEND",
    ca="SERVER_CA",
    cert="SERVER_CERT",
    children="SERVER_CHILDREN",
    fam_blocking="SERVER_FAM_BLOCK",
    filemonitor="SERVER_FILEMONITOR",
    ignore="SERVER_FAM_IGNORE",
    key="SERVER_KEY",
    location="SERVER_LOCATION",
    password="SERVER_PASSWORD",
    perflog="LOG_PERFORMANCE",
    perflog_interval="PERFLOG_INTERVAL",
    plugins="SERVER_PLUGINS",
    probe_allowed_groups="SERVER_PROBE_ALLOWED_GROUPS",
    protocol="SERVER_PROTOCOL",
    repo="SERVER_REPOSITORY",
    vcs_root="SERVER_VCS_ROOT",
    web_configfile="WEB_CFILE",
)
DATABASE_COMMON_OPTIONS = _named(
    configfile="CFILE",
    db_engine="DB_ENGINE",
    db_host="DB_HOST",
    db_name="DB_NAME",
    db_options="DB_OPTIONS",
    db_password="DB_PASSWORD",
    db_port="DB_PORT",
    db_schema="DB_SCHEMA",
    db_user="DB_USER",
    django_debug="DJANGO_DEBUG",
    time_zone="DJANGO_TIME_ZONE",
    web_configfile="WEB_CFILE",
    web_prefix="DJANGO_WEB_PREFIX",
)
REPORTING_COMMON_OPTIONS = _named(
    reporting_file_limit="REPORTING_FILE_LIMIT", reporting_transport="REPORTING_TRANSPORT"
)
INFO_COMMON_OPTIONS = {
    **CLI_COMMON_OPTIONS,
    **SERVER_COMMON_OPTIONS,
    **_named(max_copies="PARANOID_MAX_COPIES", ppath="PARANOID_PATH"),
}

__all__ += [
    *_OPTIONS,
    "CFILE",
    "CLI_COMMON_OPTIONS",
    "DAEMON",
    "DAEMON_COMMON_OPTIONS",
    "DATABASE_COMMON_OPTIONS",
    "HELP",
    "INFO_COMMON_OPTIONS",
    "REPORTING_COMMON_OPTIONS",
    "SERVER_COMMON_OPTIONS",
    "VERSION",
]
