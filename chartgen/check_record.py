"""What earlier runs found out, kept on disk so that it need not be found out again.

A record maps a key to an entry: the digests of all that a result depended on, and the result. It
is believed only while every digest is as it was. A record that is missing, damaged or of another
chartgen costs time and nothing else, so it may be deleted at any moment.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chartgen import __version__
from chartgen.files import names_in, write_atomically
from chartgen.findings import Finding, Place, Severity
from chartgen.market.layout import MARKET_FILE
from chartgen.resources import template_folder

# What forms charts and pages, and what judges them where it is installed (pyproject.toml).
_LIBRARIES = (
    "helm_python",
    "jinja2",
    "kubernetes_validate",
    "markdown_it",
    "markupsafe",
    "pydantic",
    "yaml",
)

Inputs = Mapping[str, str]
"""SHA-256 of each file that a result depends on, by path below the market; empty for no file.

Of a folder it is that of the names in it, empty for a folder with none.
"""


@dataclass(frozen=True)
class RecordedCheck:
    """What a check of one spec gave: `findings` stand, `waived` do not.

    `file` is the spec's path below the market. `digests` holds the content digest of the chart
    for each platform.
    """

    file: str
    name: str
    version: str
    digests: Mapping[str, str]
    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...]


def maker() -> str:
    """Return a digest of everything but a market's own files that a check or a build depends on."""
    digest = hashlib.sha256(f"{__version__} {sys.version}".encode())
    files = [
        file
        for top in (Path(__file__).parent, template_folder())
        for file in sorted(top.rglob("[!.]*"))
        if file.suffix != ".pyc" and file.is_file()
    ]
    for name in _LIBRARIES:
        # Their versions would say the same, but take a sixth of an unchanged build to find.
        package = find_spec(name)
        if package is not None and package.origin is not None:
            files.append(Path(package.origin))
    # Sizes and times: enough to notice an edit or an update, and cheap.
    for file in files:
        facts = file.stat()
        digest.update(f"{file} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return ""


def names_digest(names: Iterable[str]) -> str:
    """Return the SHA-256 of the names in a folder; empty where there are none."""
    listed = "\n".join(sorted(names))
    return hashlib.sha256(listed.encode(errors="surrogateescape")).hexdigest() if listed else ""


def spec_inputs(
    folder: Path,
    spec: Path,
    files: Mapping[str, bytes],
    absent: Iterable[str] = (),
    folders: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, str]:
    """Return the inputs of a spec whose `files`, by their paths beside it, were read already.

    What is digested are the bytes that were read, so that an edit meanwhile is noticed later; so
    are `absent` files, as soon as they are there. Of `folders`, with the names that were in them,
    a new or removed file is noticed.
    """
    inputs = {path.as_posix(): file_digest(folder / path) for path in (spec, Path(MARKET_FILE))}
    for relative, data in files.items():
        inputs[(spec.parent / relative).as_posix()] = hashlib.sha256(data).hexdigest()
    inputs |= {(spec.parent / relative).as_posix(): "" for relative in absent}
    for relative, names in (folders or {}).items():
        inputs[f"{(spec.parent / relative).as_posix()}/"] = names_digest(names)
    return dict(sorted(inputs.items()))


class InputsNow:
    """The files of a market as they are now; each is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._known: dict[str, str] = {}

    def digest(self, path: str) -> str:
        """Return the SHA-256 of a file below the market; empty where it cannot be read.

        For a path that ends in a slash it is that of the names in the folder.
        """
        found = self._known.get(path)
        if found is None:
            target = Path(f"{self._folder}/{path}")
            found = names_digest(names_in(target)) if path.endswith("/") else file_digest(target)
            self._known[path] = found
        return found

    def are(self, inputs: Inputs) -> bool:
        """Tell whether all inputs are as they were."""
        return all(self.digest(path) == was for path, was in inputs.items())


def read_record(path: Path) -> dict[str, Any]:
    """Return the entries of a record by key; none where it is missing or damaged."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Replace a record. Raises ChartgenError where it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, sort_keys=True, indent=1)
    write_atomically(path, f"{text}\n".encode())


def finding_entries(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as plain data."""
    return [
        {
            "rule": item.rule,
            "severity": item.severity.value,
            "place": [item.place.file, item.place.line, item.place.column, item.place.path],
            "message": item.message,
            "remedy": item.remedy,
        }
        for item in findings
    ]


def findings_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Return findings from plain data. Raises KeyError, TypeError or ValueError for other data."""
    return tuple(
        Finding(
            entry["rule"],
            Severity(entry["severity"]),
            Place(*entry["place"]),
            entry["message"],
            entry["remedy"],
        )
        for entry in entries
    )


def check_entry(check: RecordedCheck, made_by: str, inputs: Inputs) -> dict[str, Any]:
    """Return the entry of a check, for the key `check.file`."""
    return {
        "maker": made_by,
        "inputs": dict(inputs),
        "name": check.name,
        "version": check.version,
        "digests": dict(check.digests),
        "findings": finding_entries(check.findings),
        "waived": finding_entries(check.waived),
    }


def recorded_check(
    file: str, record: Mapping[str, Any], made_by: str, now: InputsNow
) -> RecordedCheck | None:
    """Return what a record says of a spec; None where it does not hold any more."""
    entry = record.get(file)
    try:
        if entry is None or entry["maker"] != made_by or not now.are(entry["inputs"]):
            return None
        # Whatever else the record claims: without the spec itself it says nothing.
        if not entry["inputs"][file]:
            return None
        return RecordedCheck(
            file=file,
            name=str(entry["name"]),
            version=str(entry["version"]),
            digests=dict(entry["digests"]),
            findings=findings_of(entry["findings"]),
            waived=findings_of(entry["waived"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
