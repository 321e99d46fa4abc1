"""Ldap: what queries ask a real directory server and what templates get; caching; servers and files that fail."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import PluginInitError
from geventcore.options import Option
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.ldap.connection import RETRIES, RETRY_DELAY, TIMEOUT
from geventcore.plugins.ldap.plugin import CACHE
from geventcore.plugins.ldap.queries import LdapQuery
from geventcore.tls.authority import Authority
from tests.support.cfg_site import until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files
from tests.support.plugin_site import configuration, messages, metadata_of, plugin_site

pytest.importorskip("ldap3", reason="ldap3 is not installed on this machine")

from tests.support.directory_server import DirectoryServer, directory_server

ENTRIES = {"uid=a,dc=x": {"uid": [b"a"], "cn": ["Änne".encode(), b"A"], "photo": [b"\xff\x00"]}}
HURRY: dict[Option[Any], Any] = {RETRIES: 2, RETRY_DELAY: 0.05, TIMEOUT: 5}
CONFIG = "Ldap/config.py"


def config(connection: str, body: str = "", queries: str = "['Admin']") -> str:
    return (
        "from __future__ import annotations\n"
        "from geventcore.plugins.ldap import LdapConnection, LdapQuery, LdapSubQuery\n"
        f"__queries__ = {queries}\n"
        f"server = {connection}\n"
        "class Admin(LdapQuery):\n"
        "    name = 'admin'\n"
        "    base = 'dc=x'\n"
        "    connection = server\n"
        f"{body}\n"
    )


@pytest.fixture
def directory() -> Iterator[DirectoryServer]:
    with directory_server(ENTRIES) as server:
        yield server


def at(directory: DirectoryServer, further: str = "") -> str:
    return f"LdapConnection('127.0.0.1', {directory.port}{further})"


def site(root: Path, text: str, options: Mapping[Option[Any], Any] | None = None) -> Any:
    return plugin_site(
        root, ["Bundler", "Ldap"], {CONFIG: text, "Bundler/b.xml": "<Bundle/>"}, {**HURRY, **(options or {})}
    )


def admin(server: SmallServer, hostname: str = "h") -> Any:
    return metadata_of(server, hostname).Ldap["admin"]


def test_an_answer_is_what_the_server_found(tmp_path: Path, directory: DirectoryServer) -> None:
    with site(tmp_path, config(at(directory))) as server:
        answers = metadata_of(server).Ldap
        assert list(answers) == ["admin"]
        assert directory.searches == []
        assert answers["admin"] == [("uid=a,dc=x", {"uid": ["a"], "cn": ["Änne", "A"], "photo": [b"\xff\x00"]})]
        assert directory.searches == [("dc=x", 2, "", ["*"])]
        with pytest.raises(KeyError):
            answers["other"]


@pytest.mark.parametrize(("scope", "number"), [("base", 0), ("one", 1), ("sub", 2)])
def test_a_query_depends_on_the_client(tmp_path: Path, directory: DirectoryServer, scope: str, number: int) -> None:
    body = f"""
    scope = {scope!r}
    attrs = ['cn', 'uid']
    def prepare_query(self, metadata):
        self.filter = f'(host={{metadata.hostname}})'
    def process_result(self, metadata):
        return {{'name': self.result[0][1]['cn'][0], 'for': metadata.hostname}}
"""
    with site(tmp_path, config(at(directory), body)) as server:
        assert admin(server, "h1") == {"name": "Änne", "for": "h1"}
        assert admin(server, "h2") == {"name": "Änne", "for": "h2"}
    assert directory.searches == [("dc=x", number, f"host={name}", ["cn", "uid"]) for name in ("h1", "h2")]
    assert directory.connections == 1


def test_only_applicable_queries_are_there(tmp_path: Path, directory: DirectoryServer) -> None:
    body = (
        "    def is_applicable(self, metadata):\n        return 'web' in metadata.groups and metadata.hostname != 'x'"
    )
    with site(tmp_path, config(at(directory), body)) as server:
        assert "admin" in metadata_of(server).Ldap
        assert len(metadata_of(server, "x").Ldap) == 0


def test_a_query_may_ask_further_ones(tmp_path: Path, directory: DirectoryServer) -> None:
    body = """
    def process_result(self, metadata):
        return [Further().get_result(metadata, uid=self.result[0][1]['uid'][0]), self.base]
class Further(LdapSubQuery):
    base = 'dc=y'
    connection = server
    def prepare_query(self, metadata, uid):
        self.filter = f'(member={uid})'
    def process_result(self, metadata, uid):
        return len(self.result)
"""
    with site(tmp_path, config(at(directory), body)) as server:
        assert admin(server) == [1, "dc=x"]
    assert [search[2] for search in directory.searches] == ["", "member=a"]


# -- who is asked


@pytest.mark.parametrize("further", ["", ", binddn='cn=me', bindpw='secret'"])
def test_logging_in(tmp_path: Path, directory: DirectoryServer, further: str) -> None:
    directory.credentials = ("cn=me", "secret")
    with site(tmp_path, config(at(directory, further))) as server:
        assert admin(server)


def test_a_wrong_password_is_told_and_tried_once(
    tmp_path: Path, directory: DirectoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    directory.credentials = ("cn=me", "secret")
    with site(tmp_path, config(at(directory, ", binddn='cn=me', bindpw='wrong'"))) as server:
        assert admin(server) is None
    assert directory.connections == 1
    (line,) = messages(caplog, "h: query admin failed")
    assert "invalidCredentials" in line
    assert "wrong" not in line


def test_a_server_is_named_by_its_uri(tmp_path: Path, directory: DirectoryServer) -> None:
    with site(tmp_path, config(f"LdapConnection(uri='ldap://127.0.0.1:{directory.port}')")) as server:
        assert admin(server)


@pytest.fixture
def tls_directory(tmp_path: Path) -> Iterator[tuple[DirectoryServer, Path]]:
    authority = Authority.create("CA of the directory")
    issued = authority.issue("127.0.0.1", ip_addresses=["127.0.0.1"])
    for name, content in (("ca", authority.certificate_pem), ("key", issued.key_pem), ("crt", issued.certificate_pem)):
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with directory_server(ENTRIES, context) as server:
        yield server, tmp_path / "ca"


@pytest.mark.filterwarnings("ignore:ssl.match_hostname:DeprecationWarning")  # ldap3 uses it
def test_the_certificate_of_a_server_is_checked(
    tmp_path: Path, tls_directory: tuple[DirectoryServer, Path], caplog: pytest.LogCaptureFixture
) -> None:
    directory, ca = tls_directory
    uri = f"uri='ldaps://127.0.0.1:{directory.port}'"
    text = config(f"LdapConnection({uri}, options={{'ca': {str(ca)!r}}})")
    with site(tmp_path / "trusted", text) as server:
        assert admin(server)
    with site(tmp_path / "unchecked", config(f"LdapConnection({uri}, options={{'verify': False}})")) as server:
        assert admin(server)
    with site(tmp_path / "unknown", config(f"LdapConnection({uri})")) as server:
        assert admin(server) is None
    assert len(messages(caplog, "certificate verify failed")) == 1


@pytest.mark.parametrize("options", ["{'ca': 3}", "{24582: 0}", "{'verify': 'no'}"])
def test_an_option_that_means_nothing_is_told(
    tmp_path: Path, directory: DirectoryServer, options: str, caplog: pytest.LogCaptureFixture
) -> None:
    with site(tmp_path, config(at(directory, f", options={options}"))) as server:
        assert admin(server) is None
    assert directory.connections == 0
    assert len(messages(caplog, "expected ca (a file), verify or start_tls")) == 1


# -- servers that fail


def test_a_server_that_ended_the_conversation_is_called_again_at_once(
    tmp_path: Path, directory: DirectoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    with site(tmp_path, config(at(directory)), {RETRIES: 0, CACHE: False}) as server:
        assert admin(server)
        directory.hang_up()
        assert admin(server)
    assert directory.connections == 2
    assert not messages(caplog, "query admin")


def test_a_server_that_is_down_is_tried_again_and_then_left_alone_for_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with directory_server(ENTRIES) as directory:
        text = config(at(directory))
    with site(tmp_path, text, {RETRIES: 1, RETRY_DELAY: 0.5}) as server:
        assert admin(server) is None
        assert len(messages(caplog, f"ldap://127.0.0.1:{directory.port} cannot be reached")) == 1
        assert admin(server) is None
        assert len(messages(caplog, "could not be reached a moment ago")) == 1
        with directory_server(ENTRIES, port=directory.port):
            until(server, lambda: admin(server) is not None)


def test_a_server_that_does_not_answer_is_given_up(
    tmp_path: Path, directory: DirectoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    directory.silent = True
    with site(tmp_path, config(at(directory)), {TIMEOUT: 1, RETRIES: 1}) as server:
        assert admin(server) is None
    assert len(directory.searches) == 2
    assert len(messages(caplog, "cannot be reached")) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("    filter = '(('", "invalid filter"),
        ("    scope = 'all'", "invalid scope 'all'; expected base, one or sub"),
        ("    connection = None", "query Admin has no connection"),
        ("    def prepare_query(self, metadata):\n        1 / 0", "ZeroDivisionError"),
        ("    def process_result(self, metadata):\n        return self.result[7]", "IndexError"),
        ("    def is_applicable(self, metadata):\n        return self.nothing", "AttributeError"),
    ],
)
def test_a_query_that_fails_is_told_and_has_no_answer(
    tmp_path: Path, directory: DirectoryServer, body: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = config(
        at(directory),
        f"{body}\nclass Good(LdapQuery):\n    name = 'good'\n    connection = server\n",
        "['Admin', 'Good']",
    )
    with site(tmp_path, text) as server:
        answers = metadata_of(server).Ldap
        assert answers.get("admin") is None
        assert answers["good"]
    (line,) = messages(caplog, "h: query admin failed")
    assert reason in line


# -- caching


def test_an_answer_is_kept_until_the_run_ends(tmp_path: Path, directory: DirectoryServer) -> None:
    with site(tmp_path, config(at(directory))) as server:
        for _ in range(3):
            admin(server)
        assert len(directory.searches) == 1
        configuration(server, "other")
        admin(server)
        assert len(directory.searches) == 1
        configuration(server)
        admin(server)
        assert len(directory.searches) == 2


def test_an_answer_may_be_kept_until_it_is_expired(tmp_path: Path, directory: DirectoryServer) -> None:
    with site(tmp_path, config(at(directory)), {CACHE: True}) as server:
        ldap = server.plugin("Ldap").remote_interface()
        for hostname in ("h", "g"):
            admin(server, hostname)
            configuration(server, hostname)
            admin(server, hostname)
        assert len(directory.searches) == 2
        for arguments, asked in (((None, "h"), 1), (("admin", "g"), 1), (("other",), 0), (("admin",), 2), ((), 2)):
            directory.searches.clear()
            assert ldap["expire_cache"](*arguments) is True
            admin(server, "h")
            admin(server, "g")
            assert len(directory.searches) == asked, arguments


def test_an_answer_may_not_be_kept_at_all(tmp_path: Path, directory: DirectoryServer) -> None:
    with site(tmp_path, config(at(directory)), {CACHE: False}) as server:
        admin(server)
        admin(server)
    assert len(directory.searches) == 2


# -- config.py


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_that_name", "line 1: cannot be loaded: ModuleNotFoundError"),
        ("\n\nx = (", "line 3: cannot be loaded: SyntaxError"),
        ("\nraise SystemExit(3)", "line 2: cannot be loaded: SystemExit"),
        ("", "the list __queries__"),
        ("__queries__ = 'Admin'", "__queries__ must be a list of names"),
        ("__queries__ = ['Admin']", "Admin in __queries__ is not a class derived from LdapQuery"),
        (config("LdapConnection()", "    name = ''"), "query Admin has no name"),
        (config("LdapConnection()", "", "['LdapSubQuery']"), "is not a class derived from LdapQuery"),
        (config("LdapConnection()", "", "['Admin', 'Admin']"), "two queries have the name admin"),
        (b"\xff", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_file_of_no_use_is_told_and_the_last_good_one_stays(
    tmp_path: Path, directory: DirectoryServer, text: str | bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with site(tmp_path, config(at(directory))) as server:
        write_files(tmp_path, {CONFIG: text})
        until(server, lambda: bool(messages(caplog, str(tmp_path / CONFIG))))
        assert admin(server)
    assert any(reason in line for line in messages(caplog, str(tmp_path / CONFIG)))


def test_a_file_that_was_never_good_leaves_everything_else(tmp_path: Path) -> None:
    with site(tmp_path, "broken (") as server:
        assert dict(metadata_of(server).Ldap) == {}


def test_a_deleted_file_is_told_and_still_counts(
    tmp_path: Path, directory: DirectoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    with site(tmp_path, config(at(directory))) as server:
        (tmp_path / CONFIG).unlink()
        until(server, lambda: bool(messages(caplog, "config.py: deleted")))
        assert admin(server)


def test_loading_leaves_no_compiled_files(tmp_path: Path, directory: DirectoryServer) -> None:
    with site(tmp_path, config(at(directory))) as server:
        assert admin(server)
    assert [path.name for path in (tmp_path / "Ldap").iterdir()] == ["config.py"]


def test_a_missing_library_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ldap3", None)
    write_files(tmp_path, METADATA)
    with (
        pytest.raises(PluginInitError, match=r"Ldap cannot be loaded: ldap3 is needed: install geventcore\[ldap\]"),
        small_server(tmp_path, ["Metadata", "Ldap"]),
    ):
        pass


@pytest.mark.parametrize("text", ["*", "a)(uid=*", "x\\2a", "\0"])
def test_names_are_escaped_for_filters(text: str) -> None:
    seen = []

    class Query(LdapQuery):
        def prepare_query(self, metadata: ClientMetadata, **kwargs: object) -> None:
            self.filter = f"(&(cn={metadata.hostname})(|{''.join(f'(g={name})' for name in metadata.groups)}))"
            seen.append(self.filter)

    metadata = ClientMetadata(text, groups={text})
    with pytest.raises(LookupError):
        Query().get_result(metadata)
    escaped = LdapQuery.escape(text)
    assert seen == [f"(&(cn={escaped})(|(g={escaped})))"]
    assert not set("*()\0") & set(escaped)
    assert (metadata.hostname, metadata.groups) == (text, {text})
