"""Loading a spec: one YAML file and the small files that belong to it, all of them bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from pathlib import PurePosixPath

from pydantic import ValidationError

from chartgen.document import Document, Path, read_document
from chartgen.engines import engine_weights
from chartgen.errors import UnreadableError
from chartgen.evidence.files import evidence_data, evidence_folder
from chartgen.files import names_in, read_limited
from chartgen.findings import Finding, Place, in_order
from chartgen.lint.rules import finding
from chartgen.models.files import FOLDER as MODEL_FOLDER
from chartgen.models.files import MAX_BYTES as MAX_MODEL_BYTES
from chartgen.models.files import model_file
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import Content
from chartgen.spec.faults import spec_findings
from chartgen.spec.sources import ModelSource
from chartgen.spec.values import Part

# A ConfigMap holds at most 1 MiB; one file of a chart stays well below.
MAX_FILE_BYTES = 512_000
# Market rule: icons up to 512 KB (olares-manifest 2.2).
MAX_ICON_BYTES = 512_000
# What only people look at: an app runs the same without it.
_SHOWN = ("icon", "about", "i18n")


@dataclass(frozen=True)
class LoadedSpec:
    """A valid spec with the places of its values and the bytes of the files it names.

    `files` maps each relative path, as the spec writes it, to the file's bytes; the facts of its
    models (`models/…`) and its evidence (`evidence/…`) are among them. `absent` are the paths of
    facts that nobody has written. `folders` maps the folder of the evidence to the names in it.
    """

    spec: AppSpec
    document: Document
    files: Mapping[str, bytes]
    path: FilePath
    absent: tuple[str, ...] = ()
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Return the spec's path as findings name it."""
        return self.document.file

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Return the place of a value by its path in the spec."""
        return self.document.place(path, key=key)

    def text(self, content: Content) -> str:
        """Return the text of a content, from the spec or from its file."""
        if content.from_ is None:
            return content.content or ""
        return self.files[content.from_].decode("utf-8")


def load_spec(
    path: FilePath, *, shown_as: str | None = None, only_run: bool = False
) -> tuple[LoadedSpec | None, tuple[Finding, ...]]:
    """Read a spec and the files it names.

    Returns the loaded spec, or None where it cannot be used, and all findings of the reading.
    With `only_run`, for those who need what the app runs and no chart, it can be used without its
    icon and the files of its texts; `files` then lacks those that cannot be used.
    Raises UnreadableError where the file itself cannot be opened.
    """
    file = shown_as or path.as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(
            f"{file}: cannot be read ({error.strerror or error}); check the path"
        ) from error
    document, findings = read_document(data, file)
    if document is None:
        return None, findings
    spec, faults = parse_spec(document)
    findings += faults
    if spec is None:
        return None, in_order(findings)
    files, missed = _read_files(spec, document, path.parent)
    findings += tuple(fault for _, fault in missed)
    if any(not only_run or at[0] not in _SHOWN for at, _ in missed):
        return None, in_order(findings)
    absent = tuple(_read_models(spec, path.parent, files))
    folders = _read_evidence(spec, path.parent, files)
    return LoadedSpec(spec, document, files, path, absent, folders), in_order(findings)


def parse_spec(document: Document) -> tuple[AppSpec | None, tuple[Finding, ...]]:
    """Validate a document as a spec."""
    if document.value is None:
        return None, (finding("yaml-empty", Place(document.file, 1, 1), "the file is empty"),)
    if not isinstance(document.value, dict):
        message = "the file holds no mapping of keys to values"
        return None, (finding("spec-type", Place(document.file, 1, 1), message),)
    try:
        return AppSpec.model_validate(document.value), ()
    except ValidationError as error:
        return None, spec_findings(error, document, AppSpec)


def icon_file(spec: AppSpec) -> str | None:
    """Return the relative path of the app's icon, or None where the icon is a URL."""
    icon = spec.icon or f"icons/{spec.name}.png"
    return None if icon.startswith(("https://", "http://")) else icon


def named_files(spec: AppSpec) -> Iterator[tuple[Path, str, str]]:
    """Yield (path in the spec, relative path of the file, `text`, `bytes` or `icon`)."""
    icon = icon_file(spec)
    if icon is not None:
        yield ("icon",), icon, "icon"
    for index, raw in enumerate(spec.raw):
        yield ("raw", index), raw, "text"
    yield from _named_below((), spec)


def _named_below(path: Path, part: object) -> Iterator[tuple[Path, str, str]]:
    if isinstance(part, Content) and part.from_ is not None:
        yield (*path, "from"), part.from_, "text"
    elif isinstance(part, ModelSource) and part.local is not None:
        yield (*path, "local"), part.local, "text"
    elif isinstance(part, Part):
        for name in type(part).model_fields:
            yield from _named_below((*path, name), getattr(part, name))
    elif isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _named_below((*path, name), inner)
    elif isinstance(part, tuple):
        for index, inner in enumerate(part):
            yield from _named_below((*path, index), inner)


def _read_files(
    spec: AppSpec, document: Document, folder: FilePath
) -> tuple[dict[str, bytes], list[tuple[Path, Finding]]]:
    """Return the files that a spec names, and what cannot be used: where it is named, and why."""
    files: dict[str, bytes] = {}
    missed: list[tuple[Path, Finding]] = []
    for path, relative, kind in named_files(spec):
        place = document.place(path)
        pure = PurePosixPath(relative)
        target = folder / pure
        inside = not pure.is_absolute() and ".." not in pure.parts and "\\" not in relative
        if not inside or not target.resolve().is_relative_to(folder.resolve()):
            message = f"{relative!r} lies outside the folder of the spec"
            missed.append((path, finding("spec-path", place, message)))
            continue
        limit = MAX_ICON_BYTES if kind == "icon" else MAX_FILE_BYTES
        try:
            with target.open("rb") as stream:
                data = stream.read(limit + 1)
        except OSError as error:
            rule = "spec-icon-missing" if kind == "icon" else "spec-file-missing"
            reason = error.strerror or type(error).__name__
            missed.append((path, finding(rule, place, f"{relative!r} cannot be read: {reason}")))
            continue
        if len(data) > limit:
            message = f"{relative!r} has more than {limit:,} bytes"
            missed.append((path, finding("spec-file-size", place, message)))
            continue
        if kind == "text" and not _is_text(data):
            message = f"{relative!r} is not UTF-8 text"
            missed.append((path, finding("spec-file-encoding", place, message)))
            # As an icon the same file may have been sound.
            files.pop(relative, None)
            continue
        files[relative] = data
    return files, missed


def _read_models(spec: AppSpec, folder: FilePath, files: dict[str, bytes]) -> Iterator[str]:
    """Add the facts of a spec's models to its files; yield the paths of those that are not there.

    Raises UnreadableError where a file is there and cannot be read.
    """
    for item in engine_weights(spec):
        if item.source.hf is None:
            continue
        relative = f"{MODEL_FOLDER}/{model_file(item.source.hf, item.source.file)}"
        if (folder / relative).is_file():
            files[relative] = read_limited(folder / relative, MAX_MODEL_BYTES)
        else:
            yield relative


def _read_evidence(
    spec: AppSpec, folder: FilePath, files: dict[str, bytes]
) -> dict[str, tuple[str, ...]]:
    """Add the evidence of an app to its files, as far as it can be read; return all names."""
    relative = evidence_folder(spec.name)
    names = names_in(folder / relative)
    for name in names:
        data = evidence_data(folder / relative / name) if name.endswith(".json") else None
        if data is not None:
            files[f"{relative}/{name}"] = data
    return {relative: names}


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
