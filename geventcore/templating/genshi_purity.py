"""Purity of Genshi's templates; see `geventcore.templating.purity`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from genshi import core
from genshi.template import base, directives
from genshi.template.eval import Code

from geventcore.templating.purity import ImpureError, PythonPurity

#: Directives that are made of expressions only. A match rule may apply anywhere, so it is not one.
_PURE_DIRECTIVES = frozenset(
    {
        directives.AttrsDirective,
        directives.ChooseDirective,
        directives.ContentDirective,
        directives.DefDirective,
        directives.ForDirective,
        directives.IfDirective,
        directives.OtherwiseDirective,
        directives.ReplaceDirective,
        directives.StripDirective,
        directives.WhenDirective,
        directives.WithDirective,
    }
)
#: Events that hold text only.
_PLAIN_EVENTS = frozenset(
    {
        core.TEXT,
        core.END,
        core.COMMENT,
        core.PI,
        core.DOCTYPE,
        core.XML_DECL,
        core.START_NS,
        core.END_NS,
        core.START_CDATA,
        core.END_CDATA,
    }
)


def names_if_pure(template: Any) -> frozenset[str]:
    """Return the names that a template reads; `ImpureError` if it is not known to be pure."""
    code = list(_code(template.stream))
    return frozenset(PythonPurity(piece.ast for piece in code).names)


def _code(stream: Iterable[Any]) -> Iterator[Any]:
    for kind, data, _ in stream:
        if kind is base.EXPR or kind is base.EXEC:
            yield data
        elif kind is base.SUB:
            for directive in data[0]:
                yield from _code_of_directive(directive)
            yield from _code(data[1])
        elif kind is core.START:
            for _, value in data[1]:
                if isinstance(value, list | tuple):
                    yield from _code(value)
        elif kind is base.INCLUDE:
            raise ImpureError("it includes a file")
        elif kind not in _PLAIN_EVENTS:
            raise ImpureError(f"it has a part that is not known to be pure ({kind})")


def _code_of_directive(directive: Any) -> Iterator[Any]:
    if type(directive) not in _PURE_DIRECTIVES:
        raise ImpureError(f"it has the directive {directive.tagname}")
    if directive.expr is not None:
        yield directive.expr
    if isinstance(directive, directives.DefDirective):
        yield from (value for value in directive.defaults.values() if isinstance(value, Code))
    elif isinstance(directive, directives.WithDirective):
        yield from (expression for _, expression in directive.vars)
