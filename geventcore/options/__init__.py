"""Options: what can be set in ``bcfg2.conf``, in the environment and on the command line.

An `Option` is an object that carries its own manual: section, key, type, default, flags and help. It sits next to the
code that uses it. `Settings` is a set of values, read once from the sources and then passed in; there is no global one.
"""

from geventcore.options.option import Option, OptionType, Settings

__all__ = ["Option", "OptionType", "Settings"]
