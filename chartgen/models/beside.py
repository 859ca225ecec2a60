"""The facts of the models that a spec names, as they stand beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from chartgen.engines import engine_weights
from chartgen.findings import Finding
from chartgen.models.facts import ModelFacts
from chartgen.models.files import FOLDER, model_file

if TYPE_CHECKING:
    from chartgen.models.store import Shelf
    from chartgen.spec.load import LoadedSpec


@dataclass(frozen=True, slots=True)
class _Read:
    facts: ModelFacts | None
    findings: tuple[Finding, ...]


def shelf_of(loaded: LoadedSpec) -> Shelf:
    """Return the facts of a spec's models by repository and file; unsound ones are left out."""
    from chartgen.models.store import Shelf

    models = {key: read.facts for key, read in _models(loaded) if read.facts is not None}
    return Shelf(models)


def model_findings(loaded: LoadedSpec) -> Iterator[Finding]:
    """Yield the findings on the files of the facts."""
    for _, read in _models(loaded):
        yield from read.findings


def _models(loaded: LoadedSpec) -> Iterator[tuple[tuple[str, str | None], _Read]]:
    folder = loaded.file.rpartition("/")[0]
    for item in engine_weights(loaded.spec):
        source = item.source
        if source.hf is None:
            continue
        relative = f"{FOLDER}/{model_file(source.hf, source.file)}"
        if relative in loaded.files:
            file = f"{folder}/{relative}" if folder else relative
            yield (source.hf, source.file), _read(loaded.files[relative], file)


@lru_cache(maxsize=512)
def _read(data: bytes, file: str) -> _Read:
    """Read facts once for all apps that have the model."""
    # Only now: most specs of a market without facts need none of this.
    from chartgen.models.store import read_model, stored_facts

    stored, findings = read_model(data, file)
    return _Read(stored_facts(stored) if stored is not None else None, findings)
