"""The options of SGLang's server, from its own parser, for all releases in a folder.

    python -m tools.engine_tables.sglang PYTHON TREES

PYTHON is an interpreter with torch and SGLang's pure dependencies (that of vLLM's tables serves),
TREES has one folder per release with the .py files of its wheel; what is missing is downloaded.
A package that PYTHON lacks is replaced by a stand-in.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from tools.engine_tables.spans import merged_spans, word_spans, write_table

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parents[1] / "chartgen/engines/tables/sglang.json"
MOST_STAND_INS = 12
# One of every third or fourth release; wheels of 2 to 39 MB.
RELEASES = "0.5.3 0.5.5 0.5.8 0.5.10 0.5.12 0.5.15 0.5.17 0.5.20 0.5.23"


def fetch(release: str, folder: Path) -> None:
    """Write the .py files of a release's wheel below a folder."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--only-binary", ":all:", "--dest", work, f"sglang=={release}"),
            ],
            check=True,
        )
        (wheel,) = Path(work).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if n.endswith(".py") or ".dist-info/" in n]
            archive.extractall(folder, names)


def dumped(python: str, folder: Path) -> dict[str, Any] | str:
    """Return the facts of a release, or why they can't be had."""
    stubs: list[str] = []
    while len(stubs) < MOST_STAND_INS:
        command = [python, str(HERE / "dump_sglang.py"), str(folder), *stubs]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            print(f"{folder.name}: stand-ins for {', '.join(stubs) or 'nothing'}", file=sys.stderr)
            found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
            return found
        if run.returncode != 3:
            return (run.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        stubs.append(run.stdout.split()[-1])
    return f"more than {MOST_STAND_INS} packages are missing"


def main() -> int:
    """Write the table of all releases in a folder."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("python", help="interpreter with torch")
    parser.add_argument("trees", type=Path, help="folder with one unpacked wheel per release")
    parser.add_argument("--releases", default=RELEASES, help="with blanks between")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    chosen = parser.parse_args()
    for release in chosen.releases.split():
        if not (chosen.trees / release).exists():
            fetch(release, chosen.trees / release)
    folders = sorted(
        (folder for folder in chosen.trees.iterdir() if re.match(r"\d", folder.name)),
        key=lambda folder: [int(number) for number in re.findall(r"\d+", folder.name)],
    )
    found: dict[str, Any] = {folder.name: dumped(chosen.python, folder) for folder in folders}
    whole = {release: facts for release, facts in found.items() if isinstance(facts, dict)}
    skipped = {release: why for release, why in found.items() if isinstance(why, str)}
    releases = list(whole)
    size = write_table(
        chosen.output,
        {
            "kind": "sglang",
            "syntax": "argparse",
            "releases": releases,
            "skipped": skipped,
            "options": merged_spans(releases, {r: f["options"] for r, f in whole.items()}),
            "env": word_spans(releases, {r: f["env"] for r, f in whole.items()}),
        },
    )
    for release, facts in whole.items():
        print(f"{release}: {len(facts['options'])} options", file=sys.stderr)
    for release, why in skipped.items():
        print(f"{release}: skipped, {why}", file=sys.stderr)
    print(f"{chosen.output.name}: {size} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
