"""Purity of Jinja2's templates; see `geventcore.templating.purity`."""

from __future__ import annotations

import jinja2
from jinja2 import meta, nodes

from geventcore.templating.purity import CHANGING_METHODS, ImpureError, check_attribute, check_call

_PURE_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.NSRef, nodes.Const, nodes.Tuple, nodes.List),
    *(nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getattr),
    *(nodes.Getitem, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr),
    *(nodes.For, nodes.If, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.With, nodes.Assign),
    *(nodes.AssignBlock, nodes.ExprStmt, nodes.Scope, nodes.Break, nodes.Continue),
)
#: Filters whose result is random, or that reach attributes whose names are computed.
_IMPURE_FILTERS = frozenset({"random", "attr"})
#: `self` and `super` reach the template's internals.
_IMPURE_NAMES = frozenset({"lipsum", "self", "super", "context"})
_MAKERS = frozenset({"dict", "namespace", "cycler", "joiner"})
#: Methods of `loop`, `cycler` and `joiner`.
_OWN_METHODS = frozenset({"next", "reset", "current", "cycle", "changed"})


def names_if_pure(environment: jinja2.Environment, source: str) -> frozenset[str]:
    """Return the names that a template reads and does not set; `ImpureError` if it is not known to be pure."""
    tree = environment.parse(source)
    own = _own_names(tree)
    for node in [tree, *tree.find_all(nodes.Node)]:
        if not isinstance(node, _PURE_NODES):
            raise ImpureError(f"it has a part that is not known to be pure ({type(node).__name__})")
        if isinstance(node, nodes.Name) and (node.name in _IMPURE_NAMES or node.name.startswith("__")):
            raise ImpureError(f"it uses {node.name}")
        if isinstance(node, nodes.Getattr):
            check_attribute(node.attr)
            if node.attr in CHANGING_METHODS and not _is_own(node.node, own):
                raise ImpureError(f"it uses the method {node.attr}")
        elif isinstance(node, nodes.Getitem):
            if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
                check_attribute(node.arg.value)
        elif isinstance(node, nodes.Call):
            _check_called(node.node, own)
        elif isinstance(node, nodes.Filter):
            _check_filter(node)
    return frozenset(meta.find_undeclared_variables(tree))


def _check_called(function: nodes.Expr, own: frozenset[str]) -> None:
    if isinstance(function, nodes.Getattr):
        if function.attr not in _OWN_METHODS:
            check_call(function.attr, _is_own(function.node, own))
    elif not isinstance(function, nodes.Name):
        raise ImpureError("it calls what an expression gives")


def _check_filter(node: nodes.Filter) -> None:
    if node.name in _IMPURE_FILTERS:
        raise ImpureError(f"it uses the filter {node.name}")
    for argument in [*node.args, *(keyword.value for keyword in node.kwargs)]:
        # Filters such as `map` take the names of others, and of attributes.
        if node.name in ("map", "select", "reject", "selectattr", "rejectattr", "groupby", "sort", "unique", "sum"):
            if not isinstance(argument, nodes.Const):
                raise ImpureError(f"it uses the filter {node.name} with a computed name")
            if argument.value in _IMPURE_FILTERS:
                raise ImpureError(f"it uses the filter {argument.value}")
            if isinstance(argument.value, str) and any(part.startswith("_") for part in argument.value.split(".")):
                raise ImpureError(f"it uses the attribute {argument.value}")


def _is_own(node: nodes.Expr, own: frozenset[str]) -> bool:
    return isinstance(node, nodes.Name) and node.name in own


def _own_names(tree: nodes.Template) -> frozenset[str]:
    """Return the names that are only ever given objects which the template itself has just made."""
    made: set[str] = set()
    stored: list[str] = [node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")]
    counted: dict[str, int] = {}
    for assignment in tree.find_all(nodes.Assign):
        if isinstance(assignment.target, nodes.Name) and _makes(assignment.node):
            made.add(assignment.target.name)
            counted[assignment.target.name] = counted.get(assignment.target.name, 0) + 1
    return frozenset(name for name in made if stored.count(name) == counted[name])


def _makes(node: nodes.Node) -> bool:
    if isinstance(node, nodes.List | nodes.Dict):
        return True
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in _MAKERS
