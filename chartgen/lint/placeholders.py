"""Words in braces in the texts of an app: misspelt, where none is filled, or leaving nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from chartgen.evidence.beside import evidence_values
from chartgen.findings import Finding
from chartgen.lint.rules import finding
from chartgen.lint.shown_texts import ShownText, asks_for, shown_notes, shown_texts
from chartgen.release.record import Release
from chartgen.render.text_pairs import code_spans
from chartgen.render.texts import EVIDENCE_PLACEHOLDERS, PLACEHOLDERS, facts, is_emptied
from chartgen.spec.load import LoadedSpec

# One word in braces, as somebody may write it who means a placeholder; `${name}` is a shell's.
_BRACED = re.compile(r"(?<![{$])(\{{1,2})[ \t]?([A-Za-z][A-Za-z0-9_-]{0,30})[ \t]?(\}{1,2})")
# A single letter is more often of a formula.
_IDENTIFIER = re.compile(r"\{[a-z][a-z0-9_-]+\}")
# By the ratio of difflib: `{contxt}` and `{tpss}` are close to a name, `{name}` is not.
_CLOSE = 0.8
# What notes tell of a version, and somebody may hope to have filled in. Other names of placeholders
# are words of an API as well: "The path is now /v1/models/{model}".
_FIGURES = EVIDENCE_PLACEHOLDERS | {"context"}
# Words of an API, too, although they are close to `context`.
_NO_FIGURES = frozenset({"content", "contents"})
# Next to a word in braces they make it a part of a path, of a setting or of a quotation.
_TOUCHING = frozenset("/:=`\"'\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word in braces as it is written, where it begins, and the placeholder it may be.

    `touches` tells that it is a part of a path, of a setting or of a quotation.
    """

    written: str
    offset: int
    name: str
    touches: bool

    @property
    def is_single(self) -> bool:
        """Tell whether it stands in single braces."""
        return not self.written.startswith("{{")

    def close_to(self, names: Collection[str]) -> str:
        """Return the name that it is or that it may be a misspelling of; empty for none."""
        close = get_close_matches(self.name, sorted(names), 1, _CLOSE)
        return close[0] if close and (self.is_single or close[0] == self.name) else ""


def placeholder_findings(
    loaded: LoadedSpec, machine: str = "", latest: Release | None = None
) -> Iterator[Finding]:
    """Yield what is to be said of the words in braces in an app's texts.

    Of notes only those of the spec's version are shown to anybody, and those of a released version
    are final. What stands in code is left alone, and so is all in braces that is no single word.
    `machine` is the hardware profile that the app is made for, empty for any, and `latest` its last
    release, None where it has none.
    """
    known = facts(loaded.spec).keys() | EVIDENCE_PLACEHOLDERS
    for text in shown_texts(loaded):
        # A patch of the manifest is text of Olares, with braces of its own.
        if text.path[0] != "manifest":
            for word in _words(text.text):
                if text.filled:
                    yield from _misspelt(text, word, known)
                else:
                    yield from _in_title(text, word)
    if latest is None or latest.version != loaded.spec.version:
        for note in shown_notes(loaded):
            for word in _words(note.text):
                yield from _in_note(note, word)
    yield from _emptied(loaded, machine)


def _words(text: str) -> Iterator[_Word]:
    """Yield the words in braces outside of code, each once."""
    seen: set[str] = set()
    code = [(len(text), len(text)), *reversed(list(code_spans(text)))]
    for found in _BRACED.finditer(text):
        while code and code[-1][1] <= found.start():
            code.pop()
        is_code = bool(code) and code[-1][0] <= found.start()
        if not is_code and found[0] not in seen:
            seen.add(found[0])
            beside = {text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]}
            name = found[2].lower().replace("-", "_")
            yield _Word(found[0], found.start(), name, not beside.isdisjoint(_TOUCHING))


def _misspelt(text: ShownText, word: _Word, known: Collection[str]) -> Iterator[Finding]:
    if word.written in {f"{{{name}}}" for name in known}:
        return
    meant = word.close_to(known)
    if not meant and (word.touches or not _IDENTIFIER.fullmatch(word.written)):
        return
    listed = ", ".join(f"{{{name}}}" for name in sorted(known))
    message = f"{word.written} stands for nothing and is shown as it is; known here: {listed}"
    remedy = f"Write {{{meant}}}, or put it between backticks if it is meant so." if meant else ""
    yield finding("text-placeholder", text.place(word.offset), message, remedy)


def _in_title(text: ShownText, word: _Word) -> Iterator[Finding]:
    if word.is_single and word.name in PLACEHOLDERS:
        message = f"{word.written} is not filled in a title, and people would see it as it is"
        remedy = "Write what it stands for, or leave it out."
        yield finding("placeholder-not-filled", text.place(word.offset), message, remedy)
    else:
        yield from _shown_as_it_is(text, word)


def _in_note(note: ShownText, word: _Word) -> Iterator[Finding]:
    meant = word.close_to(_FIGURES)
    if not word.is_single or not meant or word.name in _NO_FIGURES:
        yield from _shown_as_it_is(note, word)
        return
    remedy = "Write what it stands for, or leave it out; between backticks it stays as it is."
    if meant in EVIDENCE_PLACEHOLDERS:
        remedy = (
            "Write the number that was measured, or leave it out: `chartgen bump` puts the gain "
            "into the notes that it writes."
        )
    message = f"{word.written} is not filled in change notes, and people would see it as it is"
    yield finding("placeholder-not-filled", note.place(word.offset), message, remedy)


def _shown_as_it_is(text: ShownText, word: _Word) -> Iterator[Finding]:
    if word.touches or not (_IDENTIFIER.fullmatch(word.written) or word.close_to(PLACEHOLDERS)):
        return
    message = f"{word.written} is shown as it is"
    remedy = "Write what it stands for, or put it between backticks if it is meant so."
    yield finding("text-placeholder", text.place(word.offset), message, remedy)


def _emptied(loaded: LoadedSpec, machine: str) -> Iterator[Finding]:
    measured = evidence_values(loaded, machine)
    values = {**facts(loaded.spec), **measured}
    for text in shown_texts(loaded):
        if not text.filled or not is_emptied(text.text, values):
            continue
        lacking = sorted(EVIDENCE_PLACEHOLDERS - measured.keys())
        words = [f"{{{name}}}" for name in lacking if asks_for(text.text, name)]
        key = text.path[-1]
        other = "title" if key == "summary" else "summary"
        message = (
            f"nothing is left of the {_KEYS.get(str(key), key)} without {' and '.join(words)}, "
            f"and the {other} stands in for it"
        )
        yield finding("text-emptied", text.place(0), message)


_KEYS = {"about": "full text"}
