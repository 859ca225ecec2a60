"""What changed between two releases: settings in the spec's words, then demands, then files."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chartgen.chart import Chart
from chartgen.document import dotted_path, scalar_text
from chartgen.evidence.figures import gain_text
from chartgen.release.restated import with_version
from chartgen.release.text_numbers import NumberChange, numbers_cause

# A release states these by being one; they are no settings.
_NOT_SETTINGS = frozenset({"version", "changes"})
# Where two values belong to one thing that people know by a shorter name.
_WORDS = {
    "engine.image": "image",
    "engine.context": "context",
    "engine.served_name": "model name in the API",
    "engine.model": "model",
    "engine.draft": "draft model",
    "engine.mmproj": "multimodal projector",
    "engine.chat_template": "chat template",
    "gpu.memory": "GPU memory",
    "resources.cpu": "CPU",
    "resources.memory": "memory",
    "resources.disk": "disk",
}
# What people read, of the app and of each translation.
_TEXTS = {"title": "title", "summary": "summary", "about": "description"}
_MISSING = object()
# A longer value says no more at a glance.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed; `before` or `after` is None where it was added or removed.

    `is_text` tells that it is a text that people read: too long to be told by its words, and with
    placeholders, which are of the spec.
    """

    what: str
    before: str | None
    after: str | None
    is_text: bool = False

    def __str__(self) -> str:
        if self.is_text and self.after is not None:
            return f"{self.what} added" if self.before is None else f"new {self.what}"
        if self.before is None:
            return f"{self.what} added: {self.after}" if self.after else f"{self.what} added"
        if self.after is None:
            return f"{self.what} removed"
        return f"{self.what} {self.before} → {self.after}"


@dataclass(frozen=True)
class Difference:
    """All that differs between a release and what would be the next one.

    `speed` is that of the release and that of the next one (tokens/s), where both were measured.
    `icon` is the file of an icon that changed. `named` are the other files that the spec names; a
    ledger does not say whether they are what they were. `numbers` are the measured ones that the
    texts show. `version_only` tells that nothing but the version and its notes changed.
    """

    settings: tuple[Change, ...]
    demands: tuple[Change, ...]
    files: tuple[str, ...]
    texts: tuple[str, ...] = ()
    icon: str | None = None
    named: tuple[str, ...] = ()
    version_only: bool = False
    speed: tuple[float, float] | None = None
    numbers: tuple[NumberChange, ...] = ()

    @property
    def shared(self) -> bool:
        """Tell that the spec is as it was: a template, a default or a preset changed instead."""
        own = self.settings or self.icon or self.version_only or self.numbers
        return bool(self.files) and not own

    @property
    def cause(self) -> str:
        """Say what changed, as far as the ledger tells: the settings, or what else it can be."""
        if self.settings:
            return "; ".join(str(change) for change in self.settings[:3])
        if self.version_only:
            return "only the version changed"
        if self.numbers:
            return numbers_cause(self.numbers)
        if self.icon:
            return f"{self.icon} changed, not the spec"
        if self.named:
            shown = ", ".join(self.named[:3]) + (" …" if len(self.named) > 3 else "")
            return (
                f"chartgen's templates, market.yaml or a file that the spec names ({shown}) "
                "changed, not the spec itself"
            )
        return "chartgen's templates or market.yaml changed, not this spec"


def setting_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Compare two specs as plain data, in the order of the newer one."""
    return tuple(_changes((), _settings(before), _settings(after)))


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in spec.items() if key not in _NOT_SETTINGS}
    locales = spec.get("i18n")
    settings["i18n"] = {
        locale: _settings_of(entry)
        for locale, entry in (locales.items() if isinstance(locales, Mapping) else ())
    }
    return settings


def _settings_of(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {key: value for key, value in entry.items() if key not in _NOT_SETTINGS}


def _changes(path: tuple[str | int, ...], before: Any, after: Any) -> Iterator[Change]:
    if _same(before, after):
        return
    text = _text_name(path, before, after)
    if text:
        yield Change(text, _shown(before), _shown(after), is_text=True)
        return
    name = dotted_path(path)
    whole = name in _WORDS and name.count(".") == 1 and not _leaf(before) | _leaf(after)
    if isinstance(before, Mapping) and isinstance(after, Mapping) and not whole:
        for key in [*after, *(key for key in before if key not in after)]:
            yield from _changes((*path, key), before.get(key, _MISSING), after.get(key, _MISSING))
        return
    yield Change(_label(path), _shown(before), _shown(after))


def _text_name(path: tuple[str | int, ...], before: Any, after: Any) -> str:
    """Return what a text is called that stands at a path; empty where there is none."""
    if len(path) == 1:
        return _TEXTS.get(str(path[0]), "")
    if path[:1] != ("i18n",):
        return ""
    if len(path) == 2:
        return f"texts in {path[1]}" if before is _MISSING or after is _MISSING else ""
    text = _TEXTS.get(str(path[2]), "")
    return f"{text} in {path[1]}" if text else ""


def _same(before: Any, after: Any) -> bool:
    """Compare as JSON does, where 1, 1.0 and true differ."""
    if before is _MISSING or after is _MISSING:
        return before is after
    return json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def _leaf(value: Any) -> bool:
    return not isinstance(value, Mapping)


def _label(path: Sequence[str | int]) -> str:
    name = dotted_path(tuple(path))
    if name in _WORDS:
        return _WORDS[name]
    if path[:2] == ("engine", "args") and len(path) > 2:
        flag = dotted_path(tuple(path[2:]))
        return flag if flag.startswith("-") else f"--{flag}"
    if path[:1] == ("env",) and len(path) > 1:
        return f"variable {dotted_path(tuple(path[1:]))}"
    return name


def _shown(value: Any) -> str | None:
    if value is _MISSING:
        return None
    if value is None:
        return "unset"
    if isinstance(value, (bool, int, float, str)):
        text = scalar_text(value)
    elif isinstance(value, Mapping) and ("hf" in value or "url" in value):
        text = str(value.get("hf") or value.get("url"))
        chosen = value.get("file") or ", ".join(value.get("files") or ())
        revision = value.get("revision")
        text += f"@{revision}" if revision else ""
        text += f": {chosen}" if chosen else ""
    else:
        text = json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def demand_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Compare what two manifests ask of a device: permissions, resources, entrances, variables."""
    changes: list[Change] = []
    for title, section in (
        ("permission", ("permission",)),
        ("resource", ("spec", "accelerator")),
        ("entrance", ("entrances",)),
        ("variable", ("envs",)),
    ):
        old, new = _flat(_at(before, section)), _flat(_at(after, section))
        changes += [
            Change(f"{title} {key}", old.get(key), new.get(key))
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        ]
    return tuple(changes)


def _at(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Return the leaves of a section by a name; list members go by their own name or mode."""
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(value, (list, tuple)):
        found = {}
        for index, inner in enumerate(value):
            name = str(index)
            if isinstance(inner, Mapping):
                named = inner.get("name") or inner.get("envName") or inner.get("mode")
                name = str(named or index)
            elif isinstance(inner, str):
                name = inner
            found |= _flat(inner, f"{prefix}.{name}" if prefix else name)
        return found
    return {} if value is None else {prefix: scalar_text(value)}


def file_changes(before: Chart, after: Chart) -> tuple[str, ...]:
    """Name the files of a chart that were added, removed or changed."""
    names = sorted(before.files.keys() | after.files.keys())
    words = []
    for name in names:
        old, new = before.files.get(name), after.files.get(name)
        if old != new:
            words.append(
                f"{'added' if old is None else 'removed' if new is None else 'changed'} {name}"
            )
    return tuple(words)


def same_but_version(before: Chart, after: Chart) -> bool:
    """Tell whether two charts differ in their version and change notes only."""
    restated = [with_version(chart, "0.0.0", "").files for chart in (before, after)]
    return restated[0] == restated[1]


def text_difference(before: Chart, after: Chart) -> tuple[str, ...]:
    """Return the unified difference of all text files, without colour."""
    lines: list[str] = []
    for name in sorted(before.files.keys() | after.files.keys()):
        old, new = (before.text(name) or "").splitlines(), (after.text(name) or "").splitlines()
        lines += difflib.unified_diff(old, new, f"released/{name}", f"now/{name}", lineterm="")
    return tuple(lines)


def proposed_notes(difference: Difference) -> tuple[str, ...]:
    """Return change notes for people from what changed, for when nobody wrote any."""
    gain = gain_text(*difference.speed) if difference.speed is not None else ""
    notes = [gain] if gain else []
    if difference.speed is None:
        # Where settings changed, a number may come or go because of them.
        notes += [
            change.note
            for change in difference.numbers
            if not difference.settings or (change.before and change.after)
        ]
    notes += [_sentence(str(change)) for change in difference.settings[:8]]
    if len(difference.settings) > 8:
        notes.append(f"{len(difference.settings) - 8} further settings changed")
    if not notes and difference.icon:
        notes.append("New icon")
    if not notes:
        notes.append("Packaging renewed; the settings are as they were")
    return tuple(notes)


def _sentence(text: str) -> str:
    return text if text.startswith("--") else text[:1].upper() + text[1:]
