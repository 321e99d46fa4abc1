"""Values: what the command line, the environment, the configuration files and the defaults add up to.

`load_settings` reads the sources once. A value is parsed when it is first asked for, because which options exist is
known only after some of them were read: ``[server] plugins`` names the plugins, and those bring their own. So settings
answer for every `Option` object, whether they were told of it or not; `LoadedSettings.check` looks at all of those that
they were told of.

Settings never change. `LoadedSettings.reload` reads the same sources again and returns new ones, or raises and leaves
the old ones in use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from geventcore.errors import ConfigError
from geventcore.options.common import REPOSITORY, WEB_CONFIG
from geventcore.options.option import Option
from geventcore.options.optionset import OptionSet
from geventcore.options.sources import ConfigFiles, SectionView, quoted
from geventcore.options.types import ValueType
from geventcore.options.unknown_keys import unknown_key_warnings

T = TypeVar("T")

#: What is read if nobody names another file.
DEFAULT_CONFIG_FILE = Path("/etc/bcfg2.conf")
#: What `LoadedSettings.source_of` says of the command line.
COMMAND_LINE = "command line"
#: The environment variable that names another file.
CONFIG_FILE_ENV = "BCFG2_CONFIG_FILE"


@dataclass(frozen=True)
class Sources:
    """Where values come from, apart from the defaults.

    Attributes:
        config_file: the main file; `None` for none at all.
        config_file_is_required: whether it is an error if the main file does not exist.
        supplements: options that name further files, read after the main one and in this order.
        command_line, environment: texts of values.
        directory: where relative paths start. It stays the same when the server moves to another directory.
        overrides: values that are above everything else.
    """

    config_file: Path | None = None
    config_file_is_required: bool = False
    supplements: tuple[Option[Path], ...] = ()
    command_line: Mapping[Option[Any], str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = field(default_factory=Path.cwd)
    overrides: Mapping[Option[Any], Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Found:
    """The source that gives a value, found without a look at the value itself.

    Attributes:
        source: what messages call it.
        label: what messages put before the value.
        text: reads the text of the value; `ConfigError` if it refers to what does not exist.
    """

    source: str
    label: str
    text: Callable[[], str]


class LoadedSettings:
    """The `geventcore.options.Settings` of one reading of the sources.

    Attributes:
        options: the options that these settings were told of. Whoever loads plugins adds theirs.
    """

    def __init__(self, sources: Sources, options: OptionSet, files: ConfigFiles, warnings: Iterable[str] = ()) -> None:
        self.options = options
        self._sources = sources
        self._files = files
        self._warnings = list(warnings)
        # Options that nobody was told of may be made for one use ("the config of the CA that this file names"); they
        # must not be kept alive. Values of the others are looked up in every request.
        self._values: dict[Option[Any], Any] = {}
        self._values_of_others: WeakKeyDictionary[Option[Any], Any] = WeakKeyDictionary()

    @classmethod
    def read(cls, sources: Sources, options: OptionSet) -> LoadedSettings:
        """Settings from sources as they are now; `ConfigError` if a file cannot be read."""
        files = ConfigFiles()
        warnings = []
        if sources.config_file is not None:
            try:
                files.read(sources.config_file)
            except FileNotFoundError:
                if sources.config_file_is_required:
                    raise ConfigError(f"{sources.config_file}: there is no such configuration file") from None
        for option in sources.supplements:
            # Each file may name the next, so its name is looked up in what was read until now.
            so_far = cls(sources, options, files)
            if so_far[option] in files.paths:
                continue
            try:
                files.read(so_far[option])
            except FileNotFoundError:
                if so_far.is_set(option):
                    where = so_far.source_of(option)
                    warnings.append(f"{where}: {option.label}: the file {so_far[option]} does not exist")
        return cls(sources, options, files, warnings)

    def __getitem__(self, option: Option[T]) -> T:
        """The value of an option: command line, else environment, else file, else default.

        Raises `ConfigError` if its text is not what the option accepts.
        """
        try:
            value: T = self._values[option]
        except KeyError:
            value = self._look_up(option)
        return value

    def _look_up(self, option: Option[T]) -> T:
        values = self._values if option in self.options else self._values_of_others
        if option not in values:
            values[option] = self._value(option)
        value: T = values[option]
        return value

    def _value(self, option: Option[Any]) -> Any:
        if option in self._sources.overrides:
            return self._sources.overrides[option]
        found = self._find(option)
        if found is None:
            default = option.default
            if not isinstance(default, str):
                return default
            found = _Found("default", f"{option.label} = ", lambda: default)
        text = found.text()
        try:
            return option.type.parse(self._expand(option, text))
        except ValueError as err:
            raise ConfigError(f"{found.source}: {found.label}{wrong_value(option, text, str(err))}") from err

    def _find(self, option: Option[Any]) -> _Found | None:
        given = self._sources.command_line
        if option in given:
            flag = max(option.flags, key=len, default=option.label)
            return _Found(COMMAND_LINE, f"{flag} ", lambda: given[option])
        variable = option.env
        # An empty variable is how shells and service managers unset one.
        if variable and self._sources.environment.get(variable):
            return _Found(f"environment variable {variable}", "", lambda: self._sources.environment[variable])
        for section, key in option.places:
            location = self._files.location(section, key)
            if location is not None:
                read = partial(self._files.get, section, key, secret=option.secret)
                return _Found(str(location), f"[{section}] {key} = ", read)
        return None

    def _expand(self, option: Option[Any], text: str) -> str:
        """Replace ``<repository>`` in paths and in whatever has it in its default; make paths absolute."""
        is_path = isinstance(option.type, ValueType) and option.type.is_path
        if option is not REPOSITORY and "<repository>" in text and (is_path or "<repository>" in str(option.default)):
            text = text.replace("<repository>", str(self[REPOSITORY]))
        if is_path and text.strip() and not text.strip().startswith("~"):
            text = os.path.join(self._sources.directory, text.strip())
        return text

    def section(self, name: str) -> SectionView:
        """All keys of a section of the configuration files, with the texts of their values.

        Keys are listed as they are spelled and found in any case. No section is an empty one.
        """
        return self._files.section(name)

    def source_of(self, option: Option[Any]) -> str:
        """Who gives a value: ``command line``, ``environment variable X``, ``/etc/bcfg2.conf:12`` or ``default``."""
        if option in self._sources.overrides:
            return "set by the program"
        found = self._find(option)
        return found.source if found else "default"

    def is_set(self, option: Option[Any]) -> bool:
        """Whether anything but the default gives the value."""
        return option in self._sources.overrides or self._find(option) is not None

    @property
    def config_file(self) -> Path | None:
        """The main configuration file, whether it exists or not; `None` if no files are looked at."""
        return self._sources.config_file

    @property
    def files(self) -> tuple[Path, ...]:
        """The configuration files that were read, the main one first."""
        return tuple(self._files.paths)

    def are_read_from_the_same(self, other: LoadedSettings) -> bool:
        """Whether the texts of the files were the same when others were read."""
        return (self._files.paths, self._files.digests) == (other._files.paths, other._files.digests)

    def changed_at_start(self, start: LoadedSettings) -> list[Option[Any]]:
        """The options whose values are others than those of the server's start, and count from the next one only."""
        return [option for option in self.options if option.at_start and self[option] != start[option]]

    @property
    def warnings(self) -> list[str]:
        """What is strange but no error: files that do not exist, keys that nothing reads.

        Keys are judged by `options` as it is now, so this is complete once the plugins' options were added.
        """
        return self._warnings + unknown_key_warnings(self._files, self.options)

    def errors(self, options: Iterable[Option[Any]] | None = None) -> list[ConfigError]:
        """Everything that is wrong with the values of options; by default of all that these settings were told of."""
        wrong = []
        for option in self.options if options is None else options:
            try:
                self[option]
            except ConfigError as err:
                wrong.append(err)
        # A wrong repository spoils every path below it: say it once.
        return list({str(err): err for err in wrong}.values())

    def check(self, options: Iterable[Option[Any]] | None = None) -> None:
        """Raise the first of `errors`, if there is one."""
        for err in self.errors(options):
            raise err

    def reload(self) -> LoadedSettings:
        """Settings from the same sources as they are now.

        Raises `ConfigError` if a file cannot be read any more, or if a value of a known option is wrong; these
        settings stay as they are.
        """
        fresh = LoadedSettings.read(self._sources, self.options)
        fresh.check([*self.options, *list(self._values_of_others)])
        return fresh

    def with_values(self, values: Mapping[Option[Any], Any]) -> LoadedSettings:
        """The same settings but for some values, which are above every source, also after a `reload`."""
        sources = replace(self._sources, overrides={**self._sources.overrides, **values})
        return LoadedSettings(sources, self.options, self._files, self._warnings)


def wrong_value(option: Option[Any], text: str, reason: str = "") -> str:
    """What is wrong with the text of a value: the value, what is accepted, and the type's own reason if it has one."""
    shown = "(hidden)" if option.secret else quoted(text)
    # The reason may quote the value.
    because = f" ({reason})" if reason and not option.secret else ""
    return f"{shown}: expected {option.type.accepts}{because}"


def load_settings(
    *,
    options: Iterable[Option[Any]] = (),
    config_file: Path | None = None,
    command_line: Mapping[Option[Any], str] | None = None,
    environ: Mapping[str, str] | None = None,
    supplements: Iterable[Option[Path]] = (WEB_CONFIG,),
) -> LoadedSettings:
    """Read the configuration.

    Args:
        options: those that are known already; an `OptionSet` is used as it is, and may grow.
        config_file: the main file, if the command line names one. Otherwise ``BCFG2_CONFIG_FILE`` names it, or it is
            `DEFAULT_CONFIG_FILE`, which alone may be missing.
        command_line: the texts that the command line gives for options; "yes" or "no" for flags.
        environ: the environment variables, by default those of this process.
        supplements: the options that name further files. Files that do not exist are skipped.

    Raises `ConfigError` if a file cannot be read or has no proper syntax. Values are not looked at, but for the names
    of further files; see `LoadedSettings.check`.
    """
    environment = dict(os.environ if environ is None else environ)
    directory = Path.cwd()
    named = config_file or environment.get(CONFIG_FILE_ENV)
    path = directory / os.path.expanduser(named) if named else DEFAULT_CONFIG_FILE
    sources = Sources(
        config_file=path,
        config_file_is_required=bool(named),
        supplements=tuple(supplements),
        command_line=dict(command_line or {}),
        environment=environment,
        directory=directory,
    )
    return LoadedSettings.read(sources, options if isinstance(options, OptionSet) else OptionSet(options))


def default_settings(values: Mapping[Option[Any], Any] | None = None) -> LoadedSettings:
    """Settings without any source: the defaults, but for some values. No file and no variable is looked at."""
    return LoadedSettings(Sources(overrides=dict(values or {})), OptionSet(), ConfigFiles())
