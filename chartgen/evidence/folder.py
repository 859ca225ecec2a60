"""The evidence of one app as a record that is only ever added to.

A measurement says its number and the seals of the files that it was written after. So a file that
was copied or moved, and one that was taken away or rewritten with a new seal, is known by the
others. The newest file is known by none: that it is gone, only git can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from chartgen.evidence.files import evidence_name, name_parts
from chartgen.evidence.record import Measurement
from chartgen.evidence.standing import Kept, read_kept
from chartgen.findings import Finding, Place, in_order
from chartgen.hardware import hardware_profiles
from chartgen.lint.rules import finding

_BROKEN = ("evidence-seal", "evidence-unreadable")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the files of an app say: the sound measurements, the newest last, and all findings."""

    kept: tuple[Kept, ...]
    findings: tuple[Finding, ...]


def read_folder(app: str, files: Mapping[str, bytes | None], folder: str) -> Evidence:
    """Read the files of an app's evidence by their names; None stands for what cannot be read.

    `folder` is what findings call the folder. Files that cannot be read, were changed, or stand in
    the place of another count for nothing.
    """
    findings: list[Finding] = []
    kept: list[Kept] = []
    for name in sorted(files):
        file = f"{folder}/{name}"
        found = read_kept(app, name, files[name], file)
        if isinstance(found, Kept):
            kept.append(found)
        else:
            remedy = f"{found.remedy} {_history(file)}" if found.remedy else ""
            if found.rule in _BROKEN:
                remedy = f"Take it back from git as it was committed: `git log -- {file}`. "
                remedy += "Remove it where it never was."
            findings.append(finding(found.rule, Place(file), found.message, remedy))
    # What a file that counts for nothing was sealed with is not known: it may be what is missed.
    findings += () if findings else _removed(kept, folder)
    findings += _gaps(files, folder)
    findings += _machines(kept)
    copies = {copy.file: found for copy, found in _copies(kept)}
    findings += copies.values()
    sound = sorted((one for one in kept if one.file not in copies), key=lambda one: one.order)
    return Evidence(tuple(sound), in_order(findings))


def newest_seals(measurements: Iterable[Measurement]) -> tuple[str, ...]:
    """Return the seals of the measurements that no other one was written after, sorted."""
    seals: set[str] = set()
    followed: set[str] = set()
    for found in measurements:
        seals.add(found.seal)
        followed.update(found.after)
    return tuple(sorted(seals - followed))


def _removed(kept: Iterable[Kept], folder: str) -> Iterator[Finding]:
    # That two branches wrote a file of one name excuses nothing: it looks like one that was
    # rewritten.
    seals = {one.measurement.seal for one in kept}
    for one in kept:
        missed = [seal[:12] for seal in one.measurement.after if seal not in seals]
        if missed:
            message = f"the file that it was written after, with the seal {missed[0]}…, is not here"
            remedy = f"Restore that file from git. {_history(folder)} "
            remedy += "Where two branches wrote a file of one name, and the other branch's was "
            remedy += "kept, remove this one as well and measure again."
            yield finding("evidence-removed", Place(one.file), message, remedy)


def _gaps(names: Iterable[str], folder: str) -> Iterator[Finding]:
    numbers: dict[tuple[str, str], set[int]] = {}
    for parts in map(name_parts, names):
        if parts is not None:
            numbers.setdefault(parts[:2], set()).add(parts[2])
    for (version, kind), there in numbers.items():
        count = max(there) - len(there)
        if not count:
            continue
        lowest = next(number for number in range(1, max(there)) if number not in there)
        following = min(number for number in there if number > lowest)
        missing = evidence_name(version, kind, lowest)
        more = f" and {count - 1:,} more" if count > 1 else ""
        message = f"{missing}{more} must have been there before it"
        remedy = f"Restore it from git. {_history(f'{folder}/{missing}')}"
        place = Place(f"{folder}/{evidence_name(version, kind, following)}")
        yield finding("evidence-gap", place, message, remedy)


def _copies(kept: Iterable[Kept]) -> Iterator[tuple[Kept, Finding]]:
    """Yield the benches that say again what one before them says.

    Two measured series are never equal; of smoke tests two of one day may be, but for the number.
    """
    benches: dict[object, list[Kept]] = {}
    for one in sorted(kept, key=lambda one: one.order):
        told = one.measurement
        if told.kind != "bench":
            continue
        alike = benches.setdefault((told.version, told.runs, told.published), [])
        original = next((other for other in alike if _body(other) == _body(one)), None)
        if original is None:
            alike.append(one)
        else:
            message = f"it says again what {original.file.rpartition('/')[2]} says"
            remedy = f"Remove it. {_history(one.file)}"
            yield one, finding("evidence-twice", Place(one.file), message, remedy)


def _body(kept: Kept) -> Measurement:
    return replace(kept.measurement, number=None, after=())


def _machines(kept: Iterable[Kept]) -> Iterator[Finding]:
    for one in kept:
        name = one.measurement.hardware
        if name and name not in hardware_profiles():
            message = f"no hardware profile is named {name!r}"
            yield finding("evidence-hardware", Place(one.file), message)


def _history(path: str) -> str:
    return f"`git log -- {path}` tells what was there."
