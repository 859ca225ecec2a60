"""Facts on disk: small YAML files beside the specs, made to be read and corrected by people.

A file holds the part of the model's own config, or of its GGUF header, that matters, as it is
spelt there; the size of the weights; where each was read, and what nobody has read but what
follows from something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import Field, StrictInt, ValidationError

from chartgen.document import Document, Path, read_document
from chartgen.files import read_limited
from chartgen.findings import Finding, Place, has_errors, in_order
from chartgen.lint.rules import finding
from chartgen.models.facts import ModelFacts
from chartgen.models.files import FOLDER, MAX_BYTES, model_file
from chartgen.models.gguf_facts import facts_of_metadata
from chartgen.models.gguf_keys import ARCHITECTURE, SHAPES, fits, shape_of
from chartgen.models.hf_config import facts_of_config
from chartgen.models.hf_schema import HfConfig
from chartgen.spec.faults import spec_findings
from chartgen.spec.values import REPOSITORY, Part

# No model has a petabyte.
_MOST_BYTES = 1 << 50

ByteCount = Annotated[StrictInt, Field(ge=0, le=_MOST_BYTES)]
Line = Annotated[str, Field(strict=True, min_length=1, max_length=500)]


class StoredModel(Part):
    """One model, or one file of a repository, as it stands in a file of `apps/models`."""

    hf: Annotated[str, Field(strict=True, pattern=REPOSITORY)] = Field(
        description="Repository on Hugging Face."
    )
    file: Line | None = Field(None, description="The one file of it, for a GGUF.")
    commit: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{7,40}$")] | None = Field(
        None, description="Commit that was read."
    )
    weight_bytes: ByteCount | None = Field(None, description="Size of all weights.")
    weight_types: Mapping[str, ByteCount] = Field(
        default_factory=dict, description="Size of the weights by type of tensor, of a GGUF."
    )
    embedding_bytes: ByteCount | None = Field(
        None, description="Size of the table of input embeddings, of a GGUF."
    )
    config: HfConfig | None = Field(None, description="From config.json.")
    gguf: Mapping[str, Any] | None = Field(None, description="From the header of the GGUF.")
    source: Mapping[str, Line] = Field(
        default_factory=dict, description="Where a field or a group of fields was read."
    )
    inferred: tuple[Line, ...] = Field((), description="Fields that follow from something else.")
    unread: tuple[Line, ...] = Field(
        (), description="Fields of the model's own file that chartgen does not understand."
    )

    @property
    def name(self) -> str:
        """Return the repository, and the file where it is about one."""
        return f"{self.hf}:{self.file}" if self.file else self.hf


@dataclass(frozen=True, slots=True)
class Shelf:
    """The models whose facts stand beside the specs, by repository and file."""

    models: Mapping[tuple[str, str | None], ModelFacts]

    def find(self, hf: str, file: str | None = None) -> ModelFacts | None:
        """Return the facts of a repository, or of one file of it."""
        return self.models.get((hf, file))


def stored_facts(stored: StoredModel) -> ModelFacts:
    """Return the facts that a stored model holds."""
    if stored.gguf is not None:
        facts = facts_of_metadata(stored.name, stored.gguf)
        facts = replace(facts, missing=tuple(f"gguf.{name}" for name in facts.missing))
    elif stored.config is not None:
        facts = facts_of_config(stored.name, stored.config)
    else:
        facts = ModelFacts(stored.name, "", "", missing=("config",))
    lacking = () if stored.weight_bytes is not None else ("weight_bytes",)
    missing = dict.fromkeys((*facts.missing, *stored.unread, *lacking))
    return replace(
        facts,
        layers=() if stored.unread else facts.layers,
        weight_bytes=stored.weight_bytes,
        weight_types=dict(stored.weight_types),
        embedding_bytes=stored.embedding_bytes,
        commit=stored.commit or "",
        sources=dict(stored.source),
        inferred=facts.inferred | set(stored.inferred),
        missing=tuple(missing),
    )


def read_model(data: bytes, file: str) -> tuple[StoredModel | None, tuple[Finding, ...]]:
    """Read a stored model; `file` is how findings call it.

    Returns None where it cannot be used, and all findings with line and column.
    """
    document, findings = read_document(data, file)
    if document is None:
        return None, findings
    if not isinstance(document.value, dict):
        message = "the file holds no mapping of keys to values"
        return None, (*findings, finding("spec-type", Place(file, 1, 1), message))
    try:
        stored = StoredModel.model_validate(document.value)
    except ValidationError as error:
        return None, in_order((*findings, *spec_findings(error, document, StoredModel)))
    found = in_order(
        (*findings, *_metadata_findings(document, stored), *_name_findings(document, stored))
    )
    return (None if has_errors(found) else stored), found


def load_shelf(folder: FilePath) -> tuple[Shelf, tuple[Finding, ...]]:
    """Read all facts below a folder of specs; those of unsound files are left out.

    Raises UnreadableError for a file that cannot be opened.
    """
    models: dict[tuple[str, str | None], ModelFacts] = {}
    findings: list[Finding] = []
    for path in sorted((folder / FOLDER).glob("*.yaml")):
        shown = f"{folder.name}/{FOLDER}/{path.name}"
        stored, faults = read_model(read_limited(path, MAX_BYTES), shown)
        findings += faults
        if stored is not None:
            models[stored.hf, stored.file] = stored_facts(stored)
    return Shelf(models), tuple(findings)


def load_model(folder: FilePath, hf: str, file: str | None = None) -> StoredModel | None:
    """Read the facts of one model from below a folder of specs.

    Returns None where there is no such file, or where it has findings; `load_shelf` tells them.
    Raises UnreadableError where it cannot be opened.
    """
    path = folder / FOLDER / model_file(hf, file)
    if not path.is_file():
        return None
    return read_model(read_limited(path, MAX_BYTES), path.name)[0]


def _metadata_findings(document: Document, stored: StoredModel) -> Iterator[Finding]:
    """Check the keys of a GGUF header, which pydantic knows nothing of."""
    architecture = (stored.gguf or {}).get(ARCHITECTURE)
    for key, value in (stored.gguf or {}).items():
        path = ("gguf", key)
        shape = shape_of(key, architecture)
        if shape is None:
            place = document.place(path, key=True)
            remedy = f"Known keys begin with {architecture}." if architecture else ""
            yield finding("spec-unknown-key", place, f"key {key!r} is not known in gguf", remedy)
        elif not fits(shape, value):
            message = f"gguf.{key} is {value!r}, not {SHAPES[shape]}"
            yield finding("spec-type", document.place(path), message, f"Write {SHAPES[shape]}.")


def _name_findings(document: Document, stored: StoredModel) -> Iterator[Finding]:
    """Check that the file is found where specs look, and says one thing of fields it has."""
    wanted = model_file(stored.hf, stored.file)
    actual = document.file.rpartition("/")[2]
    if actual != wanted:
        message = f"the facts of {stored.name} stand in {actual}, where no spec looks for them"
        place = document.place(("hf",))
        yield finding("model-file-name", place, message, f"Name the file {wanted}.")
    if stored.config is not None and stored.gguf is not None:
        place = document.place(("gguf",), key=True)
        yield finding("model-twice", place, "the file has both config and gguf")
    named: list[tuple[Path, str]] = [(("source", name), name) for name in stored.source]
    named += [(("inferred", at), name) for at, name in enumerate(stored.inferred)]
    for path, name in named:
        if not _is_there(document.value, name):
            place = document.place(path, key=path[0] == "source")
            message = f"{path[0]} speaks of {name}, which the file does not have"
            yield finding("model-source", place, message)


def _is_there(value: Any, name: str) -> bool:
    """Tell whether a dotted name leads somewhere. Keys of a GGUF have dots of their own."""
    if not isinstance(value, dict):
        return False
    for key, inner in value.items():
        if name == key or (name.startswith(f"{key}.") and _is_there(inner, name[len(key) + 1 :])):
            return True
    return False
