"""An engine's own answers, recorded once and given again, so that a test needs no engine.

While it records, it stands between chartgen and the engine and passes everything on as it is. What
it gives again depends on what is asked for (a page, a stream, a chat with tools, too long a
prompt), not on the exact words, so that chartgen may word its questions anew.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# By kind, in the order in which they were given; the last one is given for ever.
Answers = dict[str, list[dict[str, Any]]]

# A prompt of so many letters is meant to be refused.
_LONG_BYTES = 4096
# What differs from one recording to the next and says nothing.
_PASSING = (
    (re.compile(r'"created": ?[0-9]+'), '"created":0'),
    (re.compile(r"(chatcmpl|chatcmpl-tool|modelperm|embd|call)[-_][0-9a-f]{8,}"), r"\1-0"),
)
_COUNTERS = ("vllm:spec_decode", "vllm:num_requests")


def kind_of(method: str, path: str, body: bytes) -> str:
    """Return what a request is after."""
    if method != "POST":
        return f"{method} {path}"
    document = json.loads(body)
    traits = {
        "streamed": document.get("stream"),
        "told by a tool": any(message["role"] == "tool" for message in document["messages"]),
        "with tools": document.get("tools"),
        "too long": len(body) > _LONG_BYTES,
    }
    return ", ".join([f"POST {path}", *(name for name, given in traits.items() if given)])


@contextmanager
def recording(engine: str, answers: Answers) -> Iterator[str]:
    """Pass requests on to an engine, and write down what it answers."""

    def answer(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        upstream = http.client.HTTPConnection(urlsplit(engine).netloc, timeout=300)
        upstream.request(method, path, body, {"Content-Type": headers.get("Content-Type", "")})
        reply = upstream.getresponse()
        given = {
            "status": reply.status,
            "type": reply.getheader("Content-Type", ""),
            "body": reply.read().decode(),
        }
        upstream.close()
        answers.setdefault(kind_of(method, path, body), []).append(_kept(path, given))
        return given

    with _server(answer) as url:
        yield url


@contextmanager
def replaying(answers: Answers) -> Iterator[str]:
    """Give the recorded answers; what was never asked is not found."""
    left = {kind: list(given) for kind, given in answers.items()}

    def answer(method: str, path: str, body: bytes, _: Mapping[str, str]) -> dict[str, Any]:
        given = left.get(kind_of(method, path, body))
        if not given:
            return {"status": 404, "type": "text/plain", "body": "never asked"}
        return given.pop(0) if len(given) > 1 else given[0]

    with _server(answer) as url:
        yield url


def _kept(path: str, given: dict[str, Any]) -> dict[str, Any]:
    body = given["body"]
    if path == "/metrics":
        body = "\n".join(line for line in body.splitlines() if any(n in line for n in _COUNTERS))
    for passing, instead in _PASSING:
        body = passing.sub(instead, body)
    return {**given, "body": body}


@contextmanager
def _server(answer: Any) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._give("GET", b"")

        def do_POST(self) -> None:
            self._give("POST", self.rfile.read(int(self.headers["Content-Length"])))

        def _give(self, method: str, body: bytes) -> None:
            given = answer(method, self.path, body, self.headers)
            data = given["body"].encode()
            self.send_response(given["status"])
            self.send_header("Content-Type", given["type"])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
