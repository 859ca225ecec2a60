"""Prepare the environment that vLLM's and SGLang's own code runs in, and sources of releases.

    python -m tools.engine_tables.prepare [--work FOLDER] [RELEASE ...]

The environment is that of tools/engine_tables/vllm.py, which prepares it by itself only when a
release is missing from its table. `oracle` stands for the releases that the oracles ask. What is
there already is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.engine_tables.vllm import ROOT, environment, number, source
from tools.oracle import run_vllm, run_vllm_kv

ORACLE = "oracle"


def wanted(names: list[str]) -> list[str]:
    """Return the releases that are named, ascending and each once."""
    found = {name for name in names if name != ORACLE}
    if ORACLE in names:
        found |= {*run_vllm.RELEASES, *run_vllm_kv.RELEASES}
    return sorted(found, key=number)


def main() -> None:
    """Prepare both."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("releases", nargs="*", help="releases of vLLM, or `oracle`")
    parser.add_argument("--work", type=Path, default=ROOT / ".tools" / "engine-tables" / "vllm")
    given = parser.parse_args()
    python = environment(given.work)
    for release in wanted(given.releases):
        print(f"vllm {release}: {source(python, given.work, release)}", flush=True)


if __name__ == "__main__":
    main()
