"""Sites that are served by the gevent core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geventcore.testing.live_site import LiveSite
from geventcore.testing.site_files import PLUGINS, Sections

pytest.importorskip("gevent")


@pytest.fixture
def new_site(tmp_path: Path) -> Callable[..., LiveSite]:
    """Makes a site with plugins of the tests' own; options of ``[gevent]`` by name, of other sections as sections."""

    def make(*plugins: str, sections: Sections | None = None, **options: Any) -> LiveSite:
        values = {"workers": "1", **{name: str(value) for name, value in options.items()}}
        return LiveSite(
            tmp_path / "site", "gevent", {"gevent": values, **(sections or {})}, plugins=[*PLUGINS, *plugins]
        )

    return make
