"""Plugins and TemplateHelper modules that a site wrote for Bcfg2 1.3 or 1.4 load unchanged. This is how.

**What a site does.** It names the plugin in ``[server] plugins`` with its dotted name, ``package.module.Class`` or
``package.module`` (then the class is named like the module), in a place that is on ``PYTHONPATH``. Everything else goes
by the plugin's own name (the class's name, or its attribute `name`): its directory in the repository,
``metadata.<name>`` in templates, ``<name>.<method>`` over XML-RPC, the `source` of its probes. TemplateHelper's
modules, and ``Ldap/config.py``, stay where they are.

**Imports** (`importing`, `modules`). In such code ``import Bcfg2.Server.Plugin`` and the like mean thin modules here.
It works at the top of a module, in a function, in a thread. Other modules of the site that mention Bcfg2 are served as
well when the plugin imports them. Nobody else sees it: an installed Bcfg2 is not shadowed, and not needed. There are
``Bcfg2.Cache``, ``.Compat``, ``.Logger``, ``.Options``, ``.Utils``, ``.version``, and below ``Bcfg2.Server``:
``Cache``, ``Core`` (exceptions), ``FileMonitor``, ``Lint`` (bases), ``Plugin``, ``Plugins.<Name>`` of each plugin that
the server has, ``Statistics``. What is missing is an `ImportError` that names it, as ``try … except ImportError``
expects. ``importlib.import_module("Bcfg2.…")`` is not served.

**Plugins** (`plugin_base`, `plugin_interfaces`, `plugin_files` …). Constructors take the core, or the core and the
repository's directory. All interfaces are there: Generator, Structure, Metadata, Connector, Probing, Statistics,
ThreadedStatistics, Threaded, PullSource, PullTarget, Decision, StructureValidator, GoalValidator, Version,
ClientRunHooks, ClientACLs, TemplateDataProvider, Caching; and the helpers FileBacked, DirectoryBacked, XMLFileBacked,
StructFile, XMLDirectoryBacked, PriorityStructFile, PrioDir, EntrySet, SpecificData, Specificity, GroupSpool,
DatabaseBacked (without a database), `track_statistics`, `default_path_metadata`, `bind_info`, `removecomment`. Left
out: INode, XMLSrc, InfoXML, database models. An adapter (`adapters`) makes a plugin of the server of it.

**The core** (`core`). ``self.core`` has: `plugins`, `plugins_by_type`, `metadata`, `metadata_cache` (`expire`),
`metadata_cache_mode`, `build_metadata`, `Bind`, `BuildConfiguration`, `GetStructures`, `GetDecisions`, `fam`, `logger`,
`revision`, `datastore`, `encoding`, `setup`, `lock`, `terminate`, `expire_caches_by_type`, `critical_error`. The
server's own plugins look like Bcfg2's there (`views`): CamelCase hooks, ``isinstance`` with
``Bcfg2.Server.Plugins.Rules.Rules``. A site's class may derive from such a class; it is called for every hook, but not
by what the server's plugin does inside.

**Options** (`options`). The class attribute `options`, ``Bcfg2.Options.setup.<dest>``, and the `setup` of 1.3 with
items and ``setup.cfp.get(section, option, default=…)``. They can be read from the constructor on, not while the module
is imported. The server's command line does not have options of plugins.

**Errors.** A plugin that cannot be loaded stops the start with one line: the plugin, the file, the line, what is wrong,
and for names of Python 2 what Python 3 has instead. An exception in a hook is one line of the same kind in the log
(with a traceback at level debug), and counts as Bcfg2's interfaces say: PluginExecutionError and the others *are* the
server's. In a failed entry, and in the fault of an XML-RPC call, stands the exception's own text.

Not supported: pairs in ``__child_rmi__``, and options whose places are patterns. ``__rmi__``, plain ``__child_rmi__``,
`conflicts`, `sort_order`, `create`, `experimental`, `deprecated`, `Entries` (changed at any time), `shutdown`,
`set_debug` and `toggle_debug` are honoured.
"""
