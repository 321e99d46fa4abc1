"""The import of a client's state into the repository: what the client has reported becomes what it shall have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError, PluginError
from geventcore.options.server import MDATA_IMPORTANT, MDATA_PARANOID, MDATA_SECONTEXT, MDATA_SENSITIVE
from geventcore.plugin.interfaces import Generator, PullSource, PullTarget
from geventcore.plugin.specificity import Specificity

#: Chooses the file to write, or None for no file.
Chooser = Callable[[Sequence[Specificity]], Specificity | None]

_KEPT_ATTRIBUTES = {
    "sensitive": MDATA_SENSITIVE,
    "important": MDATA_IMPORTANT,
    "paranoid": MDATA_PARANOID,
    "secontext": MDATA_SECONTEXT,
}


class NoCurrentState(GeventcoreError):
    """No report has the state of the entry on the client."""


@dataclass(frozen=True)
class Pulled:
    """An entry as it is on a client.

    Attributes:
        entry: the values for `PullTarget.accept_pull_data`.
        target: the plugin that stores it.
        choices: the specificities under which it can be stored, the current one first.
    """

    entry: Mapping[str, Any]
    target: PullTarget
    choices: Sequence[Specificity]

    def store(self, specificity: Specificity, verbose: bool = False) -> None:
        """Write the entry to the repository; `PluginError` if that fails."""
        self.target.accept_pull_data(specificity, self.entry, verbose)


def fetch(core: Core, host: str, tag: str, name: str, *, replace_info: bool = False) -> Pulled:
    """Return the current state of an entry of a client.

    Args:
        replace_info: also replace an existing ``info.xml`` by one with the client's owner, group and mode.

    Raises:
        NoCurrentState: no plugin has it.
        GeventcoreError: no plugin stores such an entry, or the client is unknown.
    """
    owner, group, mode, content = _current_state(core, host, tag, name)
    entry: dict[str, Any] = {"name": name, "type": tag, "owner": owner, "group": group, "mode": mode, "text": content}
    if replace_info:
        named = {"owner": owner, "group": group, "mode": mode}
        kept = {key: core.settings[option] for key, option in _KEPT_ATTRIBUTES.items()}
        entry["info"] = {key: value for key, value in {**named, **kept}.items() if value}
    metadata = core.build_metadata(host)
    element = etree.Element(tag, name=name)
    target = _target(core, element)
    return Pulled(entry, target, target.accept_choices(element, metadata))


def _current_state(
    core: Core, host: str, tag: str, name: str
) -> tuple[str | None, str | None, str | None, bytes | None]:
    sources = core.plugins.by_type(PullSource)
    if not sources:
        raise GeventcoreError("no plugin has the state of clients; add Reporting to [server] plugins")
    if tag != "Path":
        raise NoCurrentState(f"{tag}:{name} cannot be pulled: only files (Path) have a content to store")
    reasons = []
    for source in sources:
        try:
            found = source.get_current_entry(host, tag, name)
        except PluginError as err:
            reasons.append(str(err))
            continue
        if found[3] is not None:
            return found
        reasons.append(f"the report of {host} has no content of {tag}:{name}: it is as the configuration says")
    raise NoCurrentState("; ".join(reasons))


def _target(core: Core, element: etree._Element) -> PullTarget:
    tag, name = str(element.tag), str(element.get("name"))
    found = [plugin for plugin in core.plugins.by_type(Generator) if name in plugin.entries.get(tag, {})]
    targets = [plugin for plugin in found if isinstance(plugin, PullTarget)]
    if not targets:
        others = ", ".join(str(getattr(plugin, "name", plugin)) for plugin in found)
        raise GeventcoreError(
            f"{tag}:{name} comes from {others}, which does not store files of clients"
            if others
            else f"no plugin stores {tag}:{name}; to store it in Cfg, make the directory Cfg{name} with a file first"
        )
    if len(targets) > 1:
        raise GeventcoreError(f"several plugins store {tag}:{name}; remove it from all but one of them")
    return targets[0]


def describe(specificity: Specificity) -> str:
    """Return for whom a file is, for people."""
    if specificity.hostname is not None:
        return f"host {specificity.hostname}"
    if specificity.group is not None:
        return f"group {specificity.group} (priority {specificity.priority})"
    return "all clients"
