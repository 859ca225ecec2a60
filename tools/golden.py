"""Write the charts of apps/ into tests/golden/<platform>/<app>/, or check them with --check."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from chartgen.check import check_paths
from chartgen.market.layout import find_specs

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"


def charts() -> dict[str, bytes]:
    """Return every file of every chart by its path below the golden folder."""
    specs = find_specs(ROOT)
    files = {}
    for app in check_paths(ROOT, specs).apps:
        for platform, chart in app.charts.items():
            for path, data in chart.files.items():
                files[f"{platform}/{chart.name}/{path}"] = data
    return files


def differences() -> list[str]:
    """Return the paths that differ from the committed golden files."""
    made = charts()
    kept = {
        path.relative_to(GOLDEN).as_posix(): path.read_bytes()
        for path in GOLDEN.rglob("*")
        if path.is_file()
    }
    return sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    if parser.parse_args().check:
        changed = differences()
        print("\n".join(changed) or "the golden charts are up to date")
        return 1 if changed else 0
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for name, data in charts().items():
        path = GOLDEN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
