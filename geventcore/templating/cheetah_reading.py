"""The names that a template of Cheetah reads.

Cheetah compiles a template to a class. ``$metadata.groups`` becomes ``VFSL([…], "metadata.groups", True)``, a call that
looks the name up among local names, attributes of the template and variables; ``VFN(value, "name", True)`` looks up an
attribute. Here these calls become the attributes that they stand for, and the code is read like any other.
"""

from __future__ import annotations

import ast
import builtins
from typing import Any

from geventcore.templating.reading import Collector, Reads

#: Methods of templates that ask whether a name exists.
_GUARDS = frozenset({"varExists", "hasVar", "getVar"})
_GLOBAL_VARIABLES = "_CHEETAH__globalSetVars"
#: The base class in the code, unless the template names another one (``#extends``).
_OWN_BASE_CLASS = "CHEETAH_dynamicallyAssignedBaseClass"
_OWN_STAR_IMPORT = "Cheetah.DummyTransaction"


def cheetah_reads(template: Any) -> Reads:
    """Return the names that a loaded template of `geventcore.templating.cheetah` reads."""
    compiled = template._template
    tree = _Lookups().visit(ast.parse(compiled._CHEETAH_generatedModuleCode))
    collector = _CheetahCollector()
    collector.bound |= {"self", "DummyTransaction", *dir(compiled)}
    collector.visit(tree)
    return collector.result()


class _Lookups(ast.NodeTransformer):
    """Replaces look-ups by the attributes that they stand for, and attributes of ``self`` by names."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("VFSL", "VFN") and len(node.args) == 3:
            value, dotted, _ = node.args
            if isinstance(dotted, ast.Constant):
                words = str(dotted.value).split(".")
                found = ast.Name(words.pop(0), ast.Load()) if node.func.id == "VFSL" else value
                for word in words:
                    found = _attribute(found, word)
                return found
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return _attribute(node.value, node.attr) if isinstance(node.ctx, ast.Load) else node


def _attribute(value: ast.expr, name: str) -> ast.expr:
    if isinstance(value, ast.Name) and value.id == "self":
        return ast.Name(name, ast.Load())
    return ast.Attribute(value, name, ast.Load())


class _CheetahCollector(Collector, ast.NodeVisitor):
    """Collects what the code of a template reads and binds."""

    def visit_Name(self, node: ast.Name) -> None:
        # The names that Cheetah's own code uses are no variables.
        if "CHEETAH" not in node.id:
            super().visit_Name(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Read nothing of plain values."""

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        self.reads.is_open |= not all(base.startswith(_OWN_BASE_CLASS) for base in bases)
        super().visit_ClassDef(node)

    def visit_ImportFrom(self, node: ast.Import | ast.ImportFrom) -> None:
        if not isinstance(node, ast.ImportFrom) or node.module != _OWN_STAR_IMPORT:
            self.visit_Import(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        # #set global
        if (
            isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == _GLOBAL_VARIABLES
            and isinstance(node.slice, ast.Constant)
        ):
            self.bound.add(str(node.slice.value))
        super().visit_Subscript(node)

    def visit_Try(self, node: ast.Try) -> None:
        # Whoever handles the error knows that a name may be missing.
        if node.handlers:
            for each in (each for statement in node.body for each in ast.walk(statement)):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) and not hasattr(builtins, each.id):
                    self.guarded.add(each.id)
                elif isinstance(each, ast.Attribute):
                    self.guarded.add(each.attr)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name):
            if node.func.id in _GUARDS:
                for each in node.args:
                    if isinstance(each, ast.Constant):
                        self.guarded |= {*str(each.value).split(".")}
            # An included template may set global variables.
            self.reads.is_open |= node.func.id == "_handleCheetahInclude"
        super().visit_Call(node)
