"""Ohai: its probe, what is kept of the answers, and what templates see of it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.core.methods import CoreMethods
from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.options.server import CACHE_MODE
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.ohai import Ohai
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import messages, metadata_of, plugin_site


def ohai_of(server: SmallServer) -> Ohai:
    plugin = server.plugin("Ohai")
    assert isinstance(plugin, Ohai)
    return plugin


def send(server: SmallServer, text: str | None, hostname: str = "h") -> None:
    element = etree.Element("probe-data", name="Ohai", source="Ohai")
    element.text = text
    ohai_of(server).receive_data(ClientMetadata(hostname), [element])


def known(server: SmallServer, hostname: str = "h") -> Any:
    return metadata_of(server, hostname).Ohai


def run_probe(server: SmallServer, tmp_path: Path, ohai: str | None) -> Any:
    """What the probe prints on a machine with an `ohai` program of some content, or without one."""
    (probe,) = ohai_of(server).get_probes(ClientMetadata("h"))
    directory = tmp_path / "bin"
    directory.mkdir(exist_ok=True)
    if ohai is not None:
        program = directory / "ohai"
        program.write_text(ohai)
        program.chmod(0o755)
    script = tmp_path / "probe"
    script.write_text(f"#!{probe.get('interpreter')}\n{probe.text}")
    script.chmod(0o755)
    done = subprocess.run([script], env={"PATH": str(directory)}, capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("ohai", "printed"),
    [
        (None, {}),
        ('#!/bin/sh\necho \'{"a": "b\\\\nc"}\'\n', {"a": "b\nc"}),
        ("#!/bin/sh\necho half\nexit 3\n", {}),
    ],
)
def test_the_probe_prints_what_ohai_says(tmp_path: Path, ohai: str | None, printed: Any) -> None:
    with plugin_site(tmp_path / "repository", ["Ohai"], {}) as server:
        assert run_probe(server, tmp_path, ohai) == printed


def test_an_answer_is_stored_and_known_and_survives_the_server(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Ohai"], {}) as server:
        assert known(server) == {}
        send(server, '{"cpu": {"total": 8}, "name": "ü"}\n')
        assert known(server) == {"cpu": {"total": 8}, "name": "ü"}
        send(server, '{"cpu": {"total": 9}}')
        assert known(server) == {"cpu": {"total": 9}}
        assert known(server, "other") == {}
    assert json.loads((tmp_path / "Ohai/h.json").read_text()) == {"cpu": {"total": 9}}
    with plugin_site(tmp_path, ["Ohai"], {}) as server:
        assert known(server) == {"cpu": {"total": 9}}


@pytest.mark.parametrize("text", [None, "", "  \n", "no JSON", '{"half": ', "[1]", "[" * 100_000])
def test_an_answer_of_no_use_leaves_what_was_known(
    tmp_path: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with plugin_site(tmp_path, ["Ohai"], {}) as server:
        send(server, '{"a": 1}')
        send(server, text)
        assert known(server) == {"a": 1}
    assert len(messages(caplog, "h: ignoring the output of ohai")) == (1 if (text or "").strip() else 0)


def test_an_equal_answer_does_not_write(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Ohai"], {}) as server:
        send(server, '{"a": 1}')
        before = os.stat(tmp_path / "Ohai/h.json").st_ino
        send(server, '{"a": 1}')
        assert os.stat(tmp_path / "Ohai/h.json").st_ino == before
        send(server, '{"a": 2}')
        assert os.stat(tmp_path / "Ohai/h.json").st_ino != before


def test_a_new_answer_counts_although_metadata_are_cached(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Ohai"], {}, {CACHE_MODE: "aggressive"}) as server:
        assert known(server) == {}
        assert metadata_of(server) is metadata_of(server)
        send(server, '{"a": 1}')
        assert known(server) == {"a": 1}


def test_a_file_may_be_edited_and_deleted(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Ohai"], {"Ohai/h.json": '{"a": 1}'}) as server:
        assert known(server) == {"a": 1}
        (tmp_path / "Ohai/h.json").write_text('{"a": 22}')
        assert known(server) == {"a": 22}
        (tmp_path / "Ohai/h.json").unlink()
        assert known(server) == {}


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"null", b""])
def test_a_broken_file_is_told_once_and_healed_by_the_next_answer(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with plugin_site(tmp_path, ["Ohai"], {"Ohai/h.json": content}) as server:
        assert known(server) == {}
        assert known(server) == {}
        assert len(messages(caplog, "Ohai/h.json: ignoring this file")) == 1
        send(server, '{"a": 1}')
        assert known(server) == {"a": 1}


def test_a_directory_in_place_of_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, ["Ohai"], {"Ohai/h.json/x": ""}) as server:
        assert known(server) == {}
        with pytest.raises(PluginExecutionError, match=r"Ohai/h\.json: cannot be written"):
            send(server, '{"a": 1}')
    assert len(messages(caplog, "Ohai/h.json: ignoring this file")) == 1


def test_names_do_not_lead_out_of_the_directory(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Ohai"], {"secret.json": "{}"}) as server:
        for name in ("../secret", "/etc/x", "a\0b"):
            with pytest.raises(PluginExecutionError, match="it is not a valid file name"):
                send(server, '{"a": 1}', name)
    assert (tmp_path / "secret.json").read_text() == "{}"


def test_the_answer_of_a_client_that_cannot_be_stored_is_a_fault(tmp_path: Path) -> None:
    with plugin_site(
        tmp_path, ["Ohai"], {"Metadata/clients.xml": '<Clients><Client name="localhost" profile="p"/></Clients>'}
    ) as server:
        (tmp_path / "Ohai/localhost.json").mkdir()
        data = '<ProbeData><probe-data name="Ohai" source="Ohai">{"a": 1}</probe-data></ProbeData>'
        with pytest.raises(GeventcoreError, match="cannot be written"):
            CoreMethods(server.core).receive_probe_data(("127.0.0.1", 1), data)


def test_files_are_not_left_half_written(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Ohai"], {}) as server:
        for number in range(20):
            send(server, json.dumps({"n": number}), f"h{number % 4}")
    names = sorted(path.name for path in (tmp_path / "Ohai").iterdir())
    assert names == ["h0.json", "h1.json", "h2.json", "h3.json"]
    assert all(stat.S_ISREG(os.stat(tmp_path / "Ohai" / name).st_mode) for name in names)


def test_a_thousand_clients(tmp_path: Path) -> None:
    files = {f"Ohai/h{number}.json": json.dumps({"n": number}) for number in range(1000)}
    with plugin_site(tmp_path, ["Ohai"], files) as server:
        assert [known(server, f"h{number}")["n"] for number in range(1000)] == list(range(1000))
