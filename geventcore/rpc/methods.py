"""The methods that can be called: the core's, and the plugins' own.

A core method is marked with `exposed` and gets the caller's address as its first argument. A plugin's method is called
``<Plugin>.<method>`` and gets only what the caller sent (docs: reference/protocol, "Methods").
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from geventcore.errors import FAULT_OTHER, FAULT_UNKNOWN_METHOD, RPCError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_MARK = "_exposed_as"
_MARK_OF_WAITING = "_may_wait"


@dataclass(frozen=True)
class XMLText:
    """A result that is an XML document in ASCII: it is sent as it is, without looking for what XML cannot hold."""

    data: bytes


def exposed(name: str, *, may_wait: bool = False) -> Callable[[FunctionT], FunctionT]:
    """Mark a method as callable over XML-RPC under `name`; `may_wait` as for `Method`."""

    def mark(function: FunctionT) -> FunctionT:
        setattr(function, _MARK, name)
        setattr(function, _MARK_OF_WAITING, may_wait)
        return function

    return mark


@dataclass(frozen=True)
class Method:
    """One callable method.

    Attributes:
        name: as it is called over the wire.
        function: called with the arguments of the call, after the caller's address if `with_address`.
        with_address: whether the caller's address is the first argument.
        may_wait: whether what the caller brings is kept while the database is gone, so that it is enough to know from
            memory who calls.
    """

    name: str
    function: Callable[..., Any]
    with_address: bool
    may_wait: bool = False

    @property
    def help(self) -> str:
        """What ``methodHelp`` answers: the text for a core method, nothing for a plugin's."""
        return (inspect.getdoc(self.function) or "") if self.with_address else ""

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @cached_property
    def _takes(self) -> tuple[int, int, tuple[int, ...]] | None:
        """How many arguments are needed and allowed, and which have to be strings; None if it is not that simple."""
        parameters = list(self._signature.parameters.values())
        if any(parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD for parameter in parameters):
            return None
        needed = sum(parameter.default is inspect.Parameter.empty for parameter in parameters)
        strings = (number for number, parameter in enumerate(parameters) if parameter.annotation in (str, "str"))
        return needed, len(parameters), tuple(strings)

    def _fit(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the arguments fit, told without binding them, which takes longer than many a call."""
        if self._takes is None:
            return False
        needed, allowed, strings = self._takes
        count = len(arguments)
        return needed <= count <= allowed and all(
            isinstance(arguments[number], str) for number in strings if number < count
        )

    def call(self, address: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """The result; `RPCError` if the arguments do not fit, else whatever the function raises.

        What a caller sends can be of any type, so it is checked where the function says that it wants a string.
        """
        if self.with_address:
            arguments = ((address[0], address[1]), *arguments)
        if self._fit(arguments):
            return self.function(*arguments)
        try:
            bound = self._signature.bind(*arguments)
        except TypeError as err:
            raise RPCError(FAULT_OTHER, f"{self.name}: {err}") from err
        for name, value in bound.arguments.items():
            if self._signature.parameters[name].annotation in (str, "str") and not isinstance(value, str):
                raise RPCError(FAULT_OTHER, f"{self.name}: {name} must be a string, not {type(value).__name__}")
        return self.function(*arguments)


def exposed_methods(owner: object) -> list[Method]:
    """The methods of an object that are marked with `exposed`, sorted by name."""
    found = []
    for attribute in dir(type(owner)):
        function = getattr(type(owner), attribute)
        name = getattr(function, _MARK, None)
        if name is not None:
            may_wait = getattr(function, _MARK_OF_WAITING)
            found.append(Method(name, getattr(owner, attribute), with_address=True, may_wait=may_wait))
    return sorted(found, key=lambda method: method.name)


def remote_methods(prefix: str, methods: Mapping[str, Callable[..., Any]]) -> list[Method]:
    """A plugin's methods, under ``<prefix>.<name>``."""
    return [Method(f"{prefix}.{name}", function, with_address=False) for name, function in methods.items()]


class MethodTable:
    """All methods that can be called, core methods first."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def add(self, methods: list[Method]) -> None:
        """Add methods; a name that is taken is replaced."""
        self._methods.update((method.name, method) for method in methods)

    def __iter__(self) -> Iterator[Method]:
        return iter(list(self._methods.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._methods

    def find(self, name: str) -> Method:
        """The method of a name; `RPCError` if there is none."""
        method = self._methods.get(name)
        if method is None:
            raise RPCError(FAULT_UNKNOWN_METHOD, f"Method {name} is not supported")
        return method

    def may_wait(self, name: str) -> bool:
        """Whether a method is one that exists and may wait; see `Method`."""
        method = self._methods.get(name)
        return method is not None and method.may_wait

    def call(self, name: str, address: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """Call a method; `RPCError` if it does not exist or the arguments do not fit, else whatever it raises."""
        return self.find(name).call(address, arguments)
