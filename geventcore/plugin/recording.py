"""Records of the parts of a client's metadata that a function reads.

A pure function of a client's metadata, such as a template, is called with a *recording view* (`RecordingMetadata`). The
view notes each `Read` and the value that it had.

A value that cannot be compared, such as an object of a site's own plugin, is noted as untracked, with the reason. What
was made with it is not kept. See docs/design/render-cache.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, ItemsView, Iterable, Iterator, KeysView, Mapping, Set, ValuesView
from typing import Any, ClassVar, TypeVar

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.client_version import ClientVersion

T = TypeVar("T")

#: The address of an object in its text form, which no other rendering gives again.
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
#: The key in `ClientMetadata.scratch` of the `Recorder` of a configuration that is being built.
RECORDER = "recorder"
_MISSING = object()
#: The fields of metadata that are built anew, and compared, for every answer.
FIELDS = (
    *("hostname", "profile", "groups", "bundles", "aliases", "addresses", "categories", "uuid", "password"),
    "version",
)
#: The number of reads that are the same object for all clients; when there are more, all are made anew.
MOST_READS = 100_000
_SET_FIELDS = ("groups", "bundles", "aliases", "addresses")
_PLAIN_FIELDS = ("hostname", "profile", "uuid", "password", "version")
_MAX_FROZEN = 10_000


class UntrackableError(Exception):
    """A value cannot be compared with a later one; the text says which."""


class ComputedText(str):
    """A text whose attributes are computed from the text alone."""

    __slots__ = ()


class TrackableData(ABC):
    """Data of a connector that says what a reader depends on: `ClientMetadata` has it as an attribute."""

    @abstractmethod
    def recording_view(self, recorder: Recorder, attribute: str, metadata: ClientMetadata) -> Any:
        """Return an object like this one, for readers that change nothing.

        It notes in `recorder` what is read (`ItemRead`), or why that is not known. `attribute` is the name of the data,
        `metadata` a recording view of the client.
        """

    @abstractmethod
    def read_value(self, key: Hashable) -> Hashable:
        """Return a value that is equal for as long as reading `key` gives an equal object."""


class Read(ABC):
    """Something that can be read of a client's metadata. Equal reads are equal objects."""

    @abstractmethod
    def value(self, metadata: ClientMetadata) -> Hashable:
        """Read it; `UntrackableError` if the value cannot be compared."""


class _Interned(Read):
    __slots__ = ("_key",)
    _key: tuple[Any, ...]
    _known: ClassVar[dict[tuple[Any, ...], Any]] = {}

    def __new__(cls, *key: Hashable) -> Any:
        known = (cls, *key)
        found = _Interned._known.get(known)
        if found is None:
            if len(_Interned._known) > MOST_READS:
                _Interned._known.clear()
            found = _Interned._known[known] = super().__new__(cls)
            found._key = key
        return found

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is type(self) and other._key == self._key)

    def __hash__(self) -> int:
        return hash((type(self), self._key))

    def __repr__(self) -> str:
        return ".".join(map(str, self._key))


class AttributeRead(_Interned):
    """The whole value of an attribute."""

    @property
    def name(self) -> str:
        """The attribute."""
        return str(self._key[0])

    def value(self, metadata: ClientMetadata) -> Hashable:
        (name,) = self._key
        return frozen(getattr(metadata, name, _MISSING), name)


class MemberRead(_Interned):
    """The membership of a name in a set."""

    def value(self, metadata: ClientMetadata) -> Hashable:
        name, member = self._key
        return member in getattr(metadata, name)


class AmongRead(_Interned):
    """The groups of a client, of some."""

    def value(self, metadata: ClientMetadata) -> Hashable:
        return metadata.groups_among(self._key[0])


class CategoryRead(_Interned):
    """The group of the client in a category."""

    def value(self, metadata: ClientMetadata) -> Hashable:
        return metadata.group_in_category(self._key[0])


class ItemRead(_Interned):
    """An item of a connector's data; the key None is for its keys."""

    def value(self, metadata: ClientMetadata) -> Hashable:
        name, key = self._key
        data = getattr(metadata, name, None)
        if isinstance(data, TrackableData):
            return data.read_value(key)
        if not isinstance(data, dict):
            raise UntrackableError(f"metadata.{name} is no dictionary")
        if key is None:
            return tuple(data)
        return frozen(data.get(key, _MISSING), name)


def is_lasting(read: Read) -> bool:
    """Return true if a read is of something besides the fields that are compared for every answer anyway."""
    if isinstance(read, AttributeRead):
        return read.name not in FIELDS
    return not isinstance(read, MemberRead | AmongRead)


def frozen(value: Any, name: str) -> Hashable:
    """Return plain data in a form that can be compared and hashed; `UntrackableError` for anything else.

    Sets are compared in the order in which they are iterated.
    """
    budget = [_MAX_FROZEN]
    return _frozen(value, name, budget)


def _frozen(value: Any, name: str, budget: list[int]) -> Hashable:
    kind = type(value)
    if value is None or value is _MISSING or kind in (str, bytes) or isinstance(value, ComputedText):
        plain: Hashable = value
        return plain
    if kind in (int, float, bool):
        return kind.__name__, repr(value)
    budget[0] -= 1
    if budget[0] < 0:
        raise UntrackableError(f"metadata.{name} is too large to be compared")
    if kind is dict:
        return "dict", tuple((_frozen(key, name, budget), _frozen(item, name, budget)) for key, item in value.items())
    if kind in (list, tuple, set, frozenset):
        if kind in (set, frozenset) and all(type(item) is str for item in value):
            return tuple(value)
        return kind.__name__, tuple(_frozen(item, name, budget) for item in value)
    if kind is ClientVersion:
        return str(value.text)
    raise UntrackableError(f"it reads metadata.{name}, a {kind.__name__}")


class Recorder:
    """The record of what was read.

    Attributes:
        reads: what was read, and the value that it had, in the order of the first readings.
        untracked: why the record is not complete; empty if it is.
    """

    __slots__ = ("reads", "untracked")

    def __init__(self) -> None:
        self.reads: dict[Read, Hashable] = {}
        self.untracked: list[str] = []

    def add(self, other: Recorder) -> None:
        """Add another record."""
        self.reads.update(other.reads)
        self.untracked += other.untracked

    def note(self, read: Read, metadata: ClientMetadata) -> None:
        """Note a read of the client whose real metadata are `metadata`."""
        if read not in self.reads:
            try:
                self.reads[read] = read.value(metadata)
            except UntrackableError as err:
                self.untracked.append(str(err))


def note_untracked(metadata: ClientMetadata, reason: str) -> None:
    """Note that the client's configuration depends on something that is not known."""
    recorder = recorder_of(metadata)
    if recorder is not None:
        recorder.untracked.append(reason)


def recorder_of(metadata: ClientMetadata) -> Recorder | None:
    """Return the recorder of the configuration that is being built with these metadata, or None."""
    found: Recorder | None = metadata.scratch.get(RECORDER)
    return found


class RecordingMetadata(ClientMetadata):
    """A client's metadata for a reader that changes nothing; it notes what is read."""

    def __init__(self, metadata: ClientMetadata, recorder: Recorder) -> None:
        """`metadata` are the client's real metadata."""
        # Not through the dataclass: nothing of the real metadata is copied.
        state = object.__getattribute__(self, "__dict__")
        state.update(_real=metadata, _recorder=recorder, _views={})

    def __getattribute__(self, name: str) -> Any:
        state = object.__getattribute__(self, "__dict__")
        if name in _METHODS:
            return object.__getattribute__(self, name)
        view = state["_views"].get(name)
        if view is None:
            view = state["_views"][name] = _view(name, state["_real"], state["_recorder"], self)
        return view

    def inGroup(self, name: str) -> bool:  # noqa: N802 - the name that sites' templates use
        return name in self.groups

    def groups_among(self, names: frozenset[str | None]) -> frozenset[str | None]:
        return self._read(AmongRead(names), lambda real: real.groups_among(names))

    def group_in_category(self, category: str) -> str:
        return self._read(CategoryRead(category), lambda real: real.group_in_category(category))

    def _read(self, read: Read, value: Callable[[ClientMetadata], T]) -> T:
        state = object.__getattribute__(self, "__dict__")
        state["_recorder"].note(read, state["_real"])
        return value(state["_real"])

    def __repr__(self) -> str:
        state = object.__getattribute__(self, "__dict__")
        state["_recorder"].untracked.append("it uses the metadata as a text")
        return repr(state["_real"])


_METHODS = frozenset({"inGroup", "groups_among", "group_in_category", "_read", "__class__"})


def _view(name: str, real: ClientMetadata, recorder: Recorder, view: ClientMetadata) -> Any:
    """Return the value of an attribute for a reader, and note the read."""
    if name in _SET_FIELDS:
        return RecordingSet(name, real, recorder)
    if name == "scratch":
        # Of the view's own: what code of the server keeps for a client must not depend on what the reader reads.
        return {RECORDER: recorder}
    if name in _PLAIN_FIELDS or name in ("categories", "connectors", "version_info"):
        recorder.note(AttributeRead(name), real)
        return getattr(real, name)
    if name.startswith("_") or name in ("query", "copy"):
        recorder.untracked.append(f"it reads metadata.{name}")
        return getattr(real, name)
    data = getattr(real, name, _MISSING)
    if isinstance(data, TrackableData):
        return data.recording_view(recorder, name, view)
    if type(data) is dict:
        return RecordingDict(name, data, real, recorder)
    recorder.note(AttributeRead(name), real)
    return getattr(real, name)


class RecordingSet(Set[Any]):
    """A set of names in the metadata, for a reader."""

    def __init__(self, name: str, real: ClientMetadata, recorder: Recorder) -> None:
        self._name = name
        self._real = real
        self._recorder = recorder

    @property  # type: ignore[misc]  # isinstance asks for it
    def __class__(self) -> Any:
        """The class that `isinstance` sees."""
        return set

    def _whole(self) -> set[str]:
        self._recorder.note(AttributeRead(self._name), self._real)
        found: set[str] = getattr(self._real, self._name)
        return found

    def __contains__(self, member: object) -> bool:
        if type(member) is not str:
            return member in self._whole()
        self._recorder.note(MemberRead(self._name, member), self._real)
        return member in getattr(self._real, self._name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Any:
        return set(it)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            self._recorder.untracked.append(f"it reads {name} of a set")
        return getattr(self._whole(), name)

    def __repr__(self) -> str:
        return repr(self._whole())


class RecordingDict(Mapping[str, Any]):
    """A connector's dictionary, for a reader."""

    def __init__(self, name: str, data: dict[str, Any], real: ClientMetadata, recorder: Recorder) -> None:
        self._name = name
        self._data = data
        self._real = real
        self._recorder = recorder
        self._all: dict[str, Any] | None = None
        self._texts: dict[str, ComputedText] = {}

    @property  # type: ignore[misc]  # isinstance asks for it
    def __class__(self) -> Any:
        """The class that `isinstance` sees."""
        return dict

    def _note(self, key: object) -> None:
        if type(key) is str:
            self._recorder.note(ItemRead(self._name, key), self._real)
        else:
            self._whole()

    def _whole(self) -> dict[str, Any]:
        self._recorder.note(AttributeRead(self._name), self._real)
        if self._all is None:
            self._all = {key: self._own(key) for key in self._data}
        return self._all

    def _own(self, key: str) -> Any:
        """Return an item; of a text one of its own, as others may have changed what they got of the stored one."""
        value = self._data[key]
        if not isinstance(value, ComputedText):
            return value
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = type(value)(value)
        return text

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return self._own(key)

    def __or__(self, other: Any) -> Any:
        return self._whole() | dict(other)

    def __ror__(self, other: Any) -> Any:
        return dict(other) | self._whole()

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return key in self._data

    def __iter__(self) -> Iterator[str]:
        self._recorder.note(ItemRead(self._name, None), self._real)
        return iter(self._data)

    def __len__(self) -> int:
        self._recorder.note(ItemRead(self._name, None), self._real)
        return len(self._data)

    def keys(self) -> KeysView[str]:
        self._recorder.note(ItemRead(self._name, None), self._real)
        return self._data.keys()

    def values(self) -> ValuesView[Any]:
        return self._whole().values()

    def items(self) -> ItemsView[str, Any]:
        return self._whole().items()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            self._recorder.untracked.append(f"it reads {name} of a dictionary")
        return getattr(self._whole(), name)

    def __repr__(self) -> str:
        return repr(self._whole())
