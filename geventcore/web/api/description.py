"""The description of the API (OpenAPI 3.1), which ``/api/openapi.json`` serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import geventcore
from geventcore.storage.report_model import EntryKind
from geventcore.web.asking import STATES
from geventcore.web.fleet import State
from geventcore.web.pages.entries import SORT_KEYS as ENTRY_SORT_KEYS
from geventcore.web.pages.hosts import SORT_KEYS as HOST_SORT_KEYS
from geventcore.web.resources import DIVISIONS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_SECONDS: Schema = {"type": ["number", "null"]}
_TIME: Schema = {"type": ["string", "null"], "description": "ISO 8601"}
_NULLABLE: Schema = {"type": ["string", "null"]}
_FLAG: Schema = {"type": "boolean"}
_NAMES: Schema = {"type": "array", "items": _TEXT}
_KIND: Schema = {"enum": [kind.label for kind in EntryKind]}
_STATE: Schema = {"enum": [state.value for state in State]}
_STATE_COUNTS: Schema = {
    "type": "object",
    "properties": {state.value: _NUMBER for state in State},
    "required": [state.value for state in State],
}


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


_RUN = {
    "state": _STATE,
    "reported": _TIME,
    **dict.fromkeys(("total", "good", "bad", "modified", "extra"), _NUMBER),
    **dict.fromkeys(("profile", "server", "revision", "version"), _TEXT),
    "dry_run": _FLAG,
    "only_important": _FLAG,
    "duration_seconds": _SECONDS,
}
_HOST = {"name": _TEXT, **_RUN, "expired": _TIME, "mark": _NULLABLE, "groups": _NAMES, "bundles": _NAMES}
_DIFFERENCES: Schema = {
    "type": "array",
    "items": _object({"attribute": _TEXT, "expected": _TEXT, "found": _TEXT}),
}
_ENTRY = {
    "kind": _KIND,
    "tag": _TEXT,
    "name": _TEXT,
    "how": _TEXT,
    "differences": _DIFFERENCES,
    "sensitive": _FLAG,
    "diff": _NULLABLE,
    "not_shown": _NULLABLE,
}
_FULL_RUN = {
    **{name: schema for name, schema in _RUN.items() if name != "name"},
    "groups": _NAMES,
    "bundles": _NAMES,
    "phases": {"type": "array", "items": _object({"name": _TEXT, "seconds": {"type": "number"}})},
    "entries": {"type": "array", "items": _object(_ENTRY)},
}
_MARK = {**_object({"note": _TEXT, "author": _TEXT, "since": _TEXT}), "type": ["object", "null"]}


def _table(properties: Mapping[str, Schema]) -> Schema:
    return _object({"total": _NUMBER, "rows": {"type": "array", "items": _object(properties)}})


def _query(name: str, schema: Schema, text: str, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": text}


_AT = _query(
    "at", {"type": "integer", "minimum": 0, "maximum": 4_000_000_000_000}, "A moment in milliseconds since 1970, or a "
    "date with a time such as 2026-11-30T16:00; the present without it."
)  # fmt: skip
_SELECTION = [
    _AT,
    _query("state", {"enum": list(STATES)}, "Hosts in this state; problem: dirty, stale and never."),
    _query("group", _TEXT, "Hosts in this group."),
    _query("profile", _TEXT, "Hosts with this profile."),
    _query("bundle", _TEXT, "Hosts with this bundle."),
    _query("server", _TEXT, "Hosts that reported to this server."),
    _query("revision", _TEXT, "Hosts with this revision of the repository."),
    _query("expired", {"enum": ["yes", "no"]}, "Hosts out of service instead of those in service."),
    _query("marked", {"enum": ["yes", "no"]}, "Hosts with a mark."),
]
_TEXT_IN_NAME = _query("q", _TEXT, "A part of the name.")
_FORMAT = _query("format", {"enum": ["json", "csv"]}, "The format of the answer.")
_PART = [
    _query("offset", {"type": "integer", "minimum": 0, "maximum": 10_000_000}, "Rows to skip."),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 10_000}, "The most rows."),
]
_HOST_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_ENTRY_NAME = [
    _query("tag", {"type": "string", "minLength": 1}, "The type of the entry, such as Path.", required=True),
    _query("name", {"type": "string", "minLength": 1}, "The name of the entry.", required=True),
]
_ENTRY_KIND = _query("kind", _KIND, "Entries of this kind.")


def _sort(keys: Iterable[str]) -> Schema:
    names = list(keys)
    return _query("sort", {"enum": [*names, *(f"-{name}" for name in names)]}, "The order; descending with a -.")


def _error(text: str) -> Schema:
    schema = {"type": "object", "properties": {"error": _TEXT, "detail": _TEXT}, "required": ["error"]}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _operation(
    summary: str, schema: Schema, parameters: Iterable[Schema] = (), *, is_table: bool = True, has_host: bool = False
) -> Schema:
    given = [*([_HOST_NAME] if has_host else []), *parameters, *([_FORMAT] if is_table else [])]
    content: Schema = {"application/json": {"schema": schema}}
    if is_table:
        content["text/csv"] = {"schema": _TEXT}
    responses = {
        "200": {"description": "The answer.", "content": content},
        "400": _error("A parameter is wrong."),
        "401": _error("The caller has to log in."),
        "404": _error("There is nothing of this name."),
        "503": _error("The database, or the repository, cannot be used."),
    }
    return {"get": {"summary": summary, "parameters": given, "responses": responses}}


@cache
def description() -> Schema:
    """Return the description."""
    counts = dict.fromkeys(("runs", "dirty", "modified", "failures", "hosts", "dirty_hosts"), _NUMBER)
    hour = {"start": _TEXT, **counts, "median_seconds": _SECONDS, "is_known": _FLAG}
    problem = {"kind": _KIND, "tag": _TEXT, "name": _TEXT, "hosts": _NUMBER, "states": _NUMBER}
    same = {
        "kind": _KIND,
        "host": _TEXT,
        "reported": _TEXT,
        "how": _TEXT,
        "differences": _DIFFERENCES,
        "sensitive": _FLAG,
    }
    period = {"first": _TEXT, "last": _TEXT, "runs": _NUMBER, "kind": {"enum": [*_KIND["enum"], None]}}
    configured = {
        **dict.fromkeys(("tag", "name", "bundle", "plugin", "file", "failure"), _TEXT),
        "line": _NUMBER,
        "attributes": {"type": "object", "additionalProperties": _TEXT},
        "reasons": _NAMES,
    }
    percentiles = dict.fromkeys(("p50_seconds", "p95_seconds", "p99_seconds"), _SECONDS)
    called = {"server": _TEXT, "method": _TEXT, "calls": _NUMBER, "errors": _NUMBER}
    method = {**called, "per_second": {"type": "number"}, **percentiles}
    found = {"type": _TEXT, "tag": _NULLABLE, "name": _TEXT, "hosts": {"type": ["integer", "null"]}}
    whole = {
        "at": _TEXT,
        "hosts": _NUMBER,
        "states": _STATE_COUNTS,
        "newest_report": _TIME,
        "clients_error": _NULLABLE,
    }
    count = _query("count", {"type": "integer", "minimum": 1, "maximum": 744}, "The number of hours, 24 without it.")
    before = _query("before", _AT["schema"], "Only runs before this moment.")
    limit = _PART[1]
    by = _query("by", {"enum": list(DIVISIONS)}, "What to divide by; the profile without it.")
    host_table, entry_table = _table(_HOST), _table(problem)
    run = {**_object(_FULL_RUN), "type": ["object", "null"]}
    views = {"servers": {"type": "array"}, "certificates": {"type": "array"}}
    paths = {
        "/v1/summary": _operation(
            "Count hosts by state.", _object(whole), [*_SELECTION, _TEXT_IN_NAME], is_table=False
        ),
        "/v1/hosts": _operation(
            "List hosts with their last reports.",
            host_table,
            [*_SELECTION, _TEXT_IN_NAME, _sort(HOST_SORT_KEYS), *_PART],
        ),
        "/v1/breakdown": _operation(
            "Divide the hosts.",
            _table({"name": _TEXT, "hosts": _NUMBER, **_STATE_COUNTS["properties"]}),
            [by, *_SELECTION, _TEXT_IN_NAME],
        ),
        "/v1/hours": _operation("Count the runs of the hours until a moment.", _table(hour), [_AT, count]),
        "/v1/hosts/{name}": _operation(
            "Return a host, its last run and the entries of the run.",
            _object({"host": _object(_HOST), "mark": _MARK, "run": run}),
            [_AT],
            is_table=False,
            has_host=True,
        ),
        "/v1/hosts/{name}/runs": _operation(
            "List the runs of a host, newest first.", _table(_RUN), [before, limit], has_host=True
        ),
        "/v1/hosts/{name}/entry": _operation(
            "Return the history of an entry on a host.",
            _table({**period, "how": _NULLABLE}),
            [*_ENTRY_NAME, limit],
            has_host=True,
        ),
        "/v1/hosts/{name}/probes": _operation(
            "Return the last results of a host's probes; null for hidden ones.",
            _table({"name": _TEXT, "result": _NULLABLE}),
            has_host=True,
        ),
        "/v1/hosts/{name}/configuration": _operation(
            "Build the configuration that a host would get now.", _table(configured), has_host=True
        ),
        "/v1/entries": _operation(
            "List bad, modified and extra entries by the number of hosts.",
            entry_table,
            [
                *_SELECTION,
                _ENTRY_KIND,
                _query("tag", _TEXT, "Entries of this type, such as Package."),
                _TEXT_IN_NAME,
                _sort(ENTRY_SORT_KEYS),
                *_PART,
            ],
        ),
        "/v1/entry": _operation(
            "List the hosts that have an entry.", _table(same), [*_ENTRY_NAME, _ENTRY_KIND, *_SELECTION]
        ),
        "/v1/search": _operation(
            "Find hosts and entries.",
            _table(found),
            [_query("q", {"type": "string", "minLength": 1}, "A part of the name.", required=True)],
        ),
        "/v1/servers": _operation("Return the state of running servers.", _object(views), is_table=False),
        "/v1/methods": _operation(
            "Return calls, errors and latencies of each method of running servers.", _table(method)
        ),
        "/v1/files": _operation("Return messages about files that cannot be used now.", _table({"message": _TEXT})),
        "/v1/states": _operation("Return the states of hosts and their meaning.", {"type": "object"}, is_table=False),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "geventcore reports",
            "version": geventcore.__version__,
            "description": "The tables of the web pages. All requests are read-only.",
        },
        "servers": [{"url": "/api"}],
        "paths": paths,
    }
