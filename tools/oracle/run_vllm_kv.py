"""Write tests/engines/kv-vllm-<release>.json: what vLLM's own KV-cache functions say of a grid.

Needs the work folder of tools/engine_tables/vllm.py (its environment and the releases' sources).
A release takes one to ten minutes.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# One release of each way to calculate (chartgen/memory/vllm_kv_families.yaml).
RELEASES = (
    "0.11.2",
    "0.12.0",
    "0.14.1",
    "0.16.0",
    "0.18.1",
    "0.19.1",
    "0.21.0",
    "0.24.0",
    "0.26.0",
    "0.27.1",
    "0.28.0",
    "0.29.0",
    "0.33.0",
)


def main() -> None:
    """Ask each release."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", default=RELEASES)
    parser.add_argument("--work", type=Path, default=ROOT / ".tools" / "engine-tables" / "vllm")
    parser.add_argument("--python", type=Path, help="the environment of dump_vllm.py")
    given = parser.parse_args()
    python = given.python or given.work / "venv" / "bin" / "python"
    for release in given.releases:
        path = ROOT / "tests" / "engines" / f"kv-vllm-{release}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [
            str(HERE / "vllm_kv.py"),
            str(given.work / "source"),
            release,
            "--out",
            str(path),
        ]
        subprocess.run([str(python), *command], check=True)


if __name__ == "__main__":
    main()
