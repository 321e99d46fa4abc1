"""A GetConfig on a repository as sites have them: nothing kept, unchanged, after an edit; and beside nginx.

    python -m contrib.bench.site --clients 50 --requests 1000 --rounds 3

The first table is processor time of the server without a network, for each client: the first configuration of a client
whose profile others have had (cold), and of all clients after an edit of one file, or after a new result of a probe.
"no answers" is a server that keeps bound entries, but no answers (``[caching] answers = 0``).

The second has processor time, user and system, of the server's processes for each request over a new TLS connection,
beside that of nginx, which sends the same bytes from a file. The servers take turns. "edited" means that a file of
Cfg which every client has is edited before every round.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import http.client
import json
import logging
import ssl
import statistics
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from contrib.bench.nginx import Running, cost, nginx
from geventcore.core.base import Core
from geventcore.core.methods import CoreMethods
from geventcore.options.settings import load_settings
from geventcore.simulation.repository import GeneratedClient, Shape
from geventcore.simulation.site_repository import SITE_OPTIONS, SITE_PLUGINS, SiteShape, generate_site, probe_upload
from geventcore.simulation.test_bed import HOST, PASSWORD, TestBed
from geventcore.wire.basicauth import format_authorization


class _MethodsAs(CoreMethods):
    hostname = ""

    def resolve_client(self, address: tuple[object, ...], cleanup_cache: bool = False) -> str:
        return self.hostname


@dataclass
class Figures:
    """The results.

    Attributes:
        entries, kilobytes: of a configuration.
        milliseconds: what is measured -> processor time for each client.
        answer_bytes: the estimate of the memory that an answer takes, besides what is the client's own.
        own_bytes: what is the client's own.
        beside_nginx: key -> what is measured -> our processor time divided by nginx's, a round each.
    """

    entries: int = 0
    kilobytes: float = 0.0
    milliseconds: dict[str, float] = field(default_factory=dict)
    answer_bytes: float = 0.0
    own_bytes: float = 0.0
    beside_nginx: dict[str, dict[str, list[float]]] = field(default_factory=dict)


def write_options(path: Path, sections: Mapping[str, Mapping[str, str]]) -> None:
    """Write a configuration file."""
    lines = []
    for section, options in sections.items():
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in options.items())]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


@contextlib.contextmanager
def serving(directory: Path, clients: Sequence[GeneratedClient], caching: Mapping[str, str]) -> Iterator[Core]:
    """Load a core for the repository in `directory`; all clients have sent results of probes."""
    path = directory / "bcfg2.conf"
    server = {
        "repository": str(directory / "repository"),
        "plugins": ",".join(SITE_PLUGINS),
        "filemonitor": "polling",
    }
    database = {"name": str(directory / "database")}
    write_options(path, {"server": server, "database": database, "caching": caching, **SITE_OPTIONS})
    core = Core(load_settings(config_file=path, environ={}))
    try:
        core.load()
        core.handle_file_events()
        methods = _MethodsAs(core)
        packages = core.plugins.by_name["Packages"]
        packages.remote_interface()["Reload"]()
        for client in clients:
            methods.hostname = client.name
            methods.receive_probe_data(("192.0.2.1", 1), probe_upload(client, 0))
        settle(core)
        yield core
    finally:
        core.shutdown()


def settle(core: Core) -> None:
    """Apply changes of files until there are none."""
    while True:
        before = core.repository.version
        core.repository.file_monitor.rescan()
        core.handle_file_events()
        if core.repository.version == before:
            return
        # A file that was written a moment ago counts as changed.
        time.sleep(0.06)


def each(core: Core, names: Sequence[str]) -> float:
    """The processor time in milliseconds that a configuration takes, on average over clients."""
    gc.collect()
    start = time.process_time()
    for name in names:
        core.write_configuration(name)
    return (time.process_time() - start) / len(names) * 1000


def measure(directory: Path, clients: Sequence[GeneratedClient], rounds: int) -> Figures:
    """Measure without a network."""
    figures = Figures()
    names = [client.name for client in clients]
    repository = directory / "repository"
    file = next(path for path in sorted(repository.glob("Cfg/etc/base-03/**/*.conf")) if path.is_file())
    edits: dict[str, Callable[[int], object]] = {
        "unchanged": lambda _: None,
        "a file of Cfg": lambda number: file.write_text(f"edited {number}\n" + "x = y\n" * 100),
        "a property file": lambda number: (repository / "Properties/ntp.json").write_text(
            json.dumps({"servers": [f"ntp{number}"], "minimum": 2})
        ),
        "a bundle": lambda number: (repository / "Bundler/role-00-03.xml").write_text(
            f"<Bundle><Service name='role-00-03-{number}'/></Bundle>"
        ),
        "a file of Rules": lambda number: (repository / "Rules/new.xml").write_text(
            f"<Rules priority='1'><Service name='none-{number}' type='systemd'/></Rules>"
        ),
    }
    with serving(directory, clients, {"bound_entries": "0", "answers": "0"}) as core:
        each(core, names)
        figures.milliseconds["nothing kept"] = min(each(core, names) for _ in range(rounds))
    with serving(directory, clients, {"answers": "0"}) as core:
        each(core, names)
        figures.milliseconds["no answers"] = min(each(core, names) for _ in range(rounds))
    with serving(directory, clients, {}) as core:
        each(core, names[: len(names) // 2])
        figures.milliseconds["cold"] = each(core, names[len(names) // 2 :])
        for _ in range(2):
            each(core, names)
        document = core.write_configuration(names[0])
        figures.entries, figures.kilobytes = (
            document.count(b"<Path ") + document.count(b"<Package "),
            len(document) / 1024,
        )
        figures.entries += document.count(b"<Service ") + document.count(b"<Action ")
        kept = [answer for name in names if (answer := core.renderer.answers.get(name)) is not None]
        own = [sum(structure.own_bytes for structure in answer.structures) for answer in kept]
        figures.own_bytes = statistics.mean(own)
        figures.answer_bytes = statistics.mean(answer.size for answer in kept) - figures.own_bytes
        number = 0
        for what, edit in edits.items():
            times = []
            for _ in range(rounds):
                number += 1
                edit(number)
                settle(core)
                times.append(each(core, names))
            figures.milliseconds[what] = min(times)
    return figures


def request_of(client: GeneratedClient, body: bytes, port: int) -> bytes:
    """A whole request, as a client of Bcfg2 sends it."""
    authorization = format_authorization(client.name, PASSWORD)
    head = (
        f"POST /RPC2 HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml\r\n"
        f"User-Agent: Python-xmlrpc/3.11\r\nAuthorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def call(port: int, client: GeneratedClient, body: bytes) -> bytes:
    """Make a call, and return the body of the answer."""
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(HOST, port, timeout=120, context=context)
    with contextlib.closing(connection):
        headers = {"Content-Type": "text/xml", "Authorization": format_authorization(client.name, PASSWORD)}
        connection.request("POST", "/RPC2", body, headers)
        return connection.getresponse().read()


def beside_nginx(directory: Path, kind: str, shape: SiteShape, requests: int, rounds: int) -> dict[str, list[float]]:
    """Measure beside nginx, with a key of a kind."""
    clients: list[GeneratedClient] = []

    def make(path: Path) -> Sequence[GeneratedClient]:
        clients.extend(generate_site(path, shape))
        return clients

    bed = TestBed(directory, Shape(clients=1), SITE_PLUGINS, "rsa" if kind == "rsa" else "ecdsa", make)
    get_config = xmlrpc.client.dumps((), "GetConfig").encode()
    found: dict[str, list[float]] = {"unchanged": [], "edited": []}
    options = {**SITE_OPTIONS, "gevent": {"workers": "1"}, "caching": {}}
    with bed.serving(options) as server:
        for client in clients:
            call(server.port, client, xmlrpc.client.dumps((probe_upload(client, 0),), "RecvProbeData").encode())
        time.sleep(3)
        answer = b""
        for _ in range(3):
            for client in clients:
                answer = call(server.port, client, get_config)
        (directory / "answer").write_bytes(answer)
        ours = [
            Running("geventcore", server.pid, server.port, request_of(client, get_config, server.port))
            for client in clients
        ]
        with nginx(directory / "nginx", bed, answer) as theirs:
            for each_round in range(rounds):
                for what in found:
                    if what == "edited":
                        repository = next(path for path in directory.glob("*/repository") if path.is_dir())
                        file = next(
                            path for path in sorted(repository.glob("Cfg/etc/base-03/**/*.conf")) if path.is_file()
                        )
                        file.write_text(f"edited {each_round}\n" + "x = y\n" * 100)
                        time.sleep(3)
                    # After an edit each client comes once.
                    one = cost(ours, len(ours) if what == "edited" else requests, 4, None)
                    other = cost(theirs, requests, 4, None)
                    found[what].append(one / other)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m contrib.bench.site", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=800, help="in each round beside nginx; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", default="ecdsa,rsa", help="kinds of the server's key")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    shape = SiteShape(clients=options.clients)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        clients = generate_site(Path(name) / "repository", shape)
        figures = measure(Path(name), clients, options.rounds)
    print(
        f"{figures.entries} entries, {figures.kilobytes:.0f} KB; an answer takes "
        f"{figures.answer_bytes / 1000:.1f} KB, and {figures.own_bytes / 1000:.1f} KB that not all clients share"
    )
    for what, milliseconds in figures.milliseconds.items():
        print(f"{what:20s} {milliseconds:8.3f} ms", flush=True)
    for kind in options.keys.split(",") if options.requests else ():
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            found = beside_nginx(Path(name), kind, shape, options.requests, options.rounds)
        figures.beside_nginx[kind] = found
        for what, ratios in found.items():
            rounds = " ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"beside nginx, {kind}, {what:10s} {statistics.median(ratios):6.2f}  ({rounds})", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(figures), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
