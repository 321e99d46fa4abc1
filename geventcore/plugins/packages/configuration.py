"""The files that tell a client's package manager which sources it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from geventcore.plugins.packages.source import Source

HEADER = "# This config was generated automatically by the Bcfg2 Packages plugin\n\n"


def apt_configuration(sources: Iterable[tuple[Source, tuple[str, ...]]]) -> str:
    """A ``sources.list`` for sources with the client's architectures (sources.list(5))."""
    blocks = []
    for source, _ in sources:
        if source.rawurl:
            base, _, directory = source.rawurl.rstrip("/").rpartition("/")
            lines = [f"deb {base} {directory}/"]
        else:
            place = f"{source.url} {source.version} {' '.join(source.components)}"
            lines = [f"deb {place}", *([f"deb-src {place}"] if source.debsrc else [])]
        blocks.append("\n".join(lines))
    return HEADER + "".join(f"{block}\n\n" for block in blocks).removesuffix("\n")


def yum_configuration(sources: Iterable[tuple[Source, tuple[str, ...]]]) -> str:
    """A file for ``yum.repos.d`` for sources with the client's architectures (yum.conf(5))."""
    sections: dict[str, dict[str, str]] = {}
    for source, architectures in sources:
        for location in source.locations:
            if location.architecture not in architectures:
                continue
            name = _unused(source.repository_name(location), sections)
            section = {"name": name, "baseurl": location.url, "enabled": "1", "gpgcheck": "1" if source.keys else "0"}
            if source.keys:
                section["gpgkey"] = " ".join(source.keys)
            if source.blacklist_words:
                section["exclude"] = " ".join(source.blacklist_words)
            if source.whitelist_words:
                section["includepkgs"] = " ".join(source.whitelist_words)
            section.update(source.client_options)
            sections[name] = section
    return HEADER + "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items()) + "\n"
        for name, section in sections.items()
    )


def _unused(name: str, taken: Mapping[str, object]) -> str:
    number, unused = 2, name
    while unused in taken:
        unused = f"{name}-{number}"
        number += 1
    return unused


#: The type of sources -> the function that makes the file, for those that have one.
CONFIGURATIONS: Mapping[str, Callable[[Iterable[tuple[Source, tuple[str, ...]]]], str]] = {
    "apt": apt_configuration,
    "yum": yum_configuration,
}
