"""Properties: data files that templates read as ``metadata.Properties["<file name>"]``.

`plugin` watches the directory, `files` are the files as they are loaded, `views` is what templates get: copies for one
client, made when they are asked for.
"""

from geventcore.plugins.properties.plugin import Properties

__all__ = ["Properties"]
