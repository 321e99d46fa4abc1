"""The table of checks."""

from __future__ import annotations

import functools
import logging

from geventcore.plugin.registry import load_object
from geventcore.tools.lint.base import Check

log = logging.getLogger(__name__)

#: Name in ``[lint] plugins`` -> ``module:class``, in the order in which they are done.
CHECKS: dict[str, str] = {
    "Validate": "geventcore.tools.lint.checks.validate:Validate",
    "ValidateJSON": "geventcore.tools.lint.checks.data_files:ValidateJSON",
    "Crypto": "geventcore.tools.lint.checks.data_files:Crypto",
    "Pkgmgr": "geventcore.tools.lint.checks.data_files:Pkgmgr",
    "AWSTags": "geventcore.tools.lint.checks.names:AWSTags",
    "Bundler": "geventcore.tools.lint.checks.bundles:Bundler",
    "Cfg": "geventcore.tools.lint.checks.cfg_files:Cfg",
    "Comments": "geventcore.tools.lint.checks.comments:Comments",
    "Genshi": "geventcore.tools.lint.checks.templates:Genshi",
    "GroupNames": "geventcore.tools.lint.checks.names:GroupNames",
    "GroupPatterns": "geventcore.tools.lint.checks.names:GroupPatterns",
    "InfoXML": "geventcore.tools.lint.checks.cfg_files:InfoXML",
    "Jinja2": "geventcore.tools.lint.checks.templates:Jinja2",
    "MergeFiles": "geventcore.tools.lint.checks.merge_files:MergeFiles",
    "Metadata": "geventcore.tools.lint.checks.metadata:Metadata",
    "RequiredAttrs": "geventcore.tools.lint.checks.required_attrs:RequiredAttrs",
    "TemplateAbuse": "geventcore.tools.lint.checks.cfg_files:TemplateAbuse",
    "TemplateHelper": "geventcore.tools.lint.checks.templates:TemplateHelper",
    "Conditions": "geventcore.tools.lint.checks.conditions:Conditions",
    "PackageNames": "geventcore.tools.lint.checks.package_sources:PackageNames",
    "PackageSources": "geventcore.tools.lint.checks.package_sources:PackageSources",
    "Reuse": "geventcore.tools.lint.checks.answer_reuse:Reuse",
    "Secrets": "geventcore.tools.lint.checks.secrets:Secrets",
    "Server": "geventcore.tools.lint.checks.server_verdict:Server",
    "TemplateNames": "geventcore.tools.lint.checks.template_names:TemplateNames",
    "Usage": "geventcore.tools.lint.checks.usage:Usage",
}


@functools.lru_cache(maxsize=1)
def check_classes() -> dict[str, type[Check]]:
    """Return the classes of all checks by name, without those that need an optional library that is not installed.

    Such a library belongs to a plugin, which the server does not load without it either.
    """
    found = {}
    for name, path in CHECKS.items():
        try:
            found[name] = load_object(path)
        except ModuleNotFoundError as err:
            if (err.name or "").startswith("geventcore"):
                raise
            log.debug("the check %s needs %s, which is not installed", name, err.name)
    return found
