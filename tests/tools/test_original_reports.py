"""``bcfg2-reports``, and the commands of ``bcfg2-admin`` on reports."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.cli.aliases import main as aliases
from geventcore.cli.main import main
from tests.support.reported_site import copy_reported_site
from tests.support.tool_cases import INFO, Run, ToolCase, cases_of, check

CASES = cases_of("reports/cases", "bcfg2-reports", "bcfg2-admin")

#: Runs a program of Bcfg2 with arguments, and returns what it printed.
Program = Callable[..., Run]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration file; the cases follow one another in this site, as ``expire`` changes the next ones."""
    return copy_reported_site(tmp_path_factory.mktemp("reported"))


@pytest.fixture
def program(site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("COLUMNS", "200")
    capsys.readouterr()

    def run(name: str, *arguments: str) -> Run:
        status = aliases.main(name, ["-C", str(site), *arguments])
        printed = capsys.readouterr()
        return Run(site.parent, status, printed.out, printed.err)

    return run


@pytest.fixture
def repository(site: Path) -> Path:
    """The files of the repository as they were."""
    repository = site.parent / "repo"
    shutil.rmtree(repository / "Cfg")
    shutil.copytree(INFO / "repo" / "Cfg", repository / "Cfg")
    return repository


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_output_is_that_of_the_original(case: ToolCase, program: Program) -> None:
    check(case, program(case.entry["tool"], *case.entry["argv"]))


def rows(run: Run) -> list[list[str]]:
    return [line.split() for line in run.out.splitlines()[1:]]


def test_kinds_of_entries_are_chosen(program: Program) -> None:
    assert rows(program("bcfg2-reports", "entries", "Package:nginx", "--fields", "name")) == [
        ["cabin01.harbor.test"],
        ["mast1.harbor.test"],
        ["quay1.harbor.test"],
    ]
    assert rows(program("bcfg2-reports", "entries", "--extraentry", "Package:telnet", "--fields", "name")) == [
        ["quay1.harbor.test"]
    ]
    assert program("bcfg2-reports", "entries", "--modifiedentry", "Package:telnet").out == "No match found\n"


def test_entries_stand_in_a_file(program: Program, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("Service:nginx\n\nPath:/etc/motd\n")
    found = rows(program("bcfg2-reports", "entries", "--file", str(tmp_path / "list"), "--fields", "name"))
    assert found == [["dock1.harbor.test"], ["mast1.harbor.test"], ["quay1.harbor.test"]]


def test_runs_are_left_out(program: Program) -> None:
    assert program("bcfg2-reports", "show", "-i", "cabin01.harbor.test").out == ""
    assert program("bcfg2-reports", "show", "-e", "mast1.harbor.test").out == ""
    assert "telnet" in program("bcfg2-reports", "show", "-n", "-e", "mast1.harbor.test").out


def test_states_of_hosts_exclude_one_another(program: Program) -> None:
    assert [row[0] for row in rows(program("bcfg2-reports", "clients", "-c"))] == ["dock1.harbor.test"]
    assert program("bcfg2-reports", "clients", "-c", "-d").status == 2
    assert program("bcfg2-reports").status == 2
    assert program("bcfg2-reports", "clients", "--fields", "colour").status == 2


@pytest.mark.parametrize("command", ["show", "total", "expire"])
def test_unknown_hosts(command: str, program: Program) -> None:
    run = program("bcfg2-reports", command, "nobody.harbor.test")
    assert (run.status, run.out) == (2, "No such host: nobody.harbor.test\n")


#: Lines of cron jobs, hooks and scripts at sites that run Bcfg2, and their status here.
INVOCATIONS = [
    ("bcfg2-admin -v reports scrub", 0),
    ("bcfg2-admin reports purge --days 3650", 0),
    ("bcfg2-admin reports update", 0),
    ("bcfg2-admin purgereports --days 3650 --expired", 0),
    ("bcfg2-admin scrubreports -v", 0),
    ("bcfg2-admin -Q REPO -E UTF-8 --no-fam-blocking updatereports", 0),
    ("bcfg2-admin validatedb", 0),
    ("bcfg2-admin client add cron.harbor.test profile=web secure=false", 0),
    ("bcfg2-admin client up cron.harbor.test floating=true", 0),
    ("bcfg2-admin client rm cron.harbor.test", 0),
    ("bcfg2-admin -d client list", 0),
    ("bcfg2-admin minestruct -f OUT/new.xml -g base quay1.harbor.test", 0),
    ("bcfg2-admin pull -f quay1.harbor.test Path /etc/motd", 0),
    ("bcfg2-admin compare -d 3 -c -q OUT OUT", 0),
    ("bcfg2-admin help viz", 0),
    ("bcfg2-admin tidy -f", 1),
    ("bcfg2-info -d build quay1.harbor.test OUT/quay1.xml", 0),
    ("bcfg2-info -Q REPO -E UTF-8 -W OUT/none.conf -x pw --no-fam-blocking --cfg-validation buildall OUT quay*", 0),
    ("bcfg2-info -p build quay1.harbor.test", 0),
    ("bcfg2-info query --group web,debian", 0),
    ("bcfg2-info help", 0),
    ("bcfg2-test -v --nose-options -v --ignore Path:/etc/legacy/*,Service:antique quay1.harbor.test", 0),
    ("bcfg2-test --children 2 raft.harbor.test", 1),
    ("bcfg2-reports clients --stale --fields name,time", 0),
    ("bcfg2-reports clients -d --fields name,state,bad", 0),
    ("bcfg2-reports -d show -b -n -i mast1.harbor.test", 0),
    ("bcfg2-reports entries --badentry --file OUT/list", 0),
]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(("line", "status"), INVOCATIONS, ids=lambda value: str(value).partition(" ")[2])
def test_installed_scripts_run_unchanged(line: str, status: int, program: Program, tmp_path: Path, site: Path) -> None:
    (tmp_path / "list").write_text("Package:nginx\n")
    words = line.replace("OUT", str(tmp_path)).replace("REPO", str(site.parent / "repo")).split()
    run = program(words[0], *words[1:])
    assert run.status == status, run.out + run.err
    assert "Traceback" not in run.err


# -- geventcore admin


def run_admin(site: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> Run:
    capsys.readouterr()
    status = main(["admin", arguments[0], "-C", str(site), *arguments[1:]])
    printed = capsys.readouterr()
    return Run(site.parent, status, printed.out, printed.err)


def test_a_file_is_pulled_for_the_host_alone(site: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = repository / "Cfg" / "etc" / "motd"
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    words = ("pull", "--host-only", "quay1.harbor.test", "Path", "/etc/motd")
    dry = run_admin(site, capsys, *words, "--dry-run")
    assert "would be stored for host quay1.harbor.test" in dry.out
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    run = run_admin(site, capsys, *words)
    assert run.status == 0
    assert "owner ana, group staff, mode 0600" in run.out
    after = {path.name: path.read_bytes() for path in directory.iterdir()}
    # info.xml may have settings for others.
    assert after == {**before, "motd.H_quay1.harbor.test": b"ahoy\n"}


def test_places_are_asked_for(
    site: Path, repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["n", "y"])
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: next(answers))
    run = run_admin(site, capsys, "pull", "-I", "quay1.harbor.test", "Path", "/etc/motd")
    assert run.status == 0
    assert (repository / "Cfg/etc/motd/motd.H_quay1.harbor.test").read_text() == "ahoy\n"
    assert (repository / "Cfg/etc/motd/motd.G40_dmz").read_bytes() == (
        INFO / "repo/Cfg/etc/motd/motd.G40_dmz"
    ).read_bytes()


def test_lines_are_pulled_until_the_end(
    site: Path, repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["nonsense", "dock1.harbor.test Path /etc/motd", "quay1.harbor.test Path /etc/motd"]
    monkeypatch.setattr("sys.stdin", iter(lines))
    run = run_admin(site, capsys, "pull", "--stdin", "--replace-info")
    assert run.status == 1
    assert "nonsense: expected HOST TYPE NAME" in run.err
    assert "does not have Path:/etc/motd" in run.err
    assert (repository / "Cfg/etc/motd/motd.G40_dmz").read_text() == "ahoy\n"
    assert 'owner="ana"' in (repository / "Cfg/etc/motd/info.xml").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["quay1.harbor.test", "Package", "nginx"], "only files (Path) have a content"),
        (["quay1.harbor.test", "Path", "/etc/none"], "does not have Path:/etc/none"),
        (["nobody.harbor.test", "Path", "/etc/motd"], "nobody.harbor.test has not reported yet"),
    ],
)
def test_what_cannot_be_pulled(
    words: list[str], message: str, site: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_admin(site, capsys, "pull", *words)
    assert run.status == 1
    assert message in run.err
    assert not list(repository.rglob("*nobody*"))


def test_extra_entries_become_a_bundle(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_admin(site, capsys, "minestruct", "-g", "web:dmz", "quay1.harbor.test")
    wanted = '<Package name="telnet"/><Service name="avahi"/>'
    groups = f'<Group name="web"><Group name="dmz">{wanted}</Group></Group>'
    assert "".join(map(str.strip, run.out.splitlines())) == f"<Bundle>{groups}</Bundle>"
    run_admin(site, capsys, "minestruct", "-f", str(tmp_path / "found.xml"), "quay1.harbor.test")
    assert "telnet" in (tmp_path / "found.xml").read_text()
    assert run_admin(site, capsys, "minestruct", "nobody.harbor.test").status == 1
    assert json.loads(run_admin(site, capsys, "minestruct", "--format", "json", "quay1.harbor.test").out)[0] == {
        "tag": "Package",
        "name": "telnet",
        "type": "deb",
    }


def test_reports_are_counted_and_removed_by_both_names(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = json.loads(run_admin(site, capsys, "reportsstats", "--format", "json").out)
    assert (counts["hosts"], counts["reports"]) == (4, 6)
    assert counts["entries"] == {"Package": 3, "Path": 1, "Service": 3}
    assert run_admin(site, capsys, "purgereports").status == 2
    assert run_admin(site, capsys, "purgereports", "--client", "cabin01.harbor.test").status == 0
    assert main(["admin", "reports", "purge", "--client", "dock1.harbor.test", "-C", str(site)]) == 0
    counts = json.loads(run_admin(site, capsys, "reportsstats", "--format", "json").out)
    assert (counts["hosts"], counts["reports"]) == (2, 3)
    assert "removed" in run_admin(site, capsys, "scrubreports").out
    assert "is usable" in run_admin(site, capsys, "validatedb").out
    assert "nothing to do" in run_admin(site, capsys, "syncdb").out
