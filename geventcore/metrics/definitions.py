"""Every metric that ``/metrics`` shows. The page docs/reference/metrics is made from this module.

The values of a label are few, and none comes from a client unchecked: a method's name is one that exists, or ``""``.
"""

from __future__ import annotations

from geventcore.metrics.families import CounterFamily, GaugeFamily, HistogramFamily

# -- the server

INFO = GaugeFamily(
    "geventcore_info", "The server: always 1; its labels tell what runs.", ["version", "python", "core"], "max"
)
REPOSITORY_INFO = GaugeFamily(
    "geventcore_repository_info", "Always 1; the label is the revision of the repository.", ["revision"], "max"
)
READY = GaugeFamily(
    "geventcore_ready",
    "Whether a check of /readyz is passed, 1 or 0; by the worst process.",
    ["check"],
    "min",
)
PROCESSES = GaugeFamily(
    "geventcore_processes", "Processes of the server whose values are here, by whether they answered.", ["state"], "max"
)

# -- connections

CONNECTIONS_ACCEPTED = CounterFamily("geventcore_connections_accepted", "Connections that were accepted.")
CONNECTIONS = GaugeFamily(
    "geventcore_connections",
    "Open connections: in the TLS handshake, waiting for a request (idle), or with one under way (active).",
    ["state"],
)
ACCEPT_QUEUE = GaugeFamily(
    "geventcore_accept_queue",
    "Connections that the kernel has established and the server has not accepted yet; a full pool lets them wait.",
    merging="max",
)
ACCEPT_QUEUE_LIMIT = GaugeFamily(
    "geventcore_accept_queue_limit", "How many connections the kernel lets wait before clients are ignored.", (), "max"
)
HANDSHAKES = CounterFamily("geventcore_tls_handshakes", "TLS handshakes that succeeded, by protocol.", ["version"])
HANDSHAKE_FAILURES = CounterFamily(
    "geventcore_tls_handshake_failures", "TLS handshakes that failed, by the kind of reason.", ["reason"]
)

# -- pools

POOL_LIMIT = GaugeFamily("geventcore_pool_limit", "How many a pool has room for at once.", ["pool"])
POOL_USED = GaugeFamily("geventcore_pool_used", "How many are in a pool now.", ["pool"])
POOL_WAITING = GaugeFamily("geventcore_pool_waiting", "How many wait for room in a pool.", ["pool"])

# -- requests

REQUESTS = CounterFamily(
    "geventcore_requests",
    "Requests that were answered: the method (empty if it is not known or does not exist), and the outcome: ok, fault, "
    "or the HTTP status of what was refused.",
    ["method", "outcome"],
)
PHASE_SECONDS = HistogramFamily(
    "geventcore_request_phase_seconds",
    "How long the phases of requests took: handshake, head, authenticate, body, turn, dispatch, write.",
    ["phase"],
)
METHOD_SECONDS = HistogramFamily(
    "geventcore_method_seconds", "How long methods took, without reading and writing.", ["method"]
)

# -- configurations

STEP_SECONDS = HistogramFamily(
    "geventcore_render_step_seconds", "How long the steps of building a configuration took.", ["step"]
)
PLUGIN_SECONDS = CounterFamily(
    "geventcore_plugin_seconds",
    "Time in calls of plugins, in seconds; binding is the hook bind_entry.",
    ["plugin", "hook"],
)
PLUGIN_CALLS = CounterFamily("geventcore_plugin_calls", "Calls of plugins.", ["plugin", "hook"])
PLUGIN_FAILURES = CounterFamily(
    "geventcore_plugin_failures", "Calls of plugins that raised an exception.", ["plugin", "hook"]
)
ENTRIES_FAILED = CounterFamily("geventcore_entries_failed", "Entries that could not be bound.", ["tag"])
HUB_BLOCKED_SECONDS = CounterFamily(
    "geventcore_hub_blocked_seconds",
    "Time in which nobody was served because something blocked the event loop, in seconds; by the plugin that did.",
    ["plugin"],
)
HUB_BLOCKS = CounterFamily("geventcore_hub_blocks", "How often something blocked the event loop.", ["plugin"])
CACHE_REQUESTS = CounterFamily(
    "geventcore_cache_requests", "Look-ups in caches, by whether they hit or miss.", ["cache", "result"]
)

# -- the repository

FILE_EVENTS = CounterFamily(
    "geventcore_file_events",
    "Changes of files that were applied; every process that reads the repository applies them.",
    ["action"],
)
FILE_EVENT_FAILURES = CounterFamily(
    "geventcore_file_event_failures", "Changes of files that a plugin could not use; the log names the files."
)

# -- reports of clients

REPORTS = CounterFamily(
    "geventcore_reports",
    "Reports by what became of them: stored where the transport puts them at once, kept because that was not possible, "
    "delivered later, refused later because they cannot be stored, or failed, which the client was told.",
    ["outcome"],
)
REPORTS_WAITING_FILES = GaugeFamily(
    "geventcore_reports_waiting_files",
    "Files with reports that wait on this machine; reports that came together share one.",
    ["place"],
    "max",
)
REPORTS_WAITING_BYTES = GaugeFamily(
    "geventcore_reports_waiting_bytes", "How much the reports take that wait on this machine.", ["place"], "max"
)
REPORTS_LIMIT_BYTES = GaugeFamily(
    "geventcore_reports_waiting_limit_bytes", "How much they may take; then clients are told.", ["place"], "max"
)
REPORTS_OLDEST_SECONDS = GaugeFamily(
    "geventcore_reports_oldest_seconds",
    "For how long the oldest of the reports has waited on this machine; 0 if none waits.",
    ["place"],
    "max",
)
REPORTS_IN_REDIS = GaugeFamily(
    "geventcore_reports_in_redis",
    "Reports in the list of the Redis server that no collector has taken, as the server knew them last.",
    merging="max",
)

# -- databases

DATABASE_AVAILABLE = GaugeFamily(
    "geventcore_database_available",
    "Whether the last attempt to use a database succeeded, 1 or 0; by the worst process.",
    ["database"],
    "min",
)
DATABASE_OPERATIONS = CounterFamily(
    "geventcore_database_operations",
    "Reads and writes that succeeded, commits that writes shared, connections that were opened, and failures.",
    ["database", "operation"],
)

# -- processes

CPU_SECONDS = CounterFamily("geventcore_cpu_seconds", "Processor time, of all processes, in seconds.")
PROCESS_START = GaugeFamily(
    "geventcore_process_start_time_seconds", "When a process was started, in seconds since 1970.", ["process"]
)
RESIDENT_BYTES = GaugeFamily(
    "geventcore_process_resident_memory_bytes", "Memory of a process, shared memory included.", ["process"]
)
PROPORTIONAL_BYTES = GaugeFamily(
    "geventcore_process_proportional_memory_bytes",
    "Memory of a process with its share of what is shared; these can be added up.",
    ["process"],
)
OPEN_FILES = GaugeFamily("geventcore_process_open_fds", "Open descriptors of a process.", ["process"])
OPEN_FILES_LIMIT = GaugeFamily("geventcore_process_max_fds", "How many descriptors a process may open.", ["process"])


def count_hub_block(plugin: str, seconds: float) -> None:
    """The event loop stood still; `plugin` is ``""`` if no plugin is to blame."""
    HUB_BLOCKED_SECONDS.inc(plugin, by=seconds)
    HUB_BLOCKS.inc(plugin)


def count_plugin_call(plugin: str, hook: str, seconds: float, calls: int = 1) -> None:
    """A hook of a plugin was called, or several times."""
    PLUGIN_SECONDS.inc(plugin, hook, by=seconds)
    PLUGIN_CALLS.inc(plugin, hook, by=calls)
