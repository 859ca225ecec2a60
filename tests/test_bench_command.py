"""`chartgen bench` from the command line, against an engine that plays scripts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, Run, measurement_json, parse_measurement
from chartgen.evidence.workload import workload_digest
from chartgen.spec.load import load_spec
from tests.scripted_engine import Script, ScriptedEngine
from tests.specs import write_spec

pytestmark = pytest.mark.loopback
ROOT = Path(__file__).resolve().parent.parent
Capture = pytest.CaptureFixture[str]
# A whole bench takes some tenths of a second.
QUICK = ("--max-tokens", "300")
STEADY = Script(tokens=None, rate=6000)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARTGEN_API_KEY", raising=False)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(tmp_path / "apps", {"engine": {"context": 4096}})


def bench(spec: Path, url: str, *more: str) -> int:
    return main(["-C", str(spec.parent.parent), "bench", str(spec), url, *more])


def evidence(spec: Path) -> list[Measurement]:
    """Return what is kept beside a spec, all of it sound."""
    files = sorted(spec.parent.glob("evidence/*/*.json"))
    found = [parse_measurement(file.read_bytes()) for file in files]
    kept = [one for one in found if isinstance(one, Measurement)]
    assert len(kept) == len(files)
    return kept


def test_a_steady_engine(spec: Path, capsys: Capture) -> None:
    with ScriptedEngine(STEADY) as engine:
        assert bench(spec, f"{engine.url}/v1", "--runs", "4", *QUICK) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == f"smallapp 1.2.3 at {engine.url}, vLLM 0.21.0"
    assert [line.split()[:2] for line in lines[3:8]] == [
        [name, "300"] for name in ("cold", "1", "2", "3", "4")
    ]
    assert "not counted above" in out
    assert max(map(len, lines)) <= 80
    assert err.startswith(f"kept as {spec.parent}/evidence/smallapp/1.2.3-bench-1.json\n")
    assert {(one.method, one.path) for one in engine.asked} == {
        ("GET", "/v1/models"),
        ("GET", "/version"),
        ("GET", "/metrics"),
        ("POST", "/v1/chat/completions"),
    }


def test_what_is_kept(spec: Path, capsys: Capture) -> None:
    script = Script(tokens=None, rate=6000, drafted=300, accepted=240, prompt_tokens=321)
    with ScriptedEngine(script) as engine:
        assert bench(spec, engine.url, "--runs", "2", "--hardware", "rtx-4090", *QUICK) == 0
    (kept,) = evidence(spec)
    loaded, _ = load_spec(spec)
    assert loaded is not None
    assert (kept.kind, kept.app, kept.version) == ("bench", "smallapp", "1.2.3")
    assert (kept.engine, kept.hardware, kept.users) == ("vLLM 0.21.0", "rtx-4090", 1)
    assert (kept.context, kept.image) == (4096, "vllm/vllm-openai:v0.21.0")
    assert kept.workload == workload_digest(loaded)
    assert sorted(kept.content) == ["legacy", "modern"]
    assert [run.cold for run in kept.runs] == [True, False, False]
    assert {(run.completion_tokens, run.prompt_tokens) for run in kept.runs} == {(300, 321)}
    assert {(run.accepted_tokens, run.drafted_tokens) for run in kept.runs} == {(240, 300)}
    assert kept.acceptance == 0.8
    chosen = {"model": "smallapp", "max_tokens": 300, "temperature": 0.6, "top_p": 0.95}
    assert chosen.items() <= dict(kept.settings).items()


def test_requests_are_what_the_settings_say(spec: Path) -> None:
    with ScriptedEngine(STEADY) as engine:
        given = ("--temperature", "0", "--top-p", "1", "--image", "--no-save")
        assert bench(spec, engine.url, "--runs", "2", "--warm-up", "2", *given, *QUICK) == 0
    assert len(engine.chats) == 4
    assert len({chat["seed"] for chat in engine.chats}) == 4
    first: dict[str, Any] = engine.chats[0]
    assert (first["temperature"], first["top_p"], first["max_tokens"]) == (0, 1, 300)
    assert (first["stream"], first["stream_options"]) == (True, {"include_usage": True})
    text, picture = first["messages"][0]["content"]
    assert "<!DOCTYPE html>" in text["text"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the published rates, whatever this machine is busy with."""
    rates = iter((100, 218, 229, 62, 223, 215, 103, 62, 224, 62, 221))

    def run(*_: object, **__: object) -> Run:
        return Run(float(next(rates)), completion_tokens=2500)

    monkeypatch.setattr("chartgen.measure.runs.timed_run", run)


@pytest.mark.usefixtures("phases")
def test_two_speeds_have_no_headline(spec: Path, tmp_path: Path, capsys: Capture) -> None:
    picture = tmp_path / "runs.svg"
    with ScriptedEngine() as engine:
        assert bench(spec, engine.url, "--json", "--svg", str(picture)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["headline"] is None
    assert found["summary"]["two_speeds"]["sequence"] == "FFSFFSSFSF"
    assert found["summary"]["two_speeds"]["fast_share"] == 0.6
    assert len(found["runs"]) == 11
    assert found["finished"]
    # In the title of each bar and in the description.
    assert picture.read_text().count("(slow)") == 2 * 4


@pytest.mark.usefixtures("phases")
def test_two_speeds_are_said(spec: Path, capsys: Capture) -> None:
    with ScriptedEngine() as engine:
        assert bench(spec, engine.url, "--no-save") == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[-7:])
    assert told["verdict"] == "two speeds: no single number stands for these runs"
    assert told["fast"] == "6 of 10 runs (60 %), mean 221.7 tokens/s, 215.0 to 229.0"
    assert told["slow"] == "4 of 10 runs (40 %), mean 72.3 tokens/s, 62.0 to 103.0"
    assert told["order"] == "FFSFFSSFSF, 7 stretches"
    assert told["median"] == "216.5"
    assert told["range"] == "167.0, from 62.0 to 229.0; standard deviation 78.15"
    assert told["cold"] == "100.0, not counted above"
    assert "mean" not in told


@pytest.mark.usefixtures("phases")
def test_one_run_tells_no_spread(spec: Path, capsys: Capture) -> None:
    with ScriptedEngine() as engine:
        assert bench(spec, engine.url, "--no-save", "--runs", "1", "--warm-up", "1") == 0
    lines = capsys.readouterr().out.splitlines()
    told = dict(line.split(maxsplit=1) for line in lines[lines.index("") + 6 :] if line)
    assert told["verdict"] == "one run, which tells no spread: 4 tell one speed from two"
    assert told["speed"] == "218.0 tokens/s end to end"
    assert told["cold"] == "100.0, not counted above"
    assert not told.keys() & {"mean", "median", "range"}


@pytest.mark.usefixtures("phases")
@pytest.mark.parametrize(("runs", "spread"), [("1", None), ("3", 167.0)])
def test_few_runs_are_never_called_steady(
    spec: Path, capsys: Capture, runs: str, spread: float | None
) -> None:
    with ScriptedEngine() as engine:
        assert bench(spec, engine.url, "--json", "--runs", runs) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary["steady"] is None
    assert summary["range"] == spread
    assert (summary["deviation"] is None) == (runs == "1")


def test_several_users(spec: Path, capsys: Capture) -> None:
    script = Script(tokens=None, rate=1500, drafted=100, accepted=90)
    with ScriptedEngine(script, flavour="llamacpp", version="b11434") as engine:
        assert bench(spec, engine.url, "--runs", "2", "--users", "3", *QUICK) == 0
    out = capsys.readouterr().out
    assert "2.3" in out
    assert "540 of 600 accepted, 90.0 %" in out
    (kept,) = evidence(spec)
    assert (kept.users, len(kept.runs), kept.engine) == (3, 9, "llama.cpp b11434")
    assert (kept.accepted_tokens, kept.drafted_tokens) == (540, 600)
    assert {run.drafted_tokens for run in kept.runs} == {None}


def test_drafts_told_by_the_answers_where_there_are_no_metrics(spec: Path) -> None:
    script = Script(tokens=None, rate=6000, timings=True, drafted=100, accepted=90)
    with ScriptedEngine(script, flavour="llamacpp", metrics=False) as engine:
        assert bench(spec, engine.url, "--runs", "2", *QUICK) == 0
    assert evidence(spec)[0].acceptance == 0.9


def test_without_counts_in_streams_answers_are_not_streamed(spec: Path, capsys: Capture) -> None:
    with ScriptedEngine(Script(tokens=None, rate=6000, usage="whole")) as engine:
        assert bench(spec, engine.url, "--runs", "2", *QUICK) == 0
    assert "measured without streaming" in capsys.readouterr().err
    (kept,) = evidence(spec)
    assert kept.settings["stream"] is False
    assert [run.first_token_seconds for run in kept.runs] == [None] * 3
    assert all(run.tokens_per_second < 6000 for run in kept.runs)


def test_prompts_are_filled_by_the_models_own_counting(spec: Path, capsys: Capture) -> None:
    def answer(request: Any) -> Script:
        # A tokenizer that has two tokens for each word.
        words = len(request["messages"][0]["content"].split())
        return Script(tokens=None, rate=6000, prompt_tokens=2 * words)

    with ScriptedEngine(answer=answer) as engine:
        assert bench(spec, engine.url, "--runs", "1", "--fill", "50", *QUICK) == 0
    assert capsys.readouterr().err.startswith("kept as")
    runs = evidence(spec)[0].runs
    assert [run.prompt_tokens for run in runs] == [pytest.approx(2048, abs=30)] * 2
    asked = [chat["messages"][0]["content"] for chat in engine.chats[-2:]]
    assert asked[0] != asked[1]


def test_a_key_is_sent_and_not_printed(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("CHARTGEN_API_KEY", "marker-key-123")
    with ScriptedEngine(STEADY, api_key="marker-key-123") as engine:
        assert bench(spec, engine.url, "--runs", "1", "--json", *QUICK) == 0
    monkeypatch.setenv("CHARTGEN_API_KEY", "marker-key-wrong")
    with ScriptedEngine(STEADY, api_key="marker-key-123") as engine:
        assert bench(spec, engine.url, "--runs", "1", "--debug", *QUICK) == 4
    out, err = capsys.readouterr()
    assert "CHARTGEN_API_KEY" in err
    kept = "".join(path.read_text() for path in spec.parent.rglob("*.json"))
    assert "marker" not in out + err + kept


def test_a_dry_run_asks_nothing(spec: Path, capsys: Capture) -> None:
    with ScriptedEngine() as engine:
        assert bench(spec, engine.url, "-n", "--users", "2") == 0
        assert bench(spec, engine.url, "-n", "--json") == 0
    out = capsys.readouterr().out
    assert "22, 2 at a time, the first 2 to warm up" in out
    assert (engine.asked, evidence(spec)) == ([], [])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(fault="stall", fault_after=10), "nothing came for 0.3 s"),
        (Script(fault="end", fault_after=10), "it ended early"),
        (Script(fault="cut", fault_after=10), "the connection ended within the answer"),
        (Script(fault="rubbish", fault_after=10), "no event: '<html>Bad Gateway</html>'"),
        (Script(fault="error", fault_after=10), "engine died"),
        (Script(usage="zero"), "counts 0 completion tokens"),
        (Script(usage="none"), "no `usage`"),
        (Script(tokens=0), "was empty"),
        (Script(status=401, body='{"error": {"message": "no\\u001b[2J"}}'), "HTTP 401: no;"),
        (Script(status=404), "HTTP 404"),
        (Script(status=500, body="<html>"), "HTTP 500; look"),
    ],
    ids=lambda value: value.fault or value.usage if isinstance(value, Script) else "",
)
def test_a_broken_run_is_no_evidence(
    spec: Path, capsys: Capture, script: Script, words: str
) -> None:
    with ScriptedEngine(Script(), Script(), script) as engine:
        assert bench(spec, engine.url, "--runs", "3", "--stall", "0.3") == 4
    out, err = capsys.readouterr()
    assert "broken off after 1 of 3 runs, which are shown; nothing is kept as evidence" in err
    assert words in err
    assert [line.split()[0] for line in out.splitlines()[3:5]] == ["cold", "1"]
    assert evidence(spec) == []


def test_one_broken_user_ends_the_others(spec: Path, capsys: Capture) -> None:
    slow = Script(tokens=None, rate=10)
    with ScriptedEngine(slow, Script(status=500), slow) as engine:
        began = time.monotonic()
        assert bench(spec, engine.url, "--users", "3", *QUICK) == 4
    assert time.monotonic() - began < 5
    assert "HTTP 500" in capsys.readouterr().err


def test_a_model_that_is_not_served(spec: Path, capsys: Capture) -> None:
    with ScriptedEngine(STEADY, models=("one", "two")) as engine:
        assert bench(spec, engine.url) == 4
        assert "serves no model 'smallapp', only one, two" in capsys.readouterr().err
        assert engine.chats == []
        assert bench(spec, engine.url, "--model", "two", "--runs", "1", *QUICK) == 0


@pytest.mark.parametrize("page", ["<html>login</html>", "{}", '{"data": 7}', "[]"])
def test_what_is_no_endpoint(spec: Path, capsys: Capture, page: str) -> None:
    with ScriptedEngine(pages={"/v1/models": (200, page)}) as engine:
        assert bench(spec, engine.url) == 4
    assert "is no list of models" in capsys.readouterr().err


def test_what_should_be_known_before_the_numbers_are_believed(spec: Path, capsys: Capture) -> None:
    pages = {"/metrics": (200, "vllm:num_requests_running 2.0\n")}
    with ScriptedEngine(Script(rate=6000), context=2048, pages=pages) as engine:
        assert bench(spec, engine.url, "--runs", "1") == 0
    err = capsys.readouterr().err
    assert "works on 2 other requests" in err
    assert "the endpoint's context is 2,048 tokens, the spec's 4,096" in err
    assert "an answer had 40 tokens only" in err
    assert evidence(spec)[0].context == 2048


@pytest.mark.parametrize(("kind", "said"), [("vllm", False), ("llamacpp", True)])
def test_another_engine_than_the_spec_s_is_noticed(
    tmp_path: Path, capsys: Capture, kind: str, said: bool
) -> None:
    model = {"hf": None, "url": "https://models.example.org/a.gguf", "size": "2MB"}
    change = {"kind": kind, **({"model": model} if kind == "llamacpp" else {})}
    spec = write_spec(tmp_path / "apps", {"engine": change})
    with ScriptedEngine(STEADY) as engine:
        assert bench(spec, engine.url, "--runs", "1", "--no-save", *QUICK) == 0
    err = capsys.readouterr().err
    assert ("it is vLLM 0.21.0, and the spec's engine is llama.cpp" in err) == said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--runs", "4", "--max-tokens", "300"), True),
        (("--runs", "3"), True),
        (("--runs", "4"), False),
    ],
)
def test_what_is_not_compared_is_said_where_it_is_kept(
    spec: Path, capsys: Capture, more: tuple[str, ...], said: bool
) -> None:
    with ScriptedEngine(Script(tokens=300)) as engine:
        assert bench(spec, engine.url, *more) == 0
        assert ("take no number from it" in capsys.readouterr().err) == said
        assert bench(spec, engine.url, "--no-save", *more) == 0
    assert "take no number" not in capsys.readouterr().err


def test_a_proxy_that_holds_streams_back_is_noticed(spec: Path, capsys: Capture) -> None:
    held = Script(tokens=None, first_token_seconds=0.5)
    with ScriptedEngine(held) as engine:
        assert bench(spec, engine.url, "--runs", "1", *QUICK) == 0
    assert "answers came all at once at their end" in capsys.readouterr().err


@pytest.mark.parametrize("picture", ["nowhere/runs.svg", "apps/smallapp.yaml", "folder.svg"])
def test_a_picture_that_cannot_be_written_is_told_before_anything_is_asked(
    spec: Path, capsys: Capture, picture: str
) -> None:
    (spec.parent.parent / "folder.svg").mkdir()
    with ScriptedEngine() as engine:
        assert bench(spec, engine.url, "--svg", str(spec.parent.parent / picture)) == 2
        assert engine.chats == []
    assert "--svg" in capsys.readouterr().err
    assert spec.read_text().startswith("name:")


@pytest.mark.parametrize("option", ["--temperature", "--top-p", "--stall"])
def test_what_is_no_number_is_refused(spec: Path, capsys: Capture, option: str) -> None:
    assert bench(spec, "http://127.0.0.1:9", option, "nan") == 2
    assert option in capsys.readouterr().err


def test_usage_that_stops_coming_breaks_the_bench(spec: Path, capsys: Capture) -> None:
    with ScriptedEngine(Script(), Script(), Script(usage="whole")) as engine:
        assert bench(spec, engine.url, "--runs", "3") == 4
    assert "a stream has no `usage`, and those before it had one" in capsys.readouterr().err
    assert evidence(spec) == []


def test_less_room_than_is_to_be_filled_is_told(tmp_path: Path, capsys: Capture) -> None:
    spec = write_spec(tmp_path / "apps", {"engine": {"context": 8192}})
    assert bench(spec, "http://127.0.0.1:9", "--fill", "90", "--dry-run") == 0
    # 8,192 less the answer's 2,500 and 1,024 for all the rest.
    assert "room for a prompt of 4,668, which is 56 % of the context" in capsys.readouterr().err


def test_the_largest_bench_fits_in_a_file() -> None:
    run = Run(1234.56789012345678, 1234.56789012345678, 0.12345678901234567, *[10**7] * 4)
    data = measurement_json(Measurement("bench", "smallapp", "1.0.0", runs=(run,) * 2564))
    assert isinstance(parse_measurement(data), Measurement)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("--fill", "50", "--prompt-tokens", "100"), 2),
        (("--hardware", "nonesuch"), 2),
        (("--runs", "0"), 2),
        (("--runs", "1", "--warm-up", "0"), 2),
        (("--runs", "1000", "--users", "3"), 2),
        (("--fill", "50", "--max-tokens", "4000"), 2),
    ],
)
def test_options_that_cannot_be(spec: Path, given: tuple[str, ...], code: int) -> None:
    assert bench(spec, "http://127.0.0.1:9", *given) == code


def test_an_app_without_chat_is_not_measured(tmp_path: Path, capsys: Capture) -> None:
    change = {"kind": "app", "image": "a/b:1", "port": 80, "model": None}
    spec = write_spec(tmp_path / "apps", {"engine": change})
    assert bench(spec, "http://127.0.0.1:9") == 1
    assert "no chat completions" in capsys.readouterr().err


@pytest.mark.parametrize("users", [1, 3])
def test_ctrl_c_keeps_what_has_finished(spec: Path, users: int) -> None:
    """As a person does it: another process, and the signal of the keyboard."""
    quick, slow = Script(tokens=40), Script(tokens=None, rate=5)
    with ScriptedEngine(*[quick] * (2 * users), slow) as engine:
        words = ["bench", str(spec), engine.url, "--users", str(users)]
        with subprocess.Popen(
            [sys.executable, "-m", "chartgen", *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            end = time.monotonic() + 30
            while len(engine.chats) < 3 * users and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "END-TO-END" in out
    assert "stopped after 1 of 10 runs, which are shown" in err
    assert "Traceback" not in err
    (kept,) = evidence(spec)
    assert len(kept.runs) == 2 * users
    assert kept.settings["standard"] is False
    assert "it was stopped before its end" in err


@pytest.mark.parametrize(("told", "share"), [(2048, True), (1024, False)])
def test_a_slot_of_llama_cpp_is_no_other_context(
    tmp_path: Path, capsys: Capture, told: int, share: bool
) -> None:
    engine = {"kind": "llamacpp", "context": 4096, "args": {"parallel": 2}}
    engine |= {"image": "ghcr.io/ggml-org/llama.cpp:server-b11434"}
    engine |= {"model": {"hf": "owner/model", "file": "a.gguf", "size": "1GB"}}
    spec = write_spec(tmp_path / "apps", {"engine": engine})
    with ScriptedEngine(STEADY, flavour="llamacpp", context=told) as served:
        assert bench(spec, served.url, "--runs", "4") == 0
    err = capsys.readouterr().err
    words = "no number from it: the endpoint had a context of 1,024 tokens, and the spec says 4,096"
    assert (words in err) is not share
    assert ("the endpoint's context is" in err) is not share
    (kept,) = evidence(spec)
    assert (kept.context, kept.settings["standard"]) == (told, share)
