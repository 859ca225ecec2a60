"""What stands beside a market's specs and is shown with its apps: measurements, facts of models.

The site of a market is a function of its own files alone, and these are among them: who has the
market's git has the numbers, and can make the same pages. A file that cannot be used, has a broken
seal or is of another app says nothing here; `chartgen check` is what tells of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chartgen.errors import UnreadableError
from chartgen.evidence.files import FOLDER, evidence_data, evidence_folder, name_parts
from chartgen.evidence.folder import read_folder
from chartgen.evidence.record import Measurement
from chartgen.evidence.standing import Kept
from chartgen.files import names_in
from chartgen.market.layout import SPEC_FOLDER
from chartgen.models.files import FOLDER as MODEL_FOLDER
from chartgen.models.files import MAX_BYTES as MAX_MODEL_BYTES
from chartgen.models.store import Shelf, read_model, stored_facts
from chartgen.spec.values import APP_NAME


@dataclass(frozen=True)
class AppEvidence:
    """The files with measurements of one app: names and bytes, by name."""

    app: str
    files: tuple[tuple[str, bytes], ...] = ()

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 over all files; empty where there is none."""
        return _digest(self.files)

    @cached_property
    def kept(self) -> tuple[Kept, ...]:
        """Return what the sound files say, the newest last. They are read when they are asked for.

        A site asks only of the apps whose pages it makes.
        """
        return read_folder(self.app, dict(self.files), evidence_folder(self.app)).kept

    @cached_property
    def measurements(self) -> tuple[Measurement, ...]:
        """Return the measurements of `kept`."""
        return tuple(kept.measurement for kept in self.kept)


@dataclass(frozen=True)
class ModelFiles:
    """The files with facts of models: names and bytes, by name."""

    files: tuple[tuple[str, bytes], ...] = ()

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 over all files; empty where there is none."""
        return _digest(self.files)

    @cached_property
    def shelf(self) -> Shelf:
        """Return the facts of the sound files. They are read when they are asked for."""
        found = [read_model(data, name)[0] for name, data in self.files]
        return Shelf({(m.hf, m.file): stored_facts(m) for m in found if m is not None})


@dataclass(frozen=True)
class Beside:
    """All that stands beside the specs of a market: the evidence by app, and the models."""

    evidence: Mapping[str, AppEvidence] = field(default_factory=dict)
    models: ModelFiles = field(default_factory=ModelFiles)

    def of(self, app: str) -> AppEvidence:
        """Return the evidence of an app; of many there is none."""
        return self.evidence.get(app) or AppEvidence(app)


def read_beside(folder: Path, names: Iterable[str]) -> Beside:
    """Read what stands beside the specs in a market's folder: of the named apps, and all models.

    A market may have none of it. Raises UnreadableError where facts are there and cannot be read.
    """
    specs = folder / SPEC_FOLDER
    kept = frozenset(names_in(specs / FOLDER)) & frozenset(names)
    # A name from a ledger is no path before it is checked.
    found = [_evidence(specs, name) for name in sorted(kept) if re.fullmatch(APP_NAME, name)]
    models = specs / MODEL_FOLDER
    files = [name for name in names_in(models) if name.endswith(".yaml")]
    return Beside(
        {evidence.app: evidence for evidence in found if evidence.files},
        ModelFiles(tuple((name, _data(models / name, MAX_MODEL_BYTES)) for name in files)),
    )


def _evidence(specs: Path, app: str) -> AppEvidence:
    folder = specs / evidence_folder(app)
    names = [name for name in names_in(folder) if name_parts(name) is not None]
    found = [(name, evidence_data(folder / name)) for name in names]
    return AppEvidence(app, tuple((name, data) for name, data in found if data is not None))


def _data(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            # One byte more than a sound file has: what is larger is none.
            return stream.read(limit + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror})") from error


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    empty = True
    for name, data in files:
        empty = False
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return "" if empty else digest.hexdigest()
