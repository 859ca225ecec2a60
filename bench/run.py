"""Measure chartgen: `make bench`, or `python bench/run.py [--quick] [--json]`.

Everything is measured in one run on the same charts. Slow figures are shown, not failed on: what
a target costs depends on the machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.builds import measure_builds
from bench.engine_checks import measure_engine_checks
from bench.measure import FailedRunError, output_of
from bench.publish import QUICK_SIZES as QUICK_PUBLISHES
from bench.publish import SIZES as PUBLISHES
from bench.publish import measure_publishes
from bench.report import Results, as_json, as_text
from bench.site import measure_sites
from bench.startup import measure_startup
from bench.targets import MANY, MOST, SITE_FEW, SITE_MANY, SITE_MOST, targets

ROOT = Path(__file__).resolve().parent.parent
QUICK_SIZES = (1, 10)
SIZES = (*QUICK_SIZES, MANY, MOST)
QUICK_SITES = (SITE_FEW,)
SITES = (*QUICK_SITES, SITE_MANY, SITE_MOST)
STARTS = 20
CHECKS = 30


def main() -> int:
    """Measure and print; 1 where something that is measured does not work at all."""
    parser = argparse.ArgumentParser(description="Measure chartgen against Helm and its targets.")
    parser.add_argument("--quick", action="store_true", help="small markets only")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of builds, by default 3")
    given = parser.parse_args()
    rounds = max(1, given.rounds)
    helm = find_helm3()
    if helm is None:
        say("no Helm 3 here (see tools/install-helm3.sh), so nothing is compared with it")
    with tempfile.TemporaryDirectory(prefix="chartgen-bench-") as folder:
        scratch = Path(folder)
        published = scratch / "published"
        published.mkdir()
        environment = clean_environment(scratch / "bytecode")
        try:
            startup = measure_startup(STARTS, environment)
            engines = measure_engine_checks(
                ROOT, runs=CHECKS, environment=environment, on_progress=say
            )
            builds = measure_builds(
                ROOT,
                scratch / "builds",
                QUICK_SIZES if given.quick else SIZES,
                rounds=rounds,
                helm=helm[0] if helm else None,
                environment=environment,
                on_progress=say,
            )
            sites = measure_sites(
                ROOT,
                scratch / "sites",
                QUICK_SITES if given.quick else SITES,
                rounds=rounds,
                environment=environment,
                on_progress=say,
            )
            publishes = measure_publishes(
                ROOT,
                published,
                QUICK_PUBLISHES if given.quick else PUBLISHES,
                rounds=rounds,
                environment=environment,
                on_progress=say,
            )
        except FailedRunError as error:
            say(str(error))
            return 1
    machine = {
        "Python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count() or 0,
        "medians of": rounds,
        "Helm": helm[1] if helm else "absent",
    }
    found = targets(builds, startup, sites, publishes, engines)
    results = Results(machine, builds, sites, publishes, engines, startup, found)
    sys.stdout.write(as_json(results) if given.json else as_text(results))
    return 0


def find_helm3() -> tuple[str, str] | None:
    """Return path and version of a Helm 3: that of `make setup`, else one on the PATH."""
    candidates = [str(ROOT / ".tools" / "bin" / "helm3"), *map(shutil.which, ("helm3", "helm"))]
    for path in candidates:
        if path is not None and Path(path).is_file():
            _, said = output_of([path, "version", "--short"], os.environ)
            if said.startswith("v3."):
                return path, said.strip()
    return None


def clean_environment(bytecode: Path) -> dict[str, str]:
    """Return the environment of what is measured: this checkout, with compiled modules kept."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(bytecode)}


def say(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
