"""Sources are fetched, kept, refreshed and shared as the page on Packages says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geventcore.plugins.packages import schedule
from geventcore.plugins.packages.options import REFRESH_INTERVAL, START_TIMEOUT, TIMEOUT
from tests.support.package_server import package_server, wait_until
from tests.support.package_sites import apt_repository, apt_source, package_site, stanza

A_NEEDS_B = (stanza("a", Depends="b"), stanza("b"))
WANTS_A = '<Package name="a"/>'


def test_a_refresh_fetches_what_has_changed_and_nothing_else(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with (
        package_server(tmp_path / "data") as web,
        package_site(tmp_path / "repo", apt_source(web.url), WANTS_A) as site,
    ):
        assert site.added() == {"b"}
        in_use = site.plugin.store.in_use
        site.plugin.Refresh()
        assert web.fetched("Packages.gz") == 1
        assert site.plugin.store.in_use is in_use
        apt_repository(tmp_path / "data", stanza("a", Depends="c"), stanza("c"))
        site.plugin.Reload()
        assert site.added() == {"b"}
        site.plugin.Refresh()
        assert site.added() == {"c"}
        assert web.fetched("Packages.gz") == 2


def test_a_start_uses_what_was_fetched_without_asking(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with package_server(tmp_path / "data") as web:
        for _ in range(2):
            with package_site(tmp_path / "repo", apt_source(web.url), WANTS_A) as site:
                assert site.added() == {"b"}
        assert web.fetched("Packages.gz") == 1


@pytest.mark.parametrize("fault", ["503", "404", "truncate", "stall"])
def test_a_source_that_fails_keeps_its_data_and_says_since_when(fault: str, tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with (
        package_server(tmp_path / "data") as web,
        package_site(tmp_path / "repo", apt_source(web.url), WANTS_A, {TIMEOUT: 1.0}) as site,
    ):
        apt_repository(tmp_path / "data", stanza("a", Depends="c"), stanza("c"))
        web.faults["Packages.gz"] = fault
        site.plugin.Refresh()
        assert site.added() == {"b"}
        failed = site.state()
        assert failed.is_failing
        assert f"localhost:{web.port}" in failed.error
        site.plugin.Refresh()
        assert site.state().failing_since == failed.failing_since
        web.faults.clear()
        site.plugin.Refresh()
        assert site.added() == {"c"}
        assert not site.state().is_failing


def test_a_source_that_stalls_harms_no_other_and_the_start_goes_on(tmp_path: Path) -> None:
    apt_repository(tmp_path / "good", *A_NEEDS_B)
    apt_repository(tmp_path / "bad", stanza("b", Depends="z"), stanza("z"))
    with package_server(tmp_path / "good") as good, package_server(tmp_path / "bad") as bad:
        bad.faults["Packages.gz"] = "stall"
        sources = apt_source(bad.url) + apt_source(good.url)
        with package_site(tmp_path / "repo", sources, WANTS_A, {TIMEOUT: 50.0, START_TIMEOUT: 3.0}) as site:
            assert site.added() == {"b"}


def test_broken_data_are_not_used_and_fetched_again(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    path = tmp_path / "data/dists/one/main/binary-amd64/Packages.gz"
    good = path.read_bytes()
    with (
        package_server(tmp_path / "data") as web,
        package_site(tmp_path / "repo", apt_source(web.url), WANTS_A) as site,
    ):
        path.write_bytes(good[:-9])
        site.plugin.Refresh()
        assert site.added() == {"b"}
        assert "cannot read this file" in site.state().error
        site.plugin.Refresh()
        assert web.fetched("Packages.gz") == 3


def test_damaged_downloads_of_another_server_are_fetched_again(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with package_server(tmp_path / "data") as web:
        name = f"{web.url}dists/one/main/binary-amd64/Packages.gz".replace("/", "@")
        cache = tmp_path / "repo/Packages/cache"
        cache.mkdir(parents=True)
        (cache / name).write_bytes(b"\x1f\x8b damaged")
        with package_site(tmp_path / "repo", apt_source(web.url), WANTS_A) as site:
            assert site.added() == {"b"}


def test_damaged_indexes_and_states_are_made_again(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with package_server(tmp_path / "data") as web:
        for _ in range(2):
            with package_site(tmp_path / "repo", apt_source(web.url), WANTS_A) as site:
                site.plugin.Reload()
                assert site.added() == {"b"}
            for path in (tmp_path / "repo/Packages/cache/index").iterdir():
                path.write_bytes(b"damaged")
        assert web.fetched("Packages.gz") == 1


def test_new_sources_are_used_when_they_have_been_fetched(tmp_path: Path) -> None:
    apt_repository(tmp_path / "old", *A_NEEDS_B)
    apt_repository(tmp_path / "new", stanza("a", Depends="c"), stanza("c"))
    with (
        package_server(tmp_path / "old") as old,
        package_server(tmp_path / "new") as new,
        package_site(tmp_path / "repo", apt_source(old.url), WANTS_A, {TIMEOUT: 50.0}) as site,
    ):
        site.plugin.start_threads()
        new.faults["Packages.gz"] = "stall"
        path = tmp_path / "repo/Packages/sources.xml"
        path.write_text(f"<Sources>{apt_source(new.url)}</Sources>")
        site.server.changed(site.plugin.store._file, path)
        wait_until(lambda: any("Packages.gz" in request for request, _ in new.requests), "the new source is asked")
        assert site.added() == {"b"}
        new.faults.clear()
        new.released.set()
        path.write_text(f"<Sources>{apt_source(new.url)}<!-- again --></Sources>")
        site.server.changed(site.plugin.store._file, path)
        wait_until(lambda: site.added() == {"c"}, "the new source is used")


def test_sources_are_fetched_again_after_the_interval(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with (
        package_server(tmp_path / "data") as web,
        package_site(tmp_path / "repo", apt_source(web.url), WANTS_A, {REFRESH_INTERVAL: 0.2}) as site,
    ):
        site.plugin.start_threads()
        apt_repository(tmp_path / "data", stanza("a", Depends="c"), stanza("c"))
        wait_until(lambda: site.added() == {"c"}, "the source is refreshed")


def test_failing_sources_are_due_earlier(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with package_server(tmp_path / "data") as web:
        sources = apt_source(web.url) + apt_source(f"{web.url}missing/")
        with package_site(tmp_path / "repo", sources, WANTS_A) as site:
            good, bad = site.plugin.store.states.items()
            due = schedule.due_times(dict([good, bad]), 4 * 3600.0)
            assert due[good[0]] == good[1].checked + 4 * 3600
            assert due[bad[0]] == bad[1].checked + schedule.RETRY_SECONDS
            assert not schedule.due_times({}, 1.0)


def test_one_server_sees_what_another_has_fetched(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with (
        package_server(tmp_path / "data") as web,
        package_site(tmp_path / "repo", apt_source(web.url), WANTS_A) as one,
        package_site(tmp_path / "repo", apt_source(web.url), WANTS_A) as other,
    ):
        apt_repository(tmp_path / "data", stanza("a", Depends="c"), stanza("c"))
        one.plugin.Refresh()
        assert other.added() == {"b"}
        other.server.changed(other.plugin.store, other.plugin.store.cache.generation)
        assert other.added() == {"c"}


def test_logins_are_sent_and_kept_out_of_messages(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    apt_repository(tmp_path / "data", *A_NEEDS_B)
    with package_server(tmp_path / "data") as web:
        web.login = "ann:se@cret"
        url = web.url.replace("//", "//ann:se%40cret@")
        with package_site(tmp_path / "repo", apt_source(url), WANTS_A) as site:
            assert site.added() == {"b"}
            web.faults["Packages.gz"] = "503"
            site.plugin.Refresh()
            assert site.state().is_failing
    assert "503" in caplog.text
    assert "se%40cret" not in caplog.text
    assert "cret" not in json.dumps([vars(state) for state in site.plugin.store.states.values()])


def test_percent_and_at_signs_belong_to_the_path(tmp_path: Path) -> None:
    apt_repository(tmp_path / "data/a@b c", *A_NEEDS_B)
    with (
        package_server(tmp_path / "data") as web,
        package_site(tmp_path / "repo", apt_source(f"{web.url}a@b%20c"), WANTS_A) as site,
    ):
        assert site.added() == {"b"}
