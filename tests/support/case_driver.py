#!/usr/bin/env python3
"""Runs conformance cases: for each work directory on the command line, do what its ``plan.json`` says with a fresh
server core, and write ``results.json`` (see ``tests/cases/README.md``).

A core without a network is enough: calls are made on the exposed methods, as a client of the wanted name.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree

from geventcore.core.base import Core
from geventcore.core.methods import CoreMethods
from geventcore.core.plugin_loading import MISSING_PLUGINS
from geventcore.errors import GeventcoreError
from geventcore.options import load_settings
from geventcore.options.server import MISSING_BUNDLES
from geventcore.plugin.interfaces import ClientACLs
from geventcore.rpc.access import AccessControl
from geventcore.tls.identity import PeerIdentity

ADDRESS = ("192.0.2.254", 40000)


class MethodsAs(CoreMethods):
    """The exposed methods, called by a client of a given name."""

    hostname = ""

    def resolve_client(self, address: tuple[Any, ...], cleanup_cache: bool = False) -> str:
        return self.hostname


def attempt(result: dict[str, Any], fault: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call, or None and the fault's text in `result`."""
    try:
        return function(*arguments)
    except GeventcoreError as err:
        result[fault] = str(err)
        return None


def replace_file(path: Path, content: str | None) -> None:
    """Give a file another content, in base 64, or remove it."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(base64.b64decode(content))


def call_plugin(core: Core, method: str) -> Any:
    """Call a remote method of a plugin without arguments."""
    plugin, _, name = method.partition(".")
    return core.plugins.by_name[plugin].remote_interface()[name]()


def client_run(core: Core, run: dict[str, Any]) -> dict[str, Any]:
    """One client run of a plan: the steps whose keys are present."""
    methods = MethodsAs(core)
    methods.hostname = run["hostname"]
    result: dict[str, Any] = {}
    for target, content in run.get("replace", {}).items():
        replace_file(Path(target), content)
    if "rmi" in run:
        result["rmi"] = [call_plugin(core, method) for method in run["rmi"]]
    if "profile" in run:
        attempt(result, "profile_fault", methods.assert_profile, ADDRESS, run["profile"])
    if "version" in run:
        attempt(result, "version_fault", methods.declare_version, ADDRESS, run["version"])
    if "probes" in run or "probe_names" in run:
        probes = methods.get_probes(ADDRESS).data
        result["probes"] = probes.decode()
        result["probe_names"] = [f"{probe.get('source')}:{probe.get('name')}" for probe in etree.fromstring(probes)]
    if "probe_data" in run:
        attempt(result, "probe_data_fault", methods.receive_probe_data, ADDRESS, run["probe_data"])
    if "decisions" in run:
        result["decisions"] = {mode: methods.get_decision_list(ADDRESS, mode) for mode in run["decisions"]}
    if "config" in run or run.get("config_fault"):
        config = attempt(result, "config_fault", methods.get_config, ADDRESS)
        if config is not None:
            result["config"] = config.data.decode("ascii")
            again = methods.get_config(ADDRESS)
            if not config.data == again.data == etree.tostring(core.build_configuration(run["hostname"])):
                raise AssertionError(f"{run['hostname']} gets one configuration now and another one then")
    core.handle_file_events()
    metadata = attempt(result, "metadata_fault", methods.client_metadata, ADDRESS)
    if metadata is not None:
        for name in ("groups", "bundles", "aliases", "addresses"):
            result[name] = sorted(getattr(metadata, name))
        result["categories"] = metadata.categories
        result["profile"] = metadata.profile
    return result


def acl_row(core: Core, row: dict[str, Any]) -> dict[str, Any]:
    """What the access-control plugins say to one row of a table."""
    access = AccessControl(lambda: core.plugins.by_type(ClientACLs), lambda address: core.build_metadata(address[0]))
    given = row["input"]
    if "address" in given:
        return {"ip": access.by_address((given["address"], 4000), given["method"])}
    return {"metadata": access.by_metadata(core.build_metadata(given["hostname"]), given["method"])}


def auth_row(core: Core, row: dict[str, Any]) -> dict[str, Any]:
    """Whether one row of a table is let in, and as whom."""
    given = row["input"]
    source: Any = core.metadata_source()
    source.clear_sessions()
    identity = PeerIdentity(given["cert"], "00") if given["cert"] else None
    address = tuple(given["address"])
    accepted = source.authenticate(identity, given["user"], given["password"], address)
    return {"accepted": accepted, "session": source.session_client(address)}


def run_case(directory: Path) -> dict[str, Any]:
    """All results of one work directory."""
    plan = json.loads((directory / "plan.json").read_text())
    settings = load_settings(config_file=directory / "bcfg2.conf", environ={})
    core = Core(settings.with_values({MISSING_PLUGINS: "skip", MISSING_BUNDLES: "log"}))
    try:
        core.load()
        core.handle_file_events()
        results = {"clients": [client_run(core, run) for run in plan.get("clients", [])]}
        results["acl"] = [acl_row(core, row) for row in plan.get("acl", [])]
        results["auth"] = [auth_row(core, row) for row in plan.get("auth", [])]
        return results
    finally:
        core.shutdown()


def main(directories: list[str]) -> int:
    """Run every work directory; the number of those that could not be run."""
    logging.basicConfig(level=logging.WARNING)
    failed = 0
    for name in directories:
        directory = Path(name)
        try:
            results = run_case(directory)
        except GeventcoreError:
            logging.exception("%s", directory)
            failed += 1
            continue
        (directory / "results.json").write_text(json.dumps(results, indent=1, default=list))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
