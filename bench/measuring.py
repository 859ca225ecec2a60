"""Whether the client of `chartgen bench` is the limit: three users at 2,000 tokens/s each.

`make bench` shows it with everything else; `python -m bench.measuring` by itself. A scripted server
in a process of its own streams one event for each token and times itself; the client has to say
the same, and to leave the processor alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.measure import FailedRunError, output_of
from bench.report import table
from bench.targets import Target

ROOT = Path(__file__).resolve().parent.parent
USERS, RATE = 3, 2000
MOST_OFF_PER_CENT = 1
MOST_CPU_PER_CENT = 25


@dataclass(frozen=True, slots=True)
class Measured:
    """What both sides say of the same streams, in tokens per second for each user.

    `cpu_per_cent` is the client's share of one core while streams were running.
    """

    server_rate: float
    client_rate: float
    cpu_per_cent: float

    @property
    def off_per_cent(self) -> float:
        """Return how far the client's rate is from the server's."""
        return 100 * abs(self.client_rate / self.server_rate - 1)


def measure_client(environment: Mapping[str, str]) -> Measured:
    """Measure in processes of their own. Raises FailedRunError where that does not work."""
    _, said = output_of([sys.executable, "-m", "bench.measuring_load"], environment)
    return Measured(**json.loads(said))


def client_targets(measured: Measured) -> tuple[Target, ...]:
    """Return the targets of the issue on evidence."""
    users = f"{USERS} users at {RATE:,} tokens/s"
    off, cpu = measured.off_per_cent, measured.cpu_per_cent
    return (
        Target(f"{users}: per cent off the server's rate", off, MOST_OFF_PER_CENT, at_least=False),
        Target(f"{users}: per cent of a core", cpu, MOST_CPU_PER_CENT, at_least=False),
    )


def as_text(measured: Measured) -> str:
    """Return the result as a table."""
    rows = [
        ("Client of chartgen bench", "is", "wanted", ""),
        *(
            (one.what, f"{one.value:.2f}", f"<= {one.limit:g}", "met" if one.met else "missed")
            for one in client_targets(measured)
        ),
    ]
    return f"{table(rows)}\n"


def main() -> int:
    """Measure and print; 1 where it does not work at all."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        measured = measure_client(environment)
    except FailedRunError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(as_text(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
