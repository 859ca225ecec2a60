"""Words in braces in the texts of an app: misspelt, where none is filled, or leaving nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from chartgen.document import Path
from chartgen.evidence.beside import evidence_values
from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding
from chartgen.render.text_clauses import code_spans
from chartgen.render.texts import EVIDENCE_PLACEHOLDERS, PLACEHOLDERS, facts, is_emptied
from chartgen.spec.engine import Content
from chartgen.spec.load import LoadedSpec

# One word in braces, as somebody may write it who means a placeholder; `${name}` is a shell's.
_BRACED = re.compile(r"(?<![{$])(\{{1,2})[ \t]?([A-Za-z][A-Za-z0-9_-]{0,30})[ \t]?(\}{1,2})")
# A single letter is more often of a formula.
_IDENTIFIER = re.compile(r"\{[a-z][a-z0-9_-]+\}")
# By the ratio of difflib: `{contxt}` and `{tpss}` are close to a name, `{name}` is not.
_CLOSE = 0.8


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that people see; `filled` tells that placeholders in it are."""

    path: Path
    text: str
    filled: bool = True
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class _Word:
    """A word in braces as it is written, where it begins, and the placeholder it may be."""

    written: str
    offset: int
    name: str

    @property
    def is_single(self) -> bool:
        """Tell whether it stands in single braces."""
        return not self.written.startswith("{{")


def placeholder_findings(loaded: LoadedSpec, machine: str = "") -> Iterator[Finding]:
    """Yield what is to be said of the words in braces in an app's texts.

    Of notes only those of the spec's version are shown to anybody. What stands in code is left
    alone, and so is all in braces that is no single word. `machine` is the hardware profile that
    the app is made for, empty for any.
    """
    known = facts(loaded.spec).keys() | EVIDENCE_PLACEHOLDERS
    for text in _texts(loaded):
        for word in _words(text.text):
            if text.filled:
                yield from _misspelt(loaded, text, word, known)
            elif word.is_single and word.name in PLACEHOLDERS:
                yield _out_of_place(loaded, text, word)
            else:
                yield from _misspelt(loaded, text, word, ())
    yield from _emptied(loaded, machine)


def _texts(loaded: LoadedSpec) -> Iterator[_Text]:
    spec = loaded.spec
    yield _Text(("title",), spec.title, filled=False)
    yield _Text(("summary",), spec.summary)
    if spec.about is not None:
        yield _Text(("about",), loaded.text(spec.about), content=spec.about)
    for index, note in enumerate(spec.changes.get(spec.version, ())):
        yield _Text(("changes", spec.version, index), note, filled=False)
    for index, entrance in enumerate(spec.entrances):
        yield _Text(("entrances", index, "title"), entrance.title or "", filled=False)
    for locale, entry in spec.i18n.items():
        yield _Text(("i18n", locale, "title"), entry.title or "", filled=False)
        yield _Text(("i18n", locale, "summary"), entry.summary or "")
        if entry.about is not None:
            about = loaded.text(entry.about)
            yield _Text(("i18n", locale, "about"), about, content=entry.about)
        for index, note in enumerate(entry.changes.get(spec.version, ())):
            yield _Text(("i18n", locale, "changes", spec.version, index), note, filled=False)


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
            yield _Word(found[0], found.start(), found[2].lower().replace("-", "_"))


def _misspelt(
    loaded: LoadedSpec, text: _Text, word: _Word, known: Collection[str]
) -> Iterator[Finding]:
    if word.written in {f"{{{name}}}" for name in known}:
        return
    close = get_close_matches(word.name, sorted(known or PLACEHOLDERS), 1, _CLOSE)
    meant = close[0] if close and (word.is_single or close[0] == word.name) else ""
    if not meant and not _IDENTIFIER.fullmatch(word.written):
        return
    place = _place(loaded, text, word.offset)
    if not text.filled:
        message = f"{word.written} is shown as it is"
        remedy = "Write what it stands for, or put it between backticks if it is meant so."
        yield finding("text-placeholder", place, message, remedy)
        return
    listed = ", ".join(f"{{{name}}}" for name in sorted(known))
    message = f"{word.written} stands for nothing and is shown as it is; known here: {listed}"
    remedy = f"Write {{{meant}}}, or put it between backticks if it is meant so." if meant else ""
    yield finding("text-placeholder", place, message, remedy)


def _out_of_place(loaded: LoadedSpec, text: _Text, word: _Word) -> Finding:
    is_note = "changes" in text.path
    where = "change notes" if is_note else "a title"
    remedy = "Write what it stands for, or leave it out."
    if is_note and word.name in EVIDENCE_PLACEHOLDERS:
        remedy = (
            "Write the number that was measured, or leave it out: `chartgen bump` puts the gain "
            "into the notes that it writes."
        )
    message = f"{word.written} is not filled in {where}, and people would see it as it is"
    return finding("placeholder-not-filled", _place(loaded, text, word.offset), message, remedy)


def _emptied(loaded: LoadedSpec, machine: str) -> Iterator[Finding]:
    measured = evidence_values(loaded, machine)
    values = {**facts(loaded.spec), **measured}
    for text in _texts(loaded):
        if not text.filled or not is_emptied(text.text, values):
            continue
        lacking = sorted(EVIDENCE_PLACEHOLDERS - measured.keys())
        words = [f"{{{name}}}" for name in lacking if f"{{{name}}}" in text.text]
        key = text.path[-1]
        other = "title" if key == "summary" else "summary"
        message = (
            f"nothing is left of the {_KEYS.get(str(key), key)} without {' and '.join(words)}, "
            f"and the {other} stands in for it"
        )
        yield finding("text-emptied", _place(loaded, text, 0), message)


_KEYS = {"about": "full text"}


def _place(loaded: LoadedSpec, text: _Text, offset: int) -> Place:
    """Return the place of a text in the spec, or that of a word in the text's own file."""
    if text.content is None or text.content.from_ is None:
        return loaded.document.place(text.path)
    before = text.text[:offset]
    folder = loaded.file.rpartition("/")[0]
    file = f"{folder}/{text.content.from_}" if folder else text.content.from_
    return Place(file, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
