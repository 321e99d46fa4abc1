"""Who may see the pages: local callers, users with sessions, users of trusted proxies, and nobody else."""

from __future__ import annotations

import io
import ipaddress
import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from geventcore.cli.main import main
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import OptionSet, load_settings
from geventcore.options.server import COMMON_OPTIONS
from geventcore.web import users as users_module
from geventcore.web.access import ATTEMPTS, Access
from geventcore.web.options import WEB_OPTIONS
from geventcore.web.users import UsersFile
from tests.web.application import LOCAL, REMOTE, database_config, fill_database, make_app, make_services

PASSWORD = "a long enough password"
HOST = "/hosts/web01.example.com"
PROXIES = (ipaddress.ip_network("198.51.100.0/24"),)


@pytest.fixture(autouse=True, scope="module")
def quick_hashes() -> Iterator[None]:
    """Hash with the least work: many tests log in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users_module, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))
        yield


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a filled database and a user."""
    made = tmp_path_factory.mktemp("access")
    fill_database(database_config(made), 10, 20)
    UsersFile(made / "users").add("anna", PASSWORD)
    return made


def client(directory: Path, *, hosts: tuple[str, ...] = (), **rules: Any) -> FlaskClient:
    """A caller without cookies."""
    access = Access(UsersFile(directory / "users"), **rules)
    return make_app(make_services(database_config(directory), access), hosts).test_client()


def token(caller: FlaskClient, address: str, environ: dict[str, Any]) -> str:
    text = caller.get(address, environ_overrides=environ).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert found is not None
    return found[1]


def log_in(caller: FlaskClient, user: str, password: str, target: str = "/hosts") -> Any:
    data = {"user": user, "password": password, "next": target, "csrf_token": token(caller, "/login", REMOTE)}
    return caller.post("/login", data=data, environ_overrides=REMOTE)


def test_local_callers_need_no_password(directory: Path) -> None:
    answer = client(directory).get("/", environ_overrides=LOCAL)
    assert answer.status_code == 200
    assert "local access" in answer.text


@pytest.mark.parametrize(
    "address", ["/", "/hosts", "/hosts/web01.example.com", "/entries", "/servers", "/servers/events", "/search?q=a"]
)
def test_others_are_sent_to_the_login(directory: Path, address: str) -> None:
    answer = client(directory).get(address, environ_overrides=REMOTE)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login?next=")
    assert "clean" not in answer.text


def test_programs_of_others_get_an_error(directory: Path) -> None:
    answer = client(directory).get("/api/v1/hosts", environ_overrides=REMOTE)
    assert (answer.status_code, answer.json) == (401, {"error": "log in first"})


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_a_request_that_a_proxy_on_this_machine_passes_on_is_not_local(directory: Path, header: str) -> None:
    answer = client(directory).get("/", environ_overrides=LOCAL, headers={header: "203.0.113.5"})
    assert answer.status_code == 302


def test_local_callers_may_have_to_log_in(directory: Path) -> None:
    assert client(directory, login="always").get("/", environ_overrides=LOCAL).status_code == 302


def test_a_user_logs_in_and_out(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caller = client(directory)
    answer = log_in(caller, "anna", PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/hosts")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = caller.get("/hosts", environ_overrides=REMOTE)
    assert "anna" in page.text
    assert "anna logged in from 198.51.100.7" in caplog.text
    data = {"csrf_token": token(caller, "/hosts", REMOTE)}
    assert caller.post("/logout", data=data, environ_overrides=REMOTE).status_code == 302
    assert caller.get("/hosts", environ_overrides=REMOTE).status_code == 302


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("", ""), ("anna", "")])
def test_a_wrong_login_is_refused_and_logged(
    directory: Path, caplog: pytest.LogCaptureFixture, user: str, password: str
) -> None:
    caller = client(directory)
    answer = log_in(caller, user, password)
    assert answer.status_code == 401
    assert "The user or the password is wrong." in answer.text
    assert f"access denied for {user!r} from 198.51.100.7: wrong user or password" in caplog.text
    assert caller.get("/", environ_overrides=REMOTE).status_code == 302


def test_guessing_is_slowed_down(directory: Path) -> None:
    caller = client(directory)
    for _ in range(ATTEMPTS):
        assert log_in(caller, "anna", "wrong").status_code == 401
    assert log_in(caller, "anna", PASSWORD).status_code == 429


def test_a_changed_password_ends_sessions(directory: Path) -> None:
    users = UsersFile(directory / "users")
    users.add("bert", PASSWORD)
    caller = client(directory)
    log_in(caller, "bert", PASSWORD)
    assert caller.get("/", environ_overrides=REMOTE).status_code == 200
    users.set_password("bert", f"{PASSWORD}!")
    assert caller.get("/", environ_overrides=REMOTE).status_code == 302
    log_in(caller, "bert", f"{PASSWORD}!")
    users.delete("bert")
    assert caller.get("/", environ_overrides=REMOTE).status_code == 302


@pytest.mark.parametrize("target", ["//evil.example.com", "https://evil.example.com", "/\\evil.example.com", "x"])
def test_a_login_leads_to_no_other_site(directory: Path, target: str) -> None:
    assert log_in(client(directory), "anna", PASSWORD, target).headers["Location"] == "/"


def test_a_trusted_proxy_names_the_user(directory: Path) -> None:
    caller = client(directory, proxy_header="X-Remote-User", proxies=PROXIES)
    page = caller.get("/", environ_overrides=REMOTE, headers={"X-Remote-User": "carla"})
    assert page.status_code == 200
    assert "carla" in page.text
    assert caller.get("/", environ_overrides=REMOTE).status_code == 302
    bad = caller.get("/", environ_overrides=REMOTE, headers={"X-Remote-User": "<script>"})
    assert bad.status_code == 302


def test_nobody_else_may_name_the_user(directory: Path) -> None:
    elsewhere = {**REMOTE, "geventcore.peer": "203.0.113.9"}
    caller = client(directory, proxy_header="X-Remote-User", proxies=PROXIES)
    assert caller.get("/", environ_overrides=elsewhere, headers={"X-Remote-User": "carla"}).status_code == 302


@pytest.mark.parametrize(
    "address", ["/hosts/web01.example.com/expire", "/hosts/web01.example.com/mark", "/logout", "/theme"]
)
def test_a_change_needs_the_token_of_the_session(directory: Path, address: str) -> None:
    caller = client(directory)
    answer = caller.post(address, data={"expired": "yes", "note": "x"}, environ_overrides=LOCAL)
    assert answer.status_code == 400
    assert "The form is not valid any more" in answer.text
    assert caller.get("/api/v1/hosts?expired=yes", environ_overrides=LOCAL).json == {"total": 0, "rows": []}


def test_a_change_is_logged_with_the_user(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caller = client(directory)
    log_in(caller, "anna", PASSWORD)
    for expired in ("yes", "no"):
        data = {"expired": expired, "csrf_token": token(caller, HOST, REMOTE)}
        assert caller.post(f"{HOST}/expire", data=data, environ_overrides=REMOTE).status_code == 302
    data = {"note": "broken\ndisk", "csrf_token": token(caller, HOST, REMOTE)}
    caller.post(f"{HOST}/mark", data=data, environ_overrides=REMOTE)
    assert "anna has taken out of service: web01.example.com" in caplog.text
    assert "anna has put back into service: web01.example.com" in caplog.text
    assert "anna has marked ('broken disk') web01.example.com" in caplog.text
    mark = caller.get("/api/v1/hosts/web01.example.com", environ_overrides=REMOTE).json["mark"]
    assert (mark["note"], mark["author"]) == ("broken disk", "anna")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("127.0.0.1:6782", 200),
        ("localhost", 200),
        ("reports.example.com", 200),
        ("evil.example.com", 421),
        ("evil.example.com:6782", 421),
        ("", 421),
    ],
)
def test_pages_answer_to_their_own_names_only(directory: Path, name: str, status: int) -> None:
    caller = client(directory, hosts=("Reports.example.com",))
    answer = caller.get("/healthz", environ_overrides={**LOCAL, "HTTP_HOST": name})
    assert answer.status_code == status


def test_every_answer_has_the_policy(directory: Path) -> None:
    caller = client(directory)
    for address in ("/", "/login", "/api/v1/hosts", "/static/style.css", "/nothing", "/healthz"):
        with caller.get(address, environ_overrides=LOCAL) as answer:
            headers = answer.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


# -- the file of users


def test_the_file_of_users_is_private_and_hashed(tmp_path: Path) -> None:
    users = UsersFile(tmp_path / "new" / "users")
    users.add("anna", PASSWORD)
    text = users.path.read_text()
    assert text.startswith("anna:$argon2id$")
    assert PASSWORD not in text
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "password"), [("a b", PASSWORD), ("a:b", PASSWORD), ("", PASSWORD), ("carl", "short")]
)
def test_a_bad_user_is_refused(tmp_path: Path, name: str, password: str) -> None:
    with pytest.raises(GeventcoreError):
        UsersFile(tmp_path / "users").add(name, password)
    assert not (tmp_path / "users").exists()


def test_users_are_managed_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "bcfg2.conf"
    conf.write_text(f"[server]\nrepository = {tmp_path}\n[web]\nusers_file = {tmp_path}/users\n")

    def run(*words: str, stdin: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        status = main(["web", "user", *words, "-C", str(conf)])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    assert run("add", "anna", "--password-stdin", stdin=f"{PASSWORD}\n")[0] == 0
    assert run("list") == (0, "anna\n")
    assert run("add", "anna", "--password-stdin", stdin=f"{PASSWORD}\n")[0] == 1
    assert run("passwd", "anna", "--password-stdin", stdin="another long password\n")[0] == 0
    assert UsersFile(tmp_path / "users").check("anna", "another long password")
    assert run("passwd", "nobody", "--password-stdin", stdin=f"{PASSWORD}\n")[0] == 1
    assert run("delete", "anna")[0] == 0
    assert run("list") == (0, "")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("listen = 0.0.0.0:6782", "other machines reach 0.0.0.0:6782, but nobody could log in"),
        ("login = always", "[web] login = always, but nobody could log in"),
        ("proxy_header = X-Remote-User", "needs [web] trusted_proxies"),
        ("listen = [::]:6782", "other machines reach"),
    ],
)
def test_pages_that_anybody_could_read_do_not_start(tmp_path: Path, lines: str, says: str) -> None:
    conf = tmp_path / "bcfg2.conf"
    conf.write_text(f"[server]\nrepository = {tmp_path}\n[web]\n{lines}\n")
    settings = load_settings(options=OptionSet([*COMMON_OPTIONS, *WEB_OPTIONS]), config_file=conf)
    with pytest.raises(ConfigError) as error:
        Access.from_settings(settings)
    assert says in str(error.value)
