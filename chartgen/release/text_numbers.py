"""The measured numbers that the texts of a chart show: what a new bench changes in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from chartgen.chart import Chart
from chartgen.document import read_document
from chartgen.render.texts import EVIDENCE_PLACEHOLDERS, Texts, english_with, translated_with
from chartgen.spec.load import LoadedSpec

# Stands for a number in a text that is compared; of the characters that Unicode leaves to private
# use, so that no text has it.
_SENTINELS = {name: chr(0xE000 + at) for at, name in enumerate(sorted(EVIDENCE_PLACEHOLDERS))}
_UNITS = {"tps": " tokens/s"}
# As `rate_text` and `share_text` write them.
_NUMBER = r"[0-9]{1,12}\.[0-9](?: %)?"


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A number in the texts of two charts, as it is written there; None where they show none.

    `name` is that of its placeholder.
    """

    name: str
    before: str | None
    after: str | None

    @property
    def note(self) -> str:
        """Return it as a change note."""
        what = "Speed" if self.name == "tps" else "Accepted drafts"
        if self.after is None:
            return f"{what}: no number in the texts any more"
        return f"{what} in the texts: {self._values}{_UNITS.get(self.name, '')}"

    @property
    def words(self) -> str:
        """Return the numbers with what they are of, the older one first."""
        return f"{self._values}{_UNITS.get(self.name, ' of the drafts accepted')}"

    @property
    def _values(self) -> str:
        return " → ".join(value for value in (self.before, self.after) if value is not None)


def numbers_cause(changes: Sequence[NumberChange]) -> str:
    """Say why a chart changed although its spec did not."""
    words = ", ".join(change.words for change in changes)
    number = "number" if len(changes) == 1 else "numbers"
    if all(change.after is None for change in changes):
        return f"the evidence no longer bears out the {number} in the texts: {words}"
    if all(change.before is None for change in changes):
        return f"a new bench brought the {number} into the texts: {words}"
    words = ", ".join(
        change.words if change.after is not None else f"no longer {change.words}"
        for change in changes
    )
    return f"a new bench changed the {number} in the texts: {words}"


def number_changes(
    released: LoadedSpec, before: Chart, now: LoadedSpec, after: Chart
) -> tuple[NumberChange, ...]:
    """Return the numbers that differ in the texts of two charts, by the specs they are made from.

    Nothing is told of a number in texts that are not as today's chartgen would fill them.
    """
    old, new = _shown(released, before), _shown(now, after)
    if old is None or new is None:
        return ()
    return tuple(
        NumberChange(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys(), reverse=True)
        if old.get(name) != new.get(name)
    )


def _shown(loaded: LoadedSpec, chart: Chart) -> Mapping[str, str] | None:
    """Return the measured numbers that a chart's texts show; None where that cannot be told."""
    is_known = False
    numbers: dict[str, str] = {}
    for path in ("OlaresManifest.yaml", *_translations(loaded, chart)):
        summary, about = _told(chart.files.get(path, b""), path)
        possible = list(_possible(loaded, path))
        for told, templates in (
            (summary, [texts.summary for texts in possible]),
            (about, [texts.about for texts in possible]),
        ):
            matches = (re.fullmatch(_pattern(template), told) for template in templates)
            found = next((match for match in matches if match), None)
            if found is not None:
                is_known = True
                numbers |= found.groupdict()
    return numbers if is_known else None


def _translations(loaded: LoadedSpec, chart: Chart) -> Iterator[str]:
    for locale in loaded.spec.i18n:
        path = f"i18n/{locale}/OlaresManifest.yaml"
        if path in chart.files:
            yield path


def _possible(loaded: LoadedSpec, path: str) -> Iterator[Texts]:
    """Yield the texts with a sentinel for each number, first with all of them, last with none."""
    locale = path.split("/")[1] if "/" in path else ""
    names = sorted(EVIDENCE_PLACEHOLDERS)
    for count in range(len(names), -1, -1):
        for chosen in combinations(names, count):
            values = {name: _SENTINELS[name] for name in chosen}
            yield (
                translated_with(loaded, locale, values) if locale else english_with(loaded, values)
            )


def _told(data: bytes, path: str) -> tuple[str, str]:
    """Return the summary and the full text of a manifest."""
    document, _ = read_document(data, path)
    value = document.value if document is not None else None
    parts = [value.get(key) if isinstance(value, dict) else None for key in ("metadata", "spec")]
    metadata, spec = (part if isinstance(part, dict) else {} for part in parts)
    return str(metadata.get("description", "")), str(spec.get("fullDescription", ""))


def _pattern(template: str) -> str:
    pattern = re.escape(template)
    for name, sentinel in _SENTINELS.items():
        first, *others = pattern.split(sentinel)
        rest = f"(?P={name})".join(others)
        pattern = f"{first}(?P<{name}>{_NUMBER}){rest}" if others else first
    return pattern
