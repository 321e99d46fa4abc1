"""The plugins: one file (or package) each, and the table that names them.

To add one, write a module with a class that derives from `geventcore.plugin.base.Plugin` and the interfaces it
implements, and add a row here.
"""

#: Name in ``[server] plugins`` -> ``module:class``.
PLUGINS: dict[str, str] = {
    "ACL": "geventcore.plugins.acl:ACL",
    "Bundler": "geventcore.plugins.bundler:Bundler",
    "Bzr": "geventcore.plugins.bzr:Bzr",
    "Cfg": "geventcore.plugins.cfg:Cfg",
    "Cvs": "geventcore.plugins.cvs:Cvs",
    "Darcs": "geventcore.plugins.darcs:Darcs",
    "Decisions": "geventcore.plugins.decisions:Decisions",
    "DefaultACL": "geventcore.plugins.default_acl:DefaultACL",
    "Defaults": "geventcore.plugins.defaults:Defaults",
    "Deps": "geventcore.plugins.deps:Deps",
    "Fossil": "geventcore.plugins.fossil:Fossil",
    "Git": "geventcore.plugins.git:Git",
    "GroupLogic": "geventcore.plugins.group_logic:GroupLogic",
    "GroupPatterns": "geventcore.plugins.group_patterns:GroupPatterns",
    "Hg": "geventcore.plugins.hg:Hg",
    "Metadata": "geventcore.plugins.metadata:Metadata",
    "NagiosGen": "geventcore.plugins.nagiosgen:NagiosGen",
    "Ohai": "geventcore.plugins.ohai:Ohai",
    "POSIXCompat": "geventcore.plugins.posix_compat:POSIXCompat",
    "Pkgmgr": "geventcore.plugins.pkgmgr:Pkgmgr",
    "Probes": "geventcore.plugins.probes:Probes",
    "Properties": "geventcore.plugins.properties:Properties",
    "Rules": "geventcore.plugins.rules:Rules",
    "SEModules": "geventcore.plugins.semodules:SEModules",
    "ServiceCompat": "geventcore.plugins.service_compat:ServiceCompat",
    "Svn": "geventcore.plugins.svn:Svn",
    "TemplateHelper": "geventcore.plugins.template_helper:TemplateHelper",
    "Trigger": "geventcore.plugins.trigger:Trigger",
}
