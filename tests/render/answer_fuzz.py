"""A comparison of kept answers with fresh renders, after random changes of everything that they may depend on.

    python -m tests.render.answer_fuzz --steps 1000000 --seed 1

A *world* is a repository with a random choice of plugins, some of them a site's own. It is served by a core that keeps
what it can, and by one that keeps nothing. After each random step both must give a client the same bytes and log the
same errors. Now and then another core is loaded in this process, or in a new one, and gives the bytes to compare with.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options import load_settings
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Connector, Generator, GoalValidator, Structure, StructureValidator
from tests.render import random_edits
from tests.render.random_edits import HOSTS, PATHS
from tests.support.plugin_context import METADATA, write_files
from tests.support.site_core import ADDRESS, MethodsAs

#: This module, also when it is run as a program.
MODULE = "tests.render.answer_fuzz"
#: The state that plugins of the site and impure templates read.
STATE = "GEVENTCORE_FUZZ_STATE"
#: How many steps a world has, and after how many a fresh core, or a fresh process, is asked.
WORLD_STEPS, CORE_STEPS, PROCESS_STEPS = 200, 40, 1000


def state() -> str:
    return os.environ.get(STATE, "")


class _Site(Plugin):
    creates_directory = False


class SiteGenerator(_Site, Generator):
    """Binds a service, and sometimes another, as nothing that the server knows says."""

    @property
    def entries(self) -> Any:  # type: ignore[override]  # computed
        return {"Service": {"site": self.bind_entry}} if "t" in state() else {"Service": {}}

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        return entry.get("name") == "sometimes" and "h" in state()

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        entry.set("state", state())


class SiteStructure(_Site, Structure):
    """Adds a structure."""

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        bundle = etree.Element("Bundle", name="site")
        etree.SubElement(bundle, "BoundPath", name=f"/{state()}")
        etree.SubElement(bundle, "Path", name=PATHS[0])
        return [bundle]


class SiteValidator(_Site, StructureValidator, GoalValidator):
    """Amends structures, and the configurations of some clients."""

    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        if structures and "s" in state():
            structures[0].set("amended", state())

    def concerns_goals(self, metadata: ClientMetadata) -> bool:
        return "g" in state()

    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        config.set("validated", state())


class SiteConnector(_Site, Connector):
    """Adds data, some of which cannot be compared, and a group."""

    reuse_seconds = 0

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        return ["web"] if "c" in state() else []

    def get_additional_data(self, metadata: ClientMetadata) -> Any:
        if "o" in state():
            return _Opaque()
        return {"plain": {"text": state(), "list": [1, 2.5, True, None]}, "number": len(state())}


class _Opaque(dict[str, Any]):
    def __init__(self) -> None:
        super().__init__(plain={"text": f"opaque {state()}", "list": []}, number=7)


SITE_PLUGINS = ("SiteGenerator", "SiteStructure", "SiteValidator", "SiteConnector")
ALWAYS = ("Metadata", "Bundler", "Cfg", "Rules", "Probes", "Properties")
SOMETIMES = (
    *("Defaults", "Deps", "GroupPatterns", "SSHbase", "TemplateHelper", "Base", "Pkgmgr", "Decisions"),
    *("POSIXCompat", "Defaults", "Defaults", *SITE_PLUGINS),
)

GENSHI = (
    "${metadata.hostname} ${metadata.profile}\n",
    "{% for group in sorted(metadata.groups) %}${group} {% end %}\n",
    "{% for group in metadata.groups %}${group} {% end %}\n",
    "{% if 'web' in metadata.groups %}web{% end %}{% if metadata.inGroup('db') %}db{% end %}\n",
    "${metadata.Probes.get('one', 'none')}\n",
    "${metadata.Probes['two'].json['a'] if 'two' in metadata.Probes else '-'}\n",
    "{% for name in metadata.Probes %}${name}=${metadata.Probes[name]}{% end %}\n",
    "{% for name, value in metadata.Probes.items() %}${name}=${value}{% end %}${len(metadata.Probes)}\n",
    "${metadata.Properties['a.xml'].xdata.findtext('x')}\n",
    "{% for e in metadata.Properties['a.xml'].Match(metadata) %}${e.tag}${e.get('v')}{% end %}\n",
    "{% for e in metadata.Properties['a.xml'].XMLMatch(metadata).iter('y') %}${e.get('v')}{% end %}\n",
    "${metadata.Properties['b.json'].json['k']} ${'c.xml' in metadata.Properties}\n",
    "${sorted(metadata.Properties)} ${metadata.Properties['a.xml']}\n",
    "${metadata.Properties['a.xml'].data}\n",
    "${metadata.group_in_category('k')} ${metadata.categories}\n",
    "{% python import os %}${os.environ.get('GEVENTCORE_FUZZ_STATE')}\n",
    "{% python\nimport re\nitems = []\nfor g in sorted(metadata.groups):\n    items.append(re.sub('e', 'E', g))\n%}"
    "${items}\n",
    "{% python metadata.Properties['a.xml'].xdata.set('changed', metadata.hostname) %}x\n",
    "${metadata.Properties['a.xml'].xdata.get('changed')}\n",
    "${metadata.SiteConnector['plain']['text']} ${metadata.SiteConnector['number']}\n",
    "${metadata.SiteConnector}\n",
    "${metadata.TemplateHelper['help'].shout(metadata.hostname)} ${metadata.TemplateHelper.keys()}\n",
    "${helped}\n",
    "${metadata.query.names_by_groups(['web'])}\n",
    "${metadata.query.all_clients()} ${len(metadata.query.by_name('h1').Probes)}\n",
    "${name} ${path} ${source_path} ${len(repo)}\n",
    "${metadata.version} ${metadata.addresses} ${metadata.aliases} ${metadata.connectors}\n",
    "${1 / len([g for g in metadata.groups if g == 'db'])}\n",
    "${metadata.nothing}\n",
)
JINJA = (
    "{{ metadata.hostname }} {{ name }}\n",
    "{% for g in metadata.groups|sort %}{{ g }} {% endfor %}\n",
    "{{ metadata.groups|length }}{{ 'web' in metadata.groups }}{{ metadata.groups|list }}\n",
    "{{ metadata.Probes.one|default('none') }} {{ metadata.Probes.get('two') }}\n",
    "{{ metadata.Probes|length }} {{ metadata.Probes.items()|list }}\n",
    "{% for e in metadata.Properties['a.xml'].xdata %}{{ e.tag }}{% endfor %}\n",
    "{{ metadata.Properties['b.json'].json.k }} {{ metadata.Properties|sort }}\n",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(metadata.profile) }}\n",
    "{% set l = [] %}{% for g in metadata.groups|sort %}{% do l.append(g) %}{% endfor %}{{ l|join(',') }}\n",
    "{% do metadata.Properties['b.json'].json.update({'k': metadata.hostname}) %}y\n",
    "{% include 'part.jinja2_include' %}\n",
    "{{ metadata.SiteConnector.plain.list }}{{ metadata.SiteConnector.number }}\n",
    "{{ range(3)|random * 0 }}\n",
    "{{ helped }}\n",
    "{{ metadata.inGroup('web') }} {{ metadata.group_in_category('k') }}\n",
    "{% if metadata.groups - ['web'] %}1{% endif %}{{ undefined_thing }}\n",
)
MORE_BUNDLE = (
    '<Path name="/etc/one"/>',
    '<Service name="site"/>',
    '<Service name="sometimes"/>',
    '<Path name="/etc/ssh/ssh_host_ed25519_key"/>',
    '<Path name="/etc/ssh/ssh_host_ed25519_key.pub"/>',
    '<Path name="/etc/ssh/ssh_known_hosts"/>',
    '<Path name="/etc/key"/>',
    '<Path name="/etc/key.pub"/>',
    '<Path name="/etc/renamed" altsrc="/etc/deep/three"/>',
)
PY = random_edits.PY
TEMPLATES = (
    f'<Bundle {PY}><BoundPath name="/${{metadata.hostname}}" py:if="\'web\' in metadata.groups"/></Bundle>',
    f'<Bundle {PY}><py:for each="n in sorted(metadata.Probes)"><BoundPath name="/${{n}}"/></py:for></Bundle>',
    f'<Bundle {PY}><?python import os ?><Path name="/etc/one" s="${{os.environ.get(\'{STATE}\')}}"/></Bundle>',
    f'<Bundle {PY}><Path py:for="p in metadata.Properties[\'a.xml\'].xdata" name="/etc/${{p.tag}}"/></Bundle>',
    f'<Bundle {PY}><Path name="${{metadata.nothing}}"/></Bundle>',
)


class World:
    """A repository, and the two cores that serve it."""

    def __init__(self, pick: random.Random, directory: Path, plugins: Sequence[str] = ()) -> None:
        self.pick = pick
        self.directory = directory
        self.root = directory / "repository"
        self.plugins = [*ALWAYS, *(plugins or dict.fromkeys(pick.sample(SOMETIMES, pick.randrange(len(SOMETIMES)))))]
        self._moment = time.time_ns()
        self.upload_count = 0
        self.option_lines = ""
        write_files(self.root, {**METADATA, **{f"{name}/.keep~": "" for name in self.plugins}})
        write_files(self.root, {"Metadata/clients.xml": f"<Clients>{random_edits.CLIENTS}</Clients>"})
        os.environ[STATE] = "t"
        for edit in (*EDITS, *EDITS, *EDITS):
            edit(self)
        self.edit_bundle()
        self.edit_groups()
        self.kept = self.core(kept=True)
        self.fresh = self.core(kept=False)

    def close(self) -> None:
        self.kept.shutdown()
        self.fresh.shutdown()

    def core(self, kept: bool) -> Core:
        """Load a core; without `kept`, it keeps nothing."""
        path = self.directory / ("kept.conf" if kept else "fresh.conf")
        self.write_options()
        core = Core(load_settings(config_file=path, environ={}))
        core.load()
        core.handle_file_events()
        return core

    def write_options(self) -> None:
        names = [f"{MODULE}.{name}" if name in SITE_PLUGINS else name for name in self.plugins]
        for kept in (True, False):
            caching = "" if kept else "[caching]\nbound_entries = 0\nanswers = 0\n"
            path = self.directory / ("kept.conf" if kept else "fresh.conf")
            path.write_text(
                f"[server]\nrepository = {self.root}\nplugins = {','.join(names)}\nfilemonitor = polling\n"
                f"missing_bundles = log\n{caching}{self.option_lines}"
            )
            path.chmod(0o600)

    def settle(self) -> None:
        """Have both cores notice what has changed."""
        for core in (self.kept, self.fresh):
            core.repository.file_monitor.rescan()
            core.handle_file_events()

    # -- steps

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        self._moment += 1000
        os.utime(path, ns=(self._moment, self._moment))

    def edit_template(self) -> None:
        directory = f"Cfg{self.pick.choice(PATHS)}"
        base = directory.rpartition("/")[2]
        suffix = self.pick.choice(("", ".G30_web", ".H_h2"))
        if self.pick.random() < 0.5:
            self.write(f"{directory}/{base}{suffix}.genshi", self.pick.choice(GENSHI))
        else:
            self.write(f"{directory}/{base}{suffix}.jinja2", self.pick.choice(JINJA))
        self.write(f"{directory}/part.jinja2_include", f"part {self.pick.random()} {{{{ metadata.hostname }}}}\n")

    def remove_template(self) -> None:
        found = [path for path in sorted(self.root.glob("Cfg/**/*")) if path.suffix in (".genshi", ".jinja2")]
        if found:
            self.pick.choice(found).unlink()

    def edit_properties(self) -> None:
        value = self.pick.randrange(4)
        content = f'<x>{value}</x><Group name="web"><y v="w{value}"/></Group><y v="all"/>'
        self.write("Properties/a.xml", f"<Properties>{content}</Properties>")
        if self.pick.random() < 0.5:
            self.write("Properties/b.json", f'{{"k": "{self.pick.randrange(3)}"}}')
        if self.pick.random() < 0.3:
            self.write("Properties/c.xml", f'<Properties automatch="true"><y v="{value}"/></Properties>')
        elif self.pick.random() < 0.3:
            (self.root / "Properties/c.xml").unlink(missing_ok=True)

    def edit_bundle(self) -> None:
        chosen = self.pick.sample(MORE_BUNDLE, self.pick.randrange(len(MORE_BUNDLE)))
        self.write("Bundler/m.xml", f"<Bundle>{''.join(chosen)}</Bundle>")

    def edit_template_bundle(self) -> None:
        self.write("Bundler/t.xml", self.pick.choice(TEMPLATES))

    def edit_groups(self) -> None:
        own = "".join(f'<Client name="{host}">{self.pick.choice(random_edits.GROUP_SETS)}</Client>' for host in HOSTS)
        bundles = "".join(f'<Bundle name="{name}"/>' for name in self.pick.sample("bcmt", 3))
        self.write(
            "Metadata/groups.xml",
            '<Groups><Group name="p" profile="true" public="true" default="true">'
            f"{bundles}</Group>"
            '<Group name="q" profile="true" public="true"><Bundle name="m"/><Group name="db"/></Group>'
            f'<Group name="web" category="k"/><Group name="db"/>{own}</Groups>',
        )

    def edit_defaults(self) -> None:
        rules = (
            '<Path name="/etc/.*" extra="%{name}"/>',
            '<Path name=".*" more="1"/>',
            '<Service name="site" status="off"/>',
            '<Group name="web"><Path name="/etc/one" webbed="1"/></Group>',
            '<Package name=".*" version="any"><Group name="db"><x/></Group></Package>',
        )
        chosen = "".join(self.pick.sample(rules, self.pick.randrange(len(rules))))
        name = self.pick.choice("de")
        # One priority each: messages about equal ones name the files in the order in which they came.
        self.write(f"Defaults/{name}.xml", f'<Defaults priority="{ord(name)}">{chosen}</Defaults>')

    def edit_rules_template(self) -> None:
        rule = '<Service name="svc" type="${metadata.hostname}"/>'
        content = self.pick.choice((f'<Rules {PY} priority="90">{rule}</Rules>', '<Rules priority="90"/>'))
        self.write("Rules/t.xml", content)

    def edit_deps(self) -> None:
        needed = self.pick.choice(('<Package name="pkg"/>', '<Path name="/etc/one"/>', '<Service name="none"/>'))
        self.write("Deps/d.xml", f'<Dependencies priority="1"><Package name="ruled">{needed}</Package></Dependencies>')

    def edit_patterns(self) -> None:
        group = self.pick.choice(("web", "db", "other"))
        pattern = f"<GroupPattern><NamePattern>h[01]</NamePattern><Group>{group}</Group></GroupPattern>"
        self.write("GroupPatterns/config.xml", f"<GroupPatterns>{pattern}</GroupPatterns>")

    def edit_helper(self) -> None:
        self.write(
            "TemplateHelper/help.py",
            "__export__ = ['shout']\n__default__ = ['helped']\n"
            f"helped = {self.pick.choice(('1', repr('text'), 'range(3)', '[1, 2]'))}\n"
            f"def shout(text):\n    return text.upper() + {str(self.pick.randrange(3))!r}\n",
        )

    def edit_creator(self) -> None:
        self.write("Cfg/etc/key/privkey.xml", '<PrivateKey><Params bits="1024"/></PrivateKey>')
        self.write("Cfg/etc/key.pub/pubkey.xml", "<PublicKey/>")

    def edit_other(self) -> None:
        random_edits_pick = self.pick.choice(random_edits.EDITS)
        random_edits_pick(self.pick, self.root)
        if random_edits_pick is random_edits.groups_edit:
            self.edit_groups()

    def upload(self) -> None:
        host = self.pick.choice(HOSTS)
        # Sorted, as in the file that keeps them: a template may show their order.
        names = sorted(self.pick.sample(("one", "two", "three"), self.pick.randrange(4)))
        texts = ("", "1", "2\ngroup:web\n", '{"a": 1}', '{"a": [2]}', "group:other")
        data = "".join(
            f'<probe-data name="{name}" source="Probes">{self.pick.choice(texts)}</probe-data>' for name in names
        )
        methods = MethodsAs(self.kept)
        methods.hostname = host
        methods.receive_probe_data(ADDRESS, f"<probe-data>{data}</probe-data>")

    def change_profile(self) -> None:
        methods = MethodsAs(self.kept)
        methods.hostname = self.pick.choice(HOSTS)
        if self.pick.random() < 0.5:
            methods.assert_profile(ADDRESS, self.pick.choice("pq"))
        else:
            methods.declare_version(ADDRESS, self.pick.choice(("1.2.0", "1.3.4", "1.4.0")))

    def change_state(self) -> None:
        os.environ[STATE] = "".join(letter for letter in "thsgco" if self.pick.random() < 0.4)

    def reload(self) -> None:
        lines = ("[rules]\nregex = true\n", "[mdata]\nowner = me\n", "[defaults]\nreplace_name = true\n", "")
        self.option_lines = self.pick.choice(lines)
        self.write_options()
        for core in (self.kept, self.fresh):
            core.configuration.reload()

    def evict(self) -> None:
        renderer = self.kept.renderer
        for cache in (
            renderer.answers._answers,
            renderer.results.items,
            renderer.entry_store._entries,
            renderer.entry_store._structures,
        ):
            if self.pick.random() < 0.5:
                cache._old, cache._young = cache._young, {}  # type: ignore[attr-defined]

    def restart(self) -> None:
        self.kept.shutdown()
        self.kept = self.core(kept=True)

    # -- comparisons

    def step(self, number: int) -> None:
        """Do something, and compare what a client gets."""
        edit = self.pick.choice(STEPS)
        edit(self)
        self.settle()
        for host in self.pick.sample(HOSTS, self.pick.randint(1, 2)):
            self.compare(host, edit.__name__)
        if number % PROCESS_STEPS == PROCESS_STEPS - 1:
            self.compare_with_process()
        elif number % CORE_STEPS == CORE_STEPS - 1:
            self.compare_with_core()

    def compare(self, host: str, what: str) -> None:
        """Compare what both cores give a client, twice: what is kept only from the second time on."""
        for _ in range(self.pick.choice((1, 1, 2))):
            with errors() as kept_errors:
                kept = answer(self.kept, host)
            # What the first one has made in the repository, such as keys, the other has to see.
            self.settle()
            with errors() as fresh_errors:
                fresh = answer(self.fresh, host)
            if kept != fresh:
                # An entry that was just made, or a random name of a key: what counts is what is served from now on.
                self.settle()
                again = answer(self.kept, host)
                if again != fresh or not self.makes_files():
                    raise AssertionError(f"after {what}, {host}: {difference(kept, fresh)}; {self.explain(host)}")
            elif sorted(kept_errors) != sorted(fresh_errors) and not self.made_files(host):
                raise AssertionError(f"after {what}, for {host} is logged\n{kept_errors}\nand not\n{fresh_errors}")

    def makes_files(self) -> bool:
        """Return true if a render may make files, so that the next one differs."""
        return "SSHbase" in self.plugins or (self.root / "Cfg/etc/key").exists()

    def made_files(self, host: str) -> bool:
        """Return true if a render has just made files. Then it began anew, and logged twice what failed before."""
        explanation = self.kept.renderer.answers.explanation(host)
        return explanation is not None and any("files were made" in change for change in explanation.changes)

    def explain(self, host: str) -> object:
        return self.kept.renderer.answers.explanation(host)

    def compare_with_core(self) -> None:
        """Compare with a core that is loaded now."""
        core = self.core(kept=False)
        try:
            for host in HOSTS:
                kept = answer(self.kept, host)
                self.settle()
                core.repository.file_monitor.rescan()
                core.handle_file_events()
                fresh = answer(core, host)
                if kept != fresh and answer(self.kept, host) != fresh:
                    raise AssertionError(f"{host}, a new core: {difference(kept, fresh)}; {self.explain(host)}")
        finally:
            core.shutdown()

    def compare_with_process(self) -> None:
        """Compare with a new process."""
        kept = {host: answer(self.kept, host) for host in HOSTS}
        self.settle()
        kept = {host: answer(self.kept, host) for host in HOSTS}
        command = [sys.executable, "-m", MODULE, "--answers", str(self.directory / "fresh.conf")]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        told = dict(line.split() for line in done.stdout.splitlines())
        for host in HOSTS:
            if hashlib.sha256(kept[host]).hexdigest() != told[host] and not self.depends_on_process():
                raise AssertionError(f"{host} gets {kept[host]!r}, and something else from a new process")

    def depends_on_process(self) -> bool:
        """Return true if a template shows sets in the order that they have in a process."""
        text = "".join(
            path.read_text() for path in self.root.glob("Cfg/**/*.*") if path.suffix in (".genshi", ".jinja2")
        )
        return any(part in text for part in ("in metadata.groups %}$", "groups|list", "addresses"))


#: The address of an object that a template shows.
_ADDRESS = re.compile(rb" at 0x[0-9a-f]+")


def difference(kept: bytes, fresh: bytes) -> str:
    """Show where two documents differ."""
    start = next((at for at, pair in enumerate(zip(kept, fresh, strict=False)) if pair[0] != pair[1]), 0)
    return f"{kept[max(0, start - 300) : start + 300]!r}\nand not {fresh[max(0, start - 300) : start + 300]!r}"


def answer(core: Core, host: str) -> bytes:
    """What a client gets: its configuration, or a fault."""
    try:
        return _ADDRESS.sub(b"", core.write_configuration(host))
    except GeventcoreError as err:
        return f"fault: {err}".encode()


@contextmanager
def errors() -> Iterator[list[str]]:
    """Collect the errors about clients that are logged in the block."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR and record.getMessage().startswith(HOSTS):
                found.append(record.getMessage())

    handler = Collector()
    logger = logging.getLogger("geventcore")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


EDITS: Sequence[Callable[[World], None]] = (
    World.edit_template,
    World.edit_properties,
    World.edit_bundle,
    World.edit_template_bundle,
    World.edit_groups,
    World.edit_defaults,
    World.edit_rules_template,
    World.edit_deps,
    World.edit_patterns,
    World.edit_helper,
    World.edit_other,
)
STEPS: Sequence[Callable[[World], None]] = (
    *EDITS,
    *[World.edit_template] * 3,
    *[World.edit_other] * 4,
    *[World.upload] * 4,
    *[World.change_state] * 2,
    World.remove_template,
    World.edit_creator,
    World.change_profile,
    World.reload,
    World.evict,
    World.restart,
)


def run(seed: int, steps: int, progress: Callable[[int], None] | None = None) -> dict[str, int]:
    """Make a number of steps in as many worlds as that takes; return how often answers came about in which way."""
    outcomes: dict[str, int] = {}
    done = 0
    while done < steps:
        world_seed = seed * 1_000_003 + done
        directory = Path(tempfile.mkdtemp(prefix="fuzz-"))
        world: World | None = None
        try:
            world = World(random.Random(world_seed), directory)
            for number in range(min(WORLD_STEPS, steps - done)):
                try:
                    world.step(done + number)
                except Exception as err:
                    raise AssertionError(f"seed {seed}, step {done + number}, plugins {world.plugins}: {err}") from err
                for host in HOSTS:
                    explanation = world.kept.renderer.answers.explanation(host)
                    if explanation is not None:
                        outcomes[explanation.outcome] = outcomes.get(explanation.outcome, 0) + 1
        finally:
            if world is not None:
                world.close()
            shutil.rmtree(directory)
        done += WORLD_STEPS
        if progress is not None:
            progress(done)
    return outcomes


def tell_answers(configuration: Path) -> None:
    """Print the digests of what clients get from a new core: for another process."""
    core = Core(load_settings(config_file=configuration, environ={}))
    core.load()
    core.handle_file_events()
    for host in HOSTS:
        print(host, hashlib.sha256(answer(core, host)).hexdigest())
    core.shutdown()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.render.answer_fuzz", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--answers", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    logging.disable(logging.NOTSET)
    logging.getLogger().addHandler(logging.NullHandler())
    if options.answers is not None:
        tell_answers(options.answers)
        return 0
    outcomes: Mapping[str, int] = run(
        options.seed, options.steps, lambda done: print(done, time.process_time(), flush=True)
    )
    print(outcomes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
