"""The differences for a site that moves here from Bcfg2: ``geventcore migrate check``.

`check` goes through a site and returns `Difference` objects; `report` writes them as text, JSON or a page.
"""

from geventcore.tools.migration.check import check_site
from geventcore.tools.migration.differences import Differences
from geventcore.tools.migration.report import FORMATS

__all__ = ["FORMATS", "Differences", "check_site"]
