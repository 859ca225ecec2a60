"""Publishing into a folder: readers see the old market or the new one, whenever a run dies."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chartgen.errors import ChartgenError, RefusedError, UnreadableError
from chartgen.market.deploy.folder import hosting_files, write_site
from chartgen.market.routes import answer
from chartgen.market.site import JSON, Site, SiteFile
from tests.deploy_sample import sample_site
from tests.markets import sample_site as whole_site

OLD, NEW = sample_site("1.0.0"), sample_site("1.0.1")


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Count how often the disk is waited for, without waiting for it."""
    found: list[None] = []
    monkeypatch.setattr(os, "sync", lambda: found.append(None), raising=False)
    return found


@pytest.fixture(params=["links", "no links"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that does not exist yet, on a system with links and on one without."""
    if request.param == "no links":
        monkeypatch.setattr(Path, "symlink_to", _forbidden)
    return tmp_path / "out"


def _forbidden(*_: Any, **__: Any) -> None:
    raise OSError(1314, "A required privilege is not held by the client")


def files_in(root: Path) -> dict[str, bytes]:
    """All files of a tree but those for hosting, by their site paths."""
    found = {
        f"/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    return {path: data for path, data in found.items() if not path.startswith("/_hosting/")}


def files_of(site: Site) -> dict[str, bytes]:
    return {path: site.content(path) for path in site.files}


def test_the_tree_is_the_site(folder: Path) -> None:
    site = whole_site()

    written = write_site(site, folder)

    assert written.root == folder / "current"
    assert written.changed
    assert files_in(written.root) == files_of(site)
    assert (written.files, written.bytes) == (
        len(site.files),
        sum(len(data) for data in files_of(site).values()),
    )


def test_the_tree_can_be_checked_by_its_own_list(folder: Path) -> None:
    root = write_site(whole_site(), folder).root

    for line in (root / "sha256sums").read_text().splitlines():
        digest, path = line.split("  ")
        assert hashlib.sha256((root / path).read_bytes()).hexdigest() == digest


def test_a_new_market_takes_the_place_of_the_old_one(folder: Path) -> None:
    for site in (OLD, NEW, OLD, NEW):
        write_site(site, folder)

    assert files_in(folder / "current") == files_of(NEW)
    trees = sorted(path.name[:5] for path in folder.iterdir() if path.is_dir())
    assert trees.count("site-") <= 2
    assert not any(path.name.startswith(".") for path in folder.iterdir())


def test_the_market_before_is_kept_for_who_still_reads_it(tmp_path: Path) -> None:
    before = (write_site(OLD, tmp_path).root).resolve()

    write_site(NEW, tmp_path)

    assert files_in(before) == files_of(OLD)


def test_the_same_again_writes_nothing(folder: Path) -> None:
    write_site(OLD, folder)
    before = _stamps(folder)

    assert not write_site(OLD, folder).changed

    assert _stamps(folder) == before


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_ino) for p in folder.rglob("*")}


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize("harm", [Path.unlink, damage])
def test_a_tree_that_was_harmed_is_written_again(
    folder: Path, harm: Callable[[Path], None]
) -> None:
    root = write_site(OLD, folder).root
    harm(root / "charts" / "one-1.0.0.tgz")

    assert write_site(OLD, folder).changed

    assert files_in(root) == files_of(OLD)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_web_server_of_another_user_can_read_it(folder: Path) -> None:
    mask = os.umask(0o077)
    try:
        root = write_site(OLD, folder).root.resolve()
    finally:
        os.umask(mask)

    for path in (root, *root.rglob("*")):
        wanted = 0o755 if path.is_dir() else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


# Cut off ---------------------------------------------------------------------------------------

CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.chmod"}


def killed_at(number: int, action: Callable[[], object]) -> bool:
    """Do something in a process that dies before its nth change of a file; tell whether it did."""
    child = os.fork()
    if child == 0:
        left = number

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            writes = event != "open" or bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
            if event in CHANGES and writes:
                left -= 1
                if left < 0:
                    os._exit(9)

        sys.addaudithook(hook)
        try:
            action()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_whenever_a_run_dies_there_is_a_whole_market_and_the_next_one_finishes(
    folder: Path,
) -> None:
    deaths = absent = 0
    while True:
        write_site(OLD, folder)
        died = killed_at(deaths, lambda: write_site(NEW, folder))
        if (folder / "current").exists():
            assert files_in(folder / "current") in (files_of(OLD), files_of(NEW))
        else:
            absent += 1
        write_site(NEW, folder)
        assert files_in(folder / "current") == files_of(NEW)
        assert not any(path.name.startswith(".") for path in folder.iterdir())
        if not died:
            break
        deaths += 1
    assert deaths > len(NEW.files) * 2
    # Without links `current` is absent between two renames, and nowhere else.
    assert absent == int(Path.symlink_to is _forbidden)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_first_run_that_dies_is_finished_by_the_next_one(folder: Path) -> None:
    for number in range(12):
        target = folder / str(number)
        assert killed_at(number, partial(write_site, NEW, target))
        write_site(NEW, target)
        assert files_in(target / "current") == files_of(NEW)


def test_a_reader_of_the_link_sees_one_market(tmp_path: Path) -> None:
    write_site(OLD, tmp_path)
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            tree = (tmp_path / "current").resolve()
            texts = [(tree / f"api/v1/appstore/{name}").read_text() for name in ("hash", "info")]
            versions = {json.loads(text)["hash"] for text in texts}
            if len(versions) != 1:
                wrong.append(versions)

    reader = threading.Thread(target=read)
    reader.start()
    for site in (NEW, OLD) * 5:
        write_site(site, tmp_path)
    done.set()
    reader.join()

    assert wrong == []


def test_a_full_disk_leaves_the_market_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_site(OLD, folder)

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ChartgenError, match=r"cannot be written \(No space left on device\)"):
            write_site(NEW, folder)

    assert files_in(folder / "current") == files_of(OLD)
    assert not any(path.name.startswith(".") for path in folder.iterdir())


def test_the_files_have_reached_the_disk_before_anybody_is_led_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(os, "sync", lambda: seen.append((tmp_path / "current").exists()))

    write_site(OLD, tmp_path)

    assert seen == [False]


def test_a_package_that_has_changed_on_disk_is_never_published(folder: Path) -> None:
    write_site(OLD, folder)
    record = replace(SiteFile.of(b"chart", JSON), data=None, source="packages/one-1.0.1.tgz")
    site = replace(NEW, files={**NEW.files, "/charts/x.tgz": record}, read=lambda _: b"other")

    with pytest.raises(UnreadableError, match="has changed"):
        write_site(site, folder)

    assert files_in(folder / "current") == files_of(OLD)


# Somebody's folder -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["notes.txt", "current", "site-photos", "Containerfile.old"])
def test_a_folder_with_other_files_is_refused(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    (mine / "inner").mkdir(parents=True)

    with pytest.raises(RefusedError, match="chartgen did not put this there"):
        write_site(OLD, tmp_path)

    assert (mine / "inner").is_dir()
    assert list(tmp_path.iterdir()) == [mine]


def test_a_link_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("/")

    with pytest.raises(RefusedError, match="chartgen did not put this there"):
        write_site(OLD, tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")

    with pytest.raises(RefusedError, match="is a file; name a folder"):
        write_site(OLD, tmp_path / "out")


def test_the_server_files_are_left_to_the_person(folder: Path) -> None:
    write_site(OLD, folder)
    assert "/srv/market/current" in (folder / "nginx.conf").read_text()
    (folder / "nginx.conf").write_text("mine")

    write_site(NEW, folder)

    assert (folder / "nginx.conf").read_text() == "mine"
    assert "COPY" in (folder / "Containerfile").read_text()


@pytest.mark.parametrize(
    "paths",
    [
        ["x"],
        ["/../x"],
        ["/a/../../x"],
        ["/./x"],
        ["//x"],
        ["/a//b"],
        ["/a/"],
        ["/a\\b"],
        ["/a\0b"],
        ["/c:x"],
        ["/a", "/a/b"],
        ["/a", "/a/b/c"],
    ],
)
def test_paths_that_leave_the_tree_are_refused(folder: Path, paths: list[str]) -> None:
    more = {path: SiteFile.of(b"", JSON) for path in paths}
    site = replace(OLD, files={**OLD.files, **more})

    with pytest.raises(RefusedError):
        write_site(site, folder)

    assert not folder.exists()


# For servers without code ----------------------------------------------------------------------


def test_what_code_would_answer_is_there_as_files() -> None:
    site = whole_site()
    files = hosting_files(site)

    assert sorted(files) == [
        f"/_hosting{prefix}/{name}.json"
        for prefix in ("", "/legacy")
        for name in ("catalog-of-any-source", "catalog", "details")
    ]
    for base in site.bases:
        details = json.loads(files[f"/_hosting{base.prefix}/details.json"])
        assert details["apps"].keys() == base.details.keys()
        assert details["not_found"] == []
        catalog = answer(site, "GET", f"{base.prefix}/api/v2/catalog").body
        assert files[f"/_hosting{base.prefix}/catalog.json"] == catalog
        other = json.loads(files[f"/_hosting{base.prefix}/catalog-of-any-source.json"])
        assert other["data"]["source_id"] == "@source_id@"


def test_the_next_market_is_made_out_of_the_spare_tree(tmp_path: Path) -> None:
    for site in (OLD, NEW, OLD):
        root = write_site(site, tmp_path).root
    (spare,) = tmp_path.glob("spare-*")
    for path in files_in(spare):
        os.utime(spare / path[1:], (1, 1))
    before = files_in(spare)
    assert write_site(NEW, tmp_path).changed
    assert files_in(root) == files_of(NEW)
    assert len(list(tmp_path.glob("spare-*"))) == 1
    same = {path for path, data in files_of(NEW).items() if before.get(path) == data}
    assert {path for path in NEW.files if (root / path[1:]).stat().st_mtime == 1} == same
    assert same


def _truncated(path: Path) -> None:
    path.write_bytes(b"")


def _linked(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _became_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_bytes(b"x")


def _joined(path: Path) -> None:
    path.with_name("stranger").write_bytes(b"x")


@pytest.mark.parametrize(
    "harm", [Path.unlink, damage, _truncated, _linked, _became_a_folder, _joined]
)
def test_what_is_wrong_in_the_spare_tree_is_put_right(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    for site in (OLD, NEW, OLD):
        write_site(site, tmp_path)
    (spare,) = tmp_path.glob("spare-*")
    harm(spare / "index.html")
    root = write_site(NEW, tmp_path).root
    assert files_in(root) == files_of(NEW)
    assert not [path for path in root.rglob("*") if path.is_symlink()]
