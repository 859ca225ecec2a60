"""The downloader of the charts: what it writes, asks for and shows."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests import fake_hub
from tests.fake_hub import COMMIT, NEWER, Hub, serving
from tests.fetching import (
    BIG,
    FOLDER,
    ID,
    OTHER_ID,
    SCRIPT,
    SMALL,
    SNAPSHOT,
    Clock,
    EnoughError,
    digest,
    fetch,
    filled,
    names,
    repository,
    single,
    world,
)

pytestmark = pytest.mark.loopback


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(filled()) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_script_can_travel_in_a_chart() -> None:
    text = SCRIPT.read_text()
    assert text.isascii()
    assert "{{" not in text
    assert text.count("\n") < 450


# --- what is written ---


def test_whole_repository_with_patterns(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    raw = repository(include=["*.json", "*.gguf", "*.pth"], exclude=["*.pth"])
    assert fetch.Source(raw, tmp_path, world(hub, clock)).work() == 0.0
    assert names(tmp_path / SNAPSHOT) == {"a.gguf", "config.json", "d/b.json"}
    assert (tmp_path / SNAPSHOT / "a.gguf").read_bytes() == BIG
    assert (tmp_path / SNAPSHOT / "config.json").read_bytes() == SMALL
    assert (tmp_path / FOLDER / "refs" / "main").read_text() == COMMIT
    assert str((tmp_path / FOLDER / "at" / "main").readlink()) == f"../snapshots/{COMMIT}"
    assert json.loads((tmp_path / ".chartgen" / f"{ID}.complete").read_text()) == {
        "commit": COMMIT,
        "files": {
            f"{SNAPSHOT}/a.gguf": len(BIG),
            f"{SNAPSHOT}/config.json": len(SMALL),
            f"{SNAPSHOT}/d/b.json": 2,
        },
    }
    assert clock.slept == []


@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/7", COMMIT])
def test_chosen_file_at_a_revision(hub: Hub, clock: Clock, tmp_path: Path, revision: str) -> None:
    hub.listing = lambda answer: answer | {"sha": COMMIT}
    hub.commits.update({"v1.0": hub.files, "refs/pr/7": hub.files})
    link = f"{FOLDER}/at/{revision}"
    raw = repository(files=["config.json"], revision=revision, link=link)
    assert fetch.Source(raw, tmp_path, world(hub, clock)).work() == 0.0
    assert names(tmp_path / SNAPSHOT) == {"config.json"}
    assert (tmp_path / FOLDER / "refs" / revision).read_text() == COMMIT
    assert (tmp_path / link / "config.json").read_bytes() == SMALL


def test_empty_file(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.files["empty.txt"] = b""
    raw = repository(files=["empty.txt"])
    assert fetch.Source(raw, tmp_path, world(hub, clock)).work() == 0.0
    assert (tmp_path / SNAPSHOT / "empty.txt").read_bytes() == b""


@pytest.mark.parametrize(
    "known",
    [{}, {"size": len(BIG)}, {"sha256": digest(BIG)}, {"size": len(BIG), "sha256": digest(BIG)}],
)
def test_url(hub: Hub, clock: Clock, tmp_path: Path, known: dict[str, Any]) -> None:
    hub.plain["/get/voice.bin"] = BIG
    assert fetch.Source(single(hub, **known), tmp_path, world(hub, clock)).work() == 0.0
    path = f"urls/{ID}/voice.bin"
    assert (tmp_path / path).read_bytes() == BIG
    marker = json.loads((tmp_path / ".chartgen" / f"{ID}.complete").read_text())
    assert marker == {"commit": None, "files": {path: len(BIG)}}
    assert names(tmp_path / "urls") == {f"{ID}/voice.bin"}


def test_url_without_any_length(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.plain["/get/voice.bin"] = BIG
    hub.faults["voice.bin"] = [fake_hub.endless, fake_hub.endless, fake_hub.chunked]
    unknown = fetch.Source(single(hub), tmp_path, world(hub, clock))
    assert unknown.work() == fetch.LOOK_AGAIN
    assert "neither the size nor the sha256 is known" in unknown.state
    known = fetch.Source(single(hub, sha256=digest(BIG)), tmp_path, world(hub, clock))
    assert known.work() == 0.0
    chunked = fetch.Source(single(hub, id=OTHER_ID, path="c.bin"), tmp_path, world(hub, clock))
    assert chunked.work() == 0.0
    assert (tmp_path / "c.bin").read_bytes() == BIG


# --- what is asked for ---


def test_complete_source_needs_no_network(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    hub.seen.clear()
    again = fetch.Source(repository(), tmp_path, world(hub, clock))
    assert again.complete()
    assert again.work() == 0.0
    assert hub.seen == []
    assert again.done == len(BIG) + len(SMALL) + 1 + 2


@pytest.mark.parametrize("harm", ["short", "gone", "marker", "ref", "link"])
def test_damaged_store_is_mended_by_what_is_missing_only(
    hub: Hub, clock: Clock, tmp_path: Path, harm: str
) -> None:
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    path = {
        "short": tmp_path / SNAPSHOT / "config.json",
        "gone": tmp_path / SNAPSHOT / "config.json",
        "marker": tmp_path / ".chartgen" / f"{ID}.complete",
        "ref": tmp_path / FOLDER / "refs" / "main",
        "link": tmp_path / FOLDER / "at" / "main",
    }[harm]
    if harm == "short":
        path.write_bytes(SMALL[:3])
    else:
        path.unlink()
    inode = (tmp_path / SNAPSHOT / "a.gguf").stat().st_ino
    hub.seen.clear()
    again = fetch.Source(repository(), tmp_path, world(hub, clock))
    assert not again.complete()
    assert again.work() == 0.0
    assert again.complete()
    wanted = [f"/org/name/resolve/{COMMIT}/config.json"] if harm in ("short", "gone") else []
    assert hub.asked("resolve") == wanted
    assert (tmp_path / SNAPSHOT / "config.json").read_bytes() == SMALL
    assert (tmp_path / SNAPSHOT / "a.gguf").stat().st_ino == inode


def test_file_that_vanishes_later_is_fetched_again(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    calls = iter(range(9))

    def counted(request: urllib.request.Request, timeout: float) -> Any:
        if next(calls, None) is None:
            raise EnoughError
        return fetch.World("").opener(request, timeout=timeout)

    source = fetch.Source(repository(), tmp_path, world(hub, clock, opener=counted))
    assert source.work() == 0.0
    (tmp_path / SNAPSHOT / "config.json").unlink()
    assert source.work() == 0.0
    assert (tmp_path / SNAPSHOT / "config.json").read_bytes() == SMALL


def test_small_files_are_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "refs" / "main"
    fetch.write_text(path, COMMIT)
    with mock.patch.object(Path, "replace", side_effect=EnoughError), pytest.raises(EnoughError):
        fetch.write_text(path, NEWER)
    assert path.read_text() == COMMIT


def test_marker_of_a_damaged_source_does_not_stay(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    source = fetch.Source(repository(), tmp_path, world(hub, clock))
    assert source.work() == 0.0
    (tmp_path / SNAPSHOT / "config.json").unlink()
    hub.faults["config.json"] = [fake_hub.status(404)]
    assert source.work() == 600.0
    assert not source.marker.exists()


@pytest.mark.parametrize("text", ["", "[]", "5", '{"files": 5}', '{"files": [1]}', '{"files": {}}'])
def test_unreadable_marker_is_none(hub: Hub, clock: Clock, tmp_path: Path, text: str) -> None:
    source = fetch.Source(repository(), tmp_path, world(hub, clock))
    source.marker.parent.mkdir()
    source.marker.write_text(text)
    assert not source.complete()
    assert source.work() == 0.0


def test_final_name_with_wrong_bytes_is_replaced(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    target = tmp_path / SNAPSHOT / "a.gguf"
    target.parent.mkdir(parents=True)
    target.write_bytes(bytes(len(BIG)))
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    assert target.read_bytes() == BIG


# --- two sources of one repository ---


def test_sources_of_one_repository_agree_on_the_commit(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    first = fetch.Source(repository(files=["a.gguf"]), tmp_path, world(hub, clock))
    assert first.work() == 0.0
    hub.commits[NEWER] = hub.files | {"config.json": b"newer"}
    hub.main = NEWER
    second = fetch.Source(
        repository(id=OTHER_ID, files=["config.json"]), tmp_path, world(hub, clock)
    )
    assert second.work() == 0.0
    assert (tmp_path / SNAPSHOT / "config.json").read_bytes() == SMALL
    assert first.complete()


def test_newer_commit_is_taken_by_all_where_one_needs_it(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    first = fetch.Source(repository(files=["config.json"]), tmp_path, world(hub, clock))
    assert first.work() == 0.0
    hub.commits[NEWER] = {"config.json": b"newer", "vision.gguf": b"vision"}
    hub.main = NEWER
    raw = repository(id=OTHER_ID, files=["vision.gguf"])
    second = fetch.Source(raw, tmp_path, world(hub, clock))
    assert fetch.run([first, second], False, clock.sleep) == 0
    assert clock.slept == [2.0]
    at = tmp_path / FOLDER / "at" / "main"
    assert str(at.readlink()) == f"../snapshots/{NEWER}"
    assert (at / "config.json").read_bytes() == b"newer"
    assert (at / "vision.gguf").read_bytes() == b"vision"
    assert names(tmp_path / SNAPSHOT) == {"config.json"}


# --- what a person sees ---


def test_progress_lines_are_far_apart(
    hub: Hub, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.tick = 5.0
    with mock.patch.object(fetch, "BLOCK", 10_000):
        assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    lines = [line for line in capsys.readouterr().out.splitlines() if "MB/s" in line]
    assert lines[0].startswith("fetch: org/name: a.gguf ")
    assert 2 <= len(lines) <= clock.now / 15
    assert "%, " in lines[0]


def test_log_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    fetch.log("a\x1b[31mb\nc\ud800d \u00e9")
    assert capsys.readouterr().out == "fetch: a?[31mb?c?d \u00e9\n"


@pytest.fixture
def page(hub: Hub, clock: Clock, tmp_path: Path) -> Iterator[Callable[[str], tuple[int, str, str]]]:
    source = fetch.Source(repository(size=1000), tmp_path, world(hub, clock))
    source.state, source.done = "downloading <b>&.gguf", 250
    handler = type("Bound", (fetch.StatusHandler,), {"sources": [source]})
    server = fake_hub.Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def get(path: str) -> tuple[int, str, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}{path}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as response:
                return response.status, response.headers["Content-Type"], response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    yield get
    server.shutdown()
    server.server_close()


def test_status(page: Callable[[str], tuple[int, str, str]]) -> None:
    assert 0 < fetch.StatusHandler.timeout <= 10  # few threads serve, none waits for ever
    assert page("/livez") == (200, "text/plain; charset=utf-8", "ok")
    code, kind, text = page("/status.json")
    assert (code, kind) == (200, "application/json; charset=utf-8")
    expected = {"name": "org/name", "state": "downloading <b>&.gguf", "done": 250, "total": 1000}
    assert json.loads(text) == [expected]
    code, kind, text = page("/")
    assert (code, kind) == (200, "text/html; charset=utf-8")
    assert "org/name: downloading &lt;b&gt;&amp;.gguf, 250 of 1,000 B" in text
    assert "http-equiv=refresh" in text
    for path in ("/plan.json", "/../", "/livez/x", "/?"):
        assert page(path)[0] == 404


# --- the layout, as its owner reads it ---


def test_huggingface_hub_finds_the_files(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    library = pytest.importorskip("huggingface_hub")
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    found = library.snapshot_download("org/name", cache_dir=tmp_path, local_files_only=True)
    assert Path(found) == tmp_path / SNAPSHOT
    for name, data in hub.files.items():
        one = library.hf_hub_download("org/name", name, cache_dir=tmp_path, local_files_only=True)
        assert Path(one).read_bytes() == data
    assert library.try_to_load_from_cache("org/name", "a.gguf", cache_dir=tmp_path) == str(
        tmp_path / SNAPSHOT / "a.gguf"
    )
