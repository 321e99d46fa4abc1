"""The multiprocessing core: one process talks to clients, its children build configurations.

The parent is a builtin core: it accepts, authenticates and answers everything but ``GetConfig``, which goes to a child
that is free. A child is a core without a network, with plugins and a file monitor of its own. Before it builds, it
applies the file events that are there, so what the parent has stored (a probe's result, a profile) is part of what it
builds. A child that dies is replaced, and its request is given to another one.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from geventcore.core.admin import METRICS_TOPIC
from geventcore.core.children import Children
from geventcore.core.methods import Address, CoreMethods, critical
from geventcore.core.nursery import Nursery
from geventcore.cores.builtin import BuiltinCore
from geventcore.errors import CoreInitError, ValidationError
from geventcore.metrics.timings import merged
from geventcore.options import types
from geventcore.options.common import CACHE_MODE
from geventcore.options.option import Option
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.base import Plugin
from geventcore.rpc.methods import Method, XMLText, exposed

#: As for workers of the gevent core: more would only be a typing error that keeps the machine busy.
MOST_CHILDREN = 1024

CHILDREN = Option(
    "server",
    "children",
    types.integer(1, MOST_CHILDREN),
    os.cpu_count() or 1,
    "How many processes of the multiprocessing core build configurations.",
    flags=("--children",),
    at_start=True,
)


class ParentMethods(CoreMethods):
    """The exposed methods of the parent: some are the children's work, some concern them, too."""

    def __init__(self, core: MultiprocessingCore) -> None:
        super().__init__(core)
        self._parent = core

    @exposed("GetConfig")
    def get_config(self, address: Address) -> XMLText:
        """Get the client's configuration, an ASCII document without a declaration."""
        client = self.resolve_client(address)
        answer, body = self._parent.children.build(client)
        if "error" in answer:
            if answer["kind"] == "validation":
                raise ValidationError(answer["error"])
            raise critical(answer["error"])
        return XMLText(body)

    @exposed("get_statistics")
    def get_statistics(self, address: Address) -> dict[str, list[float | int]]:
        """Get the durations that were measured: the parent's own, each child's, and their totals."""
        statistics = super().get_statistics(address)
        answers = self._parent.children.tell_all("statistics")
        for number, answer in answers:
            statistics.update((f"Child-{number}:{name}", timing) for name, timing in answer["statistics"].items())
        totals = merged(answer["statistics"] for _, answer in answers)
        statistics.update((f"Total:{name}", timing) for name, timing in totals.items())
        return statistics

    @exposed("set_debug")
    def set_debug(self, address: Address, debug: bool | str) -> bool:
        """Switch debugging of everything on or off. Returns whether it is on."""
        result = super().set_debug(address, debug)
        self._parent.children.tell_all("debug", value=result)
        return result


class _ChildrenMetrics:
    """Adds what children have counted to the metrics; what else is told on the bus does not concern them."""

    def __init__(self, children: Children) -> None:
        self._children = children

    def tell(self, topic: str, message: Any) -> list[Any]:
        """Their answers. One that builds is not waited for: what it has answered before counts."""
        return self._children.ask_free("metrics") if topic == METRICS_TOPIC else []


class MultiprocessingCore(BuiltinCore):
    """A builtin core whose configurations are built by children."""

    name: ClassVar[str] = "multiprocessing"
    options: ClassVar[tuple[Option[Any], ...]] = (*BuiltinCore.options, CHILDREN)

    def __init__(self, settings: LoadedSettings) -> None:
        super().__init__(settings)
        self._nursery: Nursery | None = None
        self._children: Children | None = None

    def make_methods(self) -> CoreMethods:
        """The parent's methods."""
        return ParentMethods(self)

    @property
    def children(self) -> Children:
        """The children; `CoreInitError` before `_run`."""
        if self._children is None:
            raise CoreInitError("no children are started yet")
        return self._children

    def _run(self) -> bool:
        self._nursery = Nursery(self.settings, [*self.listeners, *self.admin.sockets.sockets])
        self._children = Children(self._nursery, self.settings[CHILDREN])
        self.bus.add_relay(_ChildrenMetrics(self._children))
        self.metadata.cache.add_expire_hook(self._expire_in_children)
        return super()._run()

    def _expire_in_children(self, tags: tuple[str, ...], exact: bool, count: int) -> None:
        if self.settings[CACHE_MODE] != "off":
            self.children.tell_all("expire", client=tags[1] if len(tags) > 1 else None)

    def load(self) -> None:
        """Load plugins; calls of methods that children have, too, are passed on to them."""
        super().load()
        for plugin in self.plugins:
            self.service.methods.add([self._passed_on(plugin, name) for name in plugin.child_remote_methods])

    def _passed_on(self, plugin: Plugin, name: str) -> Method:
        function: Callable[..., Any] = getattr(plugin, name)

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            self.children.tell_all("call", plugin=plugin.name, method=name, arguments=arguments)
            return result

        return Method(f"{plugin.name}.{name}", call, with_address=False)

    def reload_settings(self, *, is_wanted: bool = True) -> None:
        """Read the configuration again, in the children, too."""
        super().reload_settings(is_wanted=is_wanted)
        self.children.tell_all("reload")

    def reopen_logs(self) -> None:
        """Let go of log files that were moved away, in the children, too."""
        super().reopen_logs()
        # In a thread, because a child answers when it has built what it is building.
        threading.Thread(target=self.children.tell_all, args=("reopen logs",), daemon=True).start()

    def shutdown(self) -> None:
        """End the server, then the children."""
        super().shutdown()
        if self._children is not None:
            self._children.close()
            self._children = None
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None
