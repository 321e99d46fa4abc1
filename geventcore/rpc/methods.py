"""The methods that clients can call: those of the core, and those of plugins.

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
from geventcore.log import shortened
from geventcore.wire.xmlrpc import TextReader

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_MARK = "_exposed_as"
_STALE_IDENTITY_MARK = "_accepts_stale_identity"
_READER_MARK = "_reader"


@dataclass(frozen=True)
class XMLText:
    """A result that is an XML document in ASCII. It is sent without a check for characters that XML does not allow."""

    data: bytes


def exposed(name: str, *, accepts_stale_identity: bool = False, reader: str = "") -> Callable[[FunctionT], FunctionT]:
    """Mark a method as callable over XML-RPC under `name`; see `Method` for the rest.

    `reader` is the name of the method that makes the reader.
    """

    def mark(function: FunctionT) -> FunctionT:
        setattr(function, _MARK, name)
        setattr(function, _STALE_IDENTITY_MARK, accepts_stale_identity)
        setattr(function, _READER_MARK, reader)
        return function

    return mark


@dataclass(frozen=True)
class Method:
    """One callable method.

    Attributes:
        name: the name in XML-RPC calls.
        function: called with the arguments of the call, after the caller's address if `with_address`.
        with_address: whether the caller's address is the first argument.
        accepts_stale_identity: whether the server may identify the caller by stale reads while the database is
            unavailable. True for uploads that can be kept until the database is back.
        reader: makes a reader of the first argument, for long texts that are read while they arrive. The function gets
            the reader in place of the text.
    """

    name: str
    function: Callable[..., Any]
    with_address: bool
    accepts_stale_identity: bool = False
    reader: Callable[[], TextReader] | None = None

    @property
    def help(self) -> str:
        """The result of ``methodHelp``: the docstring of a core method, an empty text for a plugin's."""
        return (inspect.getdoc(self.function) or "") if self.with_address else ""

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @cached_property
    def _takes(self) -> tuple[int, int, tuple[int, ...]] | None:
        """The number of required and of allowed arguments, and the positions of strings; None for other signatures."""
        parameters = list(self._signature.parameters.values())
        if any(parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD for parameter in parameters):
            return None
        needed = sum(parameter.default is inspect.Parameter.empty for parameter in parameters)
        strings = (number for number, parameter in enumerate(parameters) if parameter.annotation in (str, "str"))
        return needed, len(parameters), tuple(strings)

    def _fit(self, arguments: tuple[Any, ...]) -> bool:
        """Return whether the arguments fit. Faster than binding them, which takes longer than many calls."""
        if self._takes is None:
            return False
        needed, allowed, strings = self._takes
        count = len(arguments)
        return needed <= count <= allowed and all(
            isinstance(arguments[number], str) for number in strings if number < count
        )

    def call(self, address: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """Call the function and return its result.

        A caller can send values of any type, so parameters that are annotated as strings are checked.

        Raises:
            RPCError: the arguments do not fit. Errors of the function are passed on.
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
    """Return the methods of an object that are marked with `exposed`, sorted by name."""
    found = []
    for attribute in dir(type(owner)):
        function = getattr(type(owner), attribute)
        name = getattr(function, _MARK, None)
        if name is not None:
            accepts_stale, reader = getattr(function, _STALE_IDENTITY_MARK), getattr(function, _READER_MARK)
            found.append(
                Method(
                    *(name, getattr(owner, attribute), True, accepts_stale),
                    reader=getattr(owner, reader) if reader else None,
                )
            )
    return sorted(found, key=lambda method: method.name)


def remote_methods(prefix: str, methods: Mapping[str, Callable[..., Any]]) -> list[Method]:
    """Return a plugin's methods, named ``<prefix>.<name>``."""
    return [Method(f"{prefix}.{name}", function, with_address=False) for name, function in methods.items()]


class MethodTable:
    """The table of all methods that clients can call, core methods first."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}
        #: The readers of methods that have one.
        self.readers: dict[str, Callable[[], TextReader]] = {}

    def add(self, methods: list[Method]) -> None:
        """Add methods. A method replaces an earlier one of the same name."""
        self._methods.update((method.name, method) for method in methods)
        self.readers.update((method.name, method.reader) for method in methods if method.reader is not None)

    def __iter__(self) -> Iterator[Method]:
        return iter(list(self._methods.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._methods

    def find(self, name: str) -> Method:
        """Return the method with a name.

        Raises:
            RPCError: there is no such method.
        """
        method = self._methods.get(name)
        if method is None:
            raise RPCError(FAULT_UNKNOWN_METHOD, f"Unknown method {shortened(name)}")
        return method

    def accepts_stale_identity(self, name: str) -> bool:
        """Return whether a method exists and accepts a stale identity; see `Method`."""
        method = self._methods.get(name)
        return method is not None and method.accepts_stale_identity

    def call(self, name: str, address: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """Call a method and return its result.

        Raises:
            RPCError: the method does not exist, or the arguments do not fit. Errors of the method are passed on.
        """
        return self.find(name).call(address, arguments)
