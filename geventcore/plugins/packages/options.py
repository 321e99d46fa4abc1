"""The options of Packages: sections ``[packages]``, ``[packages:yum]`` and ``[packages:pulp]``."""

from __future__ import annotations

from typing import Any

from geventcore.options import types
from geventcore.options.option import Option

#: The values of [packages] resolver.
ENABLED, DISABLED, APT_LIKE = "enabled", "disabled", "apt-like"
RESOLVER_TYPE = types.choice(
    ENABLED,
    DISABLED,
    APT_LIKE,
    synonyms={**dict.fromkeys(types.TRUE_WORDS, ENABLED), **dict.fromkeys(types.FALSE_WORDS, DISABLED)},
)

BACKENDS = Option(
    "packages",
    "backends",
    types.COMMA_LIST,
    "Yum, Apt, Pac, Pkgng",
    "The types of sources that are read. Sources of other types are left out, with an error in the log.",
)

CACHE = Option(
    "packages",
    "cache",
    types.PATH,
    "<state>/Packages/cache",
    "The directory for what is fetched from sources.\n\n"
    "It holds the files of all sources, the indexes made from them, and the keys. A server that shares the repository "
    "with others may have one of its own.",
    at_start=True,
)

RESOLVER = Option(
    "packages",
    "resolver",
    RESOLVER_TYPE,
    ENABLED,
    "Whether packages that other packages need are added to a client's configuration, and by which rules.\n\n"
    "With enabled, they are added where there is no choice; alternatives are left to the client's package manager, or "
    "to [packages] alternatives. With apt-like, clients of apt sources get what apt-get install would install on a "
    "system where nothing is installed; clients of other sources get what they get with enabled.",
)

METADATA = Option(
    "packages",
    "metadata",
    types.SWITCH,
    True,
    "Whether the lists of packages of sources are read.\n\n"
    "Without them nothing is resolved, and groups of packages are left to the client. The configuration files for the "
    "client's package manager still work.",
)

VERSION = Option(
    "packages",
    "version",
    types.choice("auto", "any"),
    "auto",
    "The version that packages get: auto updates to the newest one, any accepts what is installed.",
)

YUM_CONFIG = Option(
    "packages",
    "yum_config",
    types.STRING,
    "/etc/yum.repos.d/bcfg2.repo",
    "The name of the Path entry that gets the configuration of the client's package manager.",
)

APT_CONFIG = Option(
    "packages",
    "apt_config",
    types.STRING,
    "/etc/apt/sources.list.d/bcfg2-packages-generated-sources.list",
    "Another name of the Path entry that gets the configuration of the client's package manager.",
)

ALTERNATIVES = Option(
    "packages",
    "alternatives",
    types.choice("client", "first"),
    "client",
    "Who chooses among alternatives (a | b): the client's package manager, or the server, which adds the first one.",
)

REFRESH_INTERVAL = Option(
    "packages",
    "refresh_interval",
    types.timeout(60.0, "never"),
    4 * 3600.0,
    "How often sources are fetched again, in seconds; 0 does it only when asked (Packages.Refresh).\n\n"
    "Each time differs by up to a tenth, so that servers that started together do not fetch together. What has not "
    "changed is not transferred again.",
)

START_TIMEOUT = Option(
    "packages",
    "start_timeout",
    types.seconds(0.1),
    30.0,
    "How long the start of the server waits for sources of which nothing has been fetched yet, in seconds.\n\n"
    "After that the server starts without them, and goes on fetching them in the background.",
)

SIGNATURES = Option(
    "packages",
    "signatures",
    types.choice("check", "require", "ignore"),
    "check",
    "How the signatures of apt sources are treated that have a GPGKey element: check refuses bad signatures, and "
    "missing ones if the source was signed before; require refuses all sources without a good signature; ignore checks "
    "nothing.",
)

TIMEOUT = Option(
    "packages",
    "timeout",
    types.seconds(0.1),
    30.0,
    "How long a source's server may say nothing before it counts as unreachable, in seconds.",
)

RETRIES = Option(
    "packages",
    "retries",
    types.integer(0, 20),
    3,
    "How often a failed transfer is repeated, with growing pauses, before a source keeps its last data.",
)

PROXY = Option(
    "packages",
    "proxy",
    types.STRING,
    "",
    "The proxy to fetch sources through, http://[user:password@]host:port/; without it http_proxy, https_proxy and "
    "no_proxy of the environment count.",
    secret=True,
)

CA = Option(
    "packages",
    "ca",
    types.OPTIONAL_PATH,
    None,
    "A file with the certificates of authorities that sources' servers are verified with, instead of the system's.",
)

CERTIFICATE = Option(
    "packages",
    "certificate",
    types.OPTIONAL_PATH,
    None,
    "The certificate that this server shows to sources that ask for one.",
)

KEY = Option("packages", "key", types.OPTIONAL_PATH, None, "The private key of [packages] certificate.")

MAX_DOWNLOAD = Option(
    "packages",
    "max_download",
    types.size(1 << 20),
    "1g",
    "The largest file that is accepted from a source.",
)

GPG_KEYPATH = Option(
    "packages:yum",
    "gpg_keypath",
    types.STRING,
    "/etc/pki/rpm-gpg",
    "The directory of clients in which the keys of sources are installed.",
)

USE_YUM_LIBRARIES = Option(
    "packages:yum",
    "use_yum_libraries",
    types.BOOLEAN,
    False,
    "Accepted for Bcfg2's sake: yum's libraries do not exist on current Pythons, so the built-in resolver is used.",
)

HELPER = Option(
    "packages:yum",
    "helper",
    types.STRING,
    "",
    "Accepted for Bcfg2's sake, without effect: no helper program is used.",
)

PULP_USERNAME = Option(
    "packages:pulp",
    "username",
    types.STRING,
    "",
    "Accepted for Bcfg2's sake, without effect: Pulp's libraries do not exist on current Pythons.",
)

PULP_PASSWORD = Option(
    "packages:pulp",
    "password",
    types.STRING,
    "",
    "Accepted for Bcfg2's sake, without effect: Pulp's libraries do not exist on current Pythons.",
    secret=True,
)

#: All of them, in the order of the manual.
PACKAGES_OPTIONS: tuple[Option[Any], ...] = (
    BACKENDS,
    CACHE,
    RESOLVER,
    METADATA,
    VERSION,
    ALTERNATIVES,
    YUM_CONFIG,
    APT_CONFIG,
    REFRESH_INTERVAL,
    START_TIMEOUT,
    SIGNATURES,
    TIMEOUT,
    RETRIES,
    PROXY,
    CA,
    CERTIFICATE,
    KEY,
    MAX_DOWNLOAD,
    GPG_KEYPATH,
    USE_YUM_LIBRARIES,
    HELPER,
    PULP_USERNAME,
    PULP_PASSWORD,
)
