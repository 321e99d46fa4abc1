"""The options of the administrator's commands."""

from __future__ import annotations

from geventcore.options import Option, types

IGNORED_ENTRIES = Option(
    "bcfg2_test",
    "ignore_entries",
    types.COMMA_LIST,
    "",
    "Entries that may fail in geventcore test.\n\n"
    "The value is a list of Tag:name, separated by commas. The name may have wildcards: Path:/etc/legacy/*.",
    flags=("--ignore",),
)

PROCESSES = Option(
    "bcfg2_test",
    "children",
    types.integer(0),
    0,
    "How many processes build configurations in geventcore test; 0 for one for each processor.",
    flags=("--processes",),
)

CALL_USER = Option(
    "communication",
    "user",
    types.STRING,
    "root",
    "The user that commands and clients log in to a server as.\n\n"
    "A server takes root for the client with the caller's address, and another user for the client of that name.",
    flags=("-u", "--user"),
)

CALL_TIMEOUT = Option(
    "communication",
    "timeout",
    types.seconds(0.1),
    90.0,
    "The time in which a server must answer a command, in seconds.",
    flags=("-t", "--timeout"),
)

CALL_RETRIES = Option(
    "communication",
    "retries",
    types.integer(0, 1000),
    3,
    "How often a command tries to reach a server; 0 means once, too.",
    flags=("-R", "--retries"),
)

CALL_RETRY_DELAY = Option(
    "communication",
    "retry_delay",
    types.seconds(0.0),
    1.0,
    "The pause between two attempts, in seconds.",
    flags=("-y", "--retry-delay"),
)

SERVER_COMMON_NAMES: Option[tuple[str, ...]] = Option(
    "communication",
    "servercommonnames",
    types.COLON_LIST,
    "",
    "The names that the certificate of a server may have, separated by colons; every name if the list is empty.\n\n"
    "Commands check the certificate itself in any case if [communication] ca is set.",
    flags=("--ssl-cns",),
)

LINT_CONFIG = Option(
    "lint",
    "config",
    types.PATH,
    "/etc/bcfg2-lint.conf",
    "A second configuration file for geventcore lint, whose values win over the first one's. It may be missing.",
    flags=("--lint-config",),
)

LINT_PLUGINS = Option(
    "lint",
    "plugins",
    types.COMMA_LIST,
    "",
    "The checks of geventcore lint, separated by commas.\n\n"
    "Without this option, all checks are done except those of plugins that are not enabled.",
    flags=("--lint-plugins",),
)

SCHEMAS_OPTION = Option(
    "Validate",
    "schema",
    types.OPTIONAL_PATH,
    None,
    "A directory of XML Schemas of your own for geventcore lint, with the file names of Bcfg2's.",
    flags=("--schema",),
)

REQUIRED_INFO = Option(
    "InfoXML",
    "required_attrs",
    types.COMMA_LIST,
    "owner, group, mode",
    "The attributes that geventcore lint expects of each Info element in an info.xml.",
)

MERGE_THRESHOLD = Option(
    "MergeFiles",
    "threshold",
    types.number(0.0, 100.0),
    0.75,
    "The similarity above which geventcore lint proposes to merge two files: a ratio, or a percentage above 1.",
)
