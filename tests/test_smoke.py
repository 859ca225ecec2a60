"""A smoke test passes what is sound, and says in the server's words what is not."""

from __future__ import annotations

import io
import json
import string
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection
from chartgen.measure.faults import EndpointError
from chartgen.measure.smoke import reach, smoke, why_untold
from chartgen.measure.smoke_context import letters
from chartgen.measure.smoke_image import plain_png
from chartgen.measure.smoke_report import smoke_text, verdict
from tests.scripted_engine import Script
from tests.smoking import (
    CONTEXT,
    EVERYTHING,
    NO,
    answering,
    call,
    engine,
    refused,
    run,
    said,
    vectors,
    wav,
)

pytestmark = pytest.mark.loopback
ORDER = [
    "health",
    "models",
    "text",
    "streaming",
    "vision",
    "tools",
    "context",
    "long",
    "embedding",
    "speech",
]
NO_TOOLS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


def test_sound_engine_passes_everything() -> None:
    with engine() as server:
        done = run(server.url, long=True)
    assert list(done) == ORDER
    assert {one.check.outcome for one in done.values()} == {"passed"}
    assert why_untold(list(done.values())) == ""


def test_only_the_endpoint_of_the_address_is_asked() -> None:
    with engine() as server:
        run(f"{server.url}/v1", long=True)
    asked = {one.path for one in server.asked}
    assert asked == {
        "/health",
        "/v1/models",
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1/audio/speech",
    }


def test_every_request_names_the_model_and_bounds_the_answer() -> None:
    with engine() as server:
        run(server.url, long=True)
    assert {body["model"] for body in server.chats} == {"smallapp"}
    assert all(1 <= body["max_tokens"] <= CONTEXT for body in server.chats)


def test_picture_is_a_red_square() -> None:
    picture = Image.open(io.BytesIO(plain_png()))
    assert picture.size == (64, 64)
    assert picture.convert("RGB").getcolors() == [(64 * 64, (255, 0, 0))]


def test_tool_result_goes_back_with_the_call_it_answers() -> None:
    with engine() as server:
        run(server.url)
    told = next(body for body in server.chats if body["messages"][-1]["role"] == "tool")
    assistant, result = told["messages"][-2:]
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"] == "call_1"
    assert assistant["tool_calls"][0]["function"]["name"] == "read_code"


FAULTS: dict[str, tuple[str, dict[str, Script], str]] = {
    "error in the engine's words": ("text", {"text": refused(500, "CUDA error")}, "CUDA error"),
    "empty answer": ("text", {"text": said("")}, "the answer is empty"),
    "only thoughts": (
        "text",
        {"text": said(None, reasoning_content="Hm, a greeting ...")},
        "it only thought and gave no answer",
    ),
    "no usage in the stream": ("streaming", {"streaming": Script(usage="none")}, "no usage"),
    "zero usage in the stream": ("streaming", {"streaming": Script(usage="zero")}, "0 tokens"),
    "stream given up": (
        "streaming",
        {"streaming": Script(finish="abort")},
        "the answer was given up (finish_reason 'abort')",
    ),
    "error as an event": (
        "streaming",
        {"streaming": Script(fault="error", fault_after=3)},
        "it sent an error: engine died",
    ),
    "answer given up": (
        "text",
        {"text": Script(finish="content_filter")},
        "the answer was given up (finish_reason 'content_filter')",
    ),
    "error as an answer": (
        "text",
        {"text": Script(body='{"error": {"message": "engine died"}}')},
        "the answer is an error: engine died",
    ),
    "answer in one document": (
        "streaming",
        {"streaming": Script(streams=False)},
        "it does not stream: the answer came as one document",
    ),
    "empty stream": ("streaming", {"streaming": Script(tokens=0)}, "said nothing"),
    "no vision": (
        "vision",
        {"vision": refused(400, "smallapp is not a multimodal model")},
        "HTTP 400: smallapp is not a multimodal model",
    ),
    "colour-blind": ("vision", {"vision": said("Blue, I think")}, '"Blue, I think"'),
    "red only within a word": ("vision", {"vision": said("Coloured")}, '"Coloured"'),
    "tools are off": ("tools", {"tools": refused(400, NO_TOOLS)}, "--enable-auto-tool-choice"),
    "no call": ("tools", {"tools": said("It is 42.")}, "answered without calling the tool"),
    "call that no parser read": (
        "tools",
        {"tools": said('<tool_call>{"name": "read_code"}</tool_call>')},
        "the call came as text",
    ),
    "call of another tool": (
        "tools",
        {"tools": Script(message=call("open_door"))},
        'it called "open_door"',
    ),
    "arguments that are no JSON": (
        "tools",
        {"tools": Script(message=call(arguments='{"door": "nor'))},
        "arguments of the call",
    ),
    "arguments that are no object": (
        "tools",
        {"tools": Script(message=call(arguments="[1]"))},
        "arguments of the call",
    ),
    "result refused": (
        "tools",
        {"tool_result": refused(400, "Unexpected message role.")},
        "Unexpected message role.",
    ),
    "result ignored": ("tools", {"tool_result": said("It is open.")}, "does not hold it"),
    "calls for ever": ("tools", {"tool_result": Script(message=call())}, "wanted to call the tool"),
    "context not enforced": (
        "context",
        {"context": Script(tokens=1, prompt_tokens=1090)},
        "a prompt of 1,090 tokens was taken",
    ),
    "context cut silently": (
        "context",
        {"context": Script(tokens=1, prompt_tokens=512)},
        "silently cut to 512",
    ),
    "context without clear words": (
        "context",
        {"context": refused(400, "bad request")},
        "the words do not say why",
    ),
    "context crashes": ("context", {"context": refused(500, "out of memory")}, "out of memory"),
    "long prompt cut": (
        "long",
        {"long": Script(tokens=1, prompt_tokens=100)},
        "counts 100 tokens for 25 letters and 100 for 125",
    ),
    "long prompt counted as nothing": (
        "long",
        {"long": Script(tokens=1, prompt_tokens=0)},
        "does not count the tokens",
    ),
    "long prompt refused": ("long", {"long": refused(400, "too long")}, "HTTP 400: too long"),
}


@pytest.mark.parametrize(("name", "scripts", "words"), FAULTS.values(), ids=FAULTS)
def test_fault_fails_its_own_check(name: str, scripts: dict[str, Script], words: str) -> None:
    with engine(answer=answering(**scripts)) as server:
        done = run(server.url, long=True)
    failed = {other for other, one in done.items() if one.check.outcome == "failed"}
    assert failed == {name}
    assert words in done[name].check.detail
    assert why_untold(list(done.values())) == ""


POSTS: dict[str, tuple[str, tuple[int, str, bytes], str]] = {
    "no embeddings": (
        "embedding",
        (501, "application/json", b'{"error": {"message": "start it with --embeddings"}}'),
        "HTTP 501: start it with --embeddings",
    ),
    "one vector for two texts": (
        "embedding",
        (200, "application/json", vectors([0.5])),
        "2 texts got 1 vectors",
    ),
    "equal vectors": (
        "embedding",
        (200, "application/json", vectors([0.5, 0.1], [0.5, 0.1])),
        "the same vector",
    ),
    "zeros": ("embedding", (200, "application/json", vectors([0, 0], [1, 1])), "only zeros"),
    "not numbers": (
        "embedding",
        (200, "application/json", vectors([float("nan")], [1.0])),
        "no number",
    ),
    "a number that no float holds": (
        "embedding",
        (200, "application/json", vectors([1, 10**400], [2, 1])),
        "no number",
    ),
    "different lengths": (
        "embedding",
        (200, "application/json", vectors([0.5], [0.5, 0.1])),
        "1 and 2 numbers",
    ),
    "silence": ("speech", (200, "audio/wav", wav(volume=0)), "of silence"),
    "a click": ("speech", (200, "audio/wav", wav(seconds=0.05)), "only 0.05 s long"),
    "not a WAV": ("speech", (200, "audio/mpeg", b"ID3"), "no WAV file"),
    "a web page": ("speech", (200, "text/html", b"<html>"), "no sound but a web page"),
    "no speech": ("speech", (404, "text/plain", b""), "HTTP 404: an empty answer"),
}


@pytest.mark.parametrize(("name", "post", "words"), POSTS.values(), ids=POSTS)
def test_fault_of_vectors_and_speech(name: str, post: tuple[int, str, bytes], words: str) -> None:
    path = "/v1/embeddings" if name == "embedding" else "/v1/audio/speech"
    with engine(posts={path: post}) as server:
        done = run(server.url)
    assert {other for other, one in done.items() if one.check.outcome == "failed"} == {name}
    assert words in done[name].check.detail


@pytest.mark.parametrize(
    ("more", "name", "words"),
    [
        ({"healthy": False}, "health", "GET /health: HTTP 503"),
        ({"pages": {"/health": (404, "")}}, "health", "GET /health: HTTP 404"),
        ({"models": ("other", "second")}, "models", "the endpoint has other, second"),
        ({"models": ()}, "models", "the endpoint has no model at all"),
        ({"pages": {"/v1/models": (404, "")}}, "models", "check the address"),
        ({"pages": {"/v1/models": (200, "<html>")}}, "models", "no list of models"),
    ],
)
def test_faults_of_pages(more: dict[str, Any], name: str, words: str) -> None:
    with engine(**more) as server:
        done = run(server.url)
    assert done[name].check.outcome == "failed"
    assert words in done[name].check.detail


def test_without_the_model_nothing_else_is_asked() -> None:
    with engine(models=("other",)) as server:
        done = run(server.url)
    assert [one.check.outcome for one in list(done.values())[2:]] == ["skipped"] * 8
    assert server.chats == []
    assert why_untold(list(done.values())) != ""


@pytest.mark.parametrize("key", ["small", "smallapp"])
def test_key_that_is_part_of_a_name_changes_no_model(key: str) -> None:
    with engine(api_key=key) as server:
        done = run(server.url, key=key)
    assert {one.check.outcome for one in done.values()} == {"passed", "skipped"}
    assert {body["model"] for body in server.chats} == {"smallapp"}


def test_alias_of_a_model_is_a_served_name() -> None:
    listed = '{"data": [{"id": "main", "aliases": ["main", "smallapp"]}]}'
    with engine(pages={"/v1/models": (200, listed)}) as server:
        done = run(server.url)
    assert done["models"].check.outcome == "passed"


def test_claims_decide_what_is_asked() -> None:
    with engine() as server:
        done = run(server.url, replace(EVERYTHING, vision=NO, tools=NO, speech=NO, embedding=NO))
    skipped = {
        name: one.check.detail for name, one in done.items() if one.check.outcome != "passed"
    }
    assert skipped == {
        "vision": "not claimed: the test says no",
        "tools": "not claimed: the test says no",
        "long": "not asked for; --long asks for it",
        "embedding": "not claimed: the test says no",
        "speech": "not claimed: the test says no",
    }
    assert not any("tools" in body for body in server.chats)


def test_server_with_less_context_than_the_spec_says() -> None:
    with engine() as server:
        done = run(server.url, replace(EVERYTHING, context=4 * CONTEXT))
    assert done["context"].check.outcome == "failed"
    assert "the spec says 4,000 tokens, and the server takes 1,000" in done["context"].check.detail


def test_context_that_nobody_states_is_not_checked() -> None:
    listed = '{"data": [{"id": "smallapp"}]}'
    with engine(pages={"/v1/models": (200, listed)}) as server:
        done = run(server.url, replace(EVERYTHING, context=None), long=True)
    assert done["context"].check.outcome == done["long"].check.outcome == "skipped"


@pytest.mark.parametrize("stated", [10**12, int(1e30), -5, 0, 4096.0, "4096", True])
def test_context_that_no_model_has_is_not_stated(stated: object) -> None:
    listed = json.dumps({"data": [{"id": "smallapp", "max_model_len": stated}]})
    with engine(pages={"/v1/models": (200, listed)}) as server:
        done = run(server.url, replace(EVERYTHING, context=None), long=True)
    assert "nor the server states" in done["context"].check.detail
    assert max(len(json.dumps(body)) for body in server.chats) < 10_000


def test_context_that_a_spec_makes_up_is_not_asked_for() -> None:
    with engine() as server:
        done = run(server.url, replace(EVERYTHING, context=10**12), long=True)
    assert done["context"].check.outcome == done["long"].check.outcome == "skipped"
    assert done["context"].check.detail == "no model has a context of 1,000,000,000,000 tokens"


def test_letters_are_counted() -> None:
    assert letters(3) == "a b c"
    assert letters(28).split() == [*string.ascii_lowercase, "a", "b"]
    assert letters(0) == letters(-3) == ""


def test_speech_app_needs_no_list_of_models() -> None:
    claims = replace(EVERYTHING, served_name=None, chat=NO, vision=NO, tools=NO, embedding=NO)
    with engine(pages={"/v1/models": (404, "")}) as server:
        done = run(server.url, claims)
    assert done["models"].check.outcome == "skipped"
    assert done["speech"].check.outcome == "passed"
    assert "model" not in next(one for one in server.asked if one.method == "POST").body


def test_endpoint_that_dies_is_asked_no_more() -> None:
    with engine() as server:
        connection = Connection(read_endpoint(server.url))
        done = {}
        for one in smoke(connection, EVERYTHING, seconds=5):
            done[one.check.name] = one
            if one.check.name == "text":
                server.server.shutdown()
                server.server.server_close()
    assert done["streaming"].check.outcome == "failed"
    assert done["vision"].check.detail == "the endpoint answers no more"


@pytest.mark.parametrize(
    ("pages", "key", "words"),
    [
        ({}, "right", "CHARTGEN_API_KEY"),
        ({"/v1/models": (302, "")}, "", "follows no redirect"),
    ],
)
def test_nobody_is_let_in(pages: dict[str, tuple[int, str]], key: str, words: str) -> None:
    with engine(pages=pages, api_key=key) as server, pytest.raises(EndpointError, match=words):
        reach(Connection(read_endpoint(server.url)), 5.0)


def test_nothing_listens() -> None:
    with engine() as server:
        url = server.url
    with pytest.raises(EndpointError, match="nothing listens there"):
        reach(Connection(read_endpoint(url)), 5.0)


def test_text_of_a_test_cuts_nothing() -> None:
    with engine(answer=answering(tools=refused(400, NO_TOOLS))) as server:
        done = run(server.url)
    checks = [one.check for one in done.values()]
    text = smoke_text(checks, width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert NO_TOOLS in " ".join(text.split())
    assert verdict(checks) == "8 passed, 1 failed, 1 skipped"
