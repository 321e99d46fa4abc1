"""All metrics of ``/metrics``. The page docs/reference/metrics is generated from this module.

Labels have few values, and none comes unchecked from a client: a method's name is an existing one, or ``""``.
"""

from __future__ import annotations

from geventcore.metrics.families import CounterFamily, GaugeFamily, HistogramFamily

# -- the server

INFO = GaugeFamily(
    "geventcore_info", "The running program in labels; the value is always 1.", ["version", "python", "core"], "max"
)
REPOSITORY_INFO = GaugeFamily(
    "geventcore_repository_info",
    "The revision of the repository, and a digest of the files in use, as labels; the value is always 1.",
    ["revision", "content"],
    "max",
)
READY = GaugeFamily(
    "geventcore_ready",
    "Result of a check of /readyz: 1 if all processes pass it, else 0.",
    ["check"],
    "min",
)
PROCESSES = GaugeFamily(
    "geventcore_processes", "Processes of the server, by whether they answered this scrape.", ["state"], "max"
)

# -- connections

CONNECTIONS_ACCEPTED = CounterFamily("geventcore_connections_accepted", "Accepted connections.")
CONNECTIONS = GaugeFamily(
    "geventcore_connections",
    "Open connections: in the TLS handshake, idle between requests, or active with a request.",
    ["state"],
)
ACCEPT_QUEUE = GaugeFamily(
    "geventcore_accept_queue",
    "Connections established by the kernel and not accepted yet, because the connection limit is reached.",
    merging="max",
)
ACCEPT_QUEUE_LIMIT = GaugeFamily(
    "geventcore_accept_queue_limit", "Maximum of the accept queue; the kernel drops further connections.", (), "max"
)
HANDSHAKES = CounterFamily("geventcore_tls_handshakes", "Successful TLS handshakes, by protocol version.", ["version"])
HANDSHAKE_FAILURES = CounterFamily("geventcore_tls_handshake_failures", "Failed TLS handshakes, by reason.", ["reason"])

# -- pools

POOL_LIMIT = GaugeFamily("geventcore_pool_limit", "Capacity of a pool.", ["pool"])
POOL_USED = GaugeFamily("geventcore_pool_used", "Used part of a pool.", ["pool"])
POOL_WAITING = GaugeFamily("geventcore_pool_waiting", "Requests that wait for a pool.", ["pool"])

# -- requests

REQUESTS = CounterFamily(
    "geventcore_requests",
    "Answered requests, by method (empty if unknown) and outcome: ok, fault, or the HTTP status of a refused request.",
    ["method", "outcome"],
)
PHASE_SECONDS = HistogramFamily(
    "geventcore_request_phase_seconds",
    "Duration of request phases in seconds: handshake, head, authenticate, body, turn, dispatch, write.",
    ["phase"],
)
METHOD_SECONDS = HistogramFamily(
    "geventcore_method_seconds", "Duration of method calls in seconds, without reading and writing.", ["method"]
)

# -- configurations

STEP_SECONDS = HistogramFamily(
    "geventcore_render_step_seconds", "Duration of the steps of building a configuration, in seconds.", ["step"]
)
PLUGIN_SECONDS = CounterFamily(
    "geventcore_plugin_seconds",
    "Time spent in plugin hooks, in seconds; binding is the hook bind_entry.",
    ["plugin", "hook"],
)
PLUGIN_CALLS = CounterFamily("geventcore_plugin_calls", "Calls of plugin hooks.", ["plugin", "hook"])
PLUGIN_FAILURES = CounterFamily(
    "geventcore_plugin_failures", "Plugin hook calls that raised an exception.", ["plugin", "hook"]
)
CONFIGURATIONS = CounterFamily(
    "geventcore_configurations",
    "Configurations sent, by outcome: reused (the last answer of the client), partly (the same, but for entries that "
    "have changed or are bound every time), or why it was rendered: first, repository, plugin, metadata, log, or "
    "untracked (what it depends on is not known).",
    ["outcome"],
)
ENTRIES_FAILED = CounterFamily("geventcore_entries_failed", "Entries that no plugin could bind.", ["tag"])
HUB_BLOCKED_SECONDS = CounterFamily(
    "geventcore_hub_blocked_seconds",
    "Time in which code blocked the event loop, in seconds, by plugin.",
    ["plugin"],
)
HUB_BLOCKS = CounterFamily(
    "geventcore_hub_blocks", "Number of times code blocked the event loop, by plugin.", ["plugin"]
)
CACHE_REQUESTS = CounterFamily(
    "geventcore_cache_requests", "Cache lookups, by result: hit or miss.", ["cache", "result"]
)

# -- the repository

FILE_EVENTS = CounterFamily(
    "geventcore_file_events",
    "Applied changes of repository files; every process that reads the repository counts them.",
    ["action"],
)
FILE_EVENT_FAILURES = CounterFamily(
    "geventcore_file_event_failures", "Repository files that a plugin could not parse; the log names them."
)

BROKEN_FILES = GaugeFamily(
    "geventcore_broken_files", "Repository files that cannot be used at the moment; /readyz names them.", (), "max"
)
BROKEN_FILE_SINCE = GaugeFamily(
    "geventcore_broken_file_since_timestamp_seconds",
    "When a repository file that cannot be used failed first, in seconds since 1970; 50 files at most.",
    ["file"],
    "min",
)

# -- clients

HOSTS_FAILING = GaugeFamily(
    "geventcore_hosts_failing",
    "Clients that got a fault instead of a configuration at their last attempt, since the start of the server.",
    (),
    "max",
)
HOSTS = GaugeFamily(
    "geventcore_hosts",
    "Clients by their last report: clean, dirty (entries are wrong), or stale (older than 25 hours).",
    ["state"],
    "max",
)

# -- certificates

CERTIFICATE_DAYS = GaugeFamily(
    "geventcore_certificate_days_left",
    "Days until a certificate of the server expires: server, second, or ca; negative if it has.",
    ["certificate"],
    "min",
)

# -- sources of packages

PACKAGE_SOURCES = GaugeFamily(
    "geventcore_package_sources",
    "Sources of the plugin Packages: current, failing (their last data are in use), or missing (without data).",
    ["state"],
    "max",
)
PACKAGE_SOURCE_AGE = GaugeFamily(
    "geventcore_package_source_age_seconds",
    "Time since a source was last fetched or found unchanged, by its URL and version.",
    ["source"],
    "max",
)

# -- reports of clients

REPORTS = CounterFamily(
    "geventcore_reports",
    "Reports, by outcome: stored at once, kept in the journal during an outage, delivered later, refused "
    "later because they are invalid, or failed, with a fault to the client.",
    ["outcome"],
)
REPORTS_WAITING_FILES = GaugeFamily(
    "geventcore_reports_waiting_files",
    "Files with waiting reports on this machine; reports that arrive together share a file.",
    ["place"],
    "max",
)
REPORTS_WAITING_BYTES = GaugeFamily(
    "geventcore_reports_waiting_bytes", "Size of the waiting reports on this machine.", ["place"], "max"
)
REPORTS_LIMIT_BYTES = GaugeFamily(
    "geventcore_reports_waiting_limit_bytes",
    "Size limit of waiting reports; beyond it, clients get a fault.",
    ["place"],
    "max",
)
REPORTS_OLDEST_SECONDS = GaugeFamily(
    "geventcore_reports_oldest_seconds",
    "Age of the oldest waiting report on this machine; 0 if none waits.",
    ["place"],
    "max",
)
REPORTS_IN_REDIS = GaugeFamily(
    "geventcore_reports_in_redis",
    "Reports in the Redis list that no collector has taken, as last seen by the server.",
    merging="max",
)

# -- databases

DATABASE_AVAILABLE = GaugeFamily(
    "geventcore_database_available",
    "Result of the last use of a database: 1 if it succeeded in all processes, else 0.",
    ["database"],
    "min",
)
DATABASE_INFO = GaugeFamily(
    "geventcore_database_info",
    "The generation of a database as a label: cluster and timeline of PostgreSQL; the value is always 1.",
    ["database", "generation"],
    "max",
)
DATABASE_OPERATIONS = CounterFamily(
    "geventcore_database_operations",
    "Database operations, by kind: successful reads and writes, commits, opened connections, and failures.",
    ["database", "operation"],
)

# -- processes

CPU_SECONDS = CounterFamily("geventcore_cpu_seconds", "Processor time of all processes, in seconds.")
PROCESS_START = GaugeFamily(
    "geventcore_process_start_time_seconds", "Start time of a process, in seconds since 1970.", ["process"]
)
RESIDENT_BYTES = GaugeFamily(
    "geventcore_process_resident_memory_bytes",
    "Resident memory of a process, including shared memory (RSS).",
    ["process"],
)
PROPORTIONAL_BYTES = GaugeFamily(
    "geventcore_process_proportional_memory_bytes",
    "Memory of a process with its share of shared memory (PSS); these values can be added.",
    ["process"],
)
OPEN_FILES = GaugeFamily("geventcore_process_open_fds", "Open descriptors of a process.", ["process"])
OPEN_FILES_LIMIT = GaugeFamily("geventcore_process_max_fds", "Limit of open descriptors of a process.", ["process"])


def count_hub_block(plugin: str, seconds: float) -> None:
    """Record that the event loop was blocked; `plugin` is ``""`` if no plugin is the cause."""
    HUB_BLOCKED_SECONDS.inc(plugin, by=seconds)
    HUB_BLOCKS.inc(plugin)


def count_plugin_call(plugin: str, hook: str, seconds: float, calls: int = 1) -> None:
    """Record calls of a plugin hook."""
    PLUGIN_SECONDS.inc(plugin, hook, by=seconds)
    PLUGIN_CALLS.inc(plugin, hook, by=calls)
