"""The keys that sources are signed with, as clients get them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from geventcore.plugins.packages.downloads import Downloads


def _basename(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


def read_key(downloads: Downloads, url: str, urls: Collection[str]) -> bytes:
    """The content of a fetched key; empty if there is none.

    `urls` are all keys. Bcfg2 has kept keys by the last parts of their URLs; that counts if it is one key's only.
    """
    paths = [downloads.path(url)]
    if sum(_basename(other) == _basename(url) for other in urls) == 1:
        paths.append(downloads.directory / _basename(url))
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if content:
            return content
    return b""


def read_keys(downloads: Downloads, urls: Iterable[str]) -> dict[str, str]:
    """URL -> text of each key that has been fetched."""
    found = list(dict.fromkeys(urls))
    contents = {url: read_key(downloads, url, found) for url in found}
    return {url: content.decode("ascii", "replace") for url, content in contents.items() if content}


def key_files(texts: Mapping[str, str], urls: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name and text of the file of each key that has been fetched; the names are different."""
    taken: set[str] = set()
    for url in urls:
        text = texts.get(url)
        if text is not None:
            base = name = _basename(url)
            number = 2
            while name in taken:
                name = f"{base}-{number}"
                number += 1
            taken.add(name)
            yield name, text
