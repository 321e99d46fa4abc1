"""A fast renderer for Genshi text templates that have only text, expressions, loops and conditions.

Genshi passes every piece of a template through several generators. Here the pieces are rendered in one pass. Genshi
still evaluates the expressions, with the same variables in the same order, so results, errors and tracebacks are the
same. For a template with anything else (functions, blocks of Python, includes, choices) `compile_text` returns None,
and Genshi renders it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import genshi.core
import genshi.template.base
import genshi.template.eval
from genshi.template.directives import ForDirective, IfDirective

_Write = Callable[[str], None]


class _Run:
    """One rendering: the variables, the globals of the expressions, and the function that receives text."""

    __slots__ = ("context", "globals", "write")

    def __init__(self, variables: Mapping[str, Any], write: _Write) -> None:
        self.context = genshi.template.base.Context(**variables)
        self.globals = genshi.template.eval.StrictLookup.globals(self.context)
        self.write = write


#: A function that renders one piece of a template.
_Piece = Callable[[_Run], None]


def compile_text(template: Any) -> Callable[[Mapping[str, Any]], str] | None:
    """Return a function that renders a template with strict lookup from its variables; None if only Genshi can."""
    pieces = _pieces(template, template.stream)
    if pieces is None:
        return None

    def render(variables: Mapping[str, Any]) -> str:
        written: list[str] = []
        run = _Run(variables, written.append)
        for piece in pieces:
            piece(run)
        return "".join(written)

    return render


def _pieces(template: Any, stream: Iterable[Any]) -> list[_Piece] | None:
    pieces: list[_Piece] = []
    for kind, data, _ in stream:
        piece: _Piece | None = None
        if kind is genshi.core.TEXT:
            piece = _text(data)
        elif kind is genshi.template.base.EXPR:
            piece = _expression(template, data)
        elif kind is genshi.template.base.SUB and len(data[0]) == 1:
            piece = _block(data[0][0], _pieces(template, data[1]))
        if piece is None:
            return None
        pieces.append(piece)
    return pieces


def _text(text: str) -> _Piece:
    return lambda run: run.write(text)


def _evaluator(expression: Any) -> Callable[[_Run], Any]:
    """Return a function like `expression.evaluate`, with one dictionary of globals for all expressions of a rendering.

    The variable `expression` identifies the failed code in a traceback, as `self` does in Genshi's own frames.
    """

    def evaluate(run: _Run) -> Any:
        return eval(expression.code, run.globals, {"__data__": run.context})

    return evaluate


def _expression(template: Any, expression: Any) -> _Piece:
    number_text, flatten, evaluate = template._number_conv, template._flatten, _evaluator(expression)

    def write_result(run: _Run) -> None:
        result = evaluate(run)
        if isinstance(result, str):
            run.write(result)
        elif isinstance(result, genshi.template.base.numeric_types):
            run.write(number_text(result))
        elif hasattr(result, "__iter__"):
            for kind, data, _ in flatten(genshi.core._ensure(result), run.context):
                if kind is genshi.core.TEXT:
                    run.write(data)
        elif result is not None:
            run.write(str(result))

    return write_result


def _block(directive: Any, pieces: list[_Piece] | None) -> _Piece | None:
    if pieces is None:
        return None
    if type(directive) is IfDirective:
        return _condition(_evaluator(directive.expr), pieces)
    if type(directive) is ForDirective:
        return _loop(_evaluator(directive.expr), directive.assign, pieces)
    return None


def _condition(evaluate: Callable[[_Run], Any], pieces: list[_Piece]) -> _Piece:
    def write_if(run: _Run) -> None:
        if evaluate(run):
            for piece in pieces:
                piece(run)

    return write_if


def _loop(
    evaluate: Callable[[_Run], Any], assign: Callable[[dict[str, Any], Any], None], pieces: list[_Piece]
) -> _Piece:
    def write_each(run: _Run) -> None:
        items = evaluate(run)
        if items is None:
            return
        scope: dict[str, Any] = {}
        push, pop = run.context.push, run.context.pop
        for item in items:
            assign(scope, item)
            push(scope)
            for piece in pieces:
                piece(run)
            pop()

    return write_each
