"""An engine that plays a script: an OpenAI-compatible server on this machine, with every fault.

    with ScriptedEngine(Script(tokens=200, rate=2000)) as engine:
        ...  # engine.url is http://127.0.0.1:PORT

One script is played for each chat request; the last one goes on for ever. `answer` decides by the
request instead, where a test has to tell an image from a tool call.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

Channel = Literal["content", "reasoning_content", "reasoning", "tool_calls"]
# After how many tokens (`fault_after`) what happens: silence until the client leaves; an orderly
# end without the last events; a broken connection; a line that is no event; an error as an event;
# a page of a proxy that has waited long enough.
Fault = Literal["stall", "end", "cut", "rubbish", "error"]
Flavour = Literal["vllm", "llamacpp", "plain"]

METRIC_NAMES = {
    "vllm": {
        "drafts": "vllm:spec_decode_num_drafts",
        "drafted": "vllm:spec_decode_num_draft_tokens",
        "accepted": "vllm:spec_decode_num_accepted_tokens",
    },
    "llamacpp": {
        "drafts": "llamacpp:spec_decode_num_drafts",
        "drafted": "llamacpp:spec_decode_num_draft_tokens",
        "accepted": "llamacpp:spec_decode_num_accepted_tokens",
    },
}


@dataclass(frozen=True)
class Script:
    """How one chat request is answered.

    `rate` is tokens per second, 0 for as fast as possible; `first_token_seconds` the wait before
    the first. `usage` is told in the last event, only with a whole answer that is not streamed (as
    llama-cpp-python does), nowhere, or as zero. `tokens` is None for as many as the request allows.
    `text` is what a token says. `message` is the message of an answer that is not streamed;
    `status` other than 200 and `body` end everything at once. Without `streams` a stream is
    answered with one document.
    """

    tokens: int | None = 40
    rate: float = 0.0
    tokens_per_chunk: int = 1
    first_token_seconds: float = 0.0
    prompt_tokens: int = 25
    text: str = "tok "
    channel: Channel = "content"
    usage: Literal["last", "whole", "none", "zero"] = "last"
    timings: bool = False
    finish: str = "length"
    drafted: int = 0
    accepted: int = 0
    fault: Fault | None = None
    fault_after: int = 0
    status: int = 200
    body: str = ""
    delay_seconds: float = 0.0
    message: Mapping[str, Any] | None = None
    streams: bool = True


@dataclass(frozen=True)
class Asked:
    """A request as it came. Names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: Any


class ScriptedEngine:
    """The server; a context manager. `asked` are all requests, `played` the rates it kept:
    tokens per second from the first chunk to the last, without those of the first.
    """

    def __init__(
        self,
        *scripts: Script,
        models: tuple[str, ...] = ("smallapp",),
        flavour: Flavour = "vllm",
        metrics: bool = True,
        version: str = "0.21.0",
        api_key: str = "",
        healthy: bool = True,
        context: int = 4096,
        pages: Mapping[str, tuple[int, str]] | None = None,
        posts: Mapping[str, tuple[int, str, bytes]] | None = None,
        answer: Callable[[Mapping[str, Any]], Script] | None = None,
    ) -> None:
        self.scripts = list(scripts) or [Script()]
        self.models, self.flavour, self.metrics, self.version = models, flavour, metrics, version
        self.api_key, self.healthy, self.context = api_key, healthy, context
        # Answers to GET by path, in place of the engine's own.
        self.pages = dict(pages or {})
        # Answers to POST by path: status, media type, body.
        self.posts = dict(posts or {})
        self.answer = answer
        self.asked: list[Asked] = []
        self.played: list[float] = []
        self.counters = {"drafts": 1000, "drafted": 3000, "accepted": 2000}
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.engine = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Return the address of the server, without a slash at its end."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def chats(self) -> list[Any]:
        """Return the bodies of the chat requests."""
        return [one.body for one in self.asked if one.path == "/v1/chat/completions"]

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def next_script(self, request: Mapping[str, Any]) -> Script:
        """Return what to play for a request."""
        if self.answer is not None:
            return self.answer(request)
        with self.lock:
            return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def count(self, script: Script) -> None:
        """Move the counters of drafts by what a script drafts and accepts."""
        with self.lock:
            self.counters["drafts"] += script.drafted // 3
            self.counters["drafted"] += script.drafted
            self.counters["accepted"] += script.accepted

    def metrics_text(self) -> str:
        """Return the metrics page in the words of the engine."""
        if self.flavour == "plain":
            return ""
        names = METRIC_NAMES[self.flavour]
        label = '{engine="0",model_name="m, \\"x\\""}' if self.flavour == "vllm" else ""
        lines = ["# HELP process_cpu_seconds_total CPU.", "process_cpu_seconds_total 1.5"]
        with self.lock:
            for key, value in self.counters.items():
                lines.append(f"# TYPE {names[key]}_total counter")
                lines.append(f"{names[key]}_total{label} {value}.0")
                if self.flavour == "vllm":
                    lines.append(f"{names[key]}_created{label} 1.7632e+09")
        if self.flavour == "vllm":
            name = "vllm:spec_decode_num_accepted_tokens_per_pos_total"
            lines += [f'{name}{{engine="0",position="{at}"}} {9 - at}.0' for at in range(3)]
        return "\n".join(lines) + "\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    engine: ScriptedEngine

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of these tests leave when they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        engine = self.server.engine
        self._record(None)
        if not self._allowed():
            return
        if self.path in engine.pages:
            status, text = engine.pages[self.path]
            self._send(status, text)
        elif self.path == "/health":
            self._send(200 if engine.healthy else 503, "")
        elif self.path == "/v1/models":
            listed = [
                {"id": name, "object": "model", "max_model_len": engine.context}
                for name in engine.models
            ]
            self._send_json(200, {"object": "list", "data": listed})
        elif self.path == "/metrics" and engine.metrics and engine.flavour != "plain":
            self._send(200, engine.metrics_text())
        elif self.path == "/version" and engine.flavour == "vllm":
            self._send_json(200, {"version": engine.version})
        elif self.path == "/props" and engine.flavour == "llamacpp":
            self._send_json(200, {"build_info": engine.version})
        else:
            self._send_json(404, {"error": {"message": "Not Found", "code": 404}})

    def do_POST(self) -> None:
        engine = self.server.engine
        data = self.rfile.read(int(self.headers.get("content-length", "0")))
        body = json.loads(data)
        self._record(body)
        if not self._allowed():
            return
        if self.path in engine.posts:
            status, media_type, data = engine.posts[self.path]
            self._send_data(status, media_type, data)
            return
        if self.path != "/v1/chat/completions":
            self._send_json(404, {"error": {"message": "Not Found", "code": 404}})
            return
        if body.get("model") not in engine.models:
            text = f"The model `{body.get('model')}` does not exist."
            self._send_json(404, {"error": {"message": text, "code": 404}})
            return
        script = engine.next_script(body)
        engine.closing.wait(script.delay_seconds)
        if script.status != 200 or script.body:
            self._send(script.status, script.body)
        elif body.get("stream") and script.streams:
            self._stream(script, body)
        else:
            if script.rate:
                engine.closing.wait(_length(script, body) / script.rate)
            self._send_json(200, self._whole(script, body))
        engine.count(script)

    def _record(self, body: Any) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        self.server.engine.asked.append(Asked(self.command, self.path, headers, body))

    def _allowed(self) -> bool:
        key = self.server.engine.api_key
        if not key or self.headers.get("authorization") == f"Bearer {key}":
            return True
        self._send_json(401, {"error": {"message": "Invalid API Key", "code": 401}})
        return False

    def _send(self, status: int, text: str) -> None:
        self._send_data(status, "text/plain", text.encode())

    def _send_data(self, status: int, media_type: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_json(self, status: int, document: Any) -> None:
        self._send(status, json.dumps(document))

    def _whole(self, script: Script, request: Mapping[str, Any]) -> Any:
        tokens = _length(script, request)
        message = script.message or {"role": "assistant", "content": script.text * tokens}
        answer: dict[str, Any] = {
            "object": "chat.completion",
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": script.finish}],
        }
        if script.usage != "none":
            answer["usage"] = _usage(script, tokens)
        return answer

    def _stream(self, script: Script, request: Mapping[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self._events(script, request)

    def _events(self, script: Script, request: Mapping[str, Any]) -> None:
        engine = self.server.engine
        tokens = _length(script, request)
        self._event(_chunk(request, {"role": "assistant", "content": ""}))
        began = time.perf_counter() + script.first_token_seconds
        sent, first = 0, min(script.tokens_per_chunk, tokens)
        event = self._coded(_chunk(request, _delta(script, script.tokens_per_chunk)))
        while sent < tokens:
            if script.fault is not None and sent >= script.fault_after:
                self._break(script.fault)
                return
            # The first chunk leaves at `began`, each other one when its tokens are there.
            due = began + (sent / script.rate if script.rate else 0.0)
            wait = due - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            count = min(script.tokens_per_chunk, tokens - sent)
            if count < script.tokens_per_chunk:
                event = self._coded(_chunk(request, _delta(script, count)))
            self.wfile.write(event)
            sent += count
        seconds = time.perf_counter() - began
        engine.played.append((tokens - first) / seconds if seconds > 0 else 0.0)
        last = _chunk(request, {})
        last["choices"][0]["finish_reason"] = script.finish
        self._event(last)
        if script.usage not in ("none", "whole"):
            closing = _chunk(request, {}) | {"choices": [], "usage": _usage(script, tokens)}
            if script.timings:
                closing["timings"] = {
                    "draft_n": script.drafted,
                    "draft_n_accepted": script.accepted,
                }
            self._event(closing)
        self._raw(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _break(self, fault: Fault) -> None:
        if fault == "stall":
            self.server.engine.closing.wait(30)
        elif fault == "end":
            self.wfile.write(b"0\r\n\r\n")
        elif fault == "rubbish":
            self._raw(b"data: <html>Bad Gateway</html>\n\n")
            self.wfile.write(b"0\r\n\r\n")
        elif fault == "error":
            self._event({"error": {"message": "engine died", "code": 500}})
            self._raw(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _event(self, document: Mapping[str, Any]) -> None:
        self.wfile.write(self._coded(document))

    def _raw(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _coded(self, document: Mapping[str, Any]) -> bytes:
        data = b"data: " + json.dumps(document).encode() + b"\n\n"
        return b"%x\r\n%s\r\n" % (len(data), data)


def _length(script: Script, request: Mapping[str, Any]) -> int:
    allowed = int(request.get("max_tokens") or request.get("max_completion_tokens") or 10**6)
    return allowed if script.tokens is None else min(script.tokens, allowed)


def _delta(script: Script, count: int) -> dict[str, Any]:
    if script.channel == "tool_calls":
        return {"tool_calls": [{"index": 0, "function": {"arguments": script.text * count}}]}
    return {script.channel: script.text * count}


def _chunk(request: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1763766000,
        "model": request["model"],
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
    }


def _usage(script: Script, tokens: int) -> dict[str, int]:
    if script.usage == "zero":
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    asked = script.prompt_tokens
    return {"prompt_tokens": asked, "completion_tokens": tokens, "total_tokens": asked + tokens}
