"""The names that a template reads, as far as they can be told without rendering it.

Names are free if nothing in the template binds them, wherever that may stand. So a name that is found here is surely
not the template's own. `cheetah_reading` has the same for Cheetah.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Names that Genshi gives every expression.
_GENSHI_NAMES = frozenset({"defined", "value_of", "Markup", "Undefined", "XML", "HTML", "ET", "select", "unicode"})
#: Calls that ask whether a name exists.
_GUARDS = frozenset({"defined", "value_of", "hasattr", "getattr"})


@dataclass
class Reads:
    """The free names of a template.

    Attributes:
        names: names without those that Python and the engine have.
        attributes: attributes of free names: ``("metadata", "groups")``.
        items: constant keys of such attributes: ``("metadata", "Properties", "site.xml")``.
        is_open: true if names may come from elsewhere, such as included files.
    """

    names: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    items: set[tuple[str, str, str]] = field(default_factory=set)
    is_open: bool = False


class Collector(ast.NodeVisitor):
    """Collects what the pieces of Python in a template read and bind."""

    def __init__(self) -> None:
        self.reads = Reads()
        self.bound: set[str] = set()
        self.guarded: set[str] = set()

    def result(self) -> Reads:
        reads, hidden = self.reads, self.bound | self.guarded
        reads.names = {name for name in reads.names if name not in hidden and not hasattr(builtins, name)}
        reads.attributes = {each for each in reads.attributes if each[0] not in self.bound and each[1] not in hidden}
        reads.items = {each for each in reads.items if each[0] not in self.bound}
        return reads

    def visit_Name(self, node: ast.Name) -> None:
        (self.reads.names if isinstance(node.ctx, ast.Load) else self.bound).add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self.bound.add(node.arg)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.bound.add(node.name)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bound.add(node.name)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.bound.add(node.name or "")
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name in node.names:
            self.reads.is_open |= name.name == "*"
            self.bound.add(name.asname or name.name.partition(".")[0])

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            self.reads.attributes.add((node.value.id, node.attr))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        value, key = node.value, node.slice
        if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and isinstance(key, ast.Constant):
            self.reads.items.add((value.value.id, value.attr, str(key.value)))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _GUARDS:
            self.guarded |= {str(each.value) for each in node.args if isinstance(each, ast.Constant)}
        self.generic_visit(node)


def genshi_reads(template: Any) -> Reads:
    """Return the names that a loaded template of `geventcore.templating.genshi` reads."""
    collector = Collector()
    collector.bound |= _GENSHI_NAMES
    _collect(template._template.stream, collector)
    return collector.result()


def _collect(stream: Iterable[Any], collector: Collector) -> None:
    for kind, data, _ in stream:
        if kind in ("EXPR", "EXEC"):
            collector.visit(data.ast)
        elif kind == "INCLUDE":
            # An included file may define functions.
            collector.reads.is_open = True
        elif kind == "SUB":
            directives, content = data
            for directive in directives:
                _collect_directive(directive, collector)
            _collect(content, collector)
        elif kind == "START":
            for _, value in data[1]:
                if isinstance(value, list):
                    _collect(value, collector)


def _collect_directive(directive: Any, collector: Collector) -> None:
    if getattr(directive, "expr", None) is not None:
        collector.visit(directive.expr.ast)
    if hasattr(directive, "assign"):
        collector.bound |= set(_flat(directive.assign.__defaults__[0]))
    for targets, expression in getattr(directive, "vars", ()):
        for target in targets:
            collector.bound |= set(_flat(target.__defaults__[0]))
        collector.visit(expression.ast)
    if type(directive).__name__ == "DefDirective":
        collector.bound |= {directive.name, *directive.args}
        collector.bound |= {each for each in (directive.star_args, directive.dstar_args) if each}
        for default in directive.defaults.values():
            collector.visit(default.ast)


def _flat(names: Any) -> Iterator[str]:
    if isinstance(names, tuple):
        for each in names:
            yield from _flat(each)
    elif isinstance(names, str):
        yield names


def jinja2_reads(source: str, path: Path) -> Reads:
    """Return the names that a template of Jinja2 reads; `jinja2.TemplateError` if it does not compile."""
    import jinja2.meta
    import jinja2.nodes

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    tree = environment.parse(source, str(path), str(path))
    free = jinja2.meta.find_undeclared_variables(tree) - environment.globals.keys()
    reads = Reads(names=set(free), is_open=True)
    for node in tree.find_all(jinja2.nodes.Getattr):
        if isinstance(node.node, jinja2.nodes.Name) and node.node.name in free:
            reads.attributes.add((node.node.name, node.attr))
    # A test or a default says that a name need not exist.
    for guard in (*tree.find_all(jinja2.nodes.Test), *tree.find_all(jinja2.nodes.Filter)):
        if guard.name in ("defined", "undefined", "default", "d") and guard.node is not None:
            guarded = {name.name for name in guard.node.find_all(jinja2.nodes.Name)}
            if isinstance(guard.node, jinja2.nodes.Name):
                guarded.add(guard.node.name)
            attributes = [guard.node, *guard.node.find_all(jinja2.nodes.Getattr)]
            names = {each.attr for each in attributes if isinstance(each, jinja2.nodes.Getattr)}
            reads.attributes = {each for each in reads.attributes if each[1] not in names}
            if not names:
                reads.names -= guarded
    return reads
