"""Options in ``bcfg2.conf``, in the environment and on the command line.

An `Option` is an object with its own manual: section, key, type, default, flags and help. It stands next to the code
that uses it. `Settings` holds the values. They are read once from the sources and passed in; there is no global one.

Modules, in the order of reading: `option` (the contract), `types`, `server` (options that several parts share),
`optionset`, `sources` (the files), `settings` (the values), `unknown_keys`, `reference` (the manual).
"""

from geventcore.options.option import Option, OptionType, Settings
from geventcore.options.optionset import OptionSet
from geventcore.options.settings import LoadedSettings, default_settings, load_settings

__all__ = ["LoadedSettings", "Option", "OptionSet", "OptionType", "Settings", "default_settings", "load_settings"]
