"""llama.cpp's own server with a tiny model, for tests that want a real engine.

It is `.tools/llama-server/llama-server`, which `make llama-server` builds, or what the environment
variable CHARTGEN_LLAMA_SERVER names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine_process import served

ROOT = Path(__file__).resolve().parent.parent
CONTEXT = 4096
NAME = "tiny"
_START_SECONDS = 60.0


def llama_server() -> Path | None:
    """Return the server's program, None where there is none."""
    named = os.environ.get("CHARTGEN_LLAMA_SERVER")
    program = Path(named) if named else ROOT / ".tools" / "llama-server" / "llama-server"
    return program if os.access(program, os.X_OK) and program.is_file() else None


def wanted_llama_server() -> Path:
    """Return the server's program, or skip the test with what to do."""
    program = llama_server()
    if program is None:
        pytest.skip("no llama-server: `make llama-server` builds one in about ten minutes")
    return program


@contextmanager
def serving(program: Path, model: Path, log: Path, *options: str) -> Iterator[str]:
    """Serve a model on a free port; yield the address of the endpoint."""

    def words(port: int) -> list[str]:
        return [
            *(str(program), "--model", str(model), "--alias", NAME, "--ctx-size", str(CONTEXT)),
            *("--host", "127.0.0.1", "--port", str(port), "--parallel", "1", "--threads", "1"),
            *("--metrics", *options),
        ]

    with served(words, log, seconds=_START_SECONDS) as url:
        yield url
