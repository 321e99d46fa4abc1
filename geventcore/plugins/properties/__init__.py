"""Properties: data files that templates read as ``metadata.Properties["<file name>"]``.

`plugin` watches the directory, `files` has the loaded files, `views` has the objects for templates: copies for one
client, made on first use.
"""

from geventcore.plugins.properties.plugin import Properties

__all__ = ["Properties"]
