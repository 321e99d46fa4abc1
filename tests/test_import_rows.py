"""The direction of imports: a package imports only what stands in rows below its own, and no import leads in a circle.

Imports for annotations count like all others (docs/design/layout).
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import geventcore

PACKAGE = Path(geventcore.__file__).parent

#: The rows, highest first; the same as in docs/design.
ROWS = (
    ("__main__",),
    ("cli",),
    ("testing",),
    ("web", "cores", "admin", "simulation", "tools", "sample_site"),
    ("core",),
    ("workers",),
    ("process",),
    ("render", "rpc", "plugins", "compat", "bcfg2_import"),
    ("specfiles", "reporting"),
    ("repository", "plugin"),
    ("wire", "tls", "filemonitor", "storage", "templating", "crypt"),
    ("options", "cache", "metrics", "group_commit", "included_files", "tracing"),
    ("backoff", "deadline_clock", "errors", "log", "python2_code", "regular_files", "stale_reads", "units"),
    ("file_contents", "trusted_files"),
)
LEVELS = {name: level for level, row in enumerate(ROWS) for name in row}

#: The one package that may import a library.
OWNERS = {
    "gevent": {"cores", "web"},
    "cherrypy": {"cores"},
    "cheroot": {"cores"},
    "OpenSSL": {"tls"},
    "sqlalchemy": {"storage", "bcfg2_import"},
    "alembic": {"storage"},
    "psycopg": {"storage"},
    "pymysql": {"storage"},
    "httptools": {"wire"},
    "inotify_simple": {"filemonitor"},
    "genshi": {"templating"},
    "jinja2": {"templating", "simulation", "web"},
    "opentelemetry": {"tracing"},
    "click": {"cli"},
    "redis": {"reporting"},
    "prometheus_client": {"metrics"},
    "flask": {"web"},
    "flask_wtf": {"web"},
    "werkzeug": {"web"},
    "argon2": {"web"},
}


@dataclass(frozen=True)
class Import:
    """One imported name: the line, the dotted name, and whether only annotations need it."""

    line: int
    name: str
    is_for_annotations: bool = False


@dataclass(frozen=True)
class Module:
    """A module of the package: its dotted name, the file below the package, the unit of a row, and its imports."""

    name: str
    path: str
    unit: str
    imports: tuple[Import, ...]


def _imports(node: ast.AST, is_for_annotations: bool = False) -> list[Import]:
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            found += [Import(child.lineno, alias.name, is_for_annotations) for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: a relative import hides which row it crosses"
            names = [f"{child.module}.{alias.name}" for alias in child.names]
            found += [Import(child.lineno, name, is_for_annotations) for name in names]
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            guards = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
            found += _imports(child, is_for_annotations or guards)
    return found


@functools.cache
def modules() -> dict[str, Module]:
    """Dotted name of every module -> the module."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        parts = relative.with_suffix("").parts
        name = ".".join(("geventcore", *parts)).removesuffix(".__init__")
        found[name] = Module(name, str(relative), parts[0], tuple(_imports(ast.parse(path.read_text()))))
    return found


def module_of(name: str) -> str | None:
    """The module that an imported name is, or stands in; None if it is none of ours."""
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or None


def test_every_package_has_a_row() -> None:
    units = {module.unit for module in modules().values()} - {"__init__"}
    assert units <= set(LEVELS), f"not in a row: {units - set(LEVELS)}"


def test_imports_only_look_down() -> None:
    wrong = []
    for module in modules().values():
        for imported in module.imports:
            parts = imported.name.split(".")
            if parts[0] != "geventcore" or len(parts) < 2 or parts[1] == module.unit or parts[1] not in LEVELS:
                continue
            if module.unit in LEVELS and LEVELS[parts[1]] <= LEVELS[module.unit]:
                wrong.append(f"{module.path}:{imported.line} imports {imported.name}")
    assert not wrong, "\n".join(wrong)


def test_no_import_leads_in_a_circle() -> None:
    graph = {
        module.name: {module_of(imported.name) for imported in module.imports} - {None, "geventcore", module.name}
        for module in modules().values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        raise AssertionError(" is imported by ".join(err.args[1])) from None


def test_heavy_libraries_have_one_owner() -> None:
    wrong = []
    for module in modules().values():
        for imported in module.imports:
            owners = OWNERS.get(imported.name.split(".")[0])
            if owners is not None and module.unit not in owners and not imported.is_for_annotations:
                wrong.append(f"{module.path}:{imported.line} imports {imported.name}; only {', '.join(owners)} may")
    assert not wrong, "\n".join(wrong)


def test_only_the_cores_of_gevent_and_the_server_of_pages_name_gevent() -> None:
    importers = {
        module.path
        for module in modules().values()
        if any(imported.name.split(".")[0] == "gevent" for imported in module.imports)
    }
    assert importers
    others = {path for path in importers if not path.startswith("cores/gevent/")}
    assert others == {"cores/cooperation.py", "web/serving.py"}
