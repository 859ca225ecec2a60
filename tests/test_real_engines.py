"""The endpoint as real engines play it: llama.cpp's server and vLLM, with a model of 1 MB.

Both run on the processor. Where one is not installed, its tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
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
from chartgen.measure.smoke_context import check_context, letters
from chartgen.measure.smoke_media import check_embedding
from chartgen.models.store import Shelf
from tests import llama_server, vllm_server
from tests.specs import loaded, png, write_spec
from tests.test_docs import ADDRESS, FENCE
from tests.tiny_gguf import write_tiny_gguf
from tests.tiny_hf import write_tiny_hf
from tests.tiny_model import NAME, TRAINED_CONTEXT

pytestmark = pytest.mark.loopback
ROOT = llama_server.ROOT
SMOKE_PAGE = ROOT / "docs" / "how-to" / "smoke-test-an-app.md"
CONTEXT = TRAINED_CONTEXT


@dataclass(frozen=True)
class Engine:
    """A real engine, its model, and what its spec and its command line have to say."""

    title: str
    serving: Callable[..., AbstractContextManager[str]]
    program: Path
    model: Path
    spec: dict[str, Any]
    # What it takes to call tools, and to make vectors.
    options: tuple[str, ...]
    embedding: tuple[str, ...]

    def served(self, name: str, *options: str) -> AbstractContextManager[str]:
        """Serve the model; what the engine prints goes to a file of that name."""
        return self.serving(self.program, self.model, self.model.with_name(f"{name}.log"), *options)


def llamacpp(folder: Path) -> Engine:
    program = llama_server.wanted_llama_server()
    return Engine(
        title="llama.cpp b",
        serving=llama_server.serving,
        program=program,
        model=write_tiny_gguf(folder / "tiny.gguf"),
        spec=llama_server.SPEC,
        options=("--jinja",),
        embedding=("--embeddings", "--pooling", "mean"),
    )


def vllm(folder: Path) -> Engine:
    program = vllm_server.wanted_vllm()
    return Engine(
        title="vLLM 0.",
        serving=vllm_server.serving,
        program=program,
        model=write_tiny_hf(folder / "model"),
        spec=vllm_server.SPEC,
        options=(*vllm_server.TOOLS, *vllm_server.DRAFTS),
        embedding=("--runner", "pooling", "--convert", "embed"),
    )


@pytest.fixture(scope="module", params=[llamacpp, vllm], ids=lambda made: made.__name__)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    made: Engine = request.param(tmp_path_factory.mktemp("engine"))
    return made


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    with engine.served("engine", *engine.options) as address:
        yield address


@pytest.fixture
def asked(url: str) -> Asking:
    return asking(url)


def asking(url: str) -> Asking:
    return Asking(Connection(read_endpoint(url)), NAME, 60.0, answer_tokens=64)


def test_all_that_the_spec_claims_passes(engine: Engine, url: str, tmp_path: Path) -> None:
    claims = claims_of(loaded(tmp_path, {"engine": engine.spec}).spec, Shelf({}))
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


def test_stream_is_counted_by_the_server(asked: Asking) -> None:
    stream = asked.stream([user("hello")])
    assert stream.usage is not None
    assert stream.usage.completion_tokens == 64
    assert stream.finish == "length"
    assert stream.text.startswith("Hello, the door")


def test_engine_tells_version_counters_and_context(engine: Engine, url: str) -> None:
    connection = Connection(read_endpoint(url))
    assert engine_version(connection).startswith(engine.title)
    assert read_counters(connection).running == 0
    assert check_served(connection, NAME).context == CONTEXT


def test_too_long_a_prompt_is_refused_with_the_limit(asked: Asking) -> None:
    assert re.search(rf"\b{CONTEXT} tokens", check_context(asked, CONTEXT, CONTEXT))


def test_longer_context_than_is_served_is_found(asked: Asking) -> None:
    with pytest.raises(CheckFailedError, match=f"{CONTEXT:,} at most"):
        check_context(asked, 2 * CONTEXT, CONTEXT)


def test_letters_are_at_least_a_token_each(asked: Asking) -> None:
    answer = asked.chat([user(letters(500))], max_tokens=1)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens is not None
    assert answer.usage.prompt_tokens >= 500


def test_model_without_eyes_is_told_from_one_with(engine: Engine, asked: Asking) -> None:
    says = {"llama.cpp b": "mmproj", "vLLM 0.": "HTTP 400"}[engine.title]
    with pytest.raises(CheckFailedError, match=says):
        check_vision(asked)


def test_engine_of_texts_makes_no_vectors(engine: Engine, asked: Asking) -> None:
    says = {"llama.cpp b": "--embeddings", "vLLM 0.": "HTTP 404"}[engine.title]
    with pytest.raises(CheckFailedError, match=says):
        check_embedding(asked)


def test_vectors_of_an_embedding_server(engine: Engine) -> None:
    with engine.served("embedding", *engine.embedding) as address:
        made = check_embedding(asking(address))
    assert made == "2 vectors of 128 numbers"


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("smoke", ()),
        ("bench", ("--runs", "4", "--max-tokens", "200")),
        ("bench", ("--runs", "2", "--max-tokens", "100", "--users", "2", "--fill", "20")),
    ],
)
def test_commands_keep_what_they_measured(
    command: str,
    options: tuple[str, ...],
    engine: Engine,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CHARTGEN_API_KEY", raising=False)
    spec = write_spec(tmp_path / "apps", {"engine": engine.spec})
    # vLLM's way to judge drafts on a processor breaks at a higher temperature (0.32.0).
    greedy = ("--temperature", "0") if command == "bench" else ()
    words = ["-C", str(tmp_path), command, str(spec), url, "--json", *greedy, *options]
    assert main(words) == 0
    document: Any = json.loads(capsys.readouterr().out)
    kept = parse_measurement(Path(document["evidence"]).read_bytes())
    assert isinstance(kept, Measurement), kept
    assert kept.kind == command
    assert kept.engine.startswith(engine.title)
    assert kept.context == CONTEXT
    most = int(options[3]) if options else 0
    assert all(0 < run.completion_tokens <= most for run in kept.runs if run.completion_tokens)


def test_vllm_drafts_several_words_at_once(tmp_path: Path) -> None:
    engine = vllm(tmp_path)
    with engine.served("drafts", *vllm_server.DRAFTS) as address:
        connection = Connection(read_endpoint(address))
        before = read_counters(connection).drafts
        asking(address).stream([user("hello")])
        after = read_counters(connection).drafts
        with pytest.raises(CheckFailedError, match="--enable-auto-tool-choice"):
            check_tools(asking(address))
    assert before is not None
    assert after is not None
    drafted, accepted = after.drafted - before.drafted, after.accepted - before.accepted
    assert drafted % vllm_server.DRAFTED_AT_ONCE == 0
    # The first round of words has to be said before it can be looked up.
    assert 40 <= accepted <= drafted


def test_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    first, again = (write_tiny_gguf(tmp_path / name) for name in ("first.gguf", "again.gguf"))
    assert first.read_bytes() == again.read_bytes()


def test_llamacpp_context_that_two_share_is_half_of_it(tmp_path: Path) -> None:
    engine = llamacpp(tmp_path)
    with engine.served("two", "--jinja", "--parallel", "2") as address:
        connection = Connection(read_endpoint(address))
        served = check_served(connection, NAME).context
        with pytest.raises(CheckFailedError, match="the server takes 2,048 at most"):
            check_context(asking(address), CONTEXT, served)


def test_page_shows_what_the_command_prints(tmp_path: Path) -> None:
    engine = llamacpp(tmp_path)
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
        with engine.served(f"page-{followed}", "--jinja", *options) as address:
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


def without_times(text: str) -> str:
    """Take out seconds, and how lines are broken around them."""
    return " ".join(re.sub(r"[0-9]+\.[0-9]+ s", "N s", text).split())
