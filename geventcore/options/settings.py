"""Settings: the values from the command line, the environment, the configuration files and the defaults.

`load_settings` reads the sources once. A value is parsed at its first use, because some values decide which options
exist: ``[server] plugins`` names the plugins, and plugins add options. So settings return the value of any `Option`
object. `LoadedSettings.check` validates those in `LoadedSettings.options`.

Settings never change. `LoadedSettings.reload` reads the same sources again and returns new settings, or raises and
leaves the old ones in use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from geventcore.errors import ConfigError
from geventcore.options.option import Option
from geventcore.options.optionset import OptionSet
from geventcore.options.server import REPOSITORY, STATE_DIRECTORY, WEB_CONFIG
from geventcore.options.sources import ConfigFiles, SectionView, quoted
from geventcore.options.types import ValueType
from geventcore.options.unknown_keys import unknown_key_warnings

T = TypeVar("T")

#: The default configuration file.
DEFAULT_CONFIG_FILE = Path("/etc/bcfg2.conf")
#: The name of the command line in `LoadedSettings.source_of`.
COMMAND_LINE = "command line"
#: The names by which values refer to directories.
_DIRECTORIES = {"<state>": STATE_DIRECTORY, "<repository>": REPOSITORY}
#: The environment variable that names another configuration file.
CONFIG_FILE_ENV = "BCFG2_CONFIG_FILE"


@dataclass(frozen=True)
class Sources:
    """The sources of values, apart from the defaults.

    Attributes:
        config_file: main file; `None` for none.
        config_file_is_required: whether a missing main file is an error.
        supplements: options that name additional files, read after the main one in this order.
        command_line, environment: texts of values.
        directory: base of relative paths. It stays the same when the server changes its working directory.
        overrides: values that take precedence over all sources.
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
    """The source of a value, found without reading the value.

    Attributes:
        source: the source's name in messages.
        label: text before the value in messages.
        text: reads the text of the value; raises `ConfigError` for a reference to a missing key.
    """

    source: str
    label: str
    text: Callable[[], str]


class LoadedSettings:
    """The `geventcore.options.Settings` from one reading of the sources.

    Attributes:
        options: the options that `check` validates. The code that loads plugins adds theirs.
    """

    def __init__(self, sources: Sources, options: OptionSet, files: ConfigFiles, warnings: Iterable[str] = ()) -> None:
        self.options = options
        self._sources = sources
        self._files = files
        self._warnings = list(warnings)
        # Code may make an option for one use (the CA that a file names); it must not be kept alive. The values of
        # other options are looked up in every request.
        self._values: dict[Option[Any], Any] = {}
        self._values_of_others: WeakKeyDictionary[Option[Any], Any] = WeakKeyDictionary()

    @classmethod
    def read(cls, sources: Sources, options: OptionSet) -> LoadedSettings:
        """Read the sources.

        Raises:
            ConfigError: a file cannot be read.
        """
        files = ConfigFiles()
        warnings = []
        if sources.config_file is not None:
            try:
                files.read(sources.config_file)
            except FileNotFoundError:
                if sources.config_file_is_required:
                    raise ConfigError(f"{sources.config_file}: the configuration file does not exist") from None
        for option in sources.supplements:
            # Each file may name the next one, so the name is looked up in the files read so far.
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
        """Return the value of an option: from the command line, else environment, else file, else default.

        Raises:
            ConfigError: the option does not accept the text.
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
        # Shells and service managers unset a variable by making it empty.
        if variable and self._sources.environment.get(variable):
            return _Found(f"environment variable {variable}", "", lambda: self._sources.environment[variable])
        for section, key in option.places:
            location = self._files.location(section, key)
            if location is not None:
                read = partial(self._files.get, section, key, secret=option.secret)
                return _Found(str(location), f"[{section}] {key} = ", read)
        return None

    def _expand(self, option: Option[Any], text: str) -> str:
        """Replace the names of directories in paths and in options with such a default, and make paths absolute."""
        is_path = isinstance(option.type, ValueType) and option.type.is_path
        if is_path or any(name in str(option.default) for name in _DIRECTORIES):
            for name, directory in _DIRECTORIES.items():
                # An option does not stand for itself, nor for one that is derived from it.
                if name in text and option not in (REPOSITORY, directory):
                    text = text.replace(name, str(self[directory]))
        if is_path and text.strip() and not text.strip().startswith("~"):
            text = os.path.join(self._sources.directory, text.strip())
        return text

    def section(self, name: str) -> SectionView:
        """Return the keys of a section of the configuration files, with the texts of their values.

        Keys are listed as they are spelled and found in any case. A missing section is empty.
        """
        return self._files.section(name)

    def source_of(self, option: Option[Any]) -> str:
        """Return a value's source: ``command line``, ``environment variable X``, ``bcfg2.conf:12`` or ``default``."""
        if option in self._sources.overrides:
            return "set by the program"
        found = self._find(option)
        return found.source if found else "default"

    def source_of_word(self, option: Option[Any], word: str) -> str:
        """Return the source of a word in the value of an option; of several lines in a file, the word's own."""
        source = self.source_of(option)
        found = None if option in self._sources.overrides or option in self._sources.command_line else option
        for section, key in option.places if found is not None else ():
            location = self._files.location(section, key)
            if location is not None and str(location) == source:
                lines = self._files.raw(section, key).splitlines()
                number = next((n for n, line in enumerate(lines) if word in re.split(r"[\s,]+", line)), 0)
                return f"{location.path}:{location.line + number}"
        return source

    def is_set(self, option: Option[Any]) -> bool:
        """Return whether a source sets the option."""
        return option in self._sources.overrides or self._find(option) is not None

    @property
    def config_file(self) -> Path | None:
        """The path of the main configuration file, which may be missing; `None` if no files are read."""
        return self._sources.config_file

    @property
    def files(self) -> tuple[Path, ...]:
        """The configuration files that were read, the main one first."""
        return tuple(self._files.paths)

    def are_read_from_the_same(self, other: LoadedSettings) -> bool:
        """Return whether other settings were read from files with the same contents."""
        return (self._files.paths, self._files.digests) == (other._files.paths, other._files.digests)

    def changed_at_start(self, start: LoadedSettings) -> list[Option[Any]]:
        """List the options that differ from the server's start and take effect at the next start."""
        return [option for option in self.options if option.at_start and self[option] != start[option]]

    @property
    def warnings(self) -> list[str]:
        """List what is suspicious but no error: files that do not exist, keys that no option reads.

        Keys are compared with `options`, so call this after the plugins' options were added.
        """
        return self._warnings + unknown_key_warnings(self._files, self.options)

    def errors(self, options: Iterable[Option[Any]] | None = None) -> list[ConfigError]:
        """List the errors in the values of the given options; by default of `options`."""
        wrong = []
        for option in self.options if options is None else options:
            try:
                self[option]
            except ConfigError as err:
                wrong.append(err)
        # A wrong repository affects every path below it: report it once.
        return list({str(err): err for err in wrong}.values())

    def check(self, options: Iterable[Option[Any]] | None = None) -> None:
        """Raise the first of `errors`, if there is one."""
        for err in self.errors(options):
            raise err

    def reload(self) -> LoadedSettings:
        """Read the same sources again and return new settings. These settings stay as they are.

        Raises:
            ConfigError: a file cannot be read, or the value of a known option is wrong.
        """
        fresh = LoadedSettings.read(self._sources, self.options)
        fresh.check([*self.options, *list(self._values_of_others)])
        return fresh

    def with_values(self, values: Mapping[Option[Any], Any]) -> LoadedSettings:
        """Return a copy with values that take precedence over every source, also after a `reload`."""
        sources = replace(self._sources, overrides={**self._sources.overrides, **values})
        return LoadedSettings(sources, self.options, self._files, self._warnings)


def wrong_value(option: Option[Any], text: str, reason: str = "") -> str:
    """Describe a wrong value: its text, the accepted values, and the type's reason if there is one."""
    shown = "(hidden)" if option.secret else quoted(text)
    # The reason may quote the secret value.
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

    Values are not validated, except for the names of additional files; see `LoadedSettings.check`.

    Args:
        options: the options known so far. An `OptionSet` is used itself, and may grow.
        config_file: the main file from the command line. Otherwise ``BCFG2_CONFIG_FILE`` names it, else it is
            `DEFAULT_CONFIG_FILE`, which may be missing.
        command_line: the texts of options on the command line; "yes" or "no" for flags.
        environ: the environment variables, by default those of this process.
        supplements: the options that name additional files. Missing files are skipped.

    Raises:
        ConfigError: a file cannot be read, or its syntax is wrong.
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
    """Make settings from defaults and the given values, without reading files or the environment."""
    return LoadedSettings(Sources(overrides=dict(values or {})), OptionSet(), ConfigFiles())
