"""What chartgen knows of an engine, and the start that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chartgen.spec.sources import ModelSource

# Where the weights are mounted in every container that reads or writes them.
STORE = "/models"
# Where files of the chart (chat templates) are mounted.
CHART_FILES = "/chartgen/files"


@dataclass(frozen=True, slots=True)
class Weights:
    """One set of weights by its role, and the path it has in the engine's container.

    `path` is a folder for a whole repository, else the (first) file.
    """

    role: str
    source: ModelSource
    path: str
    link: str | None

    @property
    def fetched(self) -> bool:
        """Tell whether the weights are downloaded (a local file is part of the chart)."""
        return self.source.local is None


@dataclass(frozen=True, slots=True)
class Start:
    """How the engine's container starts.

    `command` and `args` are exact words. `presets` names the flags that chartgen sets from other
    fields of the spec, in normal spelling, each with the field to use instead. `env` holds plain
    variables, `files` further files of the chart by their path in the container.
    """

    command: tuple[str, ...]
    args: tuple[str, ...]
    presets: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Fixed facts of an engine kind.

    `load_seconds`: longest time from whole weights to the first answer on a slow disk, with
    compilation and graph capture. `json_flags`: arguments whose value is a JSON object.
    """

    kind: str
    title: str
    port: int
    health: str | None
    load_seconds: int
    container: str
    json_flags: frozenset[str] = frozenset()
    openai_api: bool = True


def model_path(source: ModelSource, role: str) -> tuple[str, str | None]:
    """Return the path of weights in the container, and the link the downloader sets for it.

    Repositories lie in the layout of huggingface_hub's cache
    (`models--owner--name/snapshots/<commit>`); the link `at/<revision>` gives a path that is known
    before the commit is. Equal file names of two repositories or revisions never meet.
    """
    if source.local is not None:
        return f"{CHART_FILES}/{role}/{source.local.rpartition('/')[2]}", None
    if source.url is not None:
        name = source.url.partition("?")[0].rstrip("/").rpartition("/")[2] or "file"
        return f"{STORE}/urls/{source.identity}/{name}", None
    folder = "models--" + str(source.hf).replace("/", "--")
    link = f"{folder}/at/{source.revision.replace('/', '--')}"
    path = f"{STORE}/{link}"
    return (f"{path}/{source.wanted_files[0]}" if source.wanted_files else path), link


def as_weights(role: str, source: ModelSource) -> Weights:
    """Return the weights of a role with their path."""
    path, link = model_path(source, role)
    return Weights(role, source, path, link)


def reference(item: Weights, fetched_by: str) -> str:
    """Return what an engine is given for weights: a path, or the repository where it downloads."""
    by_itself = fetched_by == "engine" and item.source.hf is not None
    return str(item.source.hf) if by_itself else item.path


def without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that have a value."""
    return {key: value for key, value in values.items() if value is not None}
