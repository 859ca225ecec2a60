"""Write what is made from code and specs: the JSON Schema, the reference, the pages of the apps.

python tools/generate.py            write all files
python tools/generate.py --check    write nothing; exit with 1 and name what would change
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chartgen.cli.reference import cli_page, exit_codes_page, rules_page
from chartgen.knowledge.pages import knowledge_index, knowledge_pages
from chartgen.spec.reference import market_page, reference_page
from chartgen.spec.scaffold import SCHEMA_FILE
from chartgen.spec.schema import market_schema_text, schema_text
from tools.app_pages import FOLDER as APPS
from tools.app_pages import app_files

SOURCE = Path(__file__).resolve().parent.parent
# Where the files are written; the specs are always those of this repository.
ROOT = SOURCE
MAKERS: Mapping[str, Callable[[], str]] = {
    SCHEMA_FILE: schema_text,
    "schema/market.schema.json": market_schema_text,
    "docs/reference/cli.md": cli_page,
    "docs/reference/exit-codes.md": exit_codes_page,
    "docs/reference/knowledge.md": knowledge_index,
    "docs/reference/market.md": market_page,
    "docs/reference/rules.md": rules_page,
    "docs/reference/spec.md": reference_page,
}
KNOWLEDGE = "docs/reference/knowledge"
# Folders in which every file is made here.
WHOLE = (KNOWLEDGE, APPS)


@cache
def made() -> Mapping[str, bytes]:
    """Return all files by their paths, as they should be."""
    pages = {path: maker().encode() for path, maker in MAKERS.items()}
    pages |= {f"{KNOWLEDGE}/{name}": text.encode() for name, text in knowledge_pages().items()}
    return pages | app_files(SOURCE)


def outdated() -> dict[str, bytes]:
    """Return the files that are not what the code says, with the bytes that they should have."""
    return {path: data for path, data in made().items() if _bytes(ROOT / path) != data}


def left_over() -> tuple[Path, ...]:
    """Return the pages and pictures of entries and apps that are no more."""
    there = (path for folder in WHOLE for path in sorted((ROOT / folder).glob("*")))
    return tuple(path for path in there if path.relative_to(ROOT).as_posix() not in made())


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    only_compare = parser.parse_args().check
    changed = outdated()
    for path, data in changed.items():
        if not only_compare:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_bytes(data)
        print(f"{path} {'is out of date' if only_compare else 'written'}")
    for page in left_over():
        if not only_compare:
            page.unlink()
        print(f"{page.relative_to(ROOT)} {'is left over' if only_compare else 'removed'}")
    if only_compare and (changed or left_over()):
        print("Run: python tools/generate.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
