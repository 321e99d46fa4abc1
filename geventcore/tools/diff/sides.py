"""The sides of a comparison: where configurations come from."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import ssl
import xmlrpc.client
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError, MetadataError, ValidationError
from geventcore.options import LoadedSettings
from geventcore.options.server import CA, PASSWORD, REPOSITORY, SERVER_URL
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.cfg.creators import XMLCreator
from geventcore.plugins.cfg.plugin import FileGenerator
from geventcore.plugins.sshbase import SSHbase
from geventcore.render.pipeline import error_document
from geventcore.tools.diff.changes import normal_form
from geventcore.tools.diff.secrets import Secrets, secrets_of
from geventcore.tools.host_processes import for_hosts
from geventcore.tools.site import open_core

#: What stands for a key that the server would make when the host asks for it.
_NEW_KEY = b"(a key that does not exist yet)"
_TIMEOUT_SECONDS = 90


@dataclass(frozen=True)
class HostFacts:
    """The facts about a host that are known before its configuration is built.

    Attributes:
        groups, bundles: names.
        rest: the other metadata that templates may use, as a text to compare.
    """

    groups: frozenset[str]
    bundles: frozenset[str]
    rest: str = ""

    @classmethod
    def of(cls, metadata: ClientMetadata) -> HostFacts:
        """Return the facts of a client's metadata."""
        rest = (
            *(metadata.profile, metadata.uuid, metadata.password, metadata.version),
            *(sorted(metadata.aliases), sorted(metadata.addresses), sorted(metadata.categories.items())),
        )
        return cls(frozenset(metadata.groups), frozenset(metadata.bundles), repr(rest))


@dataclass
class SiteFacts:
    """The facts that a side tells about itself.

    Attributes:
        clients: the names of its clients, in its order.
        plugins: the plugins in use; empty if that is unknown.
        secrets: values that are not shown.
        problems: the errors that were logged while it was read.
    """

    clients: list[str]
    plugins: frozenset[str] = frozenset()
    secrets: Secrets = field(default_factory=Secrets)
    problems: tuple[str, ...] = ()


class Side(ABC):
    """One side of a comparison.

    Attributes:
        name: for people.
        tree: the directory of the repository; None if there is none.
        is_normal: true if its documents have the form that this program writes.
    """

    name: str
    tree: Path | None = None
    is_normal: bool = True

    @abstractmethod
    def facts(self) -> SiteFacts:
        """Read the side; `GeventcoreError` if it cannot be used."""

    def host_facts(self, hosts: Sequence[str]) -> dict[str, HostFacts]:
        """Return the facts of hosts; nothing if the side does not know them."""
        return {}

    @abstractmethod
    def documents(self, hosts: Sequence[str], processes: int) -> Iterator[bytes]:
        """Yield the configuration of each host, in their order; an ``error`` document if there is none."""

    def close(self) -> None:
        """End the side."""


def _failed(reason: object) -> bytes:
    return etree.tostring(error_document(" ".join(str(reason).split())))


class SavedSide(Side):
    """A directory of saved configurations: ``HOST.xml``, as ``info buildall`` writes them."""

    is_normal = False

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._directory = directory

    def facts(self) -> SiteFacts:
        return SiteFacts([path.name.removesuffix(".xml") for path in sorted(self._directory.glob("*.xml"))])

    def documents(self, hosts: Sequence[str], processes: int) -> Iterator[bytes]:
        for host in hosts:
            path = self._directory / f"{host}.xml"
            try:
                yield normal_form(path.read_bytes())
            except OSError as err:
                raise GeventcoreError(f"{path}: cannot be read: {err.strerror}") from err
            except etree.XMLSyntaxError as err:
                raise GeventcoreError(f"{path}: line {err.lineno}: not well-formed: {err.msg}") from err


class ServerSide(Side):
    """The running server, which is asked as each client asks it, with the site's password.

    The server runs its hooks for client runs, as for every call of ``GetConfig``.
    """

    is_normal = False

    def __init__(self, settings: LoadedSettings, clients: Sequence[str]) -> None:
        self.name = "the running server"
        self._url = urlsplit(str(settings[SERVER_URL]))
        self._password = settings[PASSWORD] or ""
        self._clients = clients
        ca = settings[CA]
        self._context = ssl.create_default_context(cafile=str(ca) if ca else None)
        # The names in certificates of sites are seldom those in the URL.
        self._context.check_hostname = False
        if not ca:
            self._context.verify_mode = ssl.CERT_NONE

    def facts(self) -> SiteFacts:
        return SiteFacts(list(self._clients))

    def documents(self, hosts: Sequence[str], processes: int) -> Iterator[bytes]:
        for host in hosts:
            yield self._document(host)

    def _document(self, host: str) -> bytes:
        login = f"{quote(host, safe='')}:{quote(self._password, safe='')}"
        url = f"{self._url.scheme}://{login}@{self._url.netloc.rpartition('@')[2]}{self._url.path or '/RPC2'}"
        try:
            with xmlrpc.client.ServerProxy(url, context=self._context, use_builtin_types=True) as server:
                answer: Any = server.GetConfig()
            return normal_form(answer if isinstance(answer, bytes) else str(answer).encode())
        except xmlrpc.client.ProtocolError as err:
            return _failed(f"the server answers {err.errcode} {err.errmsg}")
        except xmlrpc.client.Fault as err:
            return _failed(f"the server answers: {err.faultString}")
        except (OSError, etree.XMLSyntaxError) as err:
            raise GeventcoreError(f"{self._url.netloc}: cannot ask the running server for {host}: {err}") from err


class CoreSide(Side):
    """A repository, read by a process of its own."""

    def __init__(self, name: str, settings: LoadedSettings, tree: Path, shown_as: Path, directory: Path) -> None:
        """Read the repository at `tree`; documents name it `shown_as`, and are written to `directory` meanwhile."""
        self.name = name
        self.tree = tree
        self._given = settings
        self._settings = settings.with_values({REPOSITORY: str(tree)})
        self._shown_as = shown_as
        self._directory = directory
        context = multiprocessing.get_context("fork")
        self._pipe, other = context.Pipe()
        # It has child processes of its own, so it is no daemon.
        self._process = context.Process(target=self._serve, args=(other,), name=f"diff {name}")
        self._process.start()
        other.close()

    def has_settings_of(self, other: CoreSide) -> bool:
        """Return true if both sides have the same settings, apart from the repository."""
        return self._given is other._given

    # -- in the caller's process

    def _ask(self, question: str, *arguments: Any) -> None:
        # If the process has ended, its last answer says why.
        with contextlib.suppress(OSError):
            self._pipe.send((question, arguments))

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError) as err:
            text = "the process that reads it was killed; is there enough memory?"
            raise GeventcoreError(f"{self.name}: {text}") from err
        if isinstance(answer, _Failure):
            raise GeventcoreError(f"{self.name}: {answer.text}")
        return answer

    def begin(self) -> None:
        """Begin to read the repository; `facts` waits for the end."""
        self._ask("facts")

    def facts(self) -> SiteFacts:
        found: SiteFacts = self._answer()
        return found

    def host_facts(self, hosts: Sequence[str]) -> dict[str, HostFacts]:
        self._ask("host_facts", list(hosts))
        found: dict[str, HostFacts] = self._answer()
        return found

    def begin_documents(self, hosts: Sequence[str], processes: int) -> None:
        """Begin to build configurations; `documents` yields them."""
        self._ask("build", list(hosts), processes)

    def documents(self, hosts: Sequence[str], processes: int) -> Iterator[bytes]:
        for _ in hosts:
            path = self._directory / self._answer()
            yield path.read_bytes()
            path.unlink()

    def close(self) -> None:
        self._pipe.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    # -- in its own process

    def _serve(self, pipe: Connection) -> None:
        self._pipe.close()
        problems = _Problems(self.tree, self._shown_as)
        logger = logging.getLogger("geventcore")
        logger.handlers = [problems]
        logger.propagate = False
        try:
            with open_core(self._settings) as core:
                answers: dict[str, Callable[..., Any]] = {
                    "facts": lambda: self._facts(core, problems),
                    "host_facts": lambda hosts: {host: facts for host in hosts if (facts := _facts_of(core, host))},
                }
                while True:
                    try:
                        question, arguments = pipe.recv()
                    except EOFError:
                        return
                    if question == "build":
                        for name in self._build(core, *arguments):
                            pipe.send(name)
                    else:
                        pipe.send(answers[question](*arguments))
        # The caller shows the error. A plugin of the site may raise anything.
        except Exception as err:  # noqa: BLE001
            text = str(err) if isinstance(err, GeventcoreError | OSError) else f"{type(err).__name__}: {err}"
            # The caller may be gone.
            with contextlib.suppress(OSError):
                pipe.send(_Failure(text))
        except KeyboardInterrupt:
            # The terminal interrupts all processes, and the caller says so.
            return

    def _facts(self, core: Core, problems: _Problems) -> SiteFacts:
        clients = core.metadata_source().list_clients()
        return SiteFacts(clients, frozenset(core.plugins.by_name), secrets_of(core), tuple(problems.found))

    def _build(self, core: Core, hosts: Sequence[str], processes: int) -> Iterator[str]:
        tree, shown_as = str(self.tree).encode(), str(self._shown_as).encode()
        numbers = {host: number for number, host in enumerate(hosts)}
        makers = _makers_of_keys(core)

        def write(host: str) -> str:
            try:
                document = core.write_configuration(host)
            except (MetadataError, ValidationError) as err:
                # The change says for which hosts; those with the same reason are one change.
                document = _failed(str(err).removeprefix(f"{host} gets no configuration: "))
            for maker in makers:
                for key in maker.unsaved:
                    document = document.replace(key.strip(), _NEW_KEY)
            if tree != shown_as:
                document = document.replace(tree, shown_as)
            name = str(numbers[host])
            (self._directory / name).write_bytes(document)
            return name

        for _, name in for_hosts(write, hosts, processes):
            yield name


@dataclass(frozen=True)
class _Failure:
    text: str


def _facts_of(core: Core, host: str) -> HostFacts | None:
    try:
        return HostFacts.of(core.build_metadata(host))
    except MetadataError:
        return None


def _makers_of_keys(core: Core) -> list[SSHbase | XMLCreator]:
    """Return what makes keys that this process does not store: each process makes others."""
    found: list[SSHbase | XMLCreator] = list(core.plugins.by_type(SSHbase))
    for plugin in core.plugins.by_type(FileGenerator):
        for name in plugin.entries.get("Path", {}):
            found += [handler for handler in plugin.handlers_of(name) if isinstance(handler, XMLCreator)]
    return found


class _Problems(logging.Handler):
    """The errors that are logged while a repository is read."""

    def __init__(self, tree: Path | None, shown_as: Path) -> None:
        super().__init__(logging.ERROR)
        self.found: dict[str, None] = {}
        self._tree, self._shown_as = str(tree), str(shown_as)

    def emit(self, record: logging.LogRecord) -> None:
        self.found[" ".join(record.getMessage().split()).replace(self._tree, self._shown_as)] = None
