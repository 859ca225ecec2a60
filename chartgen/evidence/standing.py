"""Which measurement stands for what: one order and one test, for all that show or check a number.

A number is a release's own where it was measured of exactly what that release runs, on the machine
that it is made for, by one user at a time who asked the standard question. The digest of the
workload tells what was measured, since a bench before a bump is kept under the version before it;
where the ledger or a publication has none, the version does. An endpoint that tells another context
ran something else, whatever the digest says. The newest measurement that may stand decides; one
that may not hides no older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from chartgen.evidence.files import evidence_folder, evidence_name, name_parts
from chartgen.evidence.record import Measurement, Unsound, parse_measurement
from chartgen.evidence.statistics import LEAST_RUNS
from chartgen.memory.llamacpp_kv import cache_types, contexts_of
from chartgen.memory.llamacpp_settings import llama_run
from chartgen.release.versions import number
from chartgen.spec.app import spec_of
from chartgen.spec.engine import LlamaCppEngine

Mismatch = Literal["trial", "settings", "version", "image", "context", "machine"]
"""In what a measurement and what it is held against differ; `settings` by the workload's digest."""


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
        return self.measurement.date, number(version) if version else (), self.number


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a file counts for nothing: the rule it breaks, and in which way."""

    rule: str
    message: str
    remedy: str = ""


def read_kept(app: str, name: str, data: bytes | None, file: str) -> Kept | Unfit:
    """Read a file of an app's evidence; `data` is None for what is no file.

    `name` is its name in the folder, and `file` what people call it.
    """
    parts = name_parts(name)
    if parts is None:
        return Unfit("evidence-file-name", f"{name!r} is no name of a measurement")
    if data is None:
        message = "it is no file that can be read (a folder, a link to nothing, or no permission)"
        return Unfit("evidence-unreadable", message)
    measurement = _parsed(data)
    if isinstance(measurement, Unsound):
        rule = "evidence-seal" if measurement.broken_seal else "evidence-unreadable"
        return Unfit(rule, measurement.message)
    told = evidence_name(measurement.version, measurement.kind, measurement.number or parts[2])
    if told != name or measurement.app != app:
        path = told if measurement.app == app else f"{evidence_folder(measurement.app)}/{told}"
        message = f"it was written as {path}"
        remedy = f"Move it back to {path}, or remove it where that file is still there."
        return Unfit("evidence-file-name", message, remedy)
    return Kept(measurement, file, parts[2])


@dataclass(frozen=True)
class Subject:
    """A release, or a spec as it is: what a measurement is held against.

    `settings` is the spec as plain data. `workload` is the digest of what it runs, empty where a
    ledger has none, and `machine` the hardware profile that it is for, empty for any.
    """

    version: str
    settings: Mapping[str, Any]
    workload: str = ""
    machine: str = ""

    @property
    def image(self) -> str | None:
        """Return the engine's image, where it is stated."""
        image = self._engine.get("image")
        return image if isinstance(image, str) else None

    @property
    def context(self) -> int | None:
        """Return the stated context length in tokens."""
        context = self._engine.get("context")
        return context if isinstance(context, int) else None

    @cached_property
    def told_contexts(self) -> frozenset[int]:
        """Return what an endpoint may tell as its context length (tokens).

        llama.cpp rounds it up and shares it out among its slots, and its list of models tells the
        share (b11434, tools/server/server-context.cpp).
        """
        stated = frozenset() if self.context is None else frozenset({self.context})
        if not stated or self._engine.get("kind") != "llamacpp":
            return stated
        spec = spec_of(self.settings)
        if spec is None:
            return stated
        assert isinstance(spec.engine, LlamaCppEngine)
        environment = {name: env.value for name, env in spec.env.items() if env.value is not None}
        run = llama_run(spec.engine, cache_types(), None, environment)
        return stated | set(contexts_of(run.cache))

    @property
    def _engine(self) -> Mapping[str, Any]:
        engine = self.settings.get("engine")
        return engine if isinstance(engine, Mapping) else {}


def fits_context(context: int | None, subject: Subject) -> bool:
    """Tell whether a context length that an endpoint tells is that of a release."""
    if context is None or subject.context is None or context == subject.context:
        return True
    return context in subject.told_contexts


def ran(measurement: Measurement, version: str, workload: str) -> bool:
    """Tell whether a measurement is of what a release runs: by the workload, else the version."""
    if measurement.workload and workload:
        return measurement.workload == workload
    return measurement.version == version


def mismatch(measurement: Measurement, subject: Subject) -> Mismatch | None:
    """Return in what a measurement is not of a release, as far as both say so; None where it is."""
    if measurement.trial:
        return "trial"
    if not ran(measurement, subject.version, subject.workload):
        return "settings" if measurement.workload and subject.workload else "version"
    if subject.image is not None and measurement.image not in {"", subject.image}:
        return "image"
    if not fits_context(measurement.context, subject):
        return "context"
    return None if is_on(measurement, subject.machine) else "machine"


def is_on(measurement: Measurement, machine: str) -> bool:
    """Tell whether something was measured on a machine, where both tell theirs."""
    return not machine or measurement.hardware in {"", machine}


def is_comparable(measurement: Measurement) -> bool:
    """Tell whether a bench may stand for its release: no trial, one user, the standard request.

    A prompt that was filled up, had a picture or another length asks for something else than the
    others did, and fewer runs than `LEAST_RUNS` cannot tell one speed from two. Imported series say
    nothing of `standard`, and publications often nothing of their runs.
    """
    asked = measurement.settings
    plain = not asked.get("image") and not asked.get("prompt_tokens")
    plain = plain and bool(asked.get("standard", True))
    counted = sum(1 for run in measurement.runs if not run.cold)
    if measurement.imported:
        enough = counted > 0 or measurement.published is not None
    else:
        enough = counted >= LEAST_RUNS
    return (
        measurement.kind == "bench"
        and not measurement.trial
        and measurement.users == 1
        and plain
        and enough
    )


def stands_for(measurement: Measurement, subject: Subject) -> bool:
    """Tell whether the speed of a bench is that of a release."""
    return is_comparable(measurement) and mismatch(measurement, subject) is None


def outcomes(smokes: Iterable[Kept]) -> dict[str, tuple[str, Kept]]:
    """Return how each check of some smoke tests ended where it was tried last, and in which test.

    They are given oldest first. A later test that skipped a check takes nothing back.
    """
    return {
        check.name: (check.outcome, kept)
        for kept in smokes
        for check in kept.measurement.checks
        if check.outcome != "skipped"
    }


@lru_cache(maxsize=2048)
def _parsed(data: bytes) -> Measurement | Unsound:
    """Read a file once, however often the texts of its app are filled."""
    return parse_measurement(data)
