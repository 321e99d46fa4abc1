"""A site of the tools' cases with stored reports, without a server."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from geventcore.cli.main import main
from geventcore.cli.reports.asking import report_database
from geventcore.options import load_settings
from geventcore.options.server import COMMON_OPTIONS
from geventcore.options.settings import OptionSet
from geventcore.reporting.options import REPORTING_OPTIONS
from geventcore.reporting.parsing import parse_interaction
from geventcore.storage.report_model import Interaction
from geventcore.storage.report_writing import store_interactions
from geventcore.tools.site import open_core
from tests.support.tool_cases import CASES, copy_site

STATISTICS = CASES / "reports" / "statistics"
_FIRST = 1_790_000_000_000
PLUGINS = "Metadata,Bundler,Cfg,Rules,Properties,Probes,GroupPatterns,Decisions,TemplateHelper,Reporting"


def copy_reported_site(work: Path) -> Path:
    """Copy the repository of the cases, and store the documents in ``reports/statistics``; return the configuration."""
    config = copy_site(work)
    lines = [f"plugins = {PLUGINS}" if line.startswith("plugins") else line for line in config.read_text().splitlines()]
    (work / "repo" / "etc").mkdir()
    config.write_text("\n".join([*lines, "[reporting]", "transport = DirectStore", "time_zone = UTC"]) + "\n")
    assert main(["db", "upgrade", "-C", str(config)]) == 0
    settings = load_settings(
        options=OptionSet([*COMMON_OPTIONS, *REPORTING_OPTIONS]), config_file=config, command_line={}
    )
    with open_core(settings) as core:
        interactions = [
            _interaction(core.build_metadata(path.stem.partition("-")[2]), path, _FIRST + number * 1200)
            for number, path in enumerate(sorted(STATISTICS.glob("*.xml")))
        ]
    with report_database(settings) as database:
        for each in interactions:
            database.write(lambda connection, one=each: store_interactions(connection, [one]))  # type: ignore[misc]
    return config


def _interaction(metadata: object, path: Path, timestamp: int) -> Interaction:
    return parse_interaction(
        metadata,  # type: ignore[arg-type]
        etree.parse(path).getroot(),
        timestamp=timestamp,
        server="here",
        file_limit=1 << 20,
    )
