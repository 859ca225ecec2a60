"""The downloader of the charts: interrupted, changed and wrong downloads."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests import fake_hub
from tests.fake_hub import Hub, serving
from tests.fetching import (
    BIG,
    ID,
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


# --- resuming ---


def test_truncated_body_resumes(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.faults["a.gguf"] = [fake_hub.truncated(100_000), fake_hub.truncated(50_000)]
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    assert hub.ranges("blobs") == [None, "bytes=100000-", "bytes=150000-"]
    assert hub.sent["a.gguf"] == len(BIG)
    assert (tmp_path / SNAPSHOT / "a.gguf").read_bytes() == BIG
    assert clock.slept == [2.0, 2.0]  # bytes came in between
    assert len(hub.asked("/api/")) == 1
    assert not [name for name in names(tmp_path) if ".part" in name]


@pytest.mark.parametrize(
    "fault",
    [
        fake_hub.whole,
        fake_hub.displaced,
        fake_hub.unclear,
        fake_hub.status(416),
        fake_hub.status(500),
    ],
)
def test_answers_to_a_range_request(
    hub: Hub, clock: Clock, tmp_path: Path, fault: fake_hub.Fault
) -> None:
    hub.faults["config.json"] = [fake_hub.truncated(7), fault]
    raw = repository(files=["config.json"])
    assert fetch.Source(raw, tmp_path, world(hub, clock)).work() == 0.0
    assert hub.ranges("config.json")[1] == "bytes=7-"
    assert (tmp_path / SNAPSHOT / "config.json").read_bytes() == SMALL


def test_bytes_that_are_all_there_are_asked_about_once_more(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    hub.plain["/get/voice.bin"] = BIG
    hub.etags["voice.bin"] = '"one"'
    source = fetch.Source(single(hub), tmp_path, world(hub, clock))
    with mock.patch.object(fetch.os, "fsync", side_effect=EnoughError), pytest.raises(EnoughError):
        source.work()  # dies between the last byte and the final name
    assert names(tmp_path / "urls" / ID) == {"voice.bin.part", "voice.bin.part.json"}
    assert fetch.Source(single(hub), tmp_path, world(hub, clock)).work() == 0.0
    assert hub.ranges("voice.bin") == [None, f"bytes={len(BIG) - 1}-"]
    assert (tmp_path / "urls" / ID / "voice.bin").read_bytes() == BIG


@pytest.mark.parametrize("etags", [('"one"', '"two"'), ("", "")])
def test_changed_file_is_never_glued(
    hub: Hub, clock: Clock, tmp_path: Path, etags: tuple[str, str]
) -> None:
    hub.plain["/get/voice.bin"] = BIG
    hub.etags["voice.bin"] = etags[0]
    hub.faults["voice.bin"] = [fake_hub.truncated(1000), fake_hub.status(503)]
    clock.limit = 2
    with pytest.raises(EnoughError):
        fetch.Source(single(hub), tmp_path, world(hub, clock)).work()
    hub.etags["voice.bin"] = etags[1]
    hub.plain["/get/voice.bin"] = changed = BIG[::-1]
    assert fetch.Source(single(hub), tmp_path, world(hub, Clock())).work() == 0.0
    assert (tmp_path / "urls" / ID / "voice.bin").read_bytes() == changed


def test_changed_large_file_at_the_same_commit_starts_again(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    hub.faults["a.gguf"] = [fake_hub.truncated(1000), fake_hub.status(503)]
    clock.limit = 2
    with pytest.raises(EnoughError):
        fetch.Source(repository(), tmp_path, world(hub, clock)).work()
    hub.files["a.gguf"] = changed = BIG[::-1]
    hub.seen.clear()
    assert fetch.Source(repository(), tmp_path, world(hub, Clock())).work() == 0.0
    assert hub.ranges("blobs") == [None]
    assert (tmp_path / SNAPSHOT / "a.gguf").read_bytes() == changed


def test_stalled_stream_times_out_and_resumes(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    never = threading.Event()
    hub.faults["a.gguf"] = [fake_hub.held(5000, never)]

    def impatient(request: urllib.request.Request, timeout: float) -> Any:
        assert timeout == 60
        return fetch.World("").opener(request, timeout=0.3)

    source = fetch.Source(repository(), tmp_path, world(hub, clock, opener=impatient))
    assert source.work() == 0.0
    never.set()
    assert hub.ranges("blobs") == [None, "bytes=5000-"]


# --- digests ---


def test_wrong_bytes_are_fetched_again_from_zero(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.faults["a.gguf"] = [fake_hub.garbled, fake_hub.garbled]
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    assert hub.ranges("blobs") == [None, None, None]
    assert (tmp_path / SNAPSHOT / "a.gguf").read_bytes() == BIG


def test_wrong_bytes_block_after_three_times(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.faults["a.gguf"] = [fake_hub.garbled] * 4
    source = fetch.Source(repository(), tmp_path, world(hub, clock))
    assert source.work() == 600.0
    assert len(hub.asked("blobs")) == 3
    assert "a.gguf: wrong size or sha256, 3 times" in source.state
    assert not (tmp_path / SNAPSHOT / "a.gguf").exists()
    assert not (tmp_path / SNAPSHOT / "a.gguf.part").exists()
    assert not source.complete()
    assert source.work() == 0.0


def test_tries_are_counted_per_file(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.files["b.gguf"] = BIG[::-1]
    hub.lfs.add("b.gguf")
    hub.faults["a.gguf"] = [fake_hub.garbled, fake_hub.garbled]
    hub.faults["b.gguf"] = [fake_hub.garbled, fake_hub.garbled]
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0


def test_whole_files_are_read_once(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.files["b.gguf"] = BIG[::-1]
    hub.lfs.add("b.gguf")
    hub.faults["b.gguf"] = [fake_hub.truncated(1), fake_hub.truncated(1), fake_hub.truncated(1)]
    real = fetch.hashlib.file_digest
    with mock.patch.object(fetch.hashlib, "file_digest", side_effect=real) as reading:
        assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    assert reading.call_count == 2


def test_announced_size_is_checked_before_the_download(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    hub.plain["/get/voice.bin"] = BIG
    source = fetch.Source(single(hub, size=len(BIG) + 1), tmp_path, world(hub, clock))
    assert source.work() == 600.0
    assert f"{len(BIG)} bytes announced, {len(BIG) + 1} expected" in source.state
    assert hub.asked("voice") == ["/get/voice.bin"] * 3


def test_digest_of_the_plan_decides_before_the_download(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    raw = repository(sha256={"a.gguf": digest(SMALL)})
    source = fetch.Source(raw, tmp_path, world(hub, clock))
    assert source.work() == 600.0
    assert "another sha256" in source.state
    assert hub.asked("resolve") == []
