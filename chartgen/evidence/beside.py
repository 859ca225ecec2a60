"""The evidence of an app, as it stands beside its spec, and what of it is of the spec today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from chartgen.evidence.figures import rate_text, share_text
from chartgen.evidence.files import evidence_folder, evidence_name, name_parts
from chartgen.evidence.record import Measurement, Unsound, parse_measurement
from chartgen.evidence.statistics import headline
from chartgen.evidence.workload import workload_digest
from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding

if TYPE_CHECKING:
    from chartgen.spec.load import LoadedSpec

Kind = Literal["bench", "smoke"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A measurement and the file that holds it."""

    measurement: Measurement
    file: str
    number: int

    @property
    def order(self) -> tuple[str, tuple[int, ...], int]:
        """Sort by date, then by version and number; what has no date comes first."""
        version = self.measurement.version
        parts = tuple(int(part) for part in version.split(".")) if version else ()
        return self.measurement.date, parts, self.number


@dataclass(frozen=True, slots=True)
class Speed:
    """What the newest comparable bench tells: tokens/s, and the share of drafts accepted."""

    tokens_per_second: float
    acceptance: float | None
    kept: Kept


def evidence_of(loaded: LoadedSpec) -> tuple[Kept, ...]:
    """Return all sound measurements of an app, trials included, the newest last."""
    return tuple(sorted((kept for kept, _ in _read(loaded) if kept), key=lambda kept: kept.order))


def evidence_file_findings(loaded: LoadedSpec) -> Iterator[Finding]:
    """Yield what is wrong with the files themselves; such files count for nothing."""
    for _, found in _read(loaded):
        yield from found


def current_evidence(loaded: LoadedSpec, kind: Kind, machine: str = "") -> tuple[Kept, ...]:
    """Return the measurements that are of what the spec runs today, the newest last.

    Those are the ones with today's workload digest, and of the imported ones those of the spec's
    version with its image and context. `machine` is the hardware profile wanted, empty for any.
    """
    found = [kept for kept in evidence_of(loaded) if kept.measurement.kind == kind]
    if not found:
        return ()
    today = workload_digest(loaded)
    return tuple(
        kept
        for kept in found
        if _is_current(kept.measurement, loaded, today)
        and (not machine or kept.measurement.hardware in {"", machine})
    )


def is_comparable(measurement: Measurement) -> bool:
    """Tell whether a bench may stand for its release: no trial, one user, the standard request.

    A prompt that was filled up, had a picture or another length asks for something else than the
    others did. Imported series say nothing of `standard`.
    """
    asked = measurement.settings
    plain = not asked.get("image") and not asked.get("prompt_tokens")
    plain = plain and bool(asked.get("standard", True))
    return (
        measurement.kind == "bench" and not measurement.trial and measurement.users == 1 and plain
    )


def current_speed(loaded: LoadedSpec, machine: str = "") -> Speed | None:
    """Return the speed of what the spec runs today.

    The newest comparable bench decides; where it has two speeds there is none, whatever an older
    one says.
    """
    return _speed(current_evidence(loaded, "bench", machine))


def released_speed(
    loaded: LoadedSpec, version: str, workload: str, context: int | None, machine: str = ""
) -> Speed | None:
    """Return the speed of a release of a spec's app.

    `workload` is the digest of what the release ran: what is measured under its version may also
    be a try on the way to the next one. Of imported measurements `context` decides, where both
    tell it.
    """
    return _speed(
        tuple(
            kept
            for kept in evidence_of(loaded)
            if (not machine or kept.measurement.hardware in {"", machine})
            and (
                kept.measurement.workload == workload
                if kept.measurement.workload
                else kept.measurement.version == version
                and (context is None or kept.measurement.context in {None, context})
            )
        )
    )


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


def _is_current(measurement: Measurement, loaded: LoadedSpec, today: str) -> bool:
    if measurement.trial:
        return False
    if measurement.workload:
        return measurement.workload == today
    engine = loaded.spec.engine
    return (
        measurement.version == loaded.spec.version
        and measurement.image in {"", engine.image}
        and measurement.context in {None, engine.context}
    )


def _read(loaded: LoadedSpec) -> Iterator[tuple[Kept | None, tuple[Finding, ...]]]:
    relative = evidence_folder(loaded.spec.name)
    beside = loaded.file.rpartition("/")[0]
    for name in loaded.folders.get(relative, ()):
        file = f"{beside}/{relative}/{name}" if beside else f"{relative}/{name}"
        parts = name_parts(name)
        data = loaded.files.get(f"{relative}/{name}")
        if parts is None or data is None:
            message = f"{name!r} is no name of a measurement"
            yield None, (finding("evidence-file-name", Place(file), message),)
            continue
        measurement = _parsed(data)
        if isinstance(measurement, Unsound):
            rule = "evidence-seal" if measurement.broken_seal else "evidence-unreadable"
            yield None, (finding(rule, Place(file), measurement.message),)
            continue
        told = evidence_name(measurement.version, measurement.kind, parts[2])
        if told != name or measurement.app != loaded.spec.name:
            message = f"it holds a {measurement.kind} of {measurement.app} "
            message += measurement.version or "without a version"
            remedy = f"Move it to {evidence_folder(measurement.app)}/{told}."
            yield None, (finding("evidence-file-name", Place(file), message, remedy),)
            continue
        yield Kept(measurement, file, parts[2]), ()


@lru_cache(maxsize=2048)
def _parsed(data: bytes) -> Measurement | Unsound:
    """Read a file once, however often the texts of its app are filled."""
    return parse_measurement(data)
