"""Boolean dependencies of RPM packages, such as ``(a if b)``.

The grammar is RPM's ("Boolean Dependencies" in its manual): an expression in parentheses has operands that are names,
with versions or not, or expressions, and operators: ``and``, ``or``, ``with``, ``without``, and ``if`` or ``unless``,
which may be followed by ``else``. Only ``and``, ``or`` and ``with`` may repeat, and then only the same one.

The resolver takes names alone into account, so an expression becomes a list of clauses, all of which are to be
fulfilled. A clause names packages of which one is needed, if others are installed, or unless they are. It is a tuple of
conditions like any list of alternatives; the version of a condition is `IF` or `UNLESS` for those others.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence

from geventcore.plugins.packages.index import IF, UNLESS, Condition

#: A parenthesis, or a word; names such as ``perl(strict)`` and ``config(a) = 1:2`` have parentheses inside.
_TOKEN = re.compile(r"\s*(?:([()])|((?:[^\s()]|\([^\s()]*\))+))")
_COMPARISONS = frozenset({"<", "<=", "=", ">=", ">"})
_REPEATABLE = frozenset({"and", "or", "with"})
_OPERATORS = frozenset({"and", "or", "with", "without", "if", "unless"})
#: More clauses and deeper nesting than any package has.
MAX_CLAUSES, MAX_DEPTH = 64, 32

Clause = tuple[Condition, ...]
#: What must be installed at once for a condition to hold.
_Term = tuple[str, ...]


def is_rich(text: str) -> bool:
    """Return true if a dependency is a boolean one."""
    return text.startswith("(")


def parse_rich(text: str) -> list[Clause]:
    """The clauses of a boolean dependency; `ValueError` if it is none, or too large."""
    parser = _Parser(_tokens(text))
    found = parser.expression()
    parser.end()
    return list(dict.fromkeys(found))


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"cannot read {text[place : place + 20]!r}")
        found.append(match[1] or match[2])
        place = match.end()
    return found


class _Parser:
    """A parser that makes clauses on the way."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def end(self) -> None:
        """Raise `ValueError` unless everything has been read."""
        if self._place < len(self._tokens):
            raise ValueError(f"{self._tokens[self._place]!r} is not expected")

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise ValueError("it ends too early")
        self._place += 1
        return token

    def expression(self) -> list[Clause]:
        """An expression in parentheses."""
        if self._next() != "(":
            raise ValueError("'(' is expected")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        found = self._operand()
        operator = self._peek()
        if operator in _OPERATORS:
            found = self._operation(found, operator)
        if self._next() != ")":
            raise ValueError("')' is expected")
        self._depth -= 1
        if len(found) > MAX_CLAUSES:
            raise ValueError("it is too large")
        return found

    def _operation(self, left: list[Clause], operator: str) -> list[Clause]:
        self._next()
        right = self._operand()
        if operator in ("if", "unless"):
            otherwise: list[Clause] = []
            if self._peek() == "else":
                self._next()
                otherwise = self._operand()
            if operator == "unless":
                left, otherwise = otherwise, left
            return [*_only_if(left, right), *_unless(otherwise, right)]
        operands = [left, right]
        while self._peek() == operator and operator in _REPEATABLE:
            self._next()
            operands.append(self._operand())
        if operator == "or":
            return _any_of(operands)
        # No name stands for "a package that provides both, or not that one", so the left side of "without" counts.
        return left if operator == "without" else list(itertools.chain.from_iterable(operands))

    def _operand(self) -> list[Clause]:
        if self._peek() == "(":
            return self.expression()
        name = self._next()
        if name == ")" or name in _COMPARISONS:
            raise ValueError(f"{name!r} is not expected")
        if self._peek() in _COMPARISONS:
            self._next()
            self._next()
        return [(Condition(name, ""),)]


def _any_of(operands: Sequence[list[Clause]]) -> list[Clause]:
    """The clauses that hold if all clauses of one operand do."""
    if math.prod(map(len, operands)) > MAX_CLAUSES:
        raise ValueError("it is too large")
    return [tuple(dict.fromkeys(itertools.chain.from_iterable(chosen))) for chosen in itertools.product(*operands)]


def _terms(clauses: Sequence[Clause]) -> list[_Term]:
    """The sets of names of which one must be installed as a whole for all clauses to hold."""
    choices = [[one.name for one in clause if one.version not in (IF, UNLESS)] for clause in clauses]
    if math.prod(map(len, choices)) > MAX_CLAUSES:
        raise ValueError("it is too large")
    return [tuple(dict.fromkeys(names)) for names in itertools.product(*choices)]


def _only_if(clauses: Sequence[Clause], condition: Sequence[Clause]) -> Iterator[Clause]:
    """Each clause, if a condition holds."""
    for term in _terms(condition) if clauses else ():
        for clause in clauses:
            yield (*clause, *(Condition(name, IF) for name in term))


def _unless(clauses: Sequence[Clause], condition: Sequence[Clause]) -> Iterator[Clause]:
    """Each clause, unless a condition holds: each of its terms lacks a name."""
    if not clauses:
        return
    terms = _terms(condition)
    if math.prod(map(len, terms)) > MAX_CLAUSES:
        raise ValueError("it is too large")
    for lacking in itertools.product(*terms):
        for clause in clauses:
            yield (*clause, *(Condition(name, UNLESS) for name in dict.fromkeys(lacking)))
