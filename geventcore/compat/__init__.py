"""Compatibility: plugins and TemplateHelper modules that a site wrote for Bcfg2 1.3 or 1.4 load unchanged.

**Configuration.** The site lists the plugin in ``[server] plugins`` with its dotted name, ``package.module.Class``, or
as ``package.module`` or ``module`` (then the class is named like the module). The module must be on ``PYTHONPATH``.
Everything else uses the plugin's own name (the class's name, or its attribute `name`): its directory in the repository,
``metadata.<name>`` in templates, ``<name>.<method>`` over XML-RPC, the `source` of its probes. TemplateHelper's
modules, and ``Ldap/config.py``, stay where they are.

**Imports** (`importing`, `modules`). In such code, ``import Bcfg2.Server.Plugin`` and similar imports get thin modules
of this package: at the top of a module, in a function, and in a thread. This includes other modules of the site that
mention Bcfg2 and that the plugin imports. Other code is not affected: an installed Bcfg2 is neither hidden nor needed.
The modules are
``Bcfg2.Cache``, ``.Compat``, ``.Encryption``, ``.Logger``, ``.Options``, ``.Utils``, ``.version``, and below
``Bcfg2.Server``: ``Cache``, ``Core`` (exceptions), ``Encryption``, ``FileMonitor``, ``Lint`` (bases), ``Plugin``,
``Plugins.<Name>`` of each plugin that the server has, ``Statistics``. What is missing is an `ImportError` that names it
and says why, as ``try … except ImportError`` expects. ``importlib.import_module("Bcfg2.…")`` is not served.

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

**Options** (`options`, `options_13`). The class attribute `options`, ``Bcfg2.Options.setup.<dest>``, and the `setup` of
1.3 with items, `add_option` and ``setup.cfp.get(section, option, default=…)``; ``OptionParser`` of 1.3 and the
constants of options, such as ``SERVER_REPOSITORY``, except for those of clients and tools. They can be read from the
constructor on, not while the module is imported. The server's command line does not have options of plugins.

**Errors.** A plugin that cannot be loaded stops the start with one line: the plugin, the file, the line, what is wrong,
and for names of Python 2 what Python 3 has instead. An exception in a hook is one line of the same kind in the log
(with a traceback at level debug), and counts as Bcfg2's interfaces say: PluginExecutionError and the others *are* the
server's. In a failed entry, and in the fault of an XML-RPC call, stands the exception's own text.

Not supported: pairs in ``__child_rmi__``, and options whose places are patterns. ``__rmi__``, plain ``__child_rmi__``,
`conflicts`, `sort_order`, `create`, `experimental`, `deprecated`, `Entries` (changed at any time), `shutdown`,
`set_debug` and `toggle_debug` are honoured.
"""
