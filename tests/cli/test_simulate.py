"""``geventcore simulate`` as a person calls it: what is asked, what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from geventcore.cli.client_flags import client_names, read_clients_file
from geventcore.cli.main import main
from geventcore.errors import ConfigError
from tests.support.xmlrpc_stub import Status, StubServer


def simulate(server: StubServer, *args: str) -> int:
    url = f"https://127.0.0.1:{server.port}"
    return main(["simulate", "-S", url, "-x", "secret", "--ca", str(server.ca), "--retry-delay", "0.01", *args])


def test_good_runs_are_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer(tmp_path) as server:
        assert simulate(server, "--clients", "5", "--runs", "2", "--concurrency", "2") == 0
    assert {call.user for call in server.received} == {f"client000{n}.example.com" for n in range(1, 6)}
    assert server.methods.count("RecvStats") == 10
    printed = capsys.readouterr()
    assert "5 clients made 10 runs" in printed.out
    assert "10 good, 0 failed, 0 unfinished; 0 calls repeated" in printed.out
    assert "got 2 entries, 2 of them good:" in printed.out
    assert printed.err.splitlines()[-1].startswith("10 of 10 runs, 0 failed")


def test_the_flags_decide_what_clients_do(tmp_path: Path) -> None:
    flags = ["--clients", "1", "--client-name-format", "web{}", "--profile", "web", "--decision-mode", "blacklist"]
    flags += ["--client-version", "1.2", "--probe-answer", r"os=group:x\n{client}", "--user", "root"]
    with StubServer(tmp_path) as server:
        assert simulate(server, *flags) == 0
    params = {call.method: call.params for call in server.received}
    assert params["AssertProfile"] == ("web",)
    assert params["DeclareVersion"] == ("1.2",)
    assert params["GetDecisionList"] == ("blacklist",)
    (answer,) = ElementTree.fromstring(params["RecvProbeData"][0])
    assert answer.text == "group:x\nweb1"
    assert {call.user for call in server.received} == {"root"}


def test_failed_runs_are_explained_and_make_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer(tmp_path, GetConfig=Status(500)) as server:
        assert simulate(server, "--clients", "2", "--retries", "2") == 1
    assert server.methods.count("GetConfig") == 4
    out = capsys.readouterr().out
    assert "0 good, 2 failed, 0 unfinished; 2 calls repeated" in out
    assert "     2  GetConfig: HTTP status 500" in out


def test_clients_can_come_from_a_file_and_password_and_ca_from_a_configuration(tmp_path: Path) -> None:
    names = tmp_path / "clients"
    names.write_text("a.example.com 127.0.0.5  # calls from there\n\n# nobody\nb.example.com\n")
    with StubServer(tmp_path) as server:
        conf = tmp_path / "bcfg2.conf"
        conf.write_text(
            f"[components]\nbcfg2 = https://127.0.0.1:{server.port}\n"
            f"[communication]\npassword = 100%%\nca = {server.ca}\n"
        )
        assert main(["simulate", "-C", str(conf), "--clients-file", str(names)]) == 0
    assert {(call.user, call.address, call.password) for call in server.received} == {
        ("a.example.com", "127.0.0.5", "100%"),
        ("b.example.com", "127.0.0.1", "100%"),
    }


def test_certificates_are_taken_from_a_directory_by_host_name(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        issued = server.authority.issue("c1", client=True, server=False)
        (tmp_path / "c1.crt").write_bytes(issued.certificate_pem)
        (tmp_path / "c1.key").write_bytes(issued.key_pem)
        flags = ["--certificates", str(tmp_path), "--clients", "1", "--client-name-format", "c{}"]
        assert simulate(server, *flags) == 0
        assert {call.certificate for call in server.received} == {"c1"}
        assert simulate(server, "--certificates", str(tmp_path), "--clients", "2", "--client-name-format", "c{}") == 1


def test_results_are_written_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    with StubServer(tmp_path) as server:
        assert simulate(server, "--clients", "2", "--json", str(file)) == 0
        (measured,) = json.loads(file.read_text())["measurements"]
        assert measured["counts"]["runs_ok"] == 2
        assert measured["configurations"]["client0001.example.com"] == {"total": 2, "good": 2, "problems": []}
        (turn,) = measured["turns"]
        assert len(turn["calls"]["seconds"]) == 2 * (5 + 1)
        named = {measured["clients"][number] for number in turn["calls"]["client"]}
        assert named == {call.user for call in server.received}
        capsys.readouterr()
        assert simulate(server, "--clients", "1", "--json", "-") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["measurements"][0]["counts"]["runs_ok"] == 1
    assert "1 client made 1 run " in printed.err


def test_a_page_is_written_if_asked_for(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        assert simulate(server, "--clients", "2", "--report", str(tmp_path / "page.html")) == 0
    page = (tmp_path / "page.html").read_text()
    assert "Entries of client0001.example.com" in page
    assert json.loads((tmp_path / "page.json").read_text())["measurements"][0]["counts"]["runs_ok"] == 2


def test_runs_may_begin_at_a_rate_and_go_on_until_the_end(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        assert simulate(server, "--clients", "50", "--rate", "50", "--runs", "1", "--no-check-answers") == 0
        assert server.methods.count("RecvStats") == 50
        assert simulate(server, "--clients", "2", "--seconds", "0.2", "--json", str(tmp_path / "file")) == 0
    (measured,) = json.loads((tmp_path / "file").read_text())["measurements"]
    assert measured["seconds"] >= 0.2


def test_a_place_for_results_that_does_not_exist_is_told_before_the_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StubServer(tmp_path) as server:
        assert simulate(server, "--json", str(tmp_path / "missing" / "results.json")) == 1
        assert simulate(server, "--json", str(tmp_path)) == 1
    assert server.received == []
    assert capsys.readouterr().err.count("cannot be written") == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-S", "http://localhost:1", "-x", "p"], "expected https://HOST:PORT"),
        (["-S", "https://localhost:1"], "there is no password"),
        (["-S", "https://localhost:1", "-x", "p", "--user", "a:b"], "it has a colon"),
        (["-S", "https://localhost:1", "-x", "p", "--ca", "/dev/null"], "/dev/null: no usable CA certificates"),
        (["-S", "https://localhost:1", "-x", "p", "--rate", "1", "--splay", "1"], "exclude one another"),
        (["-S", "https://localhost:1", "-x", "p", "--clients-file", "/nonexistent"], "/nonexistent cannot be read"),
        (["-S", "https://localhost:1", "-x", "p", "--client-name-format", "x"], "the same host name twice"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "bcfg2.conf"
    conf.write_text("")
    assert main(["simulate", "-C", str(conf), *args]) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


@pytest.mark.parametrize("name_format", ["x{}{}", "x{name}", "x{:q}", "x{", "x{0.y}", "x"])
def test_formats_that_give_no_host_names_are_refused(name_format: str) -> None:
    with pytest.raises(ConfigError, match="host"):
        client_names(name_format, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no client"), ("# a\n", "no client"), ("a\na\n", ":2: a is there twice"), ("a b c\n", ":1: expected")],
)
def test_files_that_give_no_clients_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "clients"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_clients_file(file)


def test_a_terminal_gets_a_progress_bar(tmp_path: Path) -> None:
    with StubServer(tmp_path) as server:
        controller, terminal = pty.openpty()
        command = [sys.executable, "-m", "geventcore", "simulate", "-S", f"https://127.0.0.1:{server.port}"]
        done = subprocess.run(
            [*command, "-x", "secret", "--ca", str(server.ca), "--clients", "3"],
            stdout=subprocess.PIPE,
            stderr=terminal,
            timeout=60,
            check=False,
        )
        os.close(terminal)
        shown = os.read(controller, 100_000).decode()
        os.close(controller)
    assert done.returncode == 0
    assert "3/3" in shown
    assert b"3 clients made 3 runs" in done.stdout


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_simulation_prints_what_it_has(tmp_path: Path, signal_number: int) -> None:
    stuck = threading.Event()

    def configuration(received: object) -> object:
        stuck.set()
        server.stopping.wait()
        return Status(500)

    with StubServer(tmp_path, GetConfig=configuration) as server:
        command = [sys.executable, "-m", "geventcore", "simulate", "-S", f"https://127.0.0.1:{server.port}"]
        results = tmp_path / "results.json"
        process = subprocess.Popen(
            [*command, "-x", "secret", "--ca", str(server.ca), "--clients", "2", "--json", str(results)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert stuck.wait(60)
        process.send_signal(signal_number)
        process.send_signal(signal_number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"0 clients made 0 runs" in out
    assert b"2 unfinished" in out
    assert b"Interrupted: the figures are those until then." in err
    assert b"Traceback" not in err
    (measured,) = json.loads(results.read_text())["measurements"]
    assert measured["interrupted"]
    assert measured["counts"]["runs_cut"] == 2
