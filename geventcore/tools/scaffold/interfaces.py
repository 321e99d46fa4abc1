"""The parts of a new plugin, for each interface: its methods and a test of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """The part of an interface.

    Attributes:
        interface: the name of the class in `geventcore.plugin.interfaces`.
        summary: what it does, after "A plugin that".
        methods: the methods, indented as in a class.
        test: the body of a test that has the fixture `site`, indented as in a function.
        imports: other names, as module -> names.
        attributes: class attributes, indented as in a class.
    """

    interface: str
    summary: str
    methods: str
    test: str
    imports: Mapping[str, tuple[str, ...]]
    attributes: str = ""


_METADATA = {"geventcore.plugin.client_metadata": ("ClientMetadata",)}
_ELEMENTS = {"lxml": ("etree",)}

#: Name on the command line -> part.
PARTS: dict[str, Part] = {
    "connector": Part(
        "Connector",
        "adds groups and data to the metadata of clients",
        '''    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        """Return the names of more groups."""
        return ["example"] if metadata.hostname.startswith("web") else []

    def get_additional_data(self, metadata: ClientMetadata) -> dict[str, str]:
        """Return the data that templates read as ``metadata.{name}``."""
        return {{"rack": "unknown"}}
''',
        """    assert "example" in site.metadata("web1").groups
    assert site.metadata("db1").{name} == {{"rack": "unknown"}}
""",
        _METADATA,
    ),
    "generator": Part(
        "Generator",
        "binds entries",
        '''    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        """Return true for the entries that `bind_entry` binds."""
        return entry.tag == "Service" and entry.get("name") == "{module}"

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Complete an entry."""
        entry.set("type", "systemd")
        entry.set("status", "on")
''',
        """    site.write("Bundler/basic.xml", '<Bundle><Service name="{module}"/></Bundle>')
    assert site.build("web1").entry("Service", "{module}").get("status") == "on"
""",
        {**_METADATA, **_ELEMENTS},
    ),
    "structure": Part(
        "Structure",
        "provides structures",
        '''    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return new bundles with the client's entries. Those named ``Bound…`` need no generator."""
        bundle = etree.Element("Bundle", name="{module}")
        etree.SubElement(bundle, "BoundService", name="{module}", type="systemd", status="on")
        return [bundle]
''',
        """    assert site.build("web1").entry("Service", "{module}").get("status") == "on"
""",
        {**_METADATA, **_ELEMENTS},
    ),
    "probing": Part(
        "Probing",
        "has clients run probes",
        '''    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """Return the scripts that the client runs."""
        probe = etree.Element("probe", name="kernel", source=self.name, interpreter="/bin/sh")
        probe.text = "uname -s"
        return [probe]

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Store the results so that all processes of the server find them."""
        for result in data:
            path = self.directory / f"{{metadata.hostname}}.{{result.get('name')}}"
            write_durably(path, (result.text or "").encode())
''',
        """    assert [probe.get("name") for probe in site.probes("web1")] == ["kernel"]
    site.send_probes("web1", "{name}", {{"kernel": "Linux"}})
    assert (site.repository / "{name}/web1.kernel").read_text() == "Linux"
""",
        {
            **_METADATA,
            **_ELEMENTS,
            "collections.abc": ("Sequence",),
            "geventcore.repository.durable_writes": ("write_durably",),
        },
    ),
    "statistics": Part(
        "Statistics",
        "receives the reports of clients",
        '''    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        """Store the report of a run."""
        statistics = data.find(".//Statistics")
        state = "" if statistics is None else statistics.get("state", "")
        write_durably(self.directory / f"{{metadata.hostname}}.state", state.encode())
''',
        """    site.report("web1", "dirty")
    assert (site.repository / "{name}/web1.state").read_text() == "dirty"
""",
        {**_METADATA, **_ELEMENTS, "geventcore.repository.durable_writes": ("write_durably",)},
        "    needs_good_entries = False\n",
    ),
    "decision": Part(
        "Decision",
        "decides what clients may install",
        '''    def get_decisions(self, metadata: ClientMetadata, mode: str) -> list[tuple[str, str]]:
        """Return tags and names, with shell wildcards; `mode` is ``whitelist`` or ``blacklist``."""
        return [("Service", "{module}*")] if mode == "blacklist" else []
''',
        """    assert site.decisions("web1", "blacklist") == [("Service", "{module}*")]
""",
        _METADATA,
    ),
    "structure-validator": Part(
        "StructureValidator",
        "checks and amends structures before they are bound",
        '''    def validate_structures(
        self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]
    ) -> None:
        """Refuse bundles with a name that the site does not use."""
        for structure in structures:
            if structure.get("name") == "{module}-forbidden":
                raise ValidationError(f"{{metadata.hostname}}: the bundle {{structure.get('name')}} is forbidden")
''',
        """    site.build("web1")
""",
        {
            **_METADATA,
            **_ELEMENTS,
            "collections.abc": ("MutableSequence",),
            "geventcore.errors": ("ValidationError",),
        },
    ),
    "goal-validator": Part(
        "GoalValidator",
        "checks and amends bound configurations",
        '''    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        """Mark every file of a client."""
        for entry in config.iter("Path"):
            entry.set("important", "true")
''',
        """    site.write("Bundler/basic.xml", '<Bundle><BoundPath name="/x" type="nonexistent"/></Bundle>')
    assert site.build("web1").entry("Path", "/x").get("important") == "true"
""",
        {**_METADATA, **_ELEMENTS},
    ),
    "version": Part(
        "Version",
        "knows the revision of the repository",
        '''    def get_revision(self) -> str:
        """Return the revision."""
        return "1"
''',
        """    assert site.build("web1").root.get("revision") == "1"
""",
        {},
    ),
    "client-run-hooks": Part(
        "ClientRunHooks",
        "is notified of the runs of clients",
        '''    def start_client_run(self, metadata: ClientMetadata) -> None:
        """Handle the start of a run."""
        self.log.info("%s begins a run", metadata.hostname)

    def end_statistics(self, metadata: ClientMetadata) -> None:
        """Handle the end of a run, after the report."""
        self.log.info("%s has ended its run", metadata.hostname)
''',
        """    site.build("web1")
    site.report("web1")
""",
        _METADATA,
    ),
    "client-acls": Part(
        "ClientACLs",
        "decides which methods clients may call",
        '''    def check_acl_ip(self, address: Address, method: str) -> bool | None:
        """Return true to allow a call, false to deny it, None to ask for the client as well."""
        return not method.startswith("{name}.") or address[0] in ("127.0.0.1", "::1")
''',
        """    plugin = site.plugin("{name}")
    assert isinstance(plugin, {name})
    assert plugin.check_acl_ip(("192.0.2.1", 1024), "GetConfig")
    assert not plugin.check_acl_ip(("192.0.2.1", 1024), "{name}.set_debug")
""",
        {"geventcore.plugin.interfaces": ("Address",)},
    ),
    "template-data": Part(
        "TemplateDataProvider",
        "provides variables for templates",
        '''    def get_template_data(
        self, entry: etree._Element, metadata: ClientMetadata, template: str
    ) -> dict[str, object]:
        """Return variables for a template, name -> value."""
        return {{"{module}": "a value"}}
''',
        """    site.write("Bundler/basic.xml", '<Bundle><Path name="/x"/></Bundle>')
    site.write("Cfg/x/x.jinja2", "{{{{ {module} }}}}")
    assert site.build("web1").text("/x") == "a value"
""",
        {**_METADATA, **_ELEMENTS},
    ),
    "threaded": Part(
        "Threaded",
        "has a thread of its own",
        '''    def start_threads(self) -> None:
        """Start the thread; under the gevent core it is a greenlet."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._ending.wait(60):
            self.log.info("another minute has passed")

    def shutdown(self) -> None:
        """End the thread."""
        super().shutdown()
        if self._thread is not None:
            self._ending.set()
            self._thread.join()
''',
        """    plugin = site.plugin("{name}")
    assert isinstance(plugin, {name})
    plugin.start_threads()
""",
        {"": ("threading",)},
        "    _thread: threading.Thread | None = None\n",
    ),
}
