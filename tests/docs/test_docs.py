"""The documentation builds, what the code says of it is there, and its examples are true."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import socket
import ssl
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from geventcore.cli.components import load_core_class
from geventcore.cli.main import main
from geventcore.core.base import Core
from geventcore.core.network_options import NETWORK_OPTIONS
from geventcore.cores import CORES
from geventcore.crypt import Passphrases
from geventcore.errors import FAULT_CRITICAL, FAULT_OTHER, FAULT_UNKNOWN_METHOD, ConfigError
from geventcore.options import load_settings
from geventcore.options.server import COMMON_OPTIONS, PLUGINS, REPOSITORY
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins import PLUGINS as PLUGIN_TABLE
from geventcore.plugins.cfg.handlers import HANDLERS
from geventcore.plugins.ldap.plugin import load_queries
from geventcore.rpc.service import REASONS
from geventcore.tls.authority import Authority
from tests.support import case_compare
from tests.support.usable_site import communication_section, usable_sections
from tests.test_import_rows import ROWS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
CASES = sorted(path.parent for path in EXAMPLES.glob("*/case.toml"))
#: Where the program, the example core and the example plugin are imported from.
PYTHONPATH = os.pathsep.join((str(ROOT), str(EXAMPLES / "plugin"), str(EXAMPLES / "bcfg2_plugin")))
PROGRAM = f"{sys.executable} -m geventcore"
EXAMPLE_CORE = "contrib.example_core.prethreaded:PrethreadedCore"

#: What the example of encryption is tried on.
PROPERTIES = """<Properties><user>app</user><password encrypted="site">open sesame</password></Properties>"""

#: Some examples use programs that a machine need not have.
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

#: Far more than anything takes; what waits longer hangs.
PATIENCE_SECONDS = 60.0


def page(name: str) -> str:
    return (DOCS / f"{name}.rst").read_text()


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    return {**kept, "PYTHONPATH": PYTHONPATH}


# -- the pages


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    options = (tmp_path / "html" / "reference" / "options.html").read_text()
    commands = (tmp_path / "html" / "reference" / "commands.html").read_text()
    for option in (*COMMON_OPTIONS, *NETWORK_OPTIONS):
        assert f">{option.key if option.section else option.label}<" in options, option.label
    for flag in ("geventcore simulate", "--splay", "--decision-mode"):
        assert flag in commands


def references() -> Iterator[tuple[str, str, str]]:
    """``(file, page, section)`` of everything like ``docs: reference/page, "Section"`` in the code."""
    pattern = re.compile(r'docs:\s+([\w/-]+)((?:,\s*"[^"]+")*)')
    for path in sorted((ROOT / "geventcore").rglob("*.py")):
        for match in pattern.finditer(re.sub(r"\n\s*#?\s*", " ", path.read_text())):
            sections = re.findall(r'"([^"]+)"', match[2]) or [""]
            for section in sections:
                yield str(path.relative_to(ROOT)), match[1], section


def headings(text: str) -> set[str]:
    return {match[1] for match in re.finditer(r"^(\S.*)\n(=+|-+|~+)$", text, re.MULTILINE)}


def test_every_reference_in_the_code_leads_to_a_page_and_a_section() -> None:
    found = list(references())
    assert ("geventcore/errors.py", "reference/protocol", "Faults") in found
    wrong = []
    for file, name, section in found:
        if not (DOCS / f"{name}.rst").is_file():
            wrong.append(f"{file}: there is no page {name}")
        elif section and section not in headings(page(name)):
            wrong.append(f"{file}: page {name} has no section {section}")
    assert not wrong, "\n".join(wrong)


def test_the_rows_of_imports_are_those_that_are_checked() -> None:
    block = re.search(r":name: rows\n\n((?:   \S.*\n)+)", page("design/layout"))
    assert block is not None
    assert tuple(tuple(line.split()) for line in block[1].splitlines()) == ROWS


def test_every_plugin_core_and_handler_is_described() -> None:
    plugin_pages = "\n".join(path.read_text() for path in (DOCS / "reference" / "plugins").glob("*.rst"))
    described = {word for heading in headings(plugin_pages) for word in re.findall(r"\w+", heading)}
    described.update(re.findall(r"^   \* - (\w+)$", page("reference/plugins/version-control"), re.MULTILINE))
    # The plugins that do nothing are listed with the reasons.
    plugins = {name for name, place in PLUGIN_TABLE.items() if ".replaced:" not in place}
    assert plugins <= described, f"no page: {plugins - described}"
    for core in CORES:
        assert f"``{core}``" in page("howto/many-clients"), core
    # Handler -> the rest of its row in the table.
    rows = re.findall(r"^   \* - (Cfg.*)\n     - (.*)\n     - (.*)", page("reference/plugins/cfg"), re.MULTILINE)
    handlers = {name: text for names, _, text in rows for name in names.split(", ")}
    assert handlers.keys() == HANDLERS.keys()


def test_every_fault_and_status_is_described() -> None:
    text = page("reference/protocol")
    for code in (FAULT_CRITICAL, FAULT_OTHER, FAULT_UNKNOWN_METHOD):
        assert f"   * - {code}\n" in text
    rows = {int(number) for row in re.findall(r"^   \* - ([\d, ]+)$", text, re.MULTILINE) for number in row.split(",")}
    # 417 is for an Expect that nobody sends.
    assert set(REASONS) - {417} <= rows


def test_every_dependency_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr("setuptools.setup", lambda **arguments: given.update(arguments))
    runpy.run_path(str(ROOT / "setup.py"))
    extras: dict[str, list[str]] = given["extras_require"]  # type: ignore[assignment]
    required: list[str] = given["install_requires"]  # type: ignore[assignment]
    names = {
        re.split(r"[<>=~]", name)[0] for name in [*required, *(name for extra in extras.values() for name in extra)]
    }
    text = page("design/dependencies")
    assert not [name for name in sorted(names) if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]


def test_every_example_is_on_a_page() -> None:
    text = "\n".join(path.read_text() for path in DOCS.rglob("*.rst"))
    for path in EXAMPLES.iterdir():
        assert f"examples/{path.name}/" in text, path


# -- the examples: repositories


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, list[str]]:
    """What every example gives that is not what its page shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHONPATH)
        driver = f"{sys.executable} {ROOT / 'tests' / 'support' / 'case_driver.py'}"
        work = tmp_path_factory.mktemp("examples")
        return {Path(case): found for case, found in case_compare.run_cases(map(str, CASES), driver, str(work))}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_example_gives_what_its_page_shows(case: Path, differences: dict[Path, list[str]]) -> None:
    assert not differences[case], "\n".join(differences[case])
    assert not case_compare.lint(str(case))


def test_the_example_plugin_keeps_what_it_knows_when_its_file_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "plugin"))
    case_compare.prepare(str(EXAMPLES / "site_plugin"), str(tmp_path))
    core = Core(load_settings(config_file=tmp_path / "bcfg2.conf", environ={}))
    try:
        core.load()
        core.handle_file_events()
        plugin = core.plugins.by_name["Inventory"]
        file = plugin.directory / "hosts.json"
        for text in ("{", "[]", '{"web1.example.com": 1}'):
            file.write_text(text)
            core.repository.file_monitor.add_monitor(str(file), plugin)  # type: ignore[arg-type]
            core.handle_file_events()
            assert core.build_metadata("web1.example.com").Inventory["rack"] == "a1"
        assert plugin.remote_interface()["list_racks"]() == ["a1"]
    finally:
        core.shutdown()
    assert caplog.text.count(f"{file}: ") == 3


@pytest.mark.live
def test_the_test_of_the_example_plugin_passes(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "plugin", tmp_path / "plugin")
    (command,) = (EXAMPLES / "plugin/test.sh").read_text().splitlines()
    done = subprocess.run(
        ["sh", "-c", command.removeprefix("$ ")],
        cwd=tmp_path / "plugin",
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_the_example_keys_are_made(tmp_path: Path) -> None:
    case_compare.prepare(str(EXAMPLES / "sshkeys"), str(tmp_path))
    core = Core(load_settings(config_file=tmp_path / "bcfg2.conf", environ={}))
    try:
        core.load()
        core.handle_file_events()
        config = core.build_configuration("web1.example.com")
    finally:
        core.shutdown()
    private, public = config.findall("*/Path")
    directory = tmp_path / "repo" / "Cfg" / "root" / ".ssh"
    assert private.text == (directory / "id_ed25519" / "id_ed25519.H_web1.example.com").read_text()
    assert public.text == (directory / "id_ed25519.pub" / "id_ed25519.pub.H_web1.example.com").read_text()
    assert "OPENSSH PRIVATE KEY" in str(private.text)
    assert str(public.text).startswith("ssh-ed25519 ")


def run_bcfg2_plugin(directory: Path, plugin: str) -> subprocess.CompletedProcess[str]:
    """Run the commands that try a plugin of a site that was written for Bcfg2."""
    example = EXAMPLES / "bcfg2_plugin"
    shutil.copytree(example / "repo", directory / "repo")
    text = (example / "plugins.conf").read_text().replace("racks.Racks", plugin)
    server = f"{communication_section(directory)}[server]\nrepository = {directory}/repo\n"
    (directory / "bcfg2.conf").write_text(text.replace("[server]\n", server))
    script = (example / "try.sh").read_text().replace("/etc/bcfg2.conf", "bcfg2.conf")
    script = script.replace("=/usr/local/lib/bcfg2", f"={PYTHONPATH}:{directory}").replace("$ ", "")
    script = re.sub(r"^geventcore ", f"{PROGRAM} ", script, flags=re.MULTILINE)
    return subprocess.run(
        ["bash", "-euc", script], cwd=directory, env=environment(), capture_output=True, text=True, check=False
    )


def test_the_example_for_bcfg2_is_tried(tmp_path: Path) -> None:
    done = run_bcfg2_plugin(tmp_path, "racks.Racks")
    assert done.returncode == 0, done.stderr
    assert "0 errors, 0 warnings" in done.stdout
    assert ">rack-a1\n</Path>" in done.stdout


def test_what_is_said_of_a_plugin_for_python_2(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("import urllib2\n")
    done = run_bcfg2_plugin(tmp_path, "old.Old")
    assert done.returncode == 1
    said = (EXAMPLES / "bcfg2_plugin" / "python2.txt").read_text().replace("/usr/local/lib/bcfg2", str(tmp_path))
    assert said in done.stdout + done.stderr


@needs_openssl
def test_the_example_certificate_is_made(tmp_path: Path) -> None:
    case_compare.prepare(str(EXAMPLES / "tlskeys"), str(tmp_path))
    directory = tmp_path / "ca"
    (directory / "certs").mkdir(parents=True)
    authority = Authority.create("The site's authority", "ecdsa")
    (directory / "ca.crt").write_bytes(authority.certificate_pem)
    (directory / "ca.key").write_bytes(authority.key_pem)
    (directory / "index.txt").touch()
    (directory / "serial").write_text("1000\n")
    for name, target in (("openssl.cnf", directory / "openssl.cnf"), ("authority.conf", tmp_path / "bcfg2.conf")):
        text = (EXAMPLES / "tlskeys" / name).read_text().replace("/etc/bcfg2-ca", str(directory))
        with target.open("a") as stream:
            stream.write(text)
    core = Core(load_settings(config_file=tmp_path / "bcfg2.conf", environ={}))
    try:
        core.load()
        core.handle_file_events()
        content = {path.get("name"): path.text for path in core.build_configuration("web1.example.com").iter("Path")}
    finally:
        core.shutdown()
    key = load_pem_private_key(str(content["/etc/ssl/private/site.key"]).encode(), None)
    made, root = x509.load_pem_x509_certificates(str(content["/etc/ssl/certs/site.crt"]).encode())
    assert made.public_key() == key.public_key()
    made.verify_directly_issued_by(root)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["web1.example.com", "www.example.com"]


def test_the_example_host_keys_are_made(tmp_path: Path) -> None:
    case_compare.prepare(str(EXAMPLES / "sshbase"), str(tmp_path))
    core = Core(load_settings(config_file=tmp_path / "bcfg2.conf", environ={}))
    try:
        core.load()
        core.handle_file_events()
        for path in (tmp_path / "repo" / "SSHbase").glob("*.H_web2.*"):
            path.unlink()
        core.handle_file_events()
        private, public, known_hosts = core.build_configuration("web2.site.example").findall("*/Path")
    finally:
        core.shutdown()
    directory = tmp_path / "repo" / "SSHbase"
    assert private.text == (directory / "ssh_host_ed25519_key.H_web2.site.example").read_text()
    assert public.text == (directory / "ssh_host_ed25519_key.pub.H_web2.site.example").read_text()
    assert f"www.site.example {public.text}" in str(known_hosts.text)


def test_the_options_for_missing_plugins_let_a_server_start(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    settings = load_settings(options=COMMON_OPTIONS, config_file=EXAMPLES / "migrate" / "skip.conf", environ={})
    assert "SomethingElse" in settings[PLUGINS]
    core = Core(settings.with_values({REPOSITORY: repository}))
    try:
        core.load()
        assert set(core.plugins.by_name) == {"Metadata", "Bundler", "Cfg", "Rules", "DefaultACL"}
    finally:
        core.shutdown()


def test_the_example_of_directory_queries_is_accepted() -> None:
    queries = load_queries(EXAMPLES / "ldap" / "config.py")
    query = queries["owner"]()
    metadata = ClientMetadata("web1.example.com", groups={"server"})
    assert query.is_applicable(metadata)
    query.prepare_query(metadata)
    assert query.filter == "(cn=web1.example.com)"
    query.result = [("cn=web1.example.com,ou=hosts", {"owner": ["Ada"]})]
    assert query.process_result(metadata) == "Ada"


def test_the_example_secrets_are_encrypted(tmp_path: Path) -> None:
    for name, text in (("Cfg/etc/db.key/db.key", "secret"), ("Properties/db.xml", PROPERTIES)):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    script = (EXAMPLES / "encryption" / "crypt.sh").read_text().replace("$ geventcore", PROGRAM)
    config = EXAMPLES / "encryption" / "passphrases.conf"
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env={**environment(), "BCFG2_CONFIG_FILE": str(config)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "secret"
    assert not (tmp_path / "Cfg/etc/db.key/db.key").exists()
    properties = etree.parse(tmp_path / "Properties/db.xml")
    assert properties.findtext("user") == "app"
    password = str(properties.findtext("password")).encode()
    passphrases = Passphrases.of(load_settings(config_file=config, environ={}))
    assert passphrases.decrypt(password, "site") == b"open sesame"


@needs_openssl
def test_openssl_encrypts_as_the_page_says(tmp_path: Path) -> None:
    settings = load_settings(config_file=EXAMPLES / "encryption" / "passphrases.conf", environ={})
    (tmp_path / "db.key").write_text("secret")
    script = (EXAMPLES / "encryption" / "encrypt.sh").read_text().removeprefix("$ ")
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, check=True)
    assert Passphrases.of(settings).decrypt((tmp_path / "db.key.crypt").read_bytes(), "site") == b"secret"


@pytest.mark.parametrize("name", ["site_plugin/plugins.conf", "core/core.conf"])
def test_configuration_files_are_accepted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "plugin"))
    config = tmp_path / "bcfg2.conf"
    config.write_text((EXAMPLES / name).read_text().replace("[server]\n", usable_sections(tmp_path)))
    assert main(["config", "check", "-C", str(config)]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out


# -- the examples: commands, and a site that they are tried on


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Site:
    """A directory in which the commands of examples are run, with a port of its own instead of 6789."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.log = directory / "terminal.log"

    def script(self, name: str) -> str:
        """The commands of an example."""
        lines = (EXAMPLES / name).read_text().splitlines()
        assert all(line.startswith("$ ") for line in lines)
        text = "\n".join(line.removeprefix("$ ") for line in lines).replace(":6789", f":{self.port}")
        return re.sub(r"^geventcore ", f"{PROGRAM} ", text, flags=re.MULTILINE)

    def run(self, script: str) -> str:
        """What commands print; each must succeed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.directory,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def example(self, name: str) -> str:
        """What the commands of an example print."""
        return self.run(self.script(name))

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server in the foreground; return when it serves."""
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                self.script("tutorial/server.sh").split(), cwd=self.directory, env=environment(), stderr=log
            )
        self.wait_for(lambda: " listens on " in self.log.read_text(), process)
        return process

    def wait_for(self, condition: object, process: subprocess.Popen[bytes] | None = None) -> None:
        """Return when a condition holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():  # type: ignore[operator]
            assert process is None or process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text() if self.log.exists() else "nothing happened"
            time.sleep(0.05)

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """End a server in an orderly way; its exit status."""
        process.terminate()
        try:
            return process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()

    def set(self, key: str, value: str) -> None:
        """Change a line of the server's configuration file."""
        path = self.directory / "site" / "bcfg2.conf"
        text, count = re.subn(rf"(?m)^{key} = .*", f"{key} = {value}", path.read_text())
        assert count == 1
        path.write_text(text)

    @property
    def password(self) -> str:
        """The clients' password."""
        found = re.search(r"(?m)^password = (.*)", (self.directory / "site" / "bcfg2.conf").read_text())
        assert found is not None
        return found[1]

    @property
    def url(self) -> str:
        """The server, called by somebody who is no client."""
        return f"https://admin:{self.password}@127.0.0.1:{self.port}"

    @property
    def ca(self) -> str:
        """The file of the site's authority."""
        return str(self.directory / "site" / "tls" / "ca.crt")

    def proxy(self) -> xmlrpc.client.ServerProxy:
        """The server's methods."""
        return xmlrpc.client.ServerProxy(self.url, context=ssl.create_default_context(cafile=self.ca))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.example("tutorial/init.sh")
    return made


@needs_curl
def test_the_tutorial(site: Site) -> None:
    checked = site.example("tutorial/check.sh")
    assert "0 errors, 0 warnings" in checked
    assert "The configuration is valid" in checked
    built = site.example("tutorial/build.sh")
    assert '<Service name="apache2"' in built
    assert "web01 is the canary" in built
    process = site.start()
    try:
        assert "10 good, 0 failed" in site.example("tutorial/simulate.sh")
        repository = site.directory / "site" / "repository"
        assert 'name="client0010.example.com"' in (repository / "Metadata" / "clients.xml").read_text()
        assert "client0010.example.com" in (repository / "Probes" / "probed.xml").read_text()
        assert "web01 is the canary" in site.example("tutorial/call.sh")
        site.example("tutorial/change.sh")
        site.wait_for(lambda: "Today is a good day." in site.example("tutorial/call.sh"), process)
    finally:
        status = site.stop(process)
    assert status == 0


@needs_curl
def test_the_how_to_on_debugging_and_the_names_of_statistics(site: Site) -> None:
    assert "[server] core = gevent" in site.example("debugging/config.sh")
    assert "web01 is the canary" in site.example("debugging/build.sh")
    process = site.start()
    try:
        site.example("tutorial/simulate.sh")
        switch = f"{sys.executable} {EXAMPLES / 'debugging' / 'debug_switch.py'} {site.url} {site.ca}"
        assert site.run(f"{switch} on") == "debugging is now on\n"
        site.example("tutorial/change.sh")
        site.wait_for(lambda: "changed 'motd.H_web01.example.com'" in site.log.read_text(), process)
        assert site.run(f"{switch} off") == "debugging is now off\n"
        # An entry that is bound by asking.
        site.example("tutorial/call.sh")
        with site.proxy() as server:
            names: dict[str, list[float]] = server.get_statistics()  # type: ignore[assignment]
    finally:
        site.stop(process)
    assert {"GetConfig", "GeventCore:build_metadata", "Probes:GetProbes"} <= set(names)
    methods = r"(?:system\.|\w+\.)?\w+"
    known = re.findall(r"^``(\S+)``$", page("reference/statistics"), re.MULTILINE)
    stand_ins = {"<core>": "GeventCore", "<method>": methods, "<tag>": r"\w+", "<hook>": r"\w+"}
    patterns = []
    for name in known:
        pattern = re.escape(name)
        for stand_in, expression in stand_ins.items():
            pattern = pattern.replace(re.escape(stand_in), expression)
        patterns.append(re.compile(pattern))
    assert not [name for name in names if not any(pattern.fullmatch(name) for pattern in patterns)]
    # And the other way round: what is described is counted in a run, unless it needs a plugin that the site lacks.
    uncounted = [known[i] for i, pattern in enumerate(patterns) if not any(map(pattern.fullmatch, names))]
    assert uncounted == ["<core>:_update_vcs_revision"]


def test_the_how_to_on_migration(site: Site) -> None:
    script = site.script("migrate/try.sh").replace("/etc/bcfg2.conf", "site/bcfg2.conf")
    script = script.replace("/srv/copy", "site/repository").replace("web1.example.com", "web01.example.com")
    assert "apache2" in site.run(script)


def test_the_how_to_on_services(site: Site) -> None:
    start, reload_, stop = site.script("service/daemon.sh").splitlines()
    pid_file = site.directory / "site" / "run" / "server.pid"
    log = site.directory / "site" / "server.log"
    site.set("syslog", "false\nverbose = yes")
    site.run(start)
    pid = int(pid_file.read_text())
    try:
        assert "1 good, 0 failed" in site.run(f"{site.script('tutorial/simulate.sh')} --clients 1")
        before = log.read_text().count("The configuration has been reloaded")
        site.run(reload_)
        site.wait_for(lambda: log.read_text().count("The configuration has been reloaded") > before)
    finally:
        site.run(stop)
        site.wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    assert not pid_file.exists()


def test_the_how_to_on_many_clients(site: Site) -> None:
    script = site.script("many_clients/simulate.sh").replace("1000", "20").replace("60", "1")
    process = site.start()
    try:
        assert "20 good, 0 failed" in site.run(script)
    finally:
        site.stop(process)


def test_the_how_to_on_benchmarks(site: Site) -> None:
    script = site.script("benchmark/own.sh").replace("1000", "10").replace("100", "20")
    assert "10 good, 0 failed" in site.run(script)


# -- the example core


def test_the_example_core_serves_clients(site: Site) -> None:
    settings = load_settings(config_file=EXAMPLES / "core" / "core.conf", environ={}).section("server")
    assert settings["core"] == EXAMPLE_CORE
    site.set("core", EXAMPLE_CORE)
    server, simulate = site.script("core/try.sh").splitlines()
    assert server == site.script("tutorial/server.sh")
    process = site.start()
    try:
        assert "PrethreadedCore listens on" in site.log.read_text()
        assert "20 good, 0 failed" in site.run(simulate)
        # More at a time than there are threads.
        assert "60 good, 0 failed" in site.run(simulate.replace("20", "30 --runs 2 --concurrency 30"))
        # A silent peer takes one thread, and nobody else's time.
        with socket.create_connection(("127.0.0.1", site.port)):
            assert "20 good, 0 failed" in site.run(simulate)
    finally:
        status = site.stop(process)
    assert status == 0, site.log.read_text()
    assert "Traceback" not in site.log.read_text()


@pytest.mark.parametrize("name", [EXAMPLE_CORE, EXAMPLE_CORE.replace(":", ".")])
def test_a_core_is_found_by_its_dotted_name(name: str) -> None:
    assert load_core_class(name, load_settings(environ={})).__name__ == "PrethreadedCore"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fast", "expected one of .*, best, or package.module:Class"),
        ("no_such_package.core:Core", "cannot load this core: No module named 'no_such_package'"),
        ("contrib.example_core.prethreaded:Missing", "has no attribute 'Missing'"),
        ("geventcore.core.base:Core", "is not a class that derives from NetworkCore"),
        ("geventcore.cores:CORES", "is not a class that derives from NetworkCore"),
        (":Core", "cannot load this core"),
        ("..core:Core", "cannot load this core"),
    ],
)
def test_a_core_that_is_none_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_core_class(name, load_settings(environ={}))
    assert str(caught.value).startswith(f"default: [server] core = {name}: ")
    assert "\n" not in str(caught.value)
