"""A Hugging Face endpoint on the loopback interface, with faults on demand.

Large files (`lfs`) are answered with a redirect, as the hub does, to `/blobs/...` on `cdn`, which
is this server or another one. A fault is a function of the handler, the file's bytes and the first
byte asked for; a path's faults are used up one per request, in order.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "1" * 40
NEWER = "2" * 40


@dataclass
class Hub:
    """What the server holds, and what it was asked."""

    repo: str = "org/name"
    main: str = COMMIT
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {COMMIT: {}})
    lfs: set[str] = field(default_factory=set)
    plain: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    listing: Callable[[dict[str, Any]], Any] = lambda answer: answer
    cdn: str = ""
    url: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the newest commit."""
        return self.commits[self.main]

    def asked(self, part: str) -> list[str]:
        """The paths asked for that contain `part`."""
        return [path for path, _ in self.seen if part in path]

    def ranges(self, part: str) -> list[str | None]:
        """The Range headers of those requests."""
        return [headers.get("range") for path, headers in self.seen if part in path]


Fault = Callable[["Handler", bytes, int], None]


class Handler(BaseHTTPRequestHandler):
    """Serves one `Hub`."""

    hub: Hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.seen.append((path, {name.lower(): text for name, text in self.headers.items()}))
        api = f"/api/models/{self.hub.repo}/revision/"
        quoted = urlsplit(self.path).path.removeprefix(api)
        if path.startswith(api) and "/" not in quoted:  # a revision is one part, also refs/pr/1
            self.serve(path, self.listing(unquote(quoted)))
        elif path.startswith(f"/{self.hub.repo}/resolve/"):
            commit, _, name = path.removeprefix(f"/{self.hub.repo}/resolve/").partition("/")
            if name in self.hub.lfs:
                self.redirect(commit, name)
            else:
                self.serve(path, self.hub.commits.get(commit, {}).get(name))
        elif path.startswith("/blobs/"):
            commit, _, name = path.removeprefix("/blobs/").partition("/")
            self.serve(path, self.hub.commits[commit].get(name))
        else:
            self.serve(path, self.hub.plain.get(path))

    def listing(self, revision: str) -> bytes | None:
        commit = self.hub.main if revision == "main" else revision
        if commit not in self.hub.commits:
            return None
        siblings: list[dict[str, Any]] = []
        for name, data in self.hub.commits[commit].items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": "b" + name}
            if name in self.hub.lfs:
                digest = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"size": len(data), "sha256": digest, "pointerSize": 134}
            siblings.append(entry)
        return json.dumps(self.hub.listing({"sha": commit, "siblings": siblings})).encode()

    def redirect(self, commit: str, name: str) -> None:
        data = self.hub.commits[commit][name]
        self.send_response(302)
        self.send_header("Location", f"{self.hub.cdn}/blobs/{commit}/{name}?signature=secret")
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(data)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve(self, path: str, data: bytes | None) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        name = path.rpartition("/")[2]
        if self.hub.faults[name]:
            self.hub.faults[name].pop(0)(self, data or b"", start)
        elif data is None:
            self.head(404, 0)
        elif start >= len(data) > 0:
            self.head(416, 0)
        else:
            self.head(206 if start else 200, len(data) - start, start, len(data))
            self.body(data[start:])

    def head(self, code: int, length: int, start: int = 0, total: int = 0, **more: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        etag = self.hub.etags.get(self.name())
        if etag:
            self.send_header("ETag", etag)
        if code == 206:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        for name, text in more.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()

    def name(self) -> str:
        return unquote(urlsplit(self.path).path).rpartition("/")[2]

    def body(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.hub.sent[self.name()] += len(data)

    def log_message(self, *_: Any) -> None:
        """Keep the test output quiet."""


class Server(ThreadingHTTPServer):
    """Does not wait for held connections, and does not print about closed ones."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is part of the tests."""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve until the block ends."""
    server = Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status(code: int, **headers: Any) -> Fault:
    """Answer with an error."""
    return lambda handler, data, start: handler.head(code, 0, **headers)


def truncated(count: int) -> Fault:
    """Announce everything, send `count` bytes, hang up."""

    def fault(handler: Handler, data: bytes, start: int) -> None:
        handler.head(206 if start else 200, len(data) - start, start, len(data))
        handler.body(data[start : start + count])
        handler.close_connection = True

    return fault


def held(count: int, until: threading.Event) -> Fault:
    """Send `count` bytes, and the rest when the event is set."""

    def fault(handler: Handler, data: bytes, start: int) -> None:
        handler.head(206 if start else 200, len(data) - start, start, len(data))
        handler.body(data[start : start + count])
        if until.wait(20):
            handler.body(data[start + count :])

    return fault


def whole(handler: Handler, data: bytes, start: int) -> None:
    """Ignore the Range header."""
    handler.head(200, len(data))
    handler.body(data)


def displaced(handler: Handler, data: bytes, start: int) -> None:
    """Answer with another part than the one asked for."""
    handler.head(206, len(data) - start - 1, start + 1, len(data))
    handler.body(data[start + 1 :])


def unclear(handler: Handler, data: bytes, start: int) -> None:
    """Answer with a part without saying which."""
    handler.send_response(206)
    handler.send_header("Content-Length", str(len(data) - start))
    handler.end_headers()
    handler.body(data[start:])


def garbled(handler: Handler, data: bytes, start: int) -> None:
    """Send as many bytes as announced, but wrong ones."""
    handler.head(206 if start else 200, len(data) - start, start, len(data))
    handler.body(bytes(byte ^ 255 for byte in data[start:]))


def chunked(handler: Handler, data: bytes, start: int) -> None:
    """Announce no length; the chunks say where the body ends."""
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n")
    handler.close_connection = True


def endless(handler: Handler, data: bytes, start: int) -> None:
    """Announce nothing at all: the end of the connection is the end of the body."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(data)
