"""A headless Chromium that tests steer over its debugging pipe, without further libraries.

Protocol: Chrome DevTools Protocol; with --remote-debugging-pipe messages are JSON that ends in a
zero byte, read from file descriptor 3 and written to 4.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root there is no sandbox; without the others Chromium asks hosts of its own at every start.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
WAIT = 60.0  # seconds for one answer
# Puts two given descriptors at the numbers that the browser expects, and becomes it.
LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def program() -> str | None:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Chromium:
    """One page of one browser. `requests` and `messages` fill as events arrive."""

    def __init__(self, folder: Path) -> None:
        found = program()
        assert found is not None
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()
        ends = (str(read_there), str(write_there))
        flags = (*FLAGS, f"--user-data-dir={folder}", "about:blank")
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, *ends, found, *flags],
            pass_fds=(read_there, write_there),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )
        os.close(read_there)
        os.close(write_there)
        self._in, self._out = read_here, write_here
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._session: str | None = None
        self.requests: list[str] = []
        self.messages: list[str] = []
        try:
            self._attach()
        except AssertionError:
            self._end()
            raise

    def _attach(self) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        self._session = None
        self._write("Browser.close", {})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self._end()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._in)
        os.close(self._out)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result."""
        number = self._write(method, parameters)
        while True:
            message = self._read()
            if message.get("id") == number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._event(message)

    def open(self, address: str) -> None:
        """Load a page and wait for it."""
        # Another fragment of the page that is there would load nothing.
        for each in ("about:blank", address):
            self._events.clear()
            self.requests.clear()
            self.messages.clear()
            answer = self.send("Page.navigate", url=each)
            assert "errorText" not in answer, answer
            while not any(event["method"] == "Page.loadEventFired" for event in self._events):
                self._event(self._read())

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def window(self, width: int, height: int = 900, scale: float = 1) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 500,
        )

    def media(self, kind: str = "", **features: str) -> None:
        """Emulate a medium (`print`) and features, such as prefers_color_scheme="dark"."""
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.send("Emulation.setEmulatedMedia", media=kind, features=named)

    def scripts(self, allowed: bool) -> None:
        self.send("Emulation.setScriptExecutionDisabled", value=not allowed)

    def key(self, name: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            parameters = {"text": text} if text and kind == "keyDown" else {}
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=name,
                code=name,
                windowsVirtualKeyCode=code,
                **parameters,
            )

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def screenshot(self) -> bytes:
        """Return the window's content as a PNG; for a whole page, first make it high enough."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def _write(self, method: str, parameters: Mapping[str, Any]) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        return self._number

    def _read(self) -> dict[str, Any]:
        until = time.monotonic() + WAIT
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            assert ready, "Chromium does not answer"
            data = os.read(self._in, 1 << 16)
            assert data, "Chromium has ended"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _event(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        self._events.append(message)
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            self.messages.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.messages.append(str(parameters["exceptionDetails"]))


class _Quiet(http.server.BaseHTTPRequestHandler):
    """Serves exactly the paths it has, as a static host without any rewriting does."""

    protocol_version = "HTTP/1.1"

    def __init__(self, files: Mapping[str, tuple[bytes, str]], *rest: Any) -> None:
        self.files = files
        super().__init__(*rest)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        data, kind = self.files.get("/index.html" if path == "/" else path, (b"", ""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(files: Mapping[str, tuple[bytes, str]]) -> Iterator[str]:
    """Serve files (path to bytes and type) on 127.0.0.1, and give the address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, files))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
