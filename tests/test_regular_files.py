"""Reading files of the repository: regular ones only, and no more than a limit."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.regular_files import DEFAULT_MAX_BYTES, limit_sizes, read_file, read_text


@pytest.fixture
def small_limit() -> Iterator[int]:
    limit_sizes(1000)
    yield 1000
    limit_sizes(DEFAULT_MAX_BYTES)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: os.mkfifo(path), "it is a FIFO, not a regular file"),
        (make_socket, "it is a socket, not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
        (make_loop, "Too many levels of symbolic links"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda _path: None, "No such file or directory"),
    ],
)
def test_what_is_no_regular_file_is_refused(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    path = tmp_path / "file"
    make(path)
    with pytest.raises(OSError, match=re.escape(reason)) as caught:
        read_file(path)
    assert caught.value.strerror == reason
    assert caught.value.filename == str(path)


def test_sizes(tmp_path: Path, small_limit: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * small_limit)
    assert read_file(path) == b"x" * small_limit
    with path.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(OSError, match="larger than"):
        read_file(path)
    os.truncate(path, 1 << 40)
    with pytest.raises(OSError, match="larger than"):
        read_file(path)


def test_a_file_whose_size_says_nothing(small_limit: int) -> None:
    assert read_file("/proc/self/comm").strip()
    with pytest.raises(OSError, match="larger than"):
        read_file("/proc/cpuinfo")


def test_text_has_plain_ends_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("a\r\né\rb\n".encode())
    assert read_text(path) == "a\né\nb\n"
