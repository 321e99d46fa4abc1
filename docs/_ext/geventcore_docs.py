"""Pages that are made from the program itself, so that they cannot say anything else than it does.

* ``.. option-reference::`` has every option of the program, of its cores and of its plugins;
* ``:conf:`[server] core``` names an option and links to it; an option that does not exist is a warning;
* ``.. exposed-methods::`` has the methods that clients can call;
* ``.. remote-methods::`` has those of plugins and file monitors;
* ``.. metric-reference::`` has every metric;
* ``.. command-reference::`` has the help of every command;
* ``.. lint-severities::``, ``.. lint-checks::`` and ``.. lint-schemas::`` have the checks of a repository;
* ``.. reserved-names::`` lists the public attributes of the base class of cores;
* ``.. database-tables::`` has the tables of the database;
* ``.. missing-names::`` lists the names of Bcfg2's modules that are not here;
* ``.. missing-plugins::``, ``.. replaced-plugins::`` and ``.. bcfg2-programs::`` tell what of Bcfg2 is not here;
* ``.. auth-table:: FILE`` and ``.. acl-table:: FILE`` show the expected table of an example.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from geventcore.cli.components import all_components
from geventcore.cli.main import COMMANDS
from geventcore.compat.modules import LEFT_OUT
from geventcore.filemonitor import MONITORS
from geventcore.metrics.families import definitions
from geventcore.options import Option
from geventcore.options.bcfg2_keys import BCFG2_KEYS
from geventcore.options.reference import reference_rst
from geventcore.plugin.registry import load_object
from geventcore.plugins import PLUGINS
from geventcore.plugins.replaced import ReplacedPlugin
from geventcore.rpc.methods import exposed_methods
from geventcore.storage.tables import all_tables
from geventcore.tools.lint.findings import SEVERITIES
from geventcore.tools.lint.schema_table import SCHEMAS
from geventcore.tools.lint.table import check_classes

log = logging.getLogger(__name__)

#: The plugins that Bcfg2 1.2, 1.3 or 1.4 has.
BCFG2_PLUGINS = frozenset(
    (
        *("Account", "BB", "Base", "Editor", "Hostbase", "SGenshi", "SSLCA", "Snapshots", "Statistics", "Svcmgr"),
        *("TCheetah", "TGenshi"),
        *("ACL", "AWSTags", "Bundler", "Bzr", "Cfg", "Cvs", "DBStats", "Darcs", "Decisions", "Defaults", "Deps"),
        *(
            "FileProbes",
            "Fossil",
            "Git",
            "GroupLogic",
            "GroupPatterns",
            "Guppy",
            "Hg",
            "Ldap",
            "Metadata",
            "NagiosGen",
            "Ohai",
        ),
        *("POSIXCompat", "Packages", "Pkgmgr", "Probes", "Properties", "PuppetENC", "Reporting", "Rules"),
        *("SEModules", "SSHbase", "ServiceCompat", "Svn", "TemplateHelper", "Trigger"),
    )
)

#: Program of Bcfg2 -> the command that does, or would do, the same.
BCFG2_PROGRAMS = {
    "bcfg2-server": "server",
    "bcfg2-info": "info",
    "bcfg2-admin init": "init",
    "bcfg2-admin": "admin",
    "bcfg2-lint": "lint",
    "bcfg2-test": "test",
    "bcfg2-crypt": "crypt",
    "bcfg2-reports": "reports",
    "bcfg2-report-collector": "collector",
}


@cache
def all_options() -> tuple[Option[Any], ...]:
    """Every option of the program: of its parts, of all its cores and of all its plugins."""
    components = all_components()
    for reason in components.missing:
        log.warning("left out: the options of %s", reason)
    return tuple(components.options)


def _loaded(paths: Iterable[str]) -> Iterator[Any]:
    """The objects of a table that can be loaded; others are reported."""
    for path in dict.fromkeys(paths):
        try:
            yield load_object(path)
        except ImportError as err:
            log.warning("left out: %s cannot be loaded: %s", path, err)


def anchor(section: str) -> str:
    """The label of a section of the configuration file on the page of options."""
    return "conf-" + (re.sub(r"[^a-z0-9]+", "-", section.lower()) or "command-line")


class _Generated(SphinxDirective):
    """Contents that are made from the program, which the page is as old as."""

    def parse(self, lines: Iterable[str]) -> list[nodes.Node]:
        """The nodes of reStructuredText, which may have sections."""
        self.env.note_reread()
        return list(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


class OptionReference(_Generated):
    """The reference of all options."""

    def run(self) -> list[nodes.Node]:
        text = reference_rst(all_options())
        # Each section gets a label in front of its title.
        labelled = re.sub(
            r"(?m)^(\[(.+)\]|Only on the command line)\n-+$",
            lambda match: f".. _{anchor(match[2] or '')}:\n\n{match[0]}",
            text,
        )
        return self.parse([labelled])


class ConfRole(SphinxRole):
    """An option, as ``[section] key`` or ``[section]``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        literal = nodes.literal(self.text, self.text, classes=["conf"])
        match = re.fullmatch(r"\[([^]]+)\](?: (\S+))?", self.text)
        section, key = match.groups() if match else ("", None)
        places = {place for option in all_options() for place in option.places}
        if (section, key) in places or (key is None and section in {place[0] for place in places}):
            link = addnodes.pending_xref(
                "",
                literal,
                refdomain="std",
                reftype="ref",
                refexplicit=True,
                reftarget=anchor(section),
                refdoc=self.env.docname,
                refwarn=True,
            )
            return [link], []
        if key not in BCFG2_KEYS.get(section, ()):
            log.warning("there is no option %s", self.text, location=self.get_location())
        return [literal], []


def _arguments(function: Any, skip: int) -> str:
    """The arguments of a method as a caller sees them."""
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    names = []
    for parameter in parameters:
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        has_default = parameter.default is not parameter.empty
        names.append(f"[{parameter.name}]" if has_default else f"{star}{parameter.name}")
    return ", ".join(names)


class _MethodList(_Generated):
    """A definition list of methods."""

    def methods(self) -> Iterator[tuple[str, str, str]]:
        """Name, arguments and help of each."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        lines = []
        for name, arguments, text in self.methods():
            lines += [f"``{name}({arguments})``", f"    {' '.join(text.split())}", ""]
        return self.parse(lines)


class ExposedMethods(_MethodList):
    """The methods of the core."""

    def methods(self) -> Iterator[tuple[str, str, str]]:
        core_methods = importlib.import_module("geventcore.core.methods")
        owners = (core_methods.CoreMethods(None), core_methods.IntrospectionMethods(None))
        found = [method for owner in owners for method in exposed_methods(owner)]
        for method in sorted(found, key=lambda method: method.name):
            yield method.name, _arguments(method.function, 1), method.help


class ReservedNames(SphinxDirective):
    """The names of the attributes that ``Core`` and ``NetworkCore`` set."""

    def run(self) -> list[nodes.Node]:
        names: set[str] = set()
        for path in ("geventcore.core.base:Core", "geventcore.core.network:NetworkCore"):
            found = load_object(path)
            names.update(re.findall(r"self\.([a-z]\w*)(?:: [^=\n]+)? = ", inspect.getsource(found)))
            names.update(name for name in vars(found) if name[0] != "_")
        paragraph = nodes.paragraph()
        for number, name in enumerate(sorted(names)):
            paragraph += [nodes.Text(", "), nodes.literal(text=name)] if number else [nodes.literal(text=name)]
        return [paragraph]


class RemoteMethods(_MethodList):
    """The methods of plugins and of the file monitor that can be called."""

    def methods(self) -> Iterator[tuple[str, str, str]]:
        seen: dict[tuple[str, str], list[str]] = {}
        arguments: dict[tuple[str, str], str] = {}
        for owner in _loaded((*PLUGINS.values(), *MONITORS.values())):
            for name in owner.remote_methods:
                function = getattr(owner, name)
                key = (name, inspect.getdoc(function) or "")
                seen.setdefault(key, []).append(owner.name)
                arguments[key] = _arguments(function, 1)
        for (name, text), owners in sorted(seen.items()):
            prefix = owners[0] if len(owners) == 1 else "<name>"
            where = "" if len(owners) == 1 else f" For: {', '.join(sorted(owners))}."
            yield f"{prefix}.{name}", arguments[name, text], text + where


class CommandReference(_Generated):
    """The help of every command, a section each."""

    def run(self) -> list[nodes.Node]:
        lines = [".. click:: geventcore.cli.main:cli", "   :prog: geventcore", "   :nested: none", ""]
        for name, (place, _) in COMMANDS.items():
            lines += [f".. click:: {place}", f"   :prog: geventcore {name}", "   :nested: full", ""]
        return self.parse(lines)


class LintSeverities(_Generated):
    """A list of the severities."""

    def run(self) -> list[nodes.Node]:
        return self.parse(
            line for name, meaning in SEVERITIES.items() for line in (f"``{name}``", f"    {meaning}", "")
        )


class LintChecks(_Generated):
    """The findings of each check, with their severities and what to do."""

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for check in check_classes().values():
            plugin = f" It is done if the plugin {check.plugin} is enabled." if check.plugin else ""
            files = " It needs only the files." if check.is_serverless else ""
            own = "" if not check.is_own else " Bcfg2 does not have it."
            summary = " ".join(str(check.__doc__).split("\n\n")[0].split())
            lines += [f"``{check.name}``", f"    {summary}{plugin}{files}{own}", ""]
            for kind in check.kinds:
                lines += [f"    ``{kind.name}`` ({kind.severity})", f"        {kind.meaning} {kind.advice}", ""]
        return self.parse(lines)


class LintSchemas(_Generated):
    """A table of the schemas and their files."""

    def run(self) -> list[nodes.Node]:
        rows = [(f"``{name}``", schema.about) for name, schema in SCHEMAS.items()]
        return self.parse(_list_table(("Schema", "Files"), rows))


class MetricReference(_Generated):
    """A definition list of the metrics, by the parts of their names."""

    def run(self) -> list[nodes.Node]:
        importlib.import_module("geventcore.metrics.definitions")
        lines = []
        for metric in definitions():
            suffix = "_total" if metric.type == "counter" else ""
            labels = f", by {', '.join(f'``{label}``' for label in metric.labels)}" if metric.labels else ""
            merging = f"; of several processes the {metric.merging}" if metric.merging != "sum" else ""
            lines += [f"``{metric.name}{suffix}`` ({metric.type}{labels}{merging})", f"    {metric.help}", ""]
        return self.parse(lines)


class MissingPlugins(_Generated):
    """A sentence with the plugins of Bcfg2 that do not exist here."""

    def run(self) -> list[nodes.Node]:
        missing = ", ".join(f"``{name}``" for name in sorted(BCFG2_PLUGINS - set(PLUGINS)))
        text = f"These plugins of Bcfg2 do not exist yet: {missing}." if missing else "All plugins of Bcfg2 exist."
        return self.parse([text])


class ReplacedPlugins(_Generated):
    """A list of the plugins of Bcfg2 that do nothing here, with the reasons."""

    def run(self) -> list[nodes.Node]:
        replaced = (cls for cls in _loaded(PLUGINS.values()) if issubclass(cls, ReplacedPlugin))
        return self.parse(line for cls in replaced for line in (f"``{cls.name}``", f"    {cls.reason}.", ""))


class MissingNames(_Generated):
    """A table of the names of Bcfg2's modules that do not exist here, with the reasons."""

    def run(self) -> list[nodes.Node]:
        rows = [(f"``Bcfg2.{pattern}``", reason) for pattern, reason in LEFT_OUT.items() if pattern != "*"]
        return self.parse(_list_table(("Names", "Why, and what to use"), rows))


class Bcfg2Programs(_Generated):
    """A table of the programs of Bcfg2 and the commands that do the same."""

    def run(self) -> list[nodes.Node]:
        rows = [
            (f"``{program}``", f"``geventcore {command}``" if command in COMMANDS else "*does not exist yet*")
            for program, command in BCFG2_PROGRAMS.items()
        ]
        return self.parse(_list_table(("Bcfg2", "Here"), rows))


class _ExampleTable(SphinxDirective):
    """A table that an example expects: a JSON list of objects with ``input`` and ``expect``."""

    required_arguments = 1
    head: tuple[str, ...]

    def row(self, given: dict[str, Any], expected: dict[str, Any]) -> tuple[str, ...]:
        """The cells of one row."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        with open(path, encoding="utf-8") as stream:
            rows = [self.row(entry["input"], entry["expect"]) for entry in json.load(stream)]
        return list(self.parse_text_to_nodes("\n".join(_list_table(self.head, rows))))


class DatabaseTables(_Generated):
    """The tables of the database."""

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for table in sorted(all_tables().tables.values(), key=lambda table: table.name):
            lines += [table.name, "-" * len(table.name), "", str(table.comment or ""), ""]
            rows = [
                (
                    f"``{column.name}``" + (" (key)" if column.primary_key else ""),
                    str(column.type.compile()),
                    self._explanation(column),
                )
                for column in table.columns
            ]
            lines += [*_list_table(("Column", "Type", "Meaning"), rows), ""]
        return self.parse(lines)

    @staticmethod
    def _explanation(column: Any) -> str:
        references = [f"``{key.column.table.name}.{key.column.name}``" for key in column.foreign_keys]
        text = str(column.comment or "The number of the row.")
        return " ".join([text, *(f"Refers to {reference}." for reference in references)])


class AuthTable(_ExampleTable):
    """Who is let in."""

    head = ("Certificate", "User", "Password", "From", "Let in as")

    def row(self, given: dict[str, Any], expected: dict[str, Any]) -> tuple[str, ...]:
        certificate, user, address = given["cert"], given["user"], given["address"][0]
        who = "refused"
        if expected["accepted"]:
            who = expected["session"] or certificate or f"whoever has {address}"
        return certificate or "none", user, given["password"] or "none", address, who


class ACLTable(_ExampleTable):
    """Who may call what."""

    head = ("Caller", "Method", "By address", "By client")

    def row(self, given: dict[str, Any], expected: dict[str, Any]) -> tuple[str, ...]:
        words = {True: "allowed", False: "denied", None: "left to the client"}
        caller = given.get("address") or given["hostname"]
        by_address = words[expected["ip"]] if "ip" in expected else ""
        by_client = words[expected["metadata"]] if "metadata" in expected else ""
        return caller, f"``{given['method']}``", by_address, by_client


def _list_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        marks = ("   * -", *["     -"] * 20)
        lines += [f"{mark} {cell}".rstrip() for mark, cell in zip(marks, row, strict=False)]
    return lines


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("option-reference", OptionReference)
    app.add_directive("exposed-methods", ExposedMethods)
    app.add_directive("remote-methods", RemoteMethods)
    app.add_directive("reserved-names", ReservedNames)
    app.add_directive("metric-reference", MetricReference)
    app.add_directive("command-reference", CommandReference)
    app.add_directive("lint-severities", LintSeverities)
    app.add_directive("lint-checks", LintChecks)
    app.add_directive("lint-schemas", LintSchemas)
    app.add_directive("database-tables", DatabaseTables)
    app.add_directive("missing-plugins", MissingPlugins)
    app.add_directive("missing-names", MissingNames)
    app.add_directive("replaced-plugins", ReplacedPlugins)
    app.add_directive("bcfg2-programs", Bcfg2Programs)
    app.add_directive("auth-table", AuthTable)
    app.add_directive("acl-table", ACLTable)
    app.add_role("conf", ConfRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
