"""The plugins: one file (or package) each, and the table that names them.

To add one, write a module with a class that derives from `geventcore.plugin.base.Plugin` and the interfaces it
implements, and add a row here.
"""

#: Name in ``[server] plugins`` -> ``module:class``.
PLUGINS: dict[str, str] = {
    "ACL": "geventcore.plugins.acl:ACL",
    "AWSTags": "geventcore.plugins.aws_tags:AWSTags",
    "Bundler": "geventcore.plugins.bundler:Bundler",
    "Bzr": "geventcore.plugins.bzr:Bzr",
    "Cfg": "geventcore.plugins.cfg:Cfg",
    "Cvs": "geventcore.plugins.cvs:Cvs",
    "DBStats": "geventcore.plugins.refused:DBStats",
    "Darcs": "geventcore.plugins.darcs:Darcs",
    "Decisions": "geventcore.plugins.decisions:Decisions",
    "DefaultACL": "geventcore.plugins.default_acl:DefaultACL",
    "Defaults": "geventcore.plugins.defaults:Defaults",
    "Deps": "geventcore.plugins.deps:Deps",
    "FileProbes": "geventcore.plugins.fileprobes:FileProbes",
    "Fossil": "geventcore.plugins.fossil:Fossil",
    "Git": "geventcore.plugins.git:Git",
    "GroupLogic": "geventcore.plugins.group_logic:GroupLogic",
    "GroupPatterns": "geventcore.plugins.group_patterns:GroupPatterns",
    "Guppy": "geventcore.plugins.refused:Guppy",
    "Hg": "geventcore.plugins.hg:Hg",
    "Ldap": "geventcore.plugins.ldap:Ldap",
    "Metadata": "geventcore.plugins.metadata:Metadata",
    "NagiosGen": "geventcore.plugins.nagiosgen:NagiosGen",
    "Ohai": "geventcore.plugins.ohai:Ohai",
    "POSIXCompat": "geventcore.plugins.posix_compat:POSIXCompat",
    "Pkgmgr": "geventcore.plugins.pkgmgr:Pkgmgr",
    "Probes": "geventcore.plugins.probes:Probes",
    "Properties": "geventcore.plugins.properties:Properties",
    "PuppetENC": "geventcore.plugins.puppet_enc:PuppetENC",
    "Reporting": "geventcore.plugins.reporting:Reporting",
    "Rules": "geventcore.plugins.rules:Rules",
    "SEModules": "geventcore.plugins.semodules:SEModules",
    "SSHbase": "geventcore.plugins.sshbase:SSHbase",
    "ServiceCompat": "geventcore.plugins.service_compat:ServiceCompat",
    "Svn": "geventcore.plugins.svn:Svn",
    "TemplateHelper": "geventcore.plugins.template_helper:TemplateHelper",
    "Trigger": "geventcore.plugins.trigger:Trigger",
}
