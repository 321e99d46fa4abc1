"""AWSTags: what it asks EC2 (a server on this machine that answers as EC2 does), groups, caching, failures."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest

from geventcore.errors import PluginExecutionError, PluginInitError
from geventcore.options import Option
from geventcore.options.server import CACHE_MODE
from geventcore.plugins.aws_tags import ACCESS_KEY_ID, CACHE, REGION, SECRET_ACCESS_KEY, TIMEOUT
from tests.support.cfg_site import until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files
from tests.support.plugin_site import configuration, messages, metadata_of, plugin_site

pytest.importorskip("boto3", reason="boto3 is not installed on this machine")

CONFIG = "AWSTags/config.xml"
KEYS: dict[Option[Any], Any] = {
    ACCESS_KEY_ID: "AKIDEXAMPLE",
    SECRET_ACCESS_KEY: "secret",
    REGION: "eu-central-1",
    TIMEOUT: 1.0,
}


class EC2(ThreadingHTTPServer):
    """Answers DescribeInstances.

    Attributes:
        instances: private DNS name -> the tags of each instance of that name.
        asked: the names that were asked for.
        status: the HTTP status of answers; others than 200 are errors, 0 is none at all.
        authorization: the header of the last call.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.instances: dict[str, list[Mapping[str, str]]] = {}
        self.asked: list[str] = []
        self.status = 200
        self.authorization = ""
        self.released = threading.Event()


class Answer(BaseHTTPRequestHandler):
    server: EC2

    def do_POST(self) -> None:
        query = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert query["Action"] == ["DescribeInstances"]
        assert query["Filter.1.Name"] == ["private-dns-name"]
        (name,) = query["Filter.1.Value.1"]
        self.server.asked.append(name)
        self.server.authorization = self.headers["Authorization"]
        if self.server.status == 0:
            self.server.released.wait(20)
            return
        text = self.instances(name) if self.server.status == 200 else self.error()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def instances(self, name: str) -> bytes:
        items = ""
        for tags in self.server.instances.get(name, []):
            pairs = "".join(
                f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>" for key, value in tags.items()
            )
            items += (
                "<item><instancesSet><item><instanceId>i-1</instanceId>"
                f"<tagSet>{pairs}</tagSet></item></instancesSet></item>"
            )
        return (
            '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<requestId>r</requestId><reservationSet>{items}</reservationSet></DescribeInstancesResponse>"
        ).encode()

    def error(self) -> bytes:
        return (
            b"<Response><Errors><Error><Code>AuthFailure</Code><Message>not you</Message></Error></Errors>"
            b"<RequestID>r</RequestID></Response>"
        )

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EC2]:
    server = EC2()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="EC2")
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def site(root: Path, config: str = "<AWSTags/>", options: Mapping[Option[Any], Any] | None = None) -> Any:
    files = {CONFIG: config, "Bundler/b.xml": "<Bundle/>"}
    return plugin_site(root, ["Bundler", "AWSTags"], files, {**KEYS, **(options or {})})


def tag(name: str, groups: str, value: str | None = None) -> str:
    more = "" if value is None else f' value="{value}"'
    return f'<Tag name="{name}"{more}>{"".join(f"<Group>{group}</Group>" for group in groups.split())}</Tag>'


def groups_of(server: SmallServer, hostname: str = "h") -> set[str]:
    return metadata_of(server, hostname).groups - {"p", "web"}


def test_tags_are_those_of_the_instance(tmp_path: Path, ec2: EC2) -> None:
    ec2.instances = {"h": [{"Name": "x", "Ü": "<&>"}], "g": [{}]}
    with site(tmp_path) as server:
        assert metadata_of(server).AWSTags == {"Name": "x", "Ü": "<&>"}
        assert metadata_of(server, "g").AWSTags == {}
        assert metadata_of(server, "unknown").AWSTags == {}
    assert ec2.asked == ["h", "g", "unknown"]
    assert "AKIDEXAMPLE/" in ec2.authorization
    assert "/eu-central-1/ec2/" in ec2.authorization


def test_of_several_instances_the_first_counts(tmp_path: Path, ec2: EC2, caplog: pytest.LogCaptureFixture) -> None:
    ec2.instances = {"h": [{"n": "1"}, {"n": "2"}]}
    with site(tmp_path) as server:
        assert metadata_of(server).AWSTags == {"n": "1"}
    assert len(messages(caplog, "2 EC2 instances have the name h; using the first")) == 1


@pytest.mark.parametrize(
    ("config", "groups"),
    [
        (tag("^role$", "r"), {"r"}),
        (tag("ol", "r"), {"r"}),
        (tag("^Role$", "r"), set()),
        (tag("^role$", "is-$1 and-$2", "(.)(.)"), {"is-d", "and-b"}),
        (tag("^(ro)(le)$", "$2-$1"), {"le-ro"}),
        (tag("^role$", "$1", "(x)?db"), set()),
        (tag("^role$", "r", "^nothing$"), set()),
        # The first tag by name decides, although a later one would fit.
        (tag("^(env|role)$", "r", "db"), set()),
        (tag("^role$", "a") + tag("^env$", "b-$1", "(prod)"), {"a", "b-prod"}),
        (tag("none", "n"), set()),
    ],
)
def test_groups(tmp_path: Path, ec2: EC2, config: str, groups: set[str]) -> None:
    ec2.instances = {"h": [{"role": "db", "env": "prod"}]}
    with site(tmp_path, f"<AWSTags>{config}</AWSTags>") as server:
        assert {group for group in groups_of(server) if group} == groups


def test_tags_are_asked_for_once_until_they_are_expired(tmp_path: Path, ec2: EC2) -> None:
    with site(tmp_path) as server:
        expire = server.plugin("AWSTags").remote_interface()["expire_cache"]
        for _ in range(3):
            configuration(server)
            configuration(server, "g")
        assert ec2.asked == ["h", "g"]
        assert expire("h") is True
        metadata_of(server)
        metadata_of(server, "g")
        assert ec2.asked == ["h", "g", "h"]
        assert expire() is True
        metadata_of(server)
        metadata_of(server, "g")
        assert ec2.asked == ["h", "g", "h", "h", "g"]


@pytest.mark.parametrize("mode", ["off", "aggressive"])
def test_without_a_cache_each_run_asks(tmp_path: Path, ec2: EC2, mode: str) -> None:
    with site(tmp_path, options={CACHE: False, CACHE_MODE: mode}) as server:
        for value in ("1", "2"):
            ec2.instances = {"h": [{"n": value}]}
            metadata_of(server)
            assert metadata_of(server).AWSTags == {"n": value}
            configuration(server)
        assert 2 <= len(ec2.asked) <= 4


def test_what_ec2_refuses_ends_the_build_and_is_not_kept(tmp_path: Path, ec2: EC2) -> None:
    ec2.status = 401
    with site(tmp_path) as server:
        with pytest.raises(PluginExecutionError, match=r"cannot read the tags of h from EC2: .*AuthFailure.*not you"):
            metadata_of(server)
        ec2.status = 200
        assert metadata_of(server).AWSTags == {}


def test_an_ec2_that_does_not_answer_is_asked_twice(tmp_path: Path, ec2: EC2) -> None:
    ec2.status = 0
    with (
        site(tmp_path) as server,
        pytest.raises(PluginExecutionError, match=r"cannot read the tags of h from EC2: .*timeout"),
    ):
        metadata_of(server)
    assert ec2.asked == ["h", "h"]


def test_without_a_region_the_reason_is_told(tmp_path: Path, ec2: EC2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    with (
        site(tmp_path, options={REGION: None}) as server,
        pytest.raises(PluginExecutionError, match="cannot create an EC2 client: You must specify a region"),
    ):
        metadata_of(server)


# -- config.xml


def test_a_broken_pattern_costs_only_itself(tmp_path: Path, ec2: EC2, caplog: pytest.LogCaptureFixture) -> None:
    ec2.instances = {"h": [{"role": "db"}]}
    config = f"<AWSTags>\n{tag('(', 'a')}\n{tag('role', 'b', '(')}\n{tag('', 'c')}\n{tag('role', 'd')}</AWSTags>"
    with site(tmp_path, config) as server:
        assert groups_of(server) == {"d"}
    lines = dict.fromkeys(messages(caplog, "ignoring this Tag"))
    assert [line.partition("config.xml: ")[2].partition(":")[0] for line in lines] == ["line 2", "line 3", "line 4"]


def test_a_changed_file_counts_a_broken_or_deleted_one_does_not(
    tmp_path: Path, ec2: EC2, caplog: pytest.LogCaptureFixture
) -> None:
    ec2.instances = {"h": [{"role": "db"}]}
    path = tmp_path / CONFIG
    with site(tmp_path, f"<AWSTags>{tag('role', 'a')}</AWSTags>", {CACHE_MODE: "aggressive"}) as server:
        assert groups_of(server) == {"a"}
        path.write_text(f"<AWSTags>{tag('role', 'b')}</AWSTags>")
        until(server, lambda: groups_of(server) == {"b"})
        path.write_text("<AWSTags>\n<Tag")
        until(server, lambda: bool(messages(caplog, "not well-formed")))
        assert groups_of(server) == {"b"}
        path.unlink()
        until(server, lambda: bool(messages(caplog, "config.xml: deleted")))
        assert groups_of(server) == {"b"}


# -- what stops the start


def test_a_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    write_files(tmp_path, METADATA)
    with (
        pytest.raises(PluginInitError, match=r"AWSTags cannot be loaded: boto3 is needed: install geventcore\[aws\]"),
        small_server(tmp_path, ["Metadata", "AWSTags"]),
    ):
        pass


@pytest.mark.parametrize("options", [{ACCESS_KEY_ID: "x"}, {SECRET_ACCESS_KEY: "x"}])
def test_half_of_the_credentials(tmp_path: Path, options: Mapping[Option[Any], Any]) -> None:
    write_files(tmp_path, METADATA)
    with (
        pytest.raises(PluginInitError, match="set both or neither"),
        small_server(tmp_path, ["Metadata", "AWSTags"], options),
    ):
        pass
