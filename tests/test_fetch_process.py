"""The downloader of the charts as a process: kills, signals, locks, exit codes, file modes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import fake_hub
from tests.fake_hub import Hub, serving
from tests.fetching import (
    FOLDER,
    ID,
    OTHER_ID,
    SCRIPT,
    SNAPSHOT,
    filled,
    names,
    repository,
    single,
)

pytestmark = pytest.mark.loopback

HUGE = os.urandom(4 << 20)
# A writer's buffer of at most this many bytes is lost when the process is killed.
BUFFER = 16 << 10
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = filled()
    server.files["a.gguf"] = HUGE
    with serving(server):
        yield server


@pytest.fixture
def start(hub: Hub, tmp_path: Path) -> Iterator[Start]:
    """Start the script on a plan; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(*sources: dict[str, Any], args: tuple[str, ...] = ("--once",), **plan: Any) -> Any:
        path = tmp_path / f"plan{len(running)}.json"
        path.write_text(json.dumps({"store": str(tmp_path / "models"), "sources": sources, **plan}))
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(SCRIPT), str(path), *args],
            env={"HF_ENDPOINT": hub.url, "HF_TOKEN": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and output."""
    output, _ = process.communicate(timeout=20)
    return process.returncode, output


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_download_goes_on_where_it_stopped(hub: Hub, start: Start, tmp_path: Path) -> None:
    never = threading.Event()
    half = len(HUGE) // 2
    hub.faults["a.gguf"] = [fake_hub.held(half, never)]
    first = start(repository())
    part = tmp_path / "models" / SNAPSHOT / "a.gguf.part"
    until(lambda: part.is_file() and part.stat().st_size >= half - BUFFER)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait(20) == -signal.SIGKILL
    kept = part.stat().st_size
    assert not (tmp_path / "models" / SNAPSHOT / "a.gguf").exists()
    assert not (tmp_path / "models" / ".chartgen" / f"{ID}.complete").exists()

    code, output = ended(start(repository()))
    never.set()
    assert (code, output.splitlines()[-1]) == (0, "fetch: all weights are complete")
    assert (tmp_path / "models" / SNAPSHOT / "a.gguf").read_bytes() == HUGE
    assert hub.ranges("blobs") == [None, f"bytes={kept}-"]
    assert hub.sent["a.gguf"] == half + len(HUGE) - kept
    assert half - kept <= BUFFER


def test_once_ends_with_the_outcome(hub: Hub, start: Start) -> None:
    code, output = ended(start(single(hub), repository(id=OTHER_ID)))
    assert code == 1
    assert "/get/voice.bin: HTTP 404; again in 600 s" in output
    hub.plain["/get/voice.bin"] = b"voice"
    code, output = ended(start(single(hub, size=5), repository(id=OTHER_ID)))
    assert (code, output.splitlines()[-1]) == (0, "fetch: all weights are complete")
    assert len(hub.asked("/api/")) == 1  # the other source was not held up


@pytest.mark.parametrize("change", [{"kind": "ftp"}, {"revision": "../.."}])
def test_once_ends_for_an_unusable_plan(start: Start, change: dict[str, str]) -> None:
    code, output = ended(start(repository(**change)))
    assert code == 1
    assert "Traceback" not in output


def test_problem_for_a_person_is_waited_out(hub: Hub, start: Start) -> None:
    hub.faults["main"] = [fake_hub.status(401)] * 2
    process = start(repository(), args=())
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    assert "set the token in Settings; again in 600 s" in lines[1]
    time.sleep(0.2)
    assert process.poll() is None
    process.terminate()
    assert ended(process)[0] == 143
    assert len(hub.seen) == 1


def test_unusable_plan_is_waited_out(start: Start) -> None:
    process = start(repository(kind="ftp"), args=())
    assert process.stdout is not None
    assert "the plan is not usable" in process.stdout.readline()
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    assert ended(process)[0] == 143


def test_sigterm_during_a_download(hub: Hub, start: Start) -> None:
    never = threading.Event()
    hub.faults["a.gguf"] = [fake_hub.held(1000, never)]
    process = start(repository())
    until(lambda: hub.sent["a.gguf"] > 0)
    process.terminate()
    begun = time.monotonic()
    code, output = ended(process)
    never.set()
    assert (code, "Traceback" in output) == (143, False)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("keep_running", [True, False])
def test_end_of_a_whole_run(hub: Hub, start: Start, keep_running: bool) -> None:
    process = start(repository(), args=(), keep_running=keep_running)
    assert process.stdout is not None
    lines = list(iter(process.stdout.readline, "fetch: all weights are complete\n"))
    assert lines
    if keep_running:
        time.sleep(0.2)
        assert process.poll() is None
        process.terminate()
    assert process.wait(5) == 0


@pytest.mark.parametrize("second_id", [ID, OTHER_ID])
def test_two_at_once_download_once(hub: Hub, start: Start, tmp_path: Path, second_id: str) -> None:
    release = threading.Event()
    hub.faults["a.gguf"] = [fake_hub.held(1000, release)]
    first = start(repository())
    until(lambda: hub.sent["a.gguf"] > 0)
    before = len(hub.seen)
    second = start(repository(id=second_id), args=("--once",))
    assert second.stdout is not None
    assert "waiting for its turn" in second.stdout.readline()
    time.sleep(0.3)
    assert second.poll() is None
    assert len(hub.seen) == before
    release.set()
    assert ended(first)[0] == 0
    assert ended(second)[0] == 0
    assert len(hub.asked("resolve")) == 4
    assert hub.sent["a.gguf"] == len(HUGE)
    # Another source of the repository asks for the list of files, the same source for nothing.
    assert len(hub.asked("/api/")) == (1 if second_id == ID else 2)
    assert (tmp_path / "models" / SNAPSHOT / "a.gguf").read_bytes() == HUGE


def test_waiting_for_the_lock_ends_at_once(hub: Hub, start: Start) -> None:
    release = threading.Event()
    hub.faults["a.gguf"] = [fake_hub.held(1000, release)]
    first = start(repository())
    until(lambda: hub.sent["a.gguf"] > 0)
    second = start(repository())
    assert second.stdout is not None
    second.stdout.readline()
    time.sleep(0.2)
    second.terminate()
    assert ended(second)[0] == 143
    release.set()
    assert ended(first)[0] == 0


def test_modes_let_the_group_write(start: Start, tmp_path: Path) -> None:
    assert ended(start(repository()))[0] == 0
    store = tmp_path / "models"
    assert store.joinpath(FOLDER, "at", "main", "a.gguf").read_bytes() == HUGE
    assert names(store / SNAPSHOT) == {"a.gguf", "config.json", "d/b.json", "old.pth"}
    for path in [store, *store.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o775 if path.is_dir() else 0o664), path


def test_status_port(hub: Hub, start: Start) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    release = threading.Event()
    hub.faults["a.gguf"] = [fake_hub.held(1 << 20, release)]
    process = start(repository(), args=("--status-port", str(port)), keep_running=True)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(path: str) -> str:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return str(response.read().decode())

    until(lambda: hub.sent["a.gguf"] >= 1 << 20)
    # Idle connections, as browsers open them, do not hold the probe up.
    with (
        socket.create_connection(("127.0.0.1", port)),
        socket.create_connection(("127.0.0.1", port)),
    ):
        assert get("/livez") == "ok"
    until(lambda: json.loads(get("/status.json"))[0]["done"] >= (1 << 20) - BUFFER)
    assert json.loads(get("/status.json"))[0]["state"] == "downloading a.gguf"
    release.set()
    until(lambda: json.loads(get("/status.json"))[0]["state"] == "complete")
    assert "org/name: complete" in get("/")
    process.terminate()
    assert ended(process)[0] == 0
