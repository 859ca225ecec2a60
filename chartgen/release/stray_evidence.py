"""Evidence that no spec of a market has: of apps that are no more, and in the wrong place."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from chartgen.evidence.beside import evidence_file_findings
from chartgen.evidence.files import FOLDER, evidence_data, evidence_folder
from chartgen.evidence.folder import read_folder
from chartgen.evidence.record import Measurement, parse_measurement
from chartgen.files import names_in
from chartgen.findings import Finding, Place, in_order
from chartgen.lint.rules import finding
from chartgen.market.layout import SPEC_FOLDER
from chartgen.spec.load import LoadedSpec


def stray_evidence(
    folder: Path, specs: Collection[str], released: Collection[str]
) -> tuple[Finding, ...]:
    """Return the findings on all evidence of a market but that of its specs, which each check has.

    `specs` are the names of all its specs, `released` those of its ledger: the market still shows
    what was measured of an app whose spec is gone.
    """
    findings: list[Finding] = []
    apps = {*specs, *released}
    for name in names_in(folder / SPEC_FOLDER / FOLDER):
        path = folder / SPEC_FOLDER / FOLDER / name
        shown = f"{SPEC_FOLDER}/{FOLDER}/{name}"
        if not path.is_dir():
            message = f"{name!r} is no folder with the name of an app"
            findings.append(finding("evidence-stray", Place(shown), message, _remedy(path, apps)))
        elif name in released and name not in specs:
            files = {file: evidence_data(path / file) for file in names_in(path)}
            findings += read_folder(name, files, shown).findings
        elif name not in specs:
            message = f"no app is named {name!r}"
            findings.append(finding("evidence-stray", Place(shown), message, _remedy(path, apps)))
    return in_order(findings)


def evidence_faults(
    folder: Path, specs: Collection[LoadedSpec], released: Collection[str], *, whole: bool
) -> tuple[Finding, ...]:
    """Return the findings on all files of evidence of a market, without those that specs waive.

    `whole` tells that `specs` are all of them; else nobody knows what is stray.
    """
    findings: list[Finding] = []
    for loaded in specs:
        waived = {waiver.rule for waiver in loaded.spec.waive}
        findings += (item for item in evidence_file_findings(loaded) if item.rule not in waived)
    if whole:
        findings += stray_evidence(folder, {loaded.spec.name for loaded in specs}, released)
    return in_order(findings)


def _remedy(path: Path, apps: Collection[str]) -> str:
    """Say where the evidence belongs, by the app that it names; empty where it names none.

    What was measured of an app that has another name by now belongs nowhere: the name is sealed.
    """
    files = [path / name for name in names_in(path)] if path.is_dir() else [path]
    for file in files:
        data = evidence_data(file)
        found = None if data is None else parse_measurement(data)
        if isinstance(found, Measurement):
            if found.app not in apps:
                said = f"It was measured of {found.app}, which is no app any more, and its files "
                said += "are sealed with that name: give the app that name back, or remove them."
                return said
            where = f"{SPEC_FOLDER}/{evidence_folder(found.app)}"
            return f"It is of the app {found.app}: move it to {where}, or remove a copy."
    return ""
