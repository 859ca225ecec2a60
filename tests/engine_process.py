"""A real engine as a process of its own on a free port, for tests that ask it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_STOP_SECONDS = 30


def wanted(variable: str, usual: Path, missing: str) -> Path:
    """Return an engine's program, or skip the test with what is missing.

    It is the one that an environment variable names, else the one at the usual place.
    """
    program = Path(os.environ.get(variable) or usual)
    if not (program.is_file() and os.access(program, os.X_OK)):
        pytest.skip(missing)
    return program


@contextmanager
def served(
    words: Callable[[int], Sequence[str]],
    log: Path,
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run the command line for a port; yield the endpoint's address once it is healthy.

    What it prints goes to `log`. Raises AssertionError with the end of it where the engine stops
    or is not healthy after `seconds`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as output:
        server = subprocess.Popen(
            words(port),
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env={"PATH": os.environ["PATH"], **(environment or {})},
            # vLLM has processes of its own, which have to end with it.
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, server, log, seconds)
            yield url
        finally:
            server.terminate()
            try:
                server.wait(timeout=_STOP_SECONDS)
            finally:
                _end_all(server.pid)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    said = log.read_text(errors="replace")[-2000:]
    raise AssertionError(f"the engine did not start:\n{said}")


def _end_all(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
