"""Sources at ``ftp:`` URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.downloads import Downloads, DownloadSettings, MissingFileError
from tests.support.ftp_server import ftp_server
from tests.support.package_sites import apt_repository, apt_source, package_site, stanza

A_NEEDS_B = (stanza("a", Depends="b"), stanza("b"))
WANTS_A = '<Package name="a"/>'


@pytest.mark.parametrize("login", ["", "me:p@ss"])
def test_a_source_is_fetched_and_refreshed(login: str, tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with ftp_server(tmp_path / "data", login=login) as place:
        url = f"ftp://{login.replace('@', '%40')}@{place}/" if login else f"ftp://{place}/"
        with package_site(tmp_path / "repo", apt_source(url), WANTS_A) as site:
            assert site.added() == {"b"}
            assert not site.state().is_failing
            apt_repository(tmp_path / "data", stanza("a", Depends="c"), stanza("c"))
            site.plugin.Refresh()
            assert site.added() == {"c"}


def test_failures_are_told_apart_and_show_no_password(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_bytes(b"x" * 100)
    downloads = Downloads(tmp_path, DownloadSettings(timeout_seconds=3, retries=0))
    with ftp_server(tmp_path / "data", login="me:secret") as place:
        assert downloads.fetch(f"ftp://me:secret@{place}/file").read_bytes() == b"x" * 100
        with pytest.raises(MissingFileError, match=f"^ftp://{place}/gone: the server answers 550 "):
            downloads.fetch(f"ftp://me:secret@{place}/gone")
        with pytest.raises(PackageSourceError, match="530") as refused:
            downloads.fetch(f"ftp://me:wrong@{place}/file")
        assert not isinstance(refused.value, MissingFileError)
        assert "wrong" not in str(refused.value)
    with pytest.raises(PackageSourceError, match="cannot fetch this") as gone:
        downloads.fetch(f"ftp://me:secret@{place}/file")
    assert not isinstance(gone.value, MissingFileError)
