"""Run the device's lint and chartgen's lint over charts and show where they disagree.

    python -m tests.oracle.compare [--oracle PROGRAM] (--repo FOLDER | CHART...)

The device's lint ("the oracle") is a program of Olares, never part of this repo; README.md in this
folder says which programs will do. The exit code is 1 where the two disagree about any chart.
"""

from __future__ import annotations

import argparse
import enum
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chartgen.errors import ChartgenError, MissingToolError
from chartgen.findings import Severity
from chartgen.lint.chart import lint_chart
from chartgen.package.read import read_chart

ENVIRONMENT_VARIABLE = "CHARTGEN_ORACLE"
OLARES_CLI = "olares-cli"
# Enough to keep start-up cost small, few enough for any system's limit on a command line.
CHARTS_PER_RUN = 50
SECONDS_PER_CHART = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one side says about one chart: the reasons for refusing it, or none."""

    refusals: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def accepts(self) -> bool:
        """Tell whether nothing speaks against the chart."""
        return not self.refusals


class Outcome(enum.StrEnum):
    """How the two verdicts about one chart stand to each other."""

    BOTH_ACCEPT = "both accept"
    BOTH_REFUSE = "both refuse"
    ONLY_DEVICE = "only the device refuses"
    ONLY_CHARTGEN = "only chartgen refuses"

    @property
    def agreement(self) -> bool:
        """Tell whether both sides come to the same end."""
        return self in (Outcome.BOTH_ACCEPT, Outcome.BOTH_REFUSE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both verdicts about one chart. `suspended` is true for a chart that its market hides."""

    path: Path
    device: Verdict
    own: Verdict
    suspended: bool = False

    @property
    def outcome(self) -> Outcome:
        """Return how the two verdicts stand to each other."""
        if self.device.accepts:
            return Outcome.BOTH_ACCEPT if self.own.accepts else Outcome.ONLY_CHARTGEN
        return Outcome.ONLY_DEVICE if self.own.accepts else Outcome.BOTH_REFUSE


def find_oracle(environment: Mapping[str, str]) -> Path | None:
    """Return the program named by CHARTGEN_ORACLE, else `olares-cli` from the search path."""
    named = environment.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named)
    found = shutil.which(OLARES_CLI, path=environment.get("PATH"))
    return Path(found) if found else None


def device_verdicts(oracle: Path, charts: Sequence[Path]) -> dict[Path, Verdict]:
    """Ask the oracle about chart folders.

    Raises MissingToolError where it cannot be run or answers something else than verdicts.
    """
    if oracle.stem == OLARES_CLI:
        return {chart: _ask_olares_cli(oracle, chart) for chart in charts}
    verdicts: dict[Path, Verdict] = {}
    for start in range(0, len(charts), CHARTS_PER_RUN):
        verdicts |= _ask_in_lines(oracle, charts[start : start + CHARTS_PER_RUN])
    return verdicts


def own_verdict(chart: Path) -> Verdict:
    """Ask chartgen's lint; only errors refuse a chart."""
    try:
        findings = lint_chart(read_chart(chart))
    except ChartgenError as error:
        return Verdict((str(error),), ("unreadable",))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    return Verdict(
        tuple(f"{error.rule}: {error.message} [{error.place}]" for error in errors),
        tuple(sorted({error.rule for error in errors})),
    )


def compare(oracle: Path, charts: Sequence[Path]) -> tuple[Comparison, ...]:
    """Ask both sides about every chart folder."""
    device = device_verdicts(oracle, charts)
    return tuple(
        Comparison(chart, device[chart], own_verdict(chart), (chart / ".suspend").exists())
        for chart in charts
    )


def table(comparisons: Sequence[Comparison]) -> str:
    """Return the counts of every outcome, and of the rules in charts that only chartgen refuses."""
    counts = Counter((c.outcome, c.suspended) for c in comparisons)
    lines = [f"{'':<24}{'charts':>8}{'suspended':>11}"]
    lines += [
        f"{outcome.value:<24}{counts[outcome, False]:>8}{counts[outcome, True]:>11}"
        for outcome in Outcome
    ]
    alone = [c for c in comparisons if c.outcome is Outcome.ONLY_CHARTGEN]
    rules = Counter(rule for comparison in alone for rule in comparison.own.rules)
    if rules:
        lines += ["", "rules behind the charts that only chartgen refuses"]
        lines += [
            f"{rule:<32}{count:>5}"
            for rule, count in sorted(rules.items(), key=lambda item: (-item[1], item[0]))
        ]
    return "\n".join(lines)


def both_sides(comparison: Comparison) -> str:
    """Return the words of both sides about one chart."""
    suspended = " (suspended)" if comparison.suspended else ""
    lines = [f"{comparison.path.name}{suspended}: {comparison.outcome.value}"]
    for side, verdict in (("device", comparison.device), ("chartgen", comparison.own)):
        lines += [f"  {side + ':':<10}{words}" for words in verdict.refusals or ("accepts",)]
    return "\n".join(lines)


def _ask_olares_cli(oracle: Path, chart: Path) -> Verdict:
    """`olares-cli chart lint` takes one chart and says OK, or prints its errors and exits 1."""
    done = _run([str(oracle), "chart", "lint", str(chart)], 1)
    if done.returncode == 0:
        return Verdict()
    words = done.stderr.strip()
    if done.returncode != 1 or not words or "unknown command" in words:
        raise MissingToolError(
            f"{oracle}: has no working `chart lint` ({words[:200] or 'no message'}); "
            "install a newer olares-cli"
        )
    return Verdict(tuple(line for line in words.removeprefix("Error: ").splitlines() if line))


def _ask_in_lines(oracle: Path, charts: Sequence[Path]) -> dict[Path, Verdict]:
    """Any other program takes all charts and answers with one JSON line for each."""
    command = [str(oracle), "-owner-scenarios", *(str(chart) for chart in charts)]
    done = _run(command, len(charts))
    try:
        answers = {
            Path(answer["path"]): Verdict(
                () if answer["ok"] else tuple(answer["errors"]) or ("no reason given",)
            )
            for answer in map(json.loads, done.stdout.splitlines())
        }
    except (ValueError, KeyError, TypeError) as error:
        raise MissingToolError(f"{oracle}: its answer is no JSON line ({error})") from error
    if missing := [chart for chart in charts if chart not in answers]:
        raise MissingToolError(
            f"{oracle}: says nothing about {missing[0]} (exit code {done.returncode}, "
            f"{done.stderr.strip()[-200:] or 'no message'})"
        )
    return answers


def _run(command: Sequence[str], charts: int) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=SECONDS_PER_CHART * charts,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"{command[0]}: cannot be run ({error})") from error


def _chart_folders(repo: Path) -> Iterator[Path]:
    """Yield the subfolders of a repo that hold a chart."""
    for folder in sorted(repo.iterdir()):
        if (folder / "Chart.yaml").is_file():
            yield folder


def report(comparisons: Sequence[Comparison], *, agreed_refusals: bool = False) -> str:
    """Return both sides' words about every disagreement, and the table."""
    shown = {Outcome.ONLY_DEVICE, Outcome.ONLY_CHARTGEN}
    if agreed_refusals:
        shown.add(Outcome.BOTH_REFUSE)
    words = [both_sides(comparison) for comparison in comparisons if comparison.outcome in shown]
    return "\n\n".join([*words, table(comparisons)]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("charts", nargs="*", type=Path, metavar="CHART", help="a chart's folder")
    parser.add_argument("--repo", type=Path, help="a folder with one chart per subfolder")
    parser.add_argument("--oracle", type=Path, help=f"the program (else ${ENVIRONMENT_VARIABLE})")
    parser.add_argument(
        "--all", action="store_true", help="show the words about charts that both refuse, too"
    )
    options = parser.parse_args(arguments)
    charts: list[Path] = list(options.charts)
    if options.repo:
        charts += _chart_folders(options.repo)
    oracle = options.oracle or find_oracle(os.environ)
    if not charts or oracle is None:
        parser.error("name charts or --repo" if not charts else "no oracle; see README.md")
    try:
        comparisons = compare(oracle, charts)
    except ChartgenError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(report(comparisons, agreed_refusals=options.all))
    return 0 if all(comparison.outcome.agreement for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
