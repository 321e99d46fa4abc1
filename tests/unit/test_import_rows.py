"""The direction of imports: a package imports only what stands in rows below its own (docs/design)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import geventcore

PACKAGE = Path(geventcore.__file__).parent

#: The rows, highest first; the same as in docs/design.
ROWS = (
    ("__main__",),
    ("cli",),
    ("cores", "lint", "dashboard", "fleet", "sample_site"),
    ("core",),
    ("render", "rpc", "plugins", "compat"),
    ("specfiles", "reporting"),
    ("plugin",),
    ("wire", "tls", "filemonitor", "storage", "templating", "crypt"),
    ("options", "cache", "metrics", "group_commit"),
    ("errors", "log", "recollection"),
)
#: Type annotations may look up: they are not imported when the program runs. Everything else may not.
LEVELS = {name: level for level, row in enumerate(ROWS) for name in row}

#: The one package that may import a library.
OWNERS = {
    "gevent": {"cores"},
    "cherrypy": {"cores"},
    "cheroot": {"cores"},
    "OpenSSL": {"tls"},
    "sqlalchemy": {"storage"},
    "alembic": {"storage"},
    "psycopg": {"storage"},
    "pymysql": {"storage"},
    "httptools": {"wire"},
    "inotify_simple": {"filemonitor"},
    "genshi": {"templating"},
    "jinja2": {"templating"},
    "click": {"cli"},
    "redis": {"reporting"},
    "prometheus_client": {"metrics"},
}


def runtime_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """``(line, dotted name)`` of every import outside of ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides which row it crosses"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        yield from runtime_imports(node)


def modules() -> Iterator[tuple[str, Path, ast.AST]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        unit = relative.parts[0].removesuffix(".py")
        yield unit, relative, ast.parse(path.read_text())


def test_every_package_has_a_row() -> None:
    units = {unit for unit, _, _ in modules()} - {"__init__"}
    assert units <= set(LEVELS), f"not in a row: {units - set(LEVELS)}"


def test_imports_only_look_down() -> None:
    wrong = []
    for unit, path, tree in modules():
        for line, name in runtime_imports(tree):
            parts = name.split(".")
            if parts[0] != "geventcore" or len(parts) < 2 or parts[1] == unit or parts[1] not in LEVELS:
                continue
            if unit in LEVELS and LEVELS[parts[1]] <= LEVELS[unit]:
                wrong.append(f"{path}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_heavy_libraries_have_one_owner() -> None:
    wrong = []
    for unit, path, tree in modules():
        for line, name in runtime_imports(tree):
            owners = OWNERS.get(name.split(".")[0])
            if owners is not None and unit not in owners:
                wrong.append(f"{path}:{line} imports {name}; only {', '.join(owners)} may")
    assert not wrong, "\n".join(wrong)


def test_only_the_cores_of_gevent_name_gevent() -> None:
    importers = {
        str(path) for _, path, tree in modules() for _, name in runtime_imports(tree) if name.split(".")[0] == "gevent"
    }
    assert importers
    assert all(path.startswith("cores/gevent/") or path == "cores/cooperation.py" for path in importers), importers
