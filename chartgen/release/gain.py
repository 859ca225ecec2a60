"""The gain of a measurement over the version before, where change notes do not tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chartgen.check import CheckedApp
from chartgen.evidence.beside import current_speed, evidence_of, released_speed
from chartgen.evidence.figures import gain_text, rate_text
from chartgen.evidence.standing import Subject
from chartgen.evidence.workload import workload_digest
from chartgen.lint.speed_words import typed_speeds
from chartgen.release.plan import app_difference
from chartgen.release.versions import number

if TYPE_CHECKING:
    from chartgen.release.ledger import Ledger
    from chartgen.spec.load import LoadedSpec


def untold_gain(loaded: LoadedSpec, ledger: Ledger, bench: str, machine: str = "") -> str:
    """Return the gain over the version before, where no change note of the spec's version tells it.

    `bench` is the file name of the measurement that is the news, and `machine` the hardware profile
    that the app is for, empty for any. Empty where another bench gives the spec its speed, nothing
    comparable was measured before, or the version is released, whose notes are final, or has no
    notes yet.
    """
    spec = loaded.spec
    notes, latest = spec.changes.get(spec.version, ()), ledger.latest(spec.name)
    now = current_speed(loaded, machine)
    if not notes or now is None or now.kept.file.rpartition("/")[2] != bench:
        return ""
    if latest is not None and number(spec.version) <= latest.number:
        return ""
    version, before = _speed_before(loaded, ledger, machine)
    gain = gain_text(before, now.tokens_per_second)
    if not gain or _is_told(notes, now.tokens_per_second):
        return ""
    return (
        f"{gain}, against {version}; it may be added to the change notes of {spec.version}, which "
        "do not tell it"
    )


def _speed_before(loaded: LoadedSpec, ledger: Ledger, machine: str) -> tuple[str, float]:
    """Return the version before the spec's, and its speed in tokens/s; ("", 0) where unmeasured.

    That is the last release, as for the change notes of a bump; of an app that was never released
    the newest version that its evidence names.
    """
    spec = loaded.spec
    latest = ledger.latest(spec.name)
    if latest is not None:
        # Without charts no package is read: settings and speeds are all that is compared.
        app = CheckedApp(loaded, {}, (), machine=machine)
        speeds = app_difference(app, latest, lambda _: b"").speed
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
        # What a version was set to before there was a ledger is not known; where a publication
        # tells several contexts, today's is compared.
        settings = {} if one.workload else {"engine": {"context": spec.engine.context}}
        speed = released_speed(loaded, Subject(one.version, settings, one.workload, machine))
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
