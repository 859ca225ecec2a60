"""The texts of a spec that people are shown as they are today, and the notes of its version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chartgen.document import Path
from chartgen.findings import Place
from chartgen.render.texts import PLACEHOLDER
from chartgen.spec.engine import Content
from chartgen.spec.load import LoadedSpec


@dataclass(frozen=True)
class ShownText:
    """One text and its path in the spec.

    `headline` tells that it is one of those that stand for the app in a list, where there is no
    room to say how a number is meant, and `filled` that placeholders in it are filled.
    """

    path: Path
    text: str
    headline: bool
    filled: bool
    _loaded: LoadedSpec
    _content: Content | None = None

    def place(self, offset: int) -> Place:
        """Return the place of a character: in the spec, or at its line of the text's own file."""
        if self._content is None or self._content.from_ is None:
            return self._loaded.document.place(self.path)
        before = self.text[:offset]
        folder = self._loaded.file.rpartition("/")[0]
        file = f"{folder}/{self._content.from_}" if folder else self._content.from_
        return Place(file, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)

    @property
    def name(self) -> str:
        """Return its path as people write it."""
        return ".".join(str(part) for part in self.path)

    def line(self, offset: int) -> str:
        """Return the line that a character stands in."""
        end = self.text.find("\n", offset)
        return self.text[self.text.rfind("\n", 0, offset) + 1 : end if end >= 0 else None]


def shown_texts(loaded: LoadedSpec) -> Iterator[ShownText]:
    """Yield the titles, summaries and full texts of all languages, and those of `manifest`."""
    spec = loaded.spec

    def plain(
        path: Path, text: str | None, *, headline: bool = True, filled: bool = False
    ) -> Iterator[ShownText]:
        if text:
            yield ShownText(path, text, headline, filled, loaded)

    def full(path: Path, content: Content | None) -> Iterator[ShownText]:
        if content is not None:
            text = loaded.text(content)
            yield ShownText(
                path, text, headline=False, filled=True, _loaded=loaded, _content=content
            )

    yield from plain(("title",), spec.title)
    yield from plain(("summary",), spec.summary, filled=True)
    yield from full(("about",), spec.about)
    for locale, entry in spec.i18n.items():
        yield from plain(("i18n", locale, "title"), entry.title)
        yield from plain(("i18n", locale, "summary"), entry.summary, filled=True)
        yield from full(("i18n", locale, "about"), entry.about)
    for index, entrance in enumerate(spec.entrances):
        yield from plain(("entrances", index, "title"), entrance.title)
    for path, text in _strings(("manifest",), spec.manifest):
        yield from plain(path, text, headline=path[-1] in ("title", "description"))


def shown_notes(loaded: LoadedSpec) -> Iterator[ShownText]:
    """Yield the change notes of the spec's version, the only ones that a chart has."""
    version = loaded.spec.version
    by_path: dict[Path, tuple[str, ...]] = {("changes",): loaded.spec.changes.get(version, ())}
    for locale, entry in loaded.spec.i18n.items():
        by_path["i18n", locale, "changes"] = entry.changes.get(version, ())
    for path, notes in by_path.items():
        for index, note in enumerate(notes):
            place = (*path, version, index)
            yield ShownText(place, note, headline=False, filled=False, _loaded=loaded)


def asks_for(text: str, name: str) -> bool:
    """Tell whether a placeholder stands in a text that is filled: not `{{tps}}` nor `${tps}`."""
    return name in PLACEHOLDER.findall(text)


def _strings(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings((*path, key), inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _strings((*path, index), inner)
