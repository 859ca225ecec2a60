"""What the market's Worker costs on Cloudflare's runtime, against a plain Worker.

`make bench` shows it with everything else; `python -m bench.worker [--quick]` by itself.

Two comparisons. Without a router ours answers what its script answers, and the runtime's own file
service the rest, since no script runs for a static file; the plain Worker answers everything.
"Routed" puts Cloudflare's router in front of both and its asset worker beside ours. Those two run
as JavaScript on this machine and are not billed in production, so routed figures compare a
device's whole round and not single answers.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import output_of
from bench.report import table
from bench.targets import Target, ratio

ROOT = Path(__file__).resolve().parent.parent
SMALL, MANY = 32, 1000
ANSWERS = ("hash", "info", "details", "chart")
# What a device of generation B asks every five minutes (market-protocol-v1 §1.4): details come ten
# apps at a time.
ROUND = {"hash": 1, "info": 1, "details": -(-SMALL // 10)}
NO_WORSE = 1
TIMES_LIGHTER = 3
PARTS = ("workerd", "router.worker.js", "assets.worker.js")


@dataclass(frozen=True, slots=True)
class Load:
    """Requests answered each second, and the server's CPU time for each in milliseconds."""

    requests_per_second: float
    cpu_milliseconds: float


@dataclass(frozen=True, slots=True)
class Served:
    """A market of `apps` apps as one of the set-ups serves it.

    `ready_seconds` is the time from the start of the process to its first answer, `memory_mib`
    what it holds after one of each answer.
    """

    setup: str
    apps: int
    loads: Mapping[str, Load]
    ready_seconds: float
    memory_mib: float


def measure_worker(environment: Mapping[str, str], *, quick: bool) -> tuple[Served, ...]:
    """Measure in a process of its own; nothing where workerd is not installed.

    Raises FailedRunError where an answer is wrong.
    """
    if not all((ROOT / ".tools" / "workerd" / part).is_file() for part in PARTS):
        return ()
    command = [sys.executable, "-m", "bench.worker_load", *(["--quick"] if quick else [])]
    _, said = output_of(command, environment)
    return tuple(
        Served(**{**item, "loads": {name: Load(**load) for name, load in item["loads"].items()}})
        for item in json.loads(said)
    )


def worker_targets(served: Sequence[Served]) -> tuple[Target, ...]:
    """Return the targets for which something was measured."""
    by_name = {(item.setup, item.apps): item for item in served}
    found = []
    ours, plain = by_name.get(("ours", SMALL)), by_name.get(("plain", SMALL))
    if ours is not None and plain is not None:
        speed, cost = worst_speed(ours, plain), worst_cost(ours, plain)
        what = f"requests/s of the slowest of 4 answers, in a plain Worker's ({SMALL} apps)"
        found.append(Target(what, speed, NO_WORSE, at_least=True))
        what = f"CPU of the dearest of 4 answers, in a plain Worker's ({SMALL} apps)"
        found.append(Target(what, cost, NO_WORSE, at_least=False))
    ours, plain = by_name.get(("ours, routed", SMALL)), by_name.get(("plain, routed", SMALL))
    if ours is not None and plain is not None:
        what = f"CPU of a device's round, routed, in a plain Worker's ({SMALL} apps)"
        found.append(Target(what, ratio(round_cost(ours), round_cost(plain)), NO_WORSE, False))
    for suffix in ("", ", routed"):
        ours, plain = by_name.get((f"ours{suffix}", MANY)), by_name.get((f"plain{suffix}", MANY))
        if ours is not None and plain is not None:
            start = ratio(plain.ready_seconds, ours.ready_seconds)
            memory = ratio(plain.memory_mib, ours.memory_mib)
            what = f"plain Worker's start{suffix}, in ours ({MANY} apps)"
            found.append(Target(what, start, TIMES_LIGHTER, at_least=True))
            what = f"plain Worker's memory{suffix}, in ours ({MANY} apps)"
            found.append(Target(what, memory, TIMES_LIGHTER, at_least=True))
    return tuple(found)


def worst_speed(ours: Served, plain: Served) -> float:
    """Return the least ratio of requests each second, over all answers."""
    return min(
        ratio(ours.loads[name].requests_per_second, plain.loads[name].requests_per_second)
        for name in ANSWERS
    )


def worst_cost(ours: Served, plain: Served) -> float:
    """Return the highest ratio of CPU time for a request, over all answers."""
    return max(
        ratio(ours.loads[name].cpu_milliseconds, plain.loads[name].cpu_milliseconds)
        for name in ANSWERS
    )


def round_cost(served: Served) -> float:
    """Return the CPU time of all that a device asks every five minutes, in milliseconds."""
    return sum(times * served.loads[name].cpu_milliseconds for name, times in ROUND.items())


def worker_table(served: Sequence[Served]) -> str:
    """Return all figures: requests each second and milliseconds of CPU for each answer."""
    head = ["set-up", "apps"]
    for name in ANSWERS:
        head += [f"{name}/s", "CPU ms"]
    return table([[*head, "ready ms", "MiB"], *map(_row, served)])


def _row(item: Served) -> list[str]:
    row = [item.setup, str(item.apps)]
    for name in ANSWERS:
        load = item.loads[name]
        row += [f"{load.requests_per_second:.0f}", f"{load.cpu_milliseconds:.2f}"]
    return [*row, f"{1000 * item.ready_seconds:.0f}", f"{item.memory_mib:.0f}"]


def main() -> int:
    """Measure and print."""
    served = measure_worker(
        {**os.environ, "PYTHONPATH": str(ROOT)}, quick="--quick" in sys.argv[1:]
    )
    if not served:
        sys.stderr.write("workerd is not here: tools/install-workerd.sh installs it\n")
        return 1
    rows = [
        (item.what, f"{item.value:.2f}", f"{'>=' if item.at_least else '<='} {item.limit:g}")
        for item in worker_targets(served)
    ]
    sys.stdout.write(f"{worker_table(served)}\n\n{table([('', 'is', 'wanted'), *rows])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
