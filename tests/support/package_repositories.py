"""Repositories for RPM packages, Arch Linux and FreeBSD, and signed ones of Debian packages, for tests."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import lz4.frame
import zstandard

COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.compress,
    ".lz4": lz4.frame.compress,
    ".zck": bytes,
}


def _package(name: str, facts: Mapping[str, Any]) -> str:
    def entries(kind: str) -> str:
        return "".join(f"<rpm:entry name={quoteattr(one)}/>" for one in facts.get(kind, ()))

    name = name.strip()
    version = f'<version epoch="{facts.get("epoch", "0")}" ver="{facts.get("version", "1")}" rel="1"/>'
    return (
        f'<package type="rpm"><name>{name}</name><arch>x86_64</arch>{version}<format>'
        f'<rpm:provides><rpm:entry name="{name}"/>{entries("provides")}</rpm:provides>'
        f"<rpm:requires>{entries('requires')}</rpm:requires>"
        f"<rpm:recommends>{entries('recommends')}</rpm:recommends></format></package>"
    )


def _filelist(name: str, facts: Mapping[str, Any]) -> str:
    files = "".join(f"<file>{escape(path)}</file>" for path in facts.get("files", ()))
    version = f'<version epoch="{facts.get("epoch", "0")}" ver="{facts.get("version", "1")}" rel="1"/>'
    return f'<package pkgid="0" name="{name.strip()}" arch="x86_64">{version}{files}</package>'


def rpm_repository(
    root: Path,
    packages: Mapping[str, Mapping[str, Any]],
    *,
    groups: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    ending: str = ".gz",
    modules: str = "",
) -> None:
    """Write an rpm-md repository. Facts of a package: epoch, version, requires, provides, files.

    Blanks at the end of names do not count, so that a package may have several versions.
    """
    linux = "http://linux.duke.edu/metadata"
    primary = "".join(_package(name, facts) for name, facts in packages.items())
    lists = {
        "primary": f'<metadata xmlns="{linux}/common" xmlns:rpm="{linux}/rpm">{primary}</metadata>',
        "filelists": f'<filelists xmlns="{linux}/filelists">'
        + "".join(_filelist(name, facts) for name, facts in packages.items())
        + "</filelists>",
    }
    if groups:
        lists["group"] = "<comps>" + "".join(
            f"<group><id>{name}</id><packagelist>"
            + "".join(
                f'<packagereq type="{kind}">{member}</packagereq>' for kind, names in kinds.items() for member in names
            )
            + "</packagelist></group>"
            for name, kinds in groups.items()
        )
        lists["group"] += "</comps>"
    if modules:
        lists["modules"] = modules
    directory = root / "repodata"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    entries = ""
    for kind, text in lists.items():
        content = COMPRESSIONS[ending](text.encode())
        digest = hashlib.sha256(content).hexdigest()
        name = f"{digest}-{kind}.xml{ending}"
        (directory / name).write_bytes(content)
        entries += (
            f'<data type="{kind}"><checksum type="sha256">{digest}</checksum>'
            f'<location href="repodata/{name}"/><size>{len(content)}</size></data>'
        )
    (directory / "repomd.xml").write_text(f'<repomd xmlns="{linux}/repo">{entries}</repomd>')


def tar_database(files: Mapping[str, bytes]) -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def pacman_repository(
    root: Path, packages: Mapping[str, Mapping[str, Sequence[str]]], *, component: str, arch: str
) -> None:
    """Write the database of one component for pacman. The facts of a package are fields of its files, as lists."""

    def fields(facts: Mapping[str, Sequence[str]]) -> bytes:
        return "".join(f"%{name}%\n{chr(10).join(lines)}\n\n" for name, lines in facts.items()).encode()

    files: dict[str, bytes] = {}
    for name, facts in packages.items():
        about = {key: lines for key, lines in facts.items() if key == "GROUPS"}
        files[f"{name}-1-1/desc"] = fields({"NAME": [name], "VERSION": ["1-1"], **about})
        files[f"{name}-1-1/depends"] = fields({key: lines for key, lines in facts.items() if key != "GROUPS"})
    path = root / component / "os" / arch / f"{component}.db.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(tar_database(files)))


class SigningKey:
    """A key pair of GnuPG in a directory of its own."""

    def __init__(self, directory: Path, name: str) -> None:
        self.home = directory
        directory.mkdir(mode=0o700)
        self.run("--quick-generate-key", "--passphrase", "", f"{name} <{name}@example.com>", "ed25519", "sign", "never")
        self.public = self.run("--armor", "--export")

    def run(self, *arguments: str) -> bytes:
        """Run GnuPG with the key; returns its output."""
        command = ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--no-autostart", *arguments]
        if arguments[0].startswith("--quick") or "--sign" in arguments[0] or arguments[0].endswith("sign"):
            command.remove("--no-autostart")
        return subprocess.run(command, check=True, capture_output=True).stdout

    def stop(self) -> None:
        """End the agent."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, capture_output=True)


def debian_package(pool: Path, name: str, depends: str = "", version: str = "1") -> None:
    """Build a package with Debian's own tool."""
    root = pool.parent / f"build-{name}"
    control = root / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: amd64", "Maintainer: A <a@example.com>"]
    lines += [f"Depends: {depends}"] if depends else []
    control.write_text("\n".join([*lines, "Description: a test", ""]))
    pool.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(root), str(pool)], check=True, capture_output=True)
    shutil.rmtree(root)


def debian_repository(root: Path, key: SigningKey | None, *, by_hash: bool = True, flat: bool = False) -> None:
    """Make the lists of the packages in ``root/pool`` with Debian's own tools, and sign them."""
    suite = root if flat else root / "dists" / "one"
    directory = suite if flat else suite / "main" / "binary-amd64"
    directory.mkdir(parents=True, exist_ok=True)
    lists = subprocess.run(["apt-ftparchive", "packages", "pool"], cwd=root, check=True, capture_output=True).stdout
    for ending, compress in COMPRESSIONS.items():
        if ending in ("", ".xz", ".gz", ".zst", ".lz4", ".bz2"):
            (directory / f"Packages{ending}").write_bytes(compress(lists))
    sign(suite, key, by_hash=by_hash)


def sign(suite: Path, key: SigningKey | None, *, by_hash: bool = True) -> None:
    """Write the release files of a suite for the lists that it has."""
    for name in ("Release", "InRelease", "Release.gpg"):
        (suite / name).unlink(missing_ok=True)
    options = ["-o", "APT::FTPArchive::Release::Acquire-By-Hash=yes"] if by_hash else []
    command = ["apt-ftparchive", *options, "release", "."]
    release = subprocess.run(command, cwd=suite, check=True, capture_output=True).stdout
    if by_hash:
        for path in [path for path in suite.rglob("Packages*") if path.is_file()]:
            target = path.parent / "by-hash" / "SHA512" / hashlib.sha512(path.read_bytes()).hexdigest()
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (suite / "Release").write_bytes(release)
    if key is not None:
        key.run("--clearsign", "--output", str(suite / "InRelease"), str(suite / "Release"))
        key.run("--detach-sign", "--armor", "--output", str(suite / "Release.gpg"), str(suite / "Release"))
