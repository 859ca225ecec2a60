"""The downloader of the charts against refusals, odd answers and unsafe names."""

from __future__ import annotations

import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
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
    SMALL,
    SNAPSHOT,
    Clock,
    EnoughError,
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


# --- refusals and pauses ---


@pytest.mark.parametrize(
    ("code", "told"),
    [(401, "set the token in Settings"), (403, "licence"), (404, "HTTP 404"), (410, "HTTP 410")],
)
@pytest.mark.parametrize("name", ["main", "config.json"])
def test_permanent_refusals(
    hub: Hub, clock: Clock, tmp_path: Path, code: int, told: str, name: str
) -> None:
    hub.faults[name] = [fake_hub.status(code)]
    source = fetch.Source(repository(), tmp_path, world(hub, clock))
    assert source.work() == 600.0
    assert told in source.state
    assert clock.slept == []
    assert source.work() == 0.0  # the person has mended it


def test_other_sources_go_on_and_the_blocked_one_is_looked_at_again(
    hub: Hub, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.plain["/get/voice.bin"] = BIG
    hub.faults["main"] = [fake_hub.status(403), fake_hub.status(403)]
    here = world(hub, clock)
    entries = [repository(id=OTHER_ID), single(hub)]
    sources = [fetch.Source(raw, tmp_path, here) for raw in entries]
    assert fetch.run(sources, False, clock.sleep) == 0
    assert clock.slept == [600.0, 600.0]
    assert [path for path, _ in hub.seen][1] == "/get/voice.bin"
    assert capsys.readouterr().out.endswith("fetch: all weights are complete\n")


@pytest.mark.parametrize(
    ("faults", "slept"),
    [
        ([fake_hub.status(500)] * 9, [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0, 120.0]),
        ([fake_hub.status(429, Retry_After="7")] * 4, [7.0, 7.0, 8.0, 16.0]),
        ([fake_hub.status(429, Retry_After="99999")], [600.0]),
        ([fake_hub.status(503, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT")], [2.0]),
        ([fake_hub.status(408), fake_hub.status(425), fake_hub.status(502)], [2.0, 4.0, 8.0]),
    ],
)
def test_pauses(
    hub: Hub, clock: Clock, tmp_path: Path, faults: list[fake_hub.Fault], slept: list[float]
) -> None:
    hub.faults["main"] = faults
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    assert clock.slept == slept


def test_unreachable_server_is_asked_for_ever(clock: Clock, tmp_path: Path) -> None:
    with serving(Hub()) as gone:
        pass
    with pytest.raises(EnoughError):
        fetch.Source(repository(), tmp_path, world(gone, clock)).work()
    assert clock.slept == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0] + [120.0] * 24


@pytest.mark.parametrize(
    "answer",
    [
        "no object",
        [],
        {},
        {"sha": "main", "siblings": []},
        {"sha": COMMIT + "\n", "siblings": []},
        {"sha": COMMIT, "siblings": {}, "more": 1} | {"siblings": 5},
        {"sha": COMMIT, "siblings": ["config.json"]},
        {"sha": COMMIT, "siblings": [{"rfilename": 5, "size": 1}]},
        {"sha": COMMIT, "siblings": [{"rfilename": "x", "size": "large"}]},
        {"sha": COMMIT, "siblings": [{"rfilename": "x", "size": float("inf")}]},
        {"sha": COMMIT, "siblings": [{"rfilename": "x", "size": 10**400}]},
        {"sha": COMMIT, "siblings": [{"rfilename": "x", "lfs": "yes"}]},
    ],
)
def test_odd_answers_of_the_hub_are_asked_again(
    hub: Hub, clock: Clock, tmp_path: Path, answer: Any
) -> None:
    hub.listing = lambda _: answer
    clock.limit = 3
    with pytest.raises(EnoughError):
        fetch.Source(repository(), tmp_path, world(hub, clock)).work()
    assert clock.slept == [2.0, 4.0, 8.0]
    assert hub.asked("resolve") == []


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"\xff", b'{"sha": "'])
def test_bad_json_is_asked_again(hub: Hub, clock: Clock, tmp_path: Path, body: bytes) -> None:
    hub.faults["main"] = [lambda handler, data, start: fake_hub.whole(handler, body, 0)]
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    assert clock.slept == [2.0]


def test_list_of_files_is_bounded(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    clock.limit = 1
    source = fetch.Source(repository(), tmp_path, world(hub, clock))
    with mock.patch.object(fetch, "JSON_LIMIT", 100), pytest.raises(EnoughError):
        source.work()
    assert "no list of files" in source.state


def test_files_that_do_not_exist(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    for raw in (repository(files=["b.gguf"]), repository(include=["*.bin"])):
        source = fetch.Source(raw, tmp_path, world(hub, clock))
        assert source.work() == 600.0
        assert "exist at main" in source.state


def test_free_space_is_awaited(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    needed = len(BIG) + len(SMALL) + 1 + 2 + (1 << 30)
    free = iter([needed - 1, needed - 1, needed])
    source = fetch.Source(repository(), tmp_path, world(hub, clock, free=lambda _: next(free)))
    assert source.work() == 0.0
    assert clock.slept == [2.0, 4.0]
    assert next(free, None) is None
    assert len(hub.asked("resolve")) == 4


def test_full_disk_does_not_matter_when_all_is_there(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    source = fetch.Source(repository(), tmp_path, world(hub, clock))
    assert source.work() == 0.0
    source.marker.unlink()
    full = fetch.Source(repository(), tmp_path, world(hub, clock, free=lambda _: 0))
    assert full.work() == 0.0


# --- the token ---


def test_token_goes_to_the_endpoint_only(
    hub: Hub, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Hub(commits=hub.commits)) as other:
        hub.cdn = other.url
        hub.faults["config.json"] = [fake_hub.status(401)]
        source = fetch.Source(repository(), tmp_path, world(hub, clock, token="hf_secret"))
        assert source.work() == 600.0
        assert source.work() == 0.0
    assert {headers.get("authorization") for _, headers in hub.seen} == {"Bearer hf_secret"}
    assert other.asked("blobs") == [f"/blobs/{COMMIT}/a.gguf"]
    assert [headers.get("authorization") for _, headers in other.seen] == [None]
    assert "hf_secret" not in capsys.readouterr().out + source.state
    assert (tmp_path / SNAPSHOT / "a.gguf").read_bytes() == BIG


def test_token_survives_a_redirect_on_its_own_host(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    raw = repository(files=["a.gguf"])
    assert fetch.Source(raw, tmp_path, world(hub, clock, token="hf_secret")).work() == 0.0
    assert [headers.get("authorization") for _, headers in hub.seen] == ["Bearer hf_secret"] * 3


def test_token_is_not_taken_up_again_after_another_host(
    hub: Hub, clock: Clock, tmp_path: Path
) -> None:
    def back(handler: fake_hub.Handler, data: bytes, start: int) -> None:
        handler.head(302, 0, Location=f"{hub.url}/blobs/{COMMIT}/a.gguf")

    with serving(Hub(commits=hub.commits)) as other:
        hub.cdn = other.url
        other.faults["a.gguf"] = [back]
        raw = repository(files=["a.gguf"])
        assert fetch.Source(raw, tmp_path, world(hub, clock, token="hf_secret")).work() == 0.0
    assert [headers.get("authorization") for _, headers in hub.seen][-1] is None


def test_other_hosts_get_no_token(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.plain["/get/voice.bin"] = BIG
    here = world(hub, clock, endpoint="https://hub.invalid", token="hf_secret")
    assert fetch.Source(single(hub), tmp_path, here).work() == 0.0
    assert [headers.get("authorization") for _, headers in hub.seen] == [None]


@pytest.mark.parametrize(
    "target", ["http://b.invalid/x", "ftp://a.invalid/x", "file:///etc/passwd"]
)
def test_redirects_do_not_leave_https(target: str) -> None:
    request = urllib.request.Request("https://a.invalid/x")
    with pytest.raises(fetch.BlockedError, match="redirect from https"):
        fetch.Redirects().redirect_request(request, io.BytesIO(), 302, "", {}, target)


def test_body_of_a_redirect_is_not_read() -> None:
    body = io.BytesIO(b"x")
    request = urllib.request.Request("https://a.invalid/x")
    following = fetch.Redirects().redirect_request(
        request, body, 302, "", {}, "https://a.invalid/y"
    )
    assert following.full_url == "https://a.invalid/y"
    assert body.closed


def test_no_compression_is_asked_for(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    assert fetch.Source(repository(), tmp_path, world(hub, clock)).work() == 0.0
    assert {headers["accept-encoding"] for _, headers in hub.seen} == {"identity"}


def test_commit_is_looked_up_again_after_a_refusal(hub: Hub, clock: Clock, tmp_path: Path) -> None:
    hub.faults["config.json"] = [fake_hub.status(404)]
    source = fetch.Source(repository(), tmp_path, world(hub, clock))
    assert source.work() == 600.0
    hub.commits = {NEWER: hub.files}
    hub.main = NEWER
    assert source.work() == 0.0
    assert (tmp_path / FOLDER / "refs" / "main").read_text() == NEWER


def test_signatures_are_not_logged(
    hub: Hub, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.plain["/get/voice.bin"] = BIG
    hub.faults["voice.bin"] = [fake_hub.status(500), fake_hub.status(404)]
    raw = single(hub, url=f"{hub.url}/get/voice.bin?signature=secret")
    assert fetch.Source(raw, tmp_path, world(hub, clock)).work() == 600.0
    assert "secret" not in capsys.readouterr().out


# --- hostile names and plans ---

UNSAFE = [
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/..",
    "..",
    ".",
    "./a",
    "a//b",
    "a/",
    "",
    "a\\b",
    "a\x00b",
    "a\nb",
    "\ud800",
    "n" * 241,
]


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_of_the_hub(hub: Hub, clock: Clock, tmp_path: Path, name: str) -> None:
    store = tmp_path / "deep" / "store"
    store.mkdir(parents=True)
    hub.listing = lambda answer: answer | {"siblings": [{"rfilename": name, "size": 1}]}
    source = fetch.Source(repository(), store, world(hub, clock))
    assert source.work() == 600.0
    assert "unsafe file name" in source.state
    assert names(tmp_path) == {
        f"deep/store/.chartgen/{ID}.lock",
        f"deep/store/.chartgen/{FOLDER}.lock",
    }


@pytest.mark.parametrize("name", [name for name in UNSAFE if name])
@pytest.mark.parametrize("key", ["path", "link", "revision"])
def test_unsafe_names_of_the_plan(hub: Hub, tmp_path: Path, key: str, name: str) -> None:
    raw = single(hub, path=name) if key == "path" else repository(**{key: name})
    with pytest.raises(fetch.BlockedError, match="unsafe file name"):
        fetch.Source(raw, tmp_path, world(hub, Clock()))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../../../etc"},
        {"id": ID + "\n"},
        {"kind": "ftp"},
        {"repo": "../name"},
        {"repo": "org/name/more"},
        {"repo": "org/.."},
        {"size": "17GB"},
        {"kind": "url", "path": "x", "url": "file:///etc/passwd"},
    ],
)
def test_unusable_plans(tmp_path: Path, change: dict[str, Any]) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"store": str(tmp_path), "sources": [repository(**change)]}))
    with pytest.raises(fetch.BlockedError, match="the plan is not usable"):
        fetch.load(plan)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"store": "/x"}', '{"store": "/x", "sources": [5]}']
)
def test_plans_of_another_shape(tmp_path: Path, text: str) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    with pytest.raises(fetch.BlockedError, match="the plan is not usable"):
        fetch.load(plan)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("https://huggingface.co", "")),
        ({"HF_ENDPOINT": "", "HF_TOKEN": ""}, ("https://huggingface.co", "")),
        ({"HF_ENDPOINT": "http://m.invalid/hf/ "}, ("http://m.invalid/hf", "")),
        ({"HF_TOKEN": " hf_x\n"}, ("https://huggingface.co", "hf_x")),
        ({"HF_TOKEN": "hf_\nx"}, None),
        ({"HF_ENDPOINT": "m.invalid"}, None),
    ],
)
def test_environment(
    tmp_path: Path, environment: dict[str, str], expected: tuple[str, str] | None
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"store": "/models", "sources": [repository()]}))
    with mock.patch.dict(os.environ, environment, clear=True):
        if expected is None:
            with pytest.raises(fetch.BlockedError, match="set them again in Settings") as caught:
                fetch.load(plan)
            assert "hf_" not in str(caught.value)
        else:
            (source,), keep_running = fetch.load(plan)
            assert (source.world.endpoint, source.world.token) == expected
            assert keep_running is False
