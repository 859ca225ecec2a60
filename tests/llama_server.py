"""llama.cpp's own server with a tiny model, for tests that want a real engine.

It is `.tools/llama-server/llama-server`, which `make llama-server` builds, or what the environment
variable CHARTGEN_LLAMA_SERVER names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.engine_process import served, wanted
from tests.tiny_model import NAME, TRAINED_CONTEXT

ROOT = Path(__file__).resolve().parent.parent
SPEC: dict[str, Any] = {
    "kind": "llamacpp",
    "image": "ghcr.io/ggml-org/llama.cpp:server-b11434",
    "model": {"hf": "owner/model", "file": "tiny.gguf", "size": "2MB"},
    "served_name": NAME,
    "context": TRAINED_CONTEXT,
    "args": {"jinja": True, "metrics": True, "parallel": 1},
}
_START_SECONDS = 60.0


def wanted_llama_server() -> Path:
    """Return the server's program, or skip the test with what to do."""
    return wanted(
        "CHARTGEN_LLAMA_SERVER",
        ROOT / ".tools" / "llama-server" / "llama-server",
        "no llama-server: `make llama-server` builds one in about ten minutes",
    )


@contextmanager
def serving(program: Path, model: Path, log: Path, *options: str) -> Iterator[str]:
    """Serve a model on a free port; yield the address of the endpoint."""
    context = str(TRAINED_CONTEXT)

    def words(port: int) -> list[str]:
        return [
            *(str(program), "--model", str(model), "--alias", NAME, "--ctx-size", context),
            *("--host", "127.0.0.1", "--port", str(port), "--parallel", "1", "--threads", "1"),
            *("--metrics", *options),
        ]

    with served(words, log, seconds=_START_SECONDS) as url:
        yield url
