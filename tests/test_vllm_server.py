"""The endpoint as vLLM itself plays it, on the processor with a model of 1 MB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, parse_measurement
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection
from chartgen.measure.endpoint import check_served, engine_version, read_counters
from chartgen.measure.smoke import smoke
from chartgen.measure.smoke_asking import Asking, CheckFailedError, user
from chartgen.measure.smoke_chat import check_tools, check_vision
from chartgen.measure.smoke_claims import claims_of
from chartgen.measure.smoke_context import check_context
from chartgen.measure.smoke_media import check_embedding
from chartgen.models.store import Shelf
from chartgen.spec.load import load_spec
from tests.tiny_hf import write_tiny_hf
from tests.vllm_server import (
    ANSWERED,
    CONTEXT,
    DRAFTED_AT_ONCE,
    DRAFTS,
    NAME,
    TOOLS,
    serving,
    wanted_vllm,
    write_vllm_spec,
)

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted_vllm()
    return write_tiny_hf(tmp_path_factory.mktemp("hf") / "model")


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with serving(wanted_vllm(), model, model.with_name("log"), *TOOLS, *DRAFTS) as address:
        yield address


@pytest.fixture(scope="module")
def plain_url(model: Path) -> Iterator[str]:
    with serving(wanted_vllm(), model, model.with_name("plain.log")) as address:
        yield address


def asking(url: str) -> Asking:
    return Asking(Connection(read_endpoint(url)), NAME, 60.0, answer_tokens=64)


def test_all_that_the_spec_claims_passes(url: str, tmp_path: Path) -> None:
    loaded, findings = load_spec(write_vllm_spec(tmp_path))
    assert loaded is not None, findings
    claims = claims_of(loaded.spec, Shelf({}))
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


def test_engine_tells_version_counters_and_context(url: str) -> None:
    connection = Connection(read_endpoint(url))
    assert engine_version(connection).startswith("vLLM 0.")
    assert read_counters(connection).running == 0
    assert check_served(connection, NAME).context == CONTEXT


def test_stream_is_counted_by_the_server(url: str) -> None:
    stream = asking(url).stream([user("hello")])
    assert stream.usage is not None
    assert stream.usage.completion_tokens == 64
    assert stream.finish == "length"
    assert stream.text.startswith("Hello, the door")


def test_drafts_come_several_to_a_chunk(url: str) -> None:
    connection = Connection(read_endpoint(url))
    before = read_counters(connection).drafts
    asking(url).stream([user("hello")])
    after = read_counters(connection).drafts
    assert before is not None
    assert after is not None
    drafted, accepted = after.drafted - before.drafted, after.accepted - before.accepted
    assert drafted % DRAFTED_AT_ONCE == 0
    # The first round of words has to be said before it can be looked up.
    assert 40 <= accepted <= drafted


def test_tools_without_a_parser_are_refused_with_what_is_missing(plain_url: str) -> None:
    with pytest.raises(CheckFailedError, match="--enable-auto-tool-choice"):
        check_tools(asking(plain_url))


def test_model_without_eyes_is_told_from_one_with(plain_url: str) -> None:
    with pytest.raises(CheckFailedError, match="HTTP 400"):
        check_vision(asking(plain_url))


def test_longer_context_than_is_served_is_found(plain_url: str) -> None:
    with pytest.raises(CheckFailedError, match=f"{CONTEXT:,} at most"):
        check_context(asking(plain_url), 2 * CONTEXT, CONTEXT)


def test_engine_of_texts_makes_no_vectors(plain_url: str) -> None:
    with pytest.raises(CheckFailedError, match="HTTP 4"):
        check_embedding(asking(plain_url))


def test_vectors_of_an_embedding_server(model: Path) -> None:
    options = ("--runner", "pooling", "--convert", "embed")
    with serving(wanted_vllm(), model, model.with_name("embedding.log"), *options) as address:
        made = check_embedding(asking(address))
    assert made == "2 vectors of 128 numbers"


@pytest.mark.parametrize(
    ("command", "options"),
    [("smoke", ()), ("bench", ANSWERED), ("bench", (*ANSWERED, "--users", "2", "--fill", "20"))],
)
def test_commands_keep_what_they_measured(
    command: str,
    options: tuple[str, ...],
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CHARTGEN_API_KEY", raising=False)
    spec = write_vllm_spec(tmp_path)
    assert main(["-C", str(tmp_path), command, str(spec), url, "--json", *options]) == 0
    document: Any = json.loads(capsys.readouterr().out)
    kept = parse_measurement(Path(document["evidence"]).read_bytes())
    assert isinstance(kept, Measurement), kept
    assert kept.kind == command
    assert kept.engine.startswith("vLLM 0.")
    assert kept.context == CONTEXT
    assert all(run.completion_tokens == 120 for run in kept.runs)
