"""Options that several parts of the program share. All others stand next to the code that uses them."""

from __future__ import annotations

from typing import Any

from geventcore.options import types
from geventcore.options.option import Option

REPOSITORY = Option(
    "server",
    "repository",
    types.PATH,
    "/var/lib/bcfg2",
    "The directory of the repository: what all clients' configurations are made from.\n\n"
    "It has one directory for each plugin. The server reads it, watches it for changes, and writes to it where a "
    "plugin stores something (host keys, clients that register themselves). Other options may say <repository> where "
    "they mean this directory.",
    flags=("-Q", "--repository"),
    at_start=True,
)

PLUGINS = Option(
    "server",
    "plugins",
    types.COMMA_LIST,
    "Bundler, Cfg, Metadata, Pkgmgr, Rules, SSHbase",
    "The plugins to load, with commas between them and in this order.\n\n"
    "A plugin that cannot be loaded stops the start. A dotted name, package.module.Class, is a plugin of the site's "
    "own. One of the plugins has to know the clients: Metadata.",
    at_start=True,
)

FILEMONITOR = Option(
    "server",
    "filemonitor",
    types.choice("default", "inotify", "polling", "pseudo", synonyms={"gamin": "default"}),
    "default",
    "How changes of repository files are noticed.\n\n"
    "The default is the best one that works here: inotify on Linux. Use polling on file systems that report no "
    "changes of other machines, such as NFS. With pseudo every file is read once, and changes need a restart.",
    at_start=True,
)

IGNORE_FILES = Option(
    "server",
    "ignore_files",
    types.COMMA_LIST,
    "*~, *#, .#*, *.swp, *.swpx, .*.swx, SCCS, .svn, 4913, .gitignore",
    "File names in the repository that mean nothing: what editors and version control leave behind.\n\n"
    "Shell patterns with commas between them. A list that is set here replaces the default one.",
    at_start=True,
)

FAM_BLOCKING = Option(
    "server",
    "fam_blocking",
    types.BOOLEAN,
    True,
    "Whether clients are served only after the whole repository was read.\n\n"
    "Without it clients are answered from the start, but may be told things that are missing in a part that is still "
    "unread. Turn it off only for tests.",
    flags=("--no-fam-blocking",),
    at_start=True,
)

UMASK = Option(
    "server",
    "umask",
    types.OCTAL,
    0o077,
    "Permission bits that files written by the server do not get, as an octal number.\n\n"
    "The default keeps everybody but the server's own user out of what it writes to the repository.",
    at_start=True,
)

USER = Option(
    "server",
    "user",
    types.USER,
    0,
    "The user that the server runs as once it has opened its ports, by name or number.\n\n"
    "The repository has to belong to this user. It matters only if the server is started by root.",
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
    "Whether to listen on all addresses of the machine.\n\n"
    "Otherwise the server listens only on the addresses that the host in [components] bcfg2 stands for.",
    flags=("--listen-all",),
    at_start=True,
)

CORE = Option(
    "server",
    "core",
    types.name({"": "gevent", "best": "gevent"}),
    "gevent",
    "Which server core serves the clients.\n\n"
    "gevent serves thousands of clients at once and is the right one unless a plugin cannot live with it. The others "
    "are builtin (threads), multiprocessing and cherrypy. package.module:Class is a core of the site's own. The older "
    "name of this option is backend; best is gevent.",
    synonyms=(("server", "backend"),),
    at_start=True,
)

SERVER_URL = Option(
    "components",
    "bcfg2",
    types.URL,
    "https://localhost:6789",
    "Where the server is found: its host and port.\n\n"
    "The server listens there, and clients and tools that read the same file call it there.",
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
    "Without one, only clients with a password or certificate of their own are let in. A password on the command line "
    "can be seen by every user of the machine: the file is the better place.",
    flags=("-x", "--password"),
    secret=True,
)

CERTIFICATE = Option(
    "communication",
    "certificate",
    types.PATH,
    "/etc/pki/tls/certs/bcfg2.crt",
    "The file with the server's certificate, in PEM format.\n\n"
    "Certificates of intermediate authorities may follow the server's own.",
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
    "The file with the certificates of the authorities whose client certificates are trusted, in PEM format.\n\n"
    "Without one, clients are not asked for a certificate and can only give a password.",
)

PROTOCOL = Option(
    "communication",
    "protocol",
    types.choice("xmlrpc/ssl", "xmlrpc/tlsv1"),
    "xmlrpc/tlsv1",
    "The protocol between client and server.\n\n"
    "Both names are for old configuration files, and both mean XML-RPC over TLS 1.2 or newer.",
)

DEBUG = Option(
    "logging",
    "debug",
    types.BOOLEAN,
    False,
    "Whether to log everything, and to show where an error comes from.",
    flags=("-d", "--debug"),
    at_start=True,
)

VERBOSE = Option(
    "logging",
    "verbose",
    types.BOOLEAN,
    False,
    "Whether to log what is done, and not only what goes wrong.",
    flags=("-v", "--verbose"),
    at_start=True,
)

LOG_FILE = Option(
    "logging",
    "path",
    types.OPTIONAL_PATH,
    None,
    "The file to log to.\n\nIt may be moved away at any time (logrotate): a new one is begun.",
    flags=("-o", "--logfile"),
    at_start=True,
)

SYSLOG = Option(
    "logging",
    "syslog",
    types.BOOLEAN,
    True,
    "Whether to log to syslog, with the facility daemon.\n\nA machine without syslog is no error.",
    at_start=True,
)

PERFORMANCE = Option(
    "logging",
    "performance",
    types.BOOLEAN,
    False,
    "Whether to log regularly how long the calls of clients and the steps of rendering take.",
    at_start=True,
)

PERFORMANCE_INTERVAL = Option(
    "logging",
    "performance_interval",
    types.timeout(1, "nothing is logged"),
    300.0,
    "Seconds from one performance log to the next.",
)

CACHE_MODE = Option(
    "caching",
    "client_metadata",
    types.choice("off", "initial", "cautious", "aggressive", synonyms={"on": "cautious"}),
    "off",
    "How long what is known of a client is kept.\n\n"
    "off works it out anew for each call. initial keeps what the Metadata plugin says, but not what other plugins "
    "add. cautious keeps everything until one of its sources changes or the client sends probe results. aggressive "
    "keeps it even then unless the results differ, and is not for sites with plugins whose data come from outside "
    "the repository.",
)

BOUND_ENTRIES = Option(
    "caching",
    "bound_entries",
    types.SIZE,
    64 << 20,
    "How much of what configurations are made of is kept by each process of the server, for other clients that get the "
    "same.\n\n"
    "The size of the files below Cfg, with half a kilobyte more for each, is enough; what is used least makes room. "
    "0 keeps nothing.",
    at_start=True,
)

WEB_CONFIG = Option(
    "reporting",
    "config",
    types.PATH,
    "/etc/bcfg2-web.conf",
    "A further configuration file: what stands in it goes over the main one.\n\n"
    "It is for what the reports' web server may read while the main file holds secrets. It need not exist.",
    flags=("-W", "--web-config"),
)

MDATA_OWNER = Option("mdata", "owner", types.STRING, "root", "The owner of a Path whose entry names none.")
MDATA_GROUP = Option("mdata", "group", types.STRING, "root", "The group of a Path whose entry names none.")
MDATA_MODE = Option("mdata", "mode", types.STRING, "644", "The permission bits of a Path whose entry has none.")
MDATA_SECONTEXT = Option(
    "mdata",
    "secontext",
    types.STRING,
    "__default__",
    "The SELinux context of a Path whose entry names none.\n\nThe default lets the client's policy decide.",
)
MDATA_IMPORTANT = Option(
    "mdata",
    "important",
    types.STRING,
    "false",
    "Whether a Path whose entry does not say is important: true or false.\n\n"
    "Clients install what is important before everything else.",
)
MDATA_PARANOID = Option(
    "mdata",
    "paranoid",
    types.STRING,
    "true",
    "Whether clients keep a copy of a Path before they change it, if its entry does not say: true or false.",
)
MDATA_SENSITIVE = Option(
    "mdata",
    "sensitive",
    types.STRING,
    "false",
    "Whether a Path whose entry does not say is kept out of reports: true or false.",
)

#: What every command accepts, in addition to the configuration file (``-C``).
COMMAND_LINE_OPTIONS: tuple[Option[Any], ...] = (REPOSITORY, ENCODING, WEB_CONFIG, DEBUG, VERBOSE, LOG_FILE)

#: All options of this module, in the order of the reference.
COMMON_OPTIONS: tuple[Option[Any], ...] = tuple(value for value in list(vars().values()) if isinstance(value, Option))
