"""Forks of engines: the release they are based on, and what they add to its table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from chartgen.engines.table import EngineTable, Option
from chartgen.resources import shipped_data

if TYPE_CHECKING:
    from chartgen.spec.fork import Fork as SpecFork

_NOTHING: Mapping[str, Any] = MappingProxyType({})
# Options of llama.cpp whose value is a type of the key-value cache, by any of their spellings.
KV_TYPE_OPTIONS = ("-ctk", "-ctv", "-ctkd", "-ctvd")
# Subjects of `EngineTable.names` by the option whose words they list.
_SUBJECTS: Mapping[str, str] = {
    "spec-type": "spec-type",
    "cache-type-k": "kv-cache-type",
    "cache-type-v": "kv-cache-type",
}


@dataclass(frozen=True, slots=True)
class KvBlock:
    """The layout of a cache type: `bytes` for each block of `elements` elements."""

    elements: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork: its base release (empty where only the image's tag tells it), and its additions.

    `options` are new ones by name, `values` further words per option of the base, `kv_types` the
    layout of cache types, `env` further variables, `architectures` further models' architectures.
    `inferred` tells that something of it was concluded rather than read; `source` says from what
    the rest is.
    """

    name: str
    title: str
    base: str
    options: Mapping[str, Option] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kv_types: Mapping[str, KvBlock] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    inferred: str = ""
    source: str = ""


def shipped_fork(kind: str, image: str) -> Fork | None:
    """Return what forks.yaml says of an image, by its repository and tag; None for nothing."""
    name, _, _digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    repository = re.sub(r"^(?:docker\.io/|index\.docker\.io/)", "", folder + slash + last)
    for fork, images in _shipped().get(kind, ()):
        patterns = images.get(repository)
        if patterns is not None and any(fnmatchcase(tag, pattern) for pattern in patterns):
            return fork
    return None


def shipped_forks() -> tuple[Fork, ...]:
    """Return all forks of forks.yaml, in its order."""
    return tuple(fork for kind in _shipped().values() for fork, _ in kind)


def fork_of_spec(part: SpecFork) -> Fork:
    """Return the fork that a spec describes itself."""
    options = {
        name.lstrip("-"): _option(name.lstrip("-"), option.model_dump(exclude_none=True))
        for name, option in part.options.items()
    }
    return Fork(
        name="engine.fork",
        title="",
        base=part.base,
        options=options,
        values={name: tuple(words) for name, words in part.values.items()},
        kv_types={name: KvBlock(t.block, t.bytes) for name, t in part.kv_types.items()},
        env=part.env,
    )


def with_fork(table: EngineTable, fork: Fork | None) -> EngineTable:
    """Return the table of a fork: that of its base, and what the fork adds."""
    if fork is None:
        return table
    options = dict(table.options)
    names = dict(table.names)
    for spelling, words in _further_words(table, fork):
        option = options[spelling]
        known = tuple(dict.fromkeys((*option.choices, *words)))
        changed = replace(option, choices=known)
        for same in (*option.spellings, *option.negations):
            options[same] = changed
        subject = _SUBJECTS.get(option.name)
        if subject is not None:
            names[subject] = names.get(subject, frozenset()) | frozenset(words)
    if fork.architectures and "architecture" in names:
        names["architecture"] |= frozenset(fork.architectures)
    for option in fork.options.values():
        for spelling in (*option.spellings, *option.negations):
            options[spelling] = option
    variables = {option.env for option in fork.options.values() if option.env}
    env = table.env | frozenset(fork.env) | frozenset(variables)
    return replace(table, options=options, names=names, env=env)


def _further_words(table: EngineTable, fork: Fork) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield spellings of options that the base has, with the words that the fork adds."""
    for name, words in fork.values.items():
        spelling = name if name.startswith("-") else f"--{name}"
        # An option that takes any text needs no further words.
        if spelling in table.options and table.options[spelling].choices:
            yield spelling, words
    if fork.kv_types:
        for spelling in KV_TYPE_OPTIONS:
            if spelling in table.options:
                yield spelling, tuple(fork.kv_types)


@cache
def _shipped() -> Mapping[str, tuple[tuple[Fork, Mapping[str, tuple[str, ...]]], ...]]:
    data = shipped_data("chartgen.engines", "forks.yaml")
    found: dict[str, list[tuple[Fork, Mapping[str, tuple[str, ...]]]]] = {}
    for name, facts in data.items():
        images = {image: _words(tags) for image, tags in facts["images"].items()}
        found.setdefault(facts["kind"], []).append((_fork(name, facts), images))
    return {kind: tuple(forks) for kind, forks in found.items()}


def _fork(name: str, facts: Mapping[str, Any]) -> Fork:
    return Fork(
        name=name,
        title=facts["title"],
        base=str(facts.get("base", "")),
        options={key: _option(key, part or {}) for key, part in facts.get("options", {}).items()},
        values={key: _words(words) for key, words in facts.get("values", {}).items()},
        kv_types={
            key: KvBlock(layout["block"], layout["bytes"])
            for key, layout in facts.get("kv_types", {}).items()
        },
        env=_words(facts.get("env", ())),
        architectures=_words(facts.get("architectures", ())),
        inferred=facts.get("inferred", ""),
        source=facts["source"],
    )


def _option(name: str, facts: Mapping[str, Any]) -> Option:
    value = facts.get("value", "text")
    bare = value in ("none", "switch")
    return Option(
        name=name,
        spellings=_words(facts.get("spellings")) or (f"--{name}",),
        negations=(f"--no-{name}",) if value == "switch" else (),
        value=value,
        least=0 if bare else 1,
        most=0 if bare else 1,
        choices=_words(facts.get("choices", ())),
        limits=facts.get("limits", _NOTHING),
        env=facts.get("env", ""),
    )


def _words(words: Iterable[Any] | None) -> tuple[str, ...]:
    return tuple(str(word) for word in words or ())
