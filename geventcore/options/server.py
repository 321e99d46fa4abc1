"""Options that several parts of the program share. Other options stand next to the code that uses them."""

from __future__ import annotations

from typing import Any

from geventcore.options import types
from geventcore.options.option import Option

REPOSITORY = Option(
    "server",
    "repository",
    types.PATH,
    "/var/lib/bcfg2",
    "The directory of the repository, from which the server builds all configurations.\n\n"
    "It has one directory for each plugin. The server reads it and watches it for changes. Plugins that store data, "
    "such as host keys or clients that register themselves, write to it. In other options <repository> stands for "
    "this directory.",
    flags=("-Q", "--repository"),
    at_start=True,
)

STATE_DIRECTORY = Option(
    "server",
    "state_directory",
    types.PATH,
    "<repository>",
    "The directory for what the server writes and nobody edits: databases, reports that wait, caches.\n\n"
    "The users and the key of the web pages are there, too. By default it is the repository, as in Bcfg2. With a "
    "directory of its own, the repository can be a checkout that is replaced as a whole. Probe results in files, "
    "registered clients and keys that were made for clients stay in the repository: they are part of what clients get. "
    "In other options <state> stands for this directory. If you change it, move Reporting/, Packages/cache/ and from "
    "etc/ the files *.sqlite*, web-users and web-secret to the same places below the new directory.",
    at_start=True,
)

PLUGINS = Option(
    "server",
    "plugins",
    types.COMMA_LIST,
    "Bundler, Cfg, Metadata, Pkgmgr, Rules, SSHbase",
    "The plugins to load, in this order, separated by commas.\n\n"
    "The server does not start if a plugin cannot be loaded. A dotted name, package.module.Class, is a site's own "
    "plugin. One plugin must provide the client list: Metadata.",
    at_start=True,
)

FILEMONITOR = Option(
    "server",
    "filemonitor",
    types.choice("default", "inotify", "polling", "pseudo", synonyms={"gamin": "default"}),
    "default",
    "The method of watching repository files for changes.\n\n"
    "The default is the best method of this system, inotify on Linux. Use polling on file systems that do not report "
    "changes by other machines, such as NFS. pseudo reads every file once, and changes need a restart.",
    at_start=True,
)

IGNORE_FILES = Option(
    "server",
    "ignore_files",
    types.COMMA_LIST,
    "*~, *#, .#*, *.swp, *.swpx, .*.swx, SCCS, .svn, 4913, .gitignore",
    "File names in the repository to ignore, such as backup files of editors.\n\n"
    "The value is a list of shell patterns separated by commas. It replaces the default list.",
    at_start=True,
)

MAX_FILE_SIZE = Option(
    "server",
    "max_file_size",
    types.SIZE,
    256 << 20,
    "The size of the largest file in the repository that the server reads.\n\n"
    "A larger file is an error in the log, and its last good version stays in use. 0 is no limit.",
)

FAM_BLOCKING = Option(
    "server",
    "fam_blocking",
    types.BOOLEAN,
    True,
    "Read the whole repository before serving clients.\n\n"
    "Otherwise clients are served at once, and may get incomplete configurations. Turn it off only for tests.",
    flags=("--no-fam-blocking",),
    at_start=True,
)

QUIET_SECONDS = Option(
    "server",
    "quiet_seconds",
    types.number(0.0, 60.0),
    0.4,
    "How long nobody must have changed the repository before the server applies a change, in seconds.\n\n"
    "So clients get no half of a checkout. After more than a few changes the server waits 2.5 times as long, and as "
    "long as a version control tool holds its lock. It waits at most 10 seconds for quiet, 30 seconds if many files "
    "change, and 60 seconds for a lock.",
)

MAX_STALE = Option(
    "server",
    "max_stale",
    types.timeout(0.0, "never"),
    86400.0,
    "How long clients get the last good state when the repository has vanished, in seconds.\n\n"
    "The repository, or the directory of a plugin, may have been moved, removed or unmounted. After this time "
    "GetConfig is a fault. 0 means that it never is.",
)

MISSING_BUNDLES = Option(
    "server",
    "missing_bundles",
    types.choice("fault", "fail", "log"),
    "fault",
    "What a client gets that should have a bundle that does not exist or cannot be used.\n\n"
    "fault: no configuration. fail: a configuration with an entry that fails in place of the bundle. log: a "
    "configuration without it, and an error in the log; Bcfg2 does that. A client that removes what is not in its "
    "configuration removes the entries of the bundle with fail and log.",
)

UMASK = Option(
    "server",
    "umask",
    types.OCTAL,
    0o077,
    "The umask for files that the server writes, as an octal number.\n\n"
    "With the default, only the server's user can access files that the server writes to the repository.",
    at_start=True,
)

USER = Option(
    "server",
    "user",
    types.USER,
    0,
    "The user that the server runs as after it has opened its ports, by name or number.\n\n"
    "The repository must belong to this user. The option is used only if root starts the server.",
    at_start=True,
)

GROUP = Option(
    "server",
    "group",
    types.GROUP,
    0,
    "The group that the server runs as, by name or number.",
    at_start=True,
)

LISTEN_ALL = Option(
    "server",
    "listen_all",
    types.BOOLEAN,
    False,
    "Listen on all addresses of the machine.\n\n"
    "Otherwise the server listens on the addresses of the host in [components] bcfg2.",
    flags=("--listen-all",),
    at_start=True,
)

CORE = Option(
    "server",
    "core",
    types.name({"": "gevent", "best": "gevent"}),
    "gevent",
    "The server core.\n\n"
    "gevent serves thousands of clients at once. Choose another core only if a plugin does not work with gevent: "
    "builtin (threads), multiprocessing, cherrypy, tornado or twisted. package.module:Class is a site's own core. "
    "The option is also called backend, and best means gevent.",
    synonyms=(("server", "backend"),),
    at_start=True,
)

SERVER_URL = Option(
    "components",
    "bcfg2",
    types.URL,
    "https://localhost:6789",
    "Address to listen on, as a URL with host and port.\n\n"
    "Clients and tools that read the same file connect to this address.",
    flags=("-S", "--server"),
    at_start=True,
)

ENCODING = Option(
    "components",
    "encoding",
    types.ENCODING_NAME,
    "UTF-8",
    "The text encoding of the files in the repository.",
    flags=("-E", "--encoding"),
)

PASSWORD = Option(
    "communication",
    "password",
    types.OPTIONAL_STRING,
    None,
    "The password that all clients share.\n\n"
    "Without it, each client needs its own password or certificate. Set it in the file: every user of the machine can "
    "see passwords on the command line.",
    flags=("-x", "--password"),
    secret=True,
)

CERTIFICATE = Option(
    "communication",
    "certificate",
    types.PATH,
    "/etc/pki/tls/certs/bcfg2.crt",
    "The file with the server's certificate, in PEM format.\n\nIntermediate certificates may follow it.",
)

KEY = Option(
    "communication",
    "key",
    types.PATH,
    "/etc/pki/tls/private/bcfg2.key",
    "The file with the private key of the server's certificate, in PEM format, without a passphrase.",
    flags=("--ssl-key",),
)

CA = Option(
    "communication",
    "ca",
    types.OPTIONAL_PATH,
    None,
    "The file with the CA certificates for checking client certificates, in PEM format.\n\n"
    "Without it, the server does not ask for client certificates, and clients must use passwords.",
)

PROTOCOL = Option(
    "communication",
    "protocol",
    types.choice("xmlrpc/ssl", "xmlrpc/tlsv1"),
    "xmlrpc/tlsv1",
    "The protocol between client and server.\n\n"
    "Both values exist for old configuration files and mean XML-RPC over TLS 1.2 or newer.",
)

DEBUG = Option(
    "logging",
    "debug",
    types.BOOLEAN,
    False,
    "Log everything, and add tracebacks to errors.",
    flags=("-d", "--debug"),
    at_start=True,
)

VERBOSE = Option(
    "logging",
    "verbose",
    types.BOOLEAN,
    False,
    "Log from level INFO, instead of warnings and errors only.",
    flags=("-v", "--verbose"),
    at_start=True,
)

LOG_FILE = Option(
    "logging",
    "path",
    types.OPTIONAL_PATH,
    None,
    "The file to log to.\n\nWhen it is moved, for example by logrotate, the server opens a new one.",
    flags=("-o", "--logfile"),
    at_start=True,
)

LOG_FORMAT = Option(
    "logging",
    "format",
    types.choice("text", "json"),
    "text",
    "The format of the server's log: text, or a JSON object in each line.\n\n"
    "While a request is served, lines have the client, the method and the duration so far. JSON also has the number of "
    "the worker process.",
    at_start=True,
)
SYSLOG = Option(
    "logging",
    "syslog",
    types.BOOLEAN,
    True,
    "Log to syslog, with the facility daemon.\n\nA machine without syslog gets a warning.",
    at_start=True,
)

PERFORMANCE = Option(
    "logging",
    "performance",
    types.BOOLEAN,
    False,
    "Log the duration of client calls and rendering steps at regular intervals.",
    at_start=True,
)

PERFORMANCE_INTERVAL = Option(
    "logging",
    "performance_interval",
    types.timeout(1, "never"),
    300.0,
    "Seconds from one performance log to the next.",
)

CACHE_MODE = Option(
    "caching",
    "client_metadata",
    types.choice("off", "initial", "cautious", "aggressive", synonyms={"on": "cautious"}),
    "off",
    "The caching of client metadata.\n\n"
    "off builds metadata for each call. initial caches the part of the Metadata plugin, but not the data of other "
    "plugins. cautious caches everything until a source changes or the client sends probe results. aggressive also "
    "keeps metadata if the probe results are the same as before. Do not use aggressive with plugins that get data from "
    "outside the repository.",
)

BOUND_ENTRIES = Option(
    "caching",
    "bound_entries",
    types.SIZE,
    64 << 20,
    "The size of the cache of bound entries in each server process.\n\n"
    "Clients share cached entries. The size of the files below Cfg plus half a kilobyte for each file is enough. The "
    "least used entries are dropped first. 0 turns the cache off.",
    at_start=True,
)

ANSWERS = Option(
    "caching",
    "answers",
    types.SIZE,
    64 << 20,
    "The size of the cache of clients' last configurations in each server process.\n\n"
    "A client whose configuration depends on nothing that has changed gets the last one again. Clients share what is "
    "the same; each takes about 10 KB, and what is its own. The least used configurations are dropped first. 0 turns "
    "the cache off.",
    at_start=True,
)

WEB_CONFIG = Option(
    "reporting",
    "config",
    types.PATH,
    "/etc/bcfg2-web.conf",
    "An additional configuration file that overrides the main one.\n\n"
    "The web server of the reports may read it, while the main file holds secrets. It may be missing.",
    flags=("-W", "--web-config"),
)

MDATA_OWNER = Option("mdata", "owner", types.STRING, "root", "Default owner of Path entries.")
MDATA_GROUP = Option("mdata", "group", types.STRING, "root", "Default group of Path entries.")
MDATA_MODE = Option("mdata", "mode", types.STRING, "644", "Default permission bits of Path entries.")
MDATA_SECONTEXT = Option(
    "mdata",
    "secontext",
    types.STRING,
    "__default__",
    "Default SELinux context of Path entries.\n\nThe default value lets the client's policy decide.",
)
MDATA_IMPORTANT = Option(
    "mdata",
    "important",
    types.STRING,
    "false",
    "Default of the attribute important of Path entries: true or false.\n\n"
    "Clients install important entries before all others.",
)
MDATA_PARANOID = Option(
    "mdata",
    "paranoid",
    types.STRING,
    "true",
    "Default of the attribute paranoid of Path entries: true or false.\n\n"
    "Clients back up paranoid files before they change them.",
)
MDATA_SENSITIVE = Option(
    "mdata",
    "sensitive",
    types.STRING,
    "false",
    "Default of the attribute sensitive of Path entries: true or false.\n\n"
    "The contents of sensitive files do not appear in reports.",
)

#: Options of every command, in addition to the configuration file (``-C``).
COMMAND_LINE_OPTIONS: tuple[Option[Any], ...] = (REPOSITORY, ENCODING, WEB_CONFIG, DEBUG, VERBOSE, LOG_FILE)

MAX_REPORT_ENTRIES = Option(
    "reporting",
    "max_entries",
    types.integer(1),
    10_000,
    "The most bad, modified and extra entries of a report that are read.\n\n"
    "Further ones are counted: the stored report has an entry Report:shortened with their number in left_out.",
)

MAX_REPORT_SIZE = Option(
    "reporting",
    "max_size",
    types.size(64 << 10),
    "32m",
    "The most memory for the entries of a report while it is read.\n\n"
    "An entry takes 2 to 4 KB, and more with the difference of a file. Entries that do not fit are stored without file "
    "contents, or counted as with max_entries.",
)

#: All options of this module, in the order of the reference.
COMMON_OPTIONS: tuple[Option[Any], ...] = tuple(value for value in list(vars().values()) if isinstance(value, Option))
