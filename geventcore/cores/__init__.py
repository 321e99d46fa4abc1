"""The server cores: ways to serve many clients at once, behind one contract, and the table that names them.

To add one, write a module with a class that derives from `geventcore.core.network.NetworkCore`, and add a row here
(docs: development/core).
"""

#: Name in ``[server] core`` -> ``module:class``.
CORES: dict[str, str] = {
    "builtin": "geventcore.cores.builtin:BuiltinCore",
    "cherrypy": "geventcore.cores.cherrypy:CherryPyCore",
    "gevent": "geventcore.cores.gevent:GeventCore",
    "multiprocessing": "geventcore.cores.multiprocessing:MultiprocessingCore",
    "tornado": "geventcore.cores.tornado:TornadoCore",
    "twisted": "geventcore.cores.twisted:TwistedCore",
}

#: Name of a core -> ``module:function`` that must run before anything else is imported in the process that serves.
PREPARATIONS: dict[str, str] = {
    "gevent": "geventcore.cores.cooperation:patch_standard_library",
}

#: The core for ``best``, and without a setting.
BEST_CORE = "gevent"
