"""The endpoint as a real engine plays it: llama.cpp's server with a model of 1 MB."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, parse_measurement
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection
from chartgen.measure.endpoint import engine_version, read_counters
from chartgen.measure.smoke import smoke
from chartgen.measure.smoke_asking import Asking, CheckFailedError, user
from chartgen.measure.smoke_chat import check_vision
from chartgen.measure.smoke_claims import Claims, claims_of
from chartgen.measure.smoke_context import check_context, letters, stated_limit
from chartgen.measure.smoke_media import check_embedding
from chartgen.models.store import Shelf
from tests.llama_server import CONTEXT, NAME, ROOT, serving, wanted_llama_server
from tests.specs import loaded, png, write_spec
from tests.test_docs import ADDRESS, FENCE
from tests.tiny_gguf import write_tiny_gguf

pytestmark = pytest.mark.loopback
ENGINE = {
    "kind": "llamacpp",
    "image": "ghcr.io/ggml-org/llama.cpp:server-b11434",
    "model": {"hf": "owner/model", "file": "tiny.gguf", "size": "2MB"},
    "served_name": NAME,
    "context": CONTEXT,
    "args": {"jinja": True, "metrics": True, "parallel": 1},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted_llama_server()
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with serving(wanted_llama_server(), model, model.with_suffix(".log"), "--jinja") as address:
        yield address


@pytest.fixture
def asking(url: str) -> Asking:
    return Asking(Connection(read_endpoint(url)), NAME, 60.0, answer_tokens=64)


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return claims_of(loaded(tmp_path, {"engine": ENGINE}).spec, Shelf({}))


def test_same_seed_gives_the_same_file(model: Path, tmp_path: Path) -> None:
    assert write_tiny_gguf(tmp_path / "again.gguf").read_bytes() == model.read_bytes()


def test_all_that_the_spec_claims_passes(url: str, claims: Claims) -> None:
    connection = Connection(read_endpoint(url))
    done = {one.check.name: one for one in smoke(connection, claims, seconds=60, long=True)}
    outcomes = {name: one.check.outcome for name, one in done.items()}
    assert outcomes == {
        "health": "passed",
        "models": "passed",
        "text": "passed",
        "streaming": "passed",
        "vision": "skipped",
        "tools": "passed",
        "context": "passed",
        "long": "passed",
        "embedding": "skipped",
        "speech": "skipped",
    }, done


def test_stream_is_counted_by_the_server(asking: Asking) -> None:
    stream = asking.stream([user("hello")])
    assert stream.usage is not None
    assert stream.usage.completion_tokens == 64
    assert stream.finish == "length"
    assert stream.text.startswith("Hello, the door")


def test_engine_tells_its_version_and_its_counters(url: str) -> None:
    connection = Connection(read_endpoint(url))
    assert engine_version(connection).startswith("llama.cpp b")
    counters = read_counters(connection)
    assert counters.answered
    assert counters.running == 0


def test_list_of_models_states_the_context(asking: Asking) -> None:
    (entry,) = asking.get("/v1/models").json()["data"]
    assert stated_limit(entry) == CONTEXT


def test_too_long_a_prompt_is_refused_with_the_limit(asking: Asking) -> None:
    assert f"({CONTEXT} tokens)" in check_context(asking, CONTEXT, CONTEXT)


def test_model_without_eyes_is_told_from_one_with(asking: Asking) -> None:
    with pytest.raises(CheckFailedError, match="mmproj"):
        check_vision(asking)


def test_engine_without_embeddings_says_how_to_have_them(asking: Asking) -> None:
    with pytest.raises(CheckFailedError, match="--embeddings"):
        check_embedding(asking)


def test_context_that_is_shared_by_two_is_half_of_it(model: Path) -> None:
    program, log = wanted_llama_server(), model.with_name("two.log")
    with serving(program, model, log, "--jinja", "--parallel", "2") as address:
        two = Asking(Connection(read_endpoint(address)), NAME, 60.0, answer_tokens=8)
        served = stated_limit(two.get("/v1/models").json()["data"][0])
        with pytest.raises(CheckFailedError, match="the server takes 2,048 at most"):
            check_context(two, CONTEXT, served)


def test_vectors_of_an_embedding_server(model: Path) -> None:
    program, log = wanted_llama_server(), model.with_name("embedding.log")
    with serving(program, model, log, "--embeddings", "--pooling", "mean") as address:
        made = check_embedding(Asking(Connection(read_endpoint(address)), NAME, 60.0))
    assert made == "2 vectors of 128 numbers"


def test_letters_are_at_least_a_token_each(asking: Asking) -> None:
    answer = asking.chat([user(letters(500))], max_tokens=1)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens is not None
    assert answer.usage.prompt_tokens >= 500


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("smoke", []),
        ("bench", ["--runs", "3", "--max-tokens", "200"]),
        ("bench", ["--runs", "2", "--max-tokens", "100", "--users", "2", "--fill", "20"]),
    ],
)
def test_commands_keep_what_they_measured(
    command: str,
    options: list[str],
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CHARTGEN_API_KEY", raising=False)
    spec = write_spec(tmp_path / "apps", {"engine": ENGINE})
    assert main(["-C", str(tmp_path), command, str(spec), url, "--json", *options]) == 0
    document: Any = json.loads(capsys.readouterr().out)
    kept = parse_measurement(Path(document["evidence"]).read_bytes())
    assert isinstance(kept, Measurement), kept
    assert kept.engine.startswith("llama.cpp b")
    assert kept.kind == command
    wanted = int(options[3]) if options else None
    assert all(run.completion_tokens == wanted for run in kept.runs)


SMOKE_PAGE = ROOT / "docs" / "how-to" / "smoke-test-an-app.md"


def without_times(text: str) -> str:
    """Take out seconds, and how lines are broken around them."""
    return " ".join(re.sub(r"[0-9]+\.[0-9]+ s", "N s", text).split())


def test_page_shows_what_the_command_prints(model: Path, tmp_path: Path) -> None:
    page = SMOKE_PAGE.read_text(encoding="utf-8")
    (tmp_path / "apps" / "icons").mkdir(parents=True)
    (tmp_path / "apps" / "icons" / "tinychat.png").write_bytes(png())
    followed = 0
    for match in FENCE.finditer(page):
        word, *options = (match["note"] or "").split() or [""]
        if word == "write":
            (tmp_path / options[0]).write_text(match["body"], encoding="utf-8")
        if word != "engine":
            continue
        followed += 1
        command, _, shown = match["body"].partition("\n")
        log = model.with_name(f"page-{followed}.log")
        with serving(wanted_llama_server(), model, log, "--jinja", *options) as address:
            words = command.removeprefix("$ chartgen ").replace(ADDRESS, address).split()
            done = subprocess.run(
                [sys.executable, "-m", "chartgen", *words],
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
            )
        printed = done.stdout.replace(address, ADDRESS)
        assert without_times(printed) == without_times(shown)
    assert followed == 2
