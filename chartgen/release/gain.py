"""The gain of a measurement over the version before, where change notes do not tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chartgen.check import CheckedApp
from chartgen.evidence.beside import Speed, current_speed, evidence_of, released_speed
from chartgen.evidence.figures import gain_text, rate_text
from chartgen.evidence.workload import workload_digest
from chartgen.lint.speeds import typed_speeds
from chartgen.release.plan import app_difference
from chartgen.release.versions import number

if TYPE_CHECKING:
    from chartgen.release.ledger import Ledger
    from chartgen.spec.load import LoadedSpec


def untold_gain(loaded: LoadedSpec, ledger: Ledger, bench: str) -> str:
    """Return the gain over the version before, where no change note of the spec's version tells it.

    `bench` is the file name of the measurement that is the news. Empty where another one gives the
    spec its speed, nothing comparable was measured before, or the version is released, whose notes
    are final, or has no notes yet.
    """
    spec = loaded.spec
    notes, latest = spec.changes.get(spec.version, ()), ledger.latest(spec.name)
    now = current_speed(loaded)
    if not notes or now is None or now.kept.file.rpartition("/")[2] != bench:
        return ""
    if latest is not None and number(spec.version) <= latest.number:
        return ""
    version, before = _speed_before(loaded, ledger, now)
    gain = gain_text(before, now.tokens_per_second)
    if not gain or _is_told(notes, now.tokens_per_second):
        return ""
    return (
        f"{gain}, against {version}; it may be added to the change notes of {spec.version}, which "
        "do not tell it"
    )


def _speed_before(loaded: LoadedSpec, ledger: Ledger, now: Speed) -> tuple[str, float]:
    """Return the version before the spec's, and its speed in tokens/s; ("", 0) where unmeasured.

    That is the last release, as for the change notes of a bump; of an app that was never released
    the newest version that its evidence names.
    """
    spec, machine = loaded.spec, now.kept.measurement.hardware
    latest = ledger.latest(spec.name)
    if latest is not None:
        # Without charts no package is read: settings and speeds are all that is compared.
        speeds = app_difference(CheckedApp(loaded, {}, ()), latest, lambda _: b"").speed
        return (latest.version, speeds[0]) if speeds is not None else ("", 0.0)
    today = workload_digest(loaded)
    earlier = [
        kept.measurement
        for kept in reversed(evidence_of(loaded))
        if kept.measurement.version
        and number(kept.measurement.version) < number(spec.version)
        and kept.measurement.workload != today
    ]
    for one in sorted(earlier, key=lambda one: number(one.version), reverse=True):
        speed = released_speed(loaded, one.version, one.workload, spec.engine.context, machine)
        if speed is not None:
            return one.version, speed.tokens_per_second
    return "", 0.0


def _is_told(notes: tuple[str, ...], tokens_per_second: float) -> bool:
    """Tell whether a note has the number of a speed, with its decimal or rounded."""
    typed = {
        written.replace(",", ".")
        for note in notes
        for item in typed_speeds(note)
        for written in item.numbers
    }
    return bool(typed & {rate_text(tokens_per_second), f"{tokens_per_second:.0f}"})
