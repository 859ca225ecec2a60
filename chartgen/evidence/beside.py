"""The evidence of an app, as it stands beside its spec, and what of it is of the spec today."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from chartgen.evidence.figures import rate_text, share_text
from chartgen.evidence.files import evidence_folder
from chartgen.evidence.folder import Evidence, read_folder
from chartgen.evidence.standing import Kept, Subject, fits_context, is_comparable, mismatch
from chartgen.evidence.statistics import headline
from chartgen.evidence.workload import workload_digest
from chartgen.findings import Finding

if TYPE_CHECKING:
    from chartgen.spec.load import LoadedSpec

Kind = Literal["bench", "smoke"]


@dataclass(frozen=True, slots=True)
class Speed:
    """What the newest comparable bench tells: tokens/s, and the share of drafts accepted."""

    tokens_per_second: float
    acceptance: float | None
    kept: Kept


def evidence_of(loaded: LoadedSpec) -> tuple[Kept, ...]:
    """Return all sound measurements of an app, trials included, the newest last."""
    return _read(loaded).kept


def evidence_file_findings(loaded: LoadedSpec) -> tuple[Finding, ...]:
    """Return what is wrong with the files themselves."""
    return _read(loaded).findings


def subject_of(loaded: LoadedSpec, machine: str = "") -> Subject:
    """Return what a spec is today; `machine` is the hardware profile wanted, empty for any."""
    workload = workload_digest(loaded)
    return Subject(loaded.spec.version, loaded.document.value, workload, machine)


def current_evidence(loaded: LoadedSpec, kind: Kind, machine: str = "") -> tuple[Kept, ...]:
    """Return the measurements that are of what the spec runs today, the newest last.

    Those are the ones with today's workload digest, and of the imported ones those of the spec's
    version with its image; all with its context. `machine` as of `subject_of`.
    """
    found = [kept for kept in evidence_of(loaded) if kept.measurement.kind == kind]
    if not found:
        return ()
    today = subject_of(loaded, machine)
    return tuple(kept for kept in found if mismatch(kept.measurement, today) is None)


def current_speed(loaded: LoadedSpec, machine: str = "") -> Speed | None:
    """Return the speed of what the spec runs today.

    The newest comparable bench decides; where it has two speeds there is none, whatever an older
    one says.
    """
    return _speed(current_evidence(loaded, "bench", machine))


def released_speed(loaded: LoadedSpec, release: Subject) -> Speed | None:
    """Return the speed of a release of a spec's app."""
    return _speed(
        tuple(kept for kept in evidence_of(loaded) if mismatch(kept.measurement, release) is None)
    )


def other_context(loaded: LoadedSpec, context: int | None) -> str:
    """Say which context an endpoint has, where it cannot be the spec's own; empty where it may.

    `context` (tokens) is what the endpoint tells, None where it does not.
    """
    stated = loaded.spec.engine.context
    if context is None or stated is None or fits_context(context, subject_of(loaded)):
        return ""
    return f"the endpoint had a context of {context:,} tokens, and the spec says {stated:,}"


def evidence_values(loaded: LoadedSpec, machine: str = "") -> dict[str, str]:
    """Return what the placeholders `{tps}` and `{acceptance}` stand for, as far as is known."""
    speed = current_speed(loaded, machine)
    if speed is None:
        return {}
    values = {"tps": rate_text(speed.tokens_per_second)}
    if speed.acceptance is not None:
        values["acceptance"] = share_text(speed.acceptance)
    return values


def _speed(candidates: tuple[Kept, ...]) -> Speed | None:
    benches = [kept for kept in candidates if is_comparable(kept.measurement)]
    if not benches:
        return None
    rate = headline(benches[-1].measurement)
    if rate is None:
        return None
    return Speed(rate, benches[-1].measurement.acceptance, benches[-1])


def _read(loaded: LoadedSpec) -> Evidence:
    relative = evidence_folder(loaded.spec.name)
    beside = loaded.file.rpartition("/")[0]
    names = loaded.folders.get(relative, ())
    files = tuple((name, loaded.files.get(f"{relative}/{name}")) for name in names)
    return _folder(loaded.spec.name, files, f"{beside}/{relative}" if beside else relative)


@lru_cache(maxsize=64)
def _folder(app: str, files: tuple[tuple[str, bytes | None], ...], folder: str) -> Evidence:
    """Read a folder once, as each text and each check of an app asks for its evidence."""
    return read_folder(app, dict(files), folder)
