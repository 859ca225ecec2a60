"""Write tests/engines/verdicts-vllm-<release>.json: what vLLM itself says of argument lists.

Needs the work folder of tools/engine_tables/vllm.py (its environment and the releases' sources).
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from chartgen.engines import engine_start
from chartgen.engines.table import engine_table
from chartgen.spec.load import load_spec
from tools.oracle.vllm_lists import lists

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASES = ("0.11.2", "0.16.0", "0.19.1", "0.21.0", "0.25.1", "0.28.0", "0.33.0")


def app_lists() -> Iterator[Sequence[str]]:
    """Yield the arguments of this repository's own vLLM apps."""
    for path in sorted((ROOT / "apps").glob("*.yaml")):
        loaded, _ = load_spec(path)
        if loaded is not None and loaded.spec.engine.kind == "vllm":
            yield engine_start(loaded.spec).args


def main() -> None:
    """Ask each release."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", default=RELEASES)
    parser.add_argument("--work", type=Path, default=ROOT / ".tools" / "engine-tables" / "vllm")
    parser.add_argument("--python", type=Path, help="the environment of dump_vllm.py")
    given = parser.parse_args()
    python = given.python or given.work / "venv" / "bin" / "python"
    for release in given.releases:
        wanted = lists(engine_table("vllm", release), tuple(app_lists()))
        done = subprocess.run(
            [str(python), str(HERE / "vllm_verdicts.py"), str(given.work / "source" / release)],
            input=json.dumps(wanted),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        lines = [
            json.dumps([words, *verdict], ensure_ascii=False, separators=(",", ":"))
            for words, verdict in zip(wanted, json.loads(done.stdout), strict=True)
        ]
        path = ROOT / "tests" / "engines" / f"verdicts-vllm-{release}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        refused = sum(not line.endswith('"",""]') for line in lines)
        print(f"vllm {release}: {len(lines)} lists, {refused} refused", flush=True)


if __name__ == "__main__":
    main()
