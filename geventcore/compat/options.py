"""``Bcfg2.Options``: the options that plugins for Bcfg2 declare, and their values.

Options of plugins are read from the configuration file and the environment; the server's command line does not have
them. Values follow the configuration: after a reload, `setup` has the new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geventcore.compat import option_types as Types  # noqa: N812 - the name that plugins use
from geventcore.compat.current import get_core
from geventcore.errors import ConfigError, PluginInitError
from geventcore.options import Option as ServerOption
from geventcore.options import server, types
from geventcore.options.bcfg2_keys import BCFG2_KEYS
from geventcore.plugin.context import PluginContext
from geventcore.plugin.version_control import VCS_ROOT

if TYPE_CHECKING:
    from geventcore.compat.plugin_base import Plugin

__all__ = [
    "BooleanOption",
    "Common",
    "ExclusiveOptionGroup",
    "Option",
    "OptionGroup",
    "PathOption",
    "PositionalArgument",
    "RepositoryMacroOption",
    "Types",
    "setup",
]

#: The descriptions of types in messages.
_ACCEPTS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    Types.path: types.PATH.accepts,
    Types.comma_list: types.COMMA_LIST.accepts,
    Types.colon_list: types.COLON_LIST.accepts,
    Types.literal_dict: types.LITERAL_DICT.accepts,
    Types.anchored_regex_list: types.ANCHORED_REGEXES.accepts,
    Types.octal: types.OCTAL.accepts,
    Types.username: types.USER.accepts,
    Types.groupname: types.GROUP.accepts,
    Types.timeout: types.TIMEOUT.accepts,
    Types.size: types.SIZE.accepts,
}


class _Type(types.ValueType[Any]):
    """An option type that converts the text with a function."""

    def __init__(self, convert: Callable[[str], Any]) -> None:
        self._convert = convert
        self.is_path = convert is Types.path
        self.accepts = _ACCEPTS.get(convert, f"a value for {getattr(convert, '__name__', convert)}")

    def parse(self, text: str) -> Any:
        try:
            return self._convert(text)
        except ValueError:
            raise
        except Exception as err:
            raise ValueError(f"{type(err).__name__}: {err}") from err


class Option:
    """An option.

    Attributes:
        cf: ``(section, key)`` in the configuration file, or None.
        dest: the attribute of `setup` with the value.
        server_option: the server's object for this option.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Bcfg2 1.4: ``Option(*flags, cf=, env=, dest=, default=, type=, help=)``; ``action`` may be a boolean one.

        Bcfg2 1.3: ``Option(description, default, cf=, env=, cook=)``. Other arguments are ignored.
        """
        flags = [flag for flag in args if isinstance(flag, str) and flag.startswith("-")]
        if args and not flags:
            kwargs.setdefault("help", args[0])
            if len(args) > 1:
                kwargs.setdefault("default", args[1])
        self.cf: tuple[str, str] | None = tuple(kwargs["cf"]) if kwargs.get("cf") else None
        env = kwargs.get("env") or None
        if self.cf is not None and any("*" in part for part in self.cf):
            raise PluginInitError(f"option {self.cf}: patterns in section or key are not supported")
        self.dest = kwargs.get("dest") or self._default_dest(flags, env)
        self.default = kwargs.get("default")
        self.required = bool(kwargs.get("required"))
        section, key = self.cf or ("", self.dest)
        self.server_option: ServerOption[Any] = ServerOption(
            section,
            key.lower(),
            self._type(kwargs),
            self.default,
            str(kwargs.get("help") or "Read by a plugin of the site."),
            env=env,
        )

    def _default_dest(self, flags: list[str], env: str | None) -> str:
        long_flags = [flag for flag in flags if flag.startswith("--")]
        name = (long_flags or flags or [env or (self.cf[1] if self.cf else "")])[0]
        return name.lstrip("-").replace("-", "_").lower() if name != env else name

    @staticmethod
    def _type(kwargs: Mapping[str, Any]) -> types.ValueType[Any]:
        if kwargs.get("action") in ("store_true", "store_false"):
            return types.BOOLEAN
        convert = kwargs.get("type") or kwargs.get("cook")
        return _Type(convert) if convert and convert is not str else types.STRING

    def value(self, settings: Any) -> Any:
        """Return the value; `ConfigError` if the text is invalid."""
        return settings[self.server_option]


class PathOption(Option):
    """A path, made absolute; ``<repository>`` and ``~`` are replaced."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "type": Types.path})


class BooleanOption(Option):
    """A boolean option; false unless it has another default."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", False)
        super().__init__(*args, **{**kwargs, "action": "store_true"})


class RepositoryMacroOption(Option):
    """A text in which ``<repository>`` is replaced, also in the default."""


class PositionalArgument(Option):
    """A positional argument of a program; plugins have none."""


class OptionGroup(list[Any]):
    """Options that belong together."""

    def __init__(self, *items: Any, **_: Any) -> None:
        super().__init__(items)


class ExclusiveOptionGroup(OptionGroup):
    """Options of which only one may be set."""


def _flat(options: Iterable[Any]) -> Iterator[Option]:
    for option in options:
        if isinstance(option, Option):
            yield option
        elif isinstance(option, list | tuple):
            yield from _flat(option)


def _plain(value: Any) -> Any:
    """Convert a value of the server to Bcfg2's type."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path | types.ServerURL) else value


class _ServerValue(Option):
    """An option of the server itself."""

    def __init__(self, option: ServerOption[Any], dest: str) -> None:
        self.cf = (option.section, option.key)
        self.dest = dest
        self.default = option.default
        self.required = False
        self.server_option = option

    def value(self, settings: Any) -> Any:
        return _plain(settings[self.server_option])


#: Names in `setup` -> the server's options, with the names of 1.4 and, where they differ, 1.3.
_SERVER: dict[str, ServerOption[Any]] = {
    "repository": server.REPOSITORY,
    "repo": server.REPOSITORY,
    "plugins": server.PLUGINS,
    "filemonitor": server.FILEMONITOR,
    "ignore_files": server.IGNORE_FILES,
    "ignore": server.IGNORE_FILES,
    "fam_blocking": server.FAM_BLOCKING,
    "listen_all": server.LISTEN_ALL,
    "umask": server.UMASK,
    "daemon_uid": server.USER,
    "daemon_gid": server.GROUP,
    "server": server.SERVER_URL,
    "location": server.SERVER_URL,
    "encoding": server.ENCODING,
    "password": server.PASSWORD,
    "ca": server.CA,
    "cert": server.CERTIFICATE,
    "key": server.KEY,
    "protocol": server.PROTOCOL,
    "debug": server.DEBUG,
    "verbose": server.VERBOSE,
    "logfile": server.LOG_FILE,
    "logging": server.LOG_FILE,
    "syslog": server.SYSLOG,
    "performance_logging": server.PERFORMANCE,
    "perflog": server.PERFORMANCE,
    "performance_interval": server.PERFORMANCE_INTERVAL,
    "client_metadata_cache": server.CACHE_MODE,
    "default_owner": server.MDATA_OWNER,
    "default_group": server.MDATA_GROUP,
    "default_mode": server.MDATA_MODE,
    "default_secontext": server.MDATA_SECONTEXT,
    "default_important": server.MDATA_IMPORTANT,
    "default_paranoid": server.MDATA_PARANOID,
    "default_sensitive": server.MDATA_SENSITIVE,
    "owner": server.MDATA_OWNER,
    "group": server.MDATA_GROUP,
    "mode": server.MDATA_MODE,
    "vcs_root": VCS_ROOT,
}
_SERVER_VALUES = {dest: _ServerValue(option, dest) for dest, option in _SERVER.items()}


def server_value(section: str, key: str) -> Option | None:
    """Return the option of the server with this section and key, or None."""
    return next((option for option in _SERVER_VALUES.values() if option.cf == (section, key)), None)


class _Common:
    """Options of the server that plugins may list among theirs: ``Bcfg2.Options.Common.repository``."""

    def __getattr__(self, name: str) -> Option:
        if name in _SERVER_VALUES:
            return _SERVER_VALUES[name]
        raise AttributeError(f"Bcfg2.Options.Common.{name} does not exist in geventcore", name=name, obj=self)


Common = _Common()

_MISSING = object()


class ConfigParser:
    """The configuration file as plugins for Bcfg2 1.3 read it: ``setup.cfp.get(section, option, default=…)``.

    A missing option without a default raises `ConfigError`.
    """

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    def _text(self, section: str, option: str) -> str | None:
        return self._context.settings.section(section).get(option)

    def _value(self, section: str, option: str, default: Any, convert: Callable[[str], Any], accepts: str) -> Any:
        text = self._text(section, option)
        if text is None:
            if default is _MISSING:
                raise ConfigError(f"the configuration has no [{section}] {option}, which a plugin needs")
            return default
        try:
            return convert(text)
        except ValueError as err:
            raise ConfigError(f"[{section}] {option} = {text!r}: expected {accepts}") from err

    def get(self, section: str, option: str, default: Any = _MISSING, **_: Any) -> Any:
        return self._value(section, option, default, str, "any text")

    def getboolean(self, section: str, option: str, default: Any = _MISSING, **_: Any) -> Any:
        return self._value(section, option, default, types.BOOLEAN.parse, types.BOOLEAN.accepts)

    def getint(self, section: str, option: str, default: Any = _MISSING, **_: Any) -> Any:
        return self._value(section, option, default, int, "a whole number")

    def getfloat(self, section: str, option: str, default: Any = _MISSING, **_: Any) -> Any:
        return self._value(section, option, default, float, "a number")

    def has_section(self, section: str) -> bool:
        return bool(self._context.settings.section(section))

    def has_option(self, section: str, option: str) -> bool:
        return self._text(section, option) is not None

    def options(self, section: str) -> list[str]:
        return [key.lower() for key in self._context.settings.section(section)]

    def items(self, section: str) -> list[tuple[str, str]]:
        view = self._context.settings.section(section)
        return [(key.lower(), view[key]) for key in view]


class Setup:
    """The values of options: attributes as in Bcfg2 1.4, items and `cfp` as in 1.3."""

    cfp: ConfigParser

    def __init__(self, context: PluginContext) -> None:
        self.__dict__.update(_context=context, _options={}, cfp=ConfigParser(context))

    def add_options(self, plugin_class: type[Plugin]) -> None:
        """Add the options of a plugin; `ConfigError` or `PluginInitError` if a value is invalid or missing."""
        context, options = self.__dict__["_context"], self.__dict__["_options"]
        for option in plugin_options(plugin_class):
            options[option.dest] = option
            if option.value(context.settings) is None and option.required:
                raise PluginInitError(f"set {option.server_option.label}, which is required")

    def _find(self, name: str) -> Option | None:
        options: Mapping[str, Option] = self.__dict__["_options"]
        return options.get(name) or _SERVER_VALUES.get(name)

    def __getattr__(self, name: str) -> Any:
        option = self._find(name)
        if option is None:
            raise AttributeError(
                f"unknown option {name}; a plugin lists its options in the class attribute options",
                name=name,
                obj=self,
            )
        return option.value(self.__dict__["_context"].settings)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"the value of {name} comes from the configuration and cannot be set", name=name, obj=self)

    def __getitem__(self, name: str) -> Any:
        if self._find(name) is None:
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        return default if self._find(name) is None else getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter([*_SERVER_VALUES, *self.__dict__["_options"]])

    def keys(self) -> list[str]:
        return list(self)

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self[name]) for name in self]

    def add_option(self, name: str, option: Option) -> None:
        """Add an option under a name, as plugins for Bcfg2 1.3 do in their constructors."""
        self.__dict__["_options"][name] = option

    def update(self, options: Mapping[str, Option]) -> None:
        """Add several options."""
        for name, option in options.items():
            self.add_option(name, option)

    def parse(self, *_: Any, **__: Any) -> None:
        """Do nothing: values are always current."""

    reparse = parse


class _CurrentSetup:
    """`Setup` of the server of this process, for ``Bcfg2.Options.setup``."""

    def __getattr__(self, name: str) -> Any:
        return getattr(get_core().setup, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(get_core().setup, name, value)

    def __getitem__(self, name: str) -> Any:
        return get_core().setup[name]

    def __contains__(self, name: object) -> bool:
        return name in get_core().setup

    def __iter__(self) -> Iterator[str]:
        return iter(get_core().setup)


setup = _CurrentSetup()


def plugin_options(plugin_class: type[Plugin]) -> list[Option]:
    """Return the options of a plugin and of its base classes, each once."""
    found: dict[Option, None] = {}
    for base in reversed(plugin_class.__mro__):
        found.update(dict.fromkeys(_flat(base.__dict__.get("options", ()))))
    return list(found)


#: (section, key) -> the option of the first plugin that declared it. Other plugins get the value, too.
_listed: dict[tuple[str, str], ServerOption[Any]] = {}


def server_options(plugin_class: type[Plugin]) -> tuple[ServerOption[Any], ...]:
    """Return the options of a plugin that neither the server nor another plugin declares.

    In Bcfg2 several plugins may declare one option; in this server each option belongs to one plugin.
    """
    found: dict[ServerOption[Any], None] = {}
    for base in plugin_class.__mro__:
        found.update(dict.fromkeys(base.__dict__.get("server_options", ())))
    for option in plugin_options(plugin_class):
        if option.cf is None or isinstance(option, _ServerValue):
            continue
        section, key = option.cf[0], option.cf[1].lower()
        if key in BCFG2_KEYS.get(section, ()):
            continue
        found[_listed.setdefault((section, key), option.server_option)] = None
    return tuple(found)
