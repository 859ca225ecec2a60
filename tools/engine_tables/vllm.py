"""Make chartgen/engines/tables/vllm.json: what every release of vLLM accepts.

`python -m tools.engine_tables.vllm` adds the releases that the table lacks, `--again` does all of
them anew. For each release pip downloads the wheel, of which only the .py files are kept, and
dump_vllm.py runs in an environment of its own (requirements-vllm.txt, some 1.5 GB). Work files lie
in `.tools/engine-tables/vllm` and are used again.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.engine_tables.spans import merged_spans, word_spans, write_table
from tools.engine_tables.vllm_models import architectures

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TABLE = ROOT / "chartgen" / "engines" / "tables" / "vllm.json"
FIRST = (0, 11, 0)


def number(release: str) -> tuple[int, ...]:
    """Return a release as numbers, in the order of releases."""
    return tuple(int(part) for part in re.findall(r"\d+", release))


def run(*words: str | Path, **options: Any) -> str:
    """Run a program and return what it prints."""
    done = subprocess.run(  # a fixed list of words, no shell
        [str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True, **options
    )
    return done.stdout


def known_releases(python: Path | str) -> list[str]:
    """Return the releases of the index from 0.11.0 on, ascending, without candidates."""
    found = run(python, "-m", "pip", "index", "versions", "vllm")
    listed = re.search(r"Available versions: (.*)", found)
    releases = re.findall(r"(\d+(?:\.\d+)+(?:\.post\d+)?)(?=,|$)", listed[1] if listed else "")
    return sorted((r for r in releases if number(r) >= FIRST), key=number)


def environment(work: Path) -> Path:
    """Prepare the environment of dump_vllm.py and return its Python."""
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", work / "venv")
    for name, extra in (("requirements-vllm.txt", ()), ("requirements-bare.txt", ("--no-deps",))):
        run(python, "-m", "pip", "install", "--quiet", *extra, "-r", HERE / name)
    return python


def source(python: Path, work: Path, release: str) -> Path:
    """Download a release's wheel and return the folder of its .py files."""
    folder = work / "source" / release
    if not folder.is_dir():
        wheels = work / "wheels"
        run(python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
            "--dest", wheels, f"vllm=={release}")  # fmt: skip
        for wheel in wheels.glob(f"vllm-{release}-*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for item in archive.infolist():
                    if item.filename.endswith(".py") or ".dist-info/" in item.filename:
                        archive.extract(item, folder)
            wheel.unlink()
    return folder


def dumped(python: Path, work: Path, release: str) -> dict[str, Any] | str:
    """Return the facts of a release, or why there are none."""
    kept = work / "dumps" / f"{release}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not (kept.is_file() and kept.stat().st_size):
        try:
            folder = source(python, work, release)
            text = run(python, HERE / "dump_vllm.py", folder, stderr=subprocess.PIPE)
        except subprocess.CalledProcessError as problem:
            lines = (problem.stderr or "the wheel cannot be had").strip().splitlines()
            return str(lines[-1])
        kept.write_text(text, encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    found["names"]["architecture"] = architectures(source(python, work, release))
    return found


def merged(dumps: Mapping[str, Mapping[str, Any]], skipped: Mapping[str, str]) -> dict[str, Any]:
    """Return the table of all releases."""
    releases = sorted(dumps, key=number)

    def spans(key: str) -> dict[str, Any]:
        return merged_spans(releases, {r: dumps[r][key] for r in releases})

    def inner(key: str, merge: Any, empty: Any) -> dict[str, Any]:
        titles = sorted({title for r in releases for title in dumps[r][key]})
        return {
            title: merge(releases, {r: dumps[r][key].get(title, empty) for r in releases})
            for title in titles
        }

    successors = inner("name_successors", merged_spans, {})
    for subject, by_name in hand_kept().items():
        for name, successor in by_name.items():
            successors.setdefault(subject, {})[name] = [[0, -1, successor]]
    return {
        "kind": "vllm",
        "syntax": "vllm",
        "releases": releases,
        "skipped": dict(sorted(skipped.items())),
        "traits": word_spans(releases, {r: dumps[r]["traits"] for r in releases}),
        "requires": spans("requires"),
        "successors": {subject: successors[subject] for subject in sorted(successors)},
        "names": inner("names", word_spans, ()),
        "env": word_spans(releases, {r: dumps[r]["env"] for r in releases}),
        "schemas": inner("schemas", merged_spans, {}),
        "options": spans("options"),
    }


def hand_kept() -> dict[str, dict[str, str]]:
    """Return the successors that no source tells in a form that can be read, by subject."""
    text = (HERE / "vllm_successors.yaml").read_text(encoding="utf-8")
    return {
        subject: {name: entry["use"] for name, entry in by_name.items()}
        for subject, by_name in yaml.safe_load(text).items()
    }


def unmerged(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the facts of each release that a table holds, as dump_vllm.py prints them."""
    kept = hand_kept()

    def of(spans: Iterable[Any], at: int) -> list[Any]:
        return [s[2] for s in spans if s[0] <= at and (s[1] == -1 or at <= s[1])]

    def one(by_name: Mapping[str, Any], at: int) -> dict[str, Any]:
        return {name: found[0] for name, spans in by_name.items() if (found := of(spans, at))}

    def words(spans: Iterable[Any], at: int) -> list[str]:
        return sorted(word for text in of(spans, at) for word in text.split())

    found = {}
    for at, release in enumerate(table["releases"]):
        told = {
            subject: {n: s for n, s in by_name.items() if n not in kept.get(subject, {})}
            for subject, by_name in table["successors"].items()
        }
        found[release] = {
            "options": one(table["options"], at),
            "schemas": {t: f for t, s in table["schemas"].items() if (f := one(s, at))},
            "names": {t: w for t, s in table["names"].items() if (w := words(s, at))},
            "name_successors": {t: f for t, s in told.items() if (f := one(s, at))},
            "env": words(table["env"], at),
            "traits": words(table["traits"], at),
            "requires": one(table["requires"], at),
        }
    return found


def main() -> None:
    """Bring the table up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", help="only these (default: all that are missing)")
    parser.add_argument("--again", action="store_true", help="forget what the table holds")
    parser.add_argument("--work", type=Path, default=ROOT / ".tools" / "engine-tables" / "vllm")
    parser.add_argument("--python", type=Path, help="an environment that is prepared already")
    given = parser.parse_args()
    have: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    if TABLE.is_file() and not given.again:
        table = json.loads(TABLE.read_bytes())
        have, skipped = unmerged(table), dict(table["skipped"])
    wanted = given.releases or [r for r in known_releases(sys.executable) if r not in have]
    if wanted:
        python = given.python or environment(given.work)
        for release in sorted(wanted, key=number):
            facts = dumped(python, given.work, release)
            if isinstance(facts, str):
                skipped[release] = facts
            else:
                have[release] = facts
                skipped.pop(release, None)
            print(f"vllm {release}: {facts if isinstance(facts, str) else 'read'}", flush=True)
    size = write_table(TABLE, merged(have, skipped))
    print(f"{TABLE.relative_to(ROOT)}: {len(have)} releases, {size} bytes")


if __name__ == "__main__":
    main()
