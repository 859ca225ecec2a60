"""A well-behaved engine for smoke tests, and the claims that ask everything of it."""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from collections.abc import Callable, Mapping
from typing import Any

from chartgen.market.deploy.secret import Secret
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection
from chartgen.measure.smoke import Done, smoke
from chartgen.measure.smoke_claims import Claim, Claims
from tests.scripted_engine import Script, ScriptedEngine

CONTEXT = 1000
YES, NO = Claim(True, "the test says so"), Claim(False, "the test says no")
EVERYTHING = Claims("smallapp", "/health", CONTEXT, YES, YES, YES, YES, YES)
TOO_LONG = "This model's maximum context length is 1000 tokens. However, you requested more."
# What a request is about, by what is in it.
Topic = str


def topic(request: Mapping[str, Any]) -> Topic:
    """Tell which check a chat request belongs to."""
    last = request["messages"][-1]
    if request.get("stream"):
        return "streaming"
    if isinstance(last["content"], list):
        return "vision"
    if request.get("tools"):
        return "tool result" if last["role"] == "tool" else "tools"
    if words(request) > CONTEXT:
        return "context"
    return "long" if last["content"].startswith("a b c") else "text"


def words(request: Mapping[str, Any]) -> int:
    """Count the words of the last message; here each of them is a token."""
    return len(str(request["messages"][-1]["content"]).split())


def call(name: str = "read_code", arguments: Any = '{"door": "north"}') -> dict[str, Any]:
    """Return a message that calls a tool; its arguments should be text."""
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def said(text: str | None, **more: Any) -> Script:
    """Return the script of an answer that is one text."""
    return Script(tokens=3, finish="stop", message={"role": "assistant", "content": text, **more})


def refused(status: int, message: str) -> Script:
    """Return the script of an answer that is an error, in the form of OpenAI's API."""
    return Script(status=status, body=json.dumps({"error": {"message": message}}))


def sound_answer(request: Mapping[str, Any]) -> Script:
    """Answer as a sound engine does."""
    match topic(request):
        case "vision":
            return said("Red.")
        case "tools":
            return Script(tokens=9, message=call(), finish="tool_calls")
        case "tool result":
            return said(f"The code is {request['messages'][-1]['content']}.")
        case "context":
            return refused(400, TOO_LONG)
        case "long":
            message = {"role": "assistant", "content": "ok"}
            return Script(tokens=1, prompt_tokens=words(request) + 12, message=message)
        case "streaming":
            return Script(tokens=7, finish="stop")
        case _:
            return said("Hello there!")


def answering(**by_topic: Script) -> Callable[[Mapping[str, Any]], Script]:
    """Return an answer that is sound but for some topics; `_` in a name stands for a space."""
    changed = {name.replace("_", " "): script for name, script in by_topic.items()}
    return lambda request: changed.get(topic(request)) or sound_answer(request)


def wav(seconds: float = 1.0, volume: int = 8000, rate: int = 8000) -> bytes:
    """Return a tone as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        samples = [int(volume * math.sin(at / 3)) for at in range(int(seconds * rate))]
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


def vectors(*values: list[Any]) -> bytes:
    """Return the answer to a request for embeddings."""
    data = [{"object": "embedding", "embedding": value} for value in values]
    return json.dumps({"object": "list", "data": data}).encode()


def engine(**more: Any) -> ScriptedEngine:
    """Return an engine that passes every check, but for what is given."""
    posts = {
        "/v1/embeddings": (200, "application/json", vectors([0.1, 0.2], [0.3, -0.4])),
        "/v1/audio/speech": (200, "audio/wav", wav()),
    }
    posts |= more.pop("posts", {})
    return ScriptedEngine(**{"answer": sound_answer, "context": CONTEXT, **more}, posts=posts)


def run(
    url: str,
    claims: Claims = EVERYTHING,
    *,
    seconds: float = 20.0,
    long: bool = False,
    key: str = "",
) -> dict[str, Done]:
    """Run a smoke test and return its checks by name, in their order."""
    connection = Connection(read_endpoint(url), Secret(key) if key else None)
    return {one.check.name: one for one in smoke(connection, claims, seconds=seconds, long=long)}
