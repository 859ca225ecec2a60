"""Files on disk: a failed write leaves the old file, a read never takes more than its limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from chartgen.errors import ChartgenError, UnreadableError
from chartgen.files import read_limited, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a longer old content")
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_name_as_long_as_names_get_is_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("a" * 255), b"new")
    assert names(tmp_path) == ["a" * 255]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_the_mode_is_set_whatever_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", b"", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_a_link_stays_a_link_to_the_new_content(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("step", ["chmod", "fsync", "replace"])
@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), ChartgenError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    failure: BaseException,
    raised: type[BaseException],
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise failure

    (tmp_path / "a").write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        with pytest.raises(raised):
            write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_content_reaches_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        # The size shows that nothing is left in Python's own buffer.
        steps.append("folder" if is_folder else f"file of {os.fstat(handle).st_size}")
        fsync(handle)

    def noted_replace(source: Path, target: Path) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_atomically(tmp_path / "a", b"new")
    assert steps == ["file of 3", "rename", "folder"]


@pytest.mark.parametrize(("code", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, fails: bool
) -> None:
    fsync = os.fsync

    def picky_fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", picky_fsync)
    if fails:
        with pytest.raises(ChartgenError):
            write_atomically(tmp_path / "a", b"new")
    else:
        write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_write_without_a_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ChartgenError, match="check that its folder exists"):
        write_atomically(tmp_path / "absent" / "a", b"new")


def test_a_file_up_to_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_limited(tmp_path / "a", 5) == b"12345"
    with pytest.raises(UnreadableError, match="larger than the 4 bytes"):
        read_limited(tmp_path / "a", 4)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no endless file")
def test_an_endless_file_is_read_to_the_limit_only() -> None:
    with pytest.raises(UnreadableError, match="larger than the 1,000 bytes"):
        read_limited(Path("/dev/zero"), 1000)


def test_what_cannot_be_read_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="there is no such file"):
        read_limited(tmp_path / "absent", 1)
    with pytest.raises(UnreadableError, match="take the NUL out of it"):
        read_limited(tmp_path / "a\0b", 1)
    with pytest.raises(UnreadableError, match="is a folder"):
        read_limited(tmp_path, 1)
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UnreadableError, match="cannot be read"):
        read_limited(tmp_path / "a" / "b", 1)
