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


class XMLText(bytes):
    """A result that is an XML document in ASCII: it is sent as it is, without looking for what XML cannot hold."""


def exposed(name: str) -> Callable[[FunctionT], FunctionT]:
    """Mark a method as callable over XML-RPC under `name`."""

    def mark(function: FunctionT) -> FunctionT:
        setattr(function, _MARK, name)
        return function

    return mark


@dataclass(frozen=True)
class Method:
    """One callable method.

    Attributes:
        name: as it is called over the wire.
        function: called with the arguments of the call, after the caller's address if `with_address`.
        with_address: whether the caller's address is the first argument.
    """

    name: str
    function: Callable[..., Any]
    with_address: bool

    @property
    def help(self) -> str:
        """What ``methodHelp`` answers: the text for a core method, nothing for a plugin's."""
        return (inspect.getdoc(self.function) or "") if self.with_address else ""

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def call(self, address: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """The result; `RPCError` if the arguments do not fit, else whatever the function raises.

        What a caller sends can be of any type, so it is checked where the function says that it wants a string.
        """
        if self.with_address:
            arguments = ((address[0], address[1]), *arguments)
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
        name = getattr(getattr(type(owner), attribute), _MARK, None)
        if name is not None:
            found.append(Method(name, getattr(owner, attribute), with_address=True))
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

    def call(self, name: str, address: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """Call a method; `RPCError` if it does not exist or the arguments do not fit, else whatever it raises."""
        return self.find(name).call(address, arguments)
