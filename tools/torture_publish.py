"""Kill `chartgen publish` at random steps, many times, and check that nothing is ever lost.

python tools/torture_publish.py [--times 200] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chartgen.release.ledger import read_ledger, verify_packages  # noqa: E402
from tests.specs import write_spec  # noqa: E402
from tests.test_publish import offered, run_dying  # noqa: E402

# More disk steps than a publish of one app has.
LAST_STEP = 90


def main() -> int:
    """Torture a market; return 0 where it survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    chance = random.Random(wanted.seed)
    killed = released = 0
    with tempfile.TemporaryDirectory() as name:
        market = Path(name)
        (market / "market").mkdir()
        (market / "market" / "market.yaml").write_text("url: https://apps.example.com\n")
        write_spec(market / "apps")
        write_spec(market / "apps", {"name": "otherapp", "title": "Other"})
        assert run_dying(market, 0).returncode == 0
        known = read_ledger(market).data
        for turn in range(wanted.times):
            version = read_ledger(market).history("smallapp")[-1].version
            text = (market / "apps" / "smallapp.yaml").read_text()
            current = next(line for line in text.splitlines() if line.startswith("version"))
            if version in current:
                changes = {"version": version, "engine": {"context": 1024 + turn}}
                write_spec(market / "apps", changes | {"changes": {version: ["Same"]}})
            run = run_dying(market, chance.randrange(1, LAST_STEP))
            if run.returncode == -signal.SIGKILL:
                killed += 1
            elif run.returncode != 0:
                print(run.stderr)
                return 1
            ledger = read_ledger(market)
            assert ledger.data.startswith(known), "a line of the ledger was lost"
            assert verify_packages(market, ledger) == (), "a package was lost"
            assert offered(market).keys() == {"smallapp", "otherapp"}, "the site was half-written"
            released += ledger.data != known
            known = ledger.data
        assert run_dying(market, 0).returncode == 0
        newest = read_ledger(market).history("smallapp")[-1].version
        assert offered(market)["smallapp"] == newest
    print(json.dumps({"runs": wanted.times, "killed": killed, "released": released, "lost": 0}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
