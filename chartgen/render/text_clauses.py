"""Sentences and clauses of one paragraph: what goes where a number in it is not known.

A line with a label, and what a hard break divides, are sentences as well.

Brackets, emphasis, code, links and quotes stay in pairs, as only whole ones go, or whole clauses
inside of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

# A comma between digits belongs to a number, a dash without spaces to a word or a range.
_SEPARATOR = re.compile(
    r"[;|；，、]|(?<!\d),|,(?!\d)|[\N{EM DASH}\N{HORIZONTAL BAR}]+"
    r"|(?<=\s)(?:[\N{EN DASH}·•]|-{1,3})(?=\s)"
)
_END = re.compile(r"[.!?…]+|[。！？]+")
_WIDE_ENDS = "。！？"
# What stands before a number more often than at the end of a sentence, in English and in German.
_SHORTENED = re.compile(
    r"(?<!\w)(?:approx|avg|ca|circa|e\.g|i\.e|incl|max|min|vs|bzw|d\.h|ggf|inkl|z\.\s?B)\.\Z",
    re.IGNORECASE,
)
_SHORTENED_REACH = 8
# A line such as `Speed: 250.5` or `**Context**: 128K` is no part of the sentence before it.
_LABEL = re.compile(
    r"\s*(?:\*\*)?[^\W\d_][\w/-]{0,20}(?: [\w/-]{1,20}){0,2}(?:\*\*)?(?::(?:\*\*)?(?=\s)|：)"
)
_HARD_BREAKS = ("  ", "\\", "<br>", "<br/>", "<br />")
_STOPS = frozenset("\n;|；，、,\N{EM DASH}\N{HORIZONTAL BAR}\N{EN DASH}·•-.!?…。！？")
_TOKEN = re.compile(
    r"(?P<escape>\\[^\w\s])"
    r"|(?P<ticks>`+)"
    r"|(?P<whole><[^<>\n]{1,500}>|&\#?\w{1,31};"
    r"|https?://[^\s<>()\[\]，。；、]*[^\s<>()\[\]，。；、.,;:!?])"
    r"|(?P<mark>\*{1,6}|_{1,6}|~~|\")"
    r"|(?P<bracket>[()\[\]{}（）【】“”„«»「」『』《》])"
)
_CLOSERS = {"(": ")", "[": "]", "{": "}", "（": "）", "【": "】"} | {
    "“": "”",
    "«": "»",
    "「": "」",
    "『": "』",
    "《": "》",
}
# In German quotes the closing mark is what opens the English ones.
_OPENERS = {closer: (opener,) for opener, closer in _CLOSERS.items()} | {"“": ("„",)}
# What stands in brackets is said beside the sentence, which is whole without it.
_ASIDE = frozenset("([（【")
_TICKS = re.compile("`+")
_TARGET = re.compile(r"\((?:[^()\n\\]|\\.|\([^()\n]*\))*\)|\[[^\[\]\n]*\]")
_INK = re.compile(r"\S")
# Deeper nesting is no text of a person; what follows is read as if it were flat.
_MAX_DEPTH = 20

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Group:
    """What stands in a pair of marks, by its offsets.

    `aside` goes without a loss to the rest; of `marked` parts may go; `solid` is never divided.
    """

    kind: Literal["aside", "marked", "solid"]
    start: int
    inner_start: int
    inner_end: int
    end: int


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause from the separator before it (`start`) and after that (`inner`) to the next."""

    start: int
    inner: int
    end: int
    groups: tuple[_Group, ...]


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence with the space before it; its last clause ends before the full stop."""

    start: int
    end: int
    clauses: tuple[_Clause, ...]


def kept_spans(text: str, unknown: Sequence[int]) -> tuple[Span, ...] | None:
    """Return the parts of a paragraph that stay, in order; None where nothing does.

    `unknown` has the offsets of what is not known, in order. With it goes the smallest piece
    around it: an aside in brackets or its clause in there, else the clause, else the sentence.
    """
    cuts = _Paragraph(text, unknown).cuts(0, len(text))
    if cuts is None:
        return None
    spans = []
    at = 0
    for start, end in sorted(cuts):
        if at < start:
            spans.append((at, start))
        at = max(at, end)
    return (*spans, (at, len(text)))


class _Paragraph:
    def __init__(self, text: str, unknown: Sequence[int]) -> None:
        self._text, self._unknown = text, unknown
        self._groups = _groups(text)

    def _lacks(self, start: int, end: int) -> int:
        """Return how many unknown numbers stand in a part."""
        return bisect_left(self._unknown, end) - bisect_left(self._unknown, start)

    def cuts(self, start: int, end: int) -> list[Span] | None:
        """Return what goes of a part; None where nothing would be left of it."""
        cuts: list[Span] = []
        kept: list[_Sentence] = []
        for sentence in self._sentences(start, end):
            if not self._text[sentence.start : sentence.end].strip():
                continue
            gone = self._of_sentence(sentence)
            if gone is not None:
                kept.append(sentence)
                cuts += gone
            elif kept:
                cuts.append((sentence.start, sentence.end))
        if not kept:
            return None
        cuts.append((self._skipped(start, end), self._skipped(kept[0].start, end)))
        return cuts

    def _of_sentence(self, sentence: _Sentence) -> list[Span] | None:
        if not self._lacks(sentence.start, sentence.end):
            return []
        cuts: list[Span] = []
        kept: list[_Clause] = []
        for clause in sentence.clauses:
            gone = self._of_clause(clause)
            if gone is not None:
                kept.append(clause)
                cuts += gone
            elif kept:
                cuts.append((clause.start, clause.end))
        if not kept:
            return None
        first, last, end = sentence.clauses[0], kept[-1], sentence.clauses[-1].end
        cuts.append((self._skipped(first.inner, end), self._skipped(kept[0].inner, end)))
        if last.end < end:
            cuts.append((self._trimmed(last.inner, last.end), end))
        return cuts

    def _of_clause(self, clause: _Clause) -> list[Span] | None:
        cuts: list[Span] = []
        for group in clause.groups:
            if not self._lacks(group.start, group.end):
                continue
            if group.kind == "solid" or self._lacks(group.start, group.end) > self._lacks(
                group.inner_start, group.inner_end
            ):
                return None
            gone = self.cuts(group.inner_start, group.inner_end)
            if gone is not None:
                cuts += gone
            elif group.kind == "aside":
                cuts.append((self._trimmed(clause.inner, group.start), group.end))
            else:
                return None
        beside = sum(self._lacks(group.start, group.end) for group in clause.groups)
        if self._lacks(clause.inner, clause.end) > beside:
            return None
        return cuts if _left(self._text, clause.inner, clause.end, cuts).strip() else None

    def _skipped(self, start: int, end: int) -> int:
        """Return where the first word of a part begins."""
        word = _INK.search(self._text, start, end)
        return word.start() if word else end

    def _trimmed(self, start: int, end: int) -> int:
        """Return where the last word of a part ends."""
        while end > start and self._text[end - 1].isspace():
            end -= 1
        return end

    def _sentences(self, start: int, end: int) -> Iterator[_Sentence]:
        """Divide a part at the full stops that are in no group."""
        at = begun = start
        clauses = _Clauses(start)
        while at < end:
            group = self._groups.get(at)
            if group is not None:
                clauses.groups.append(group)
                at = group.end
                body = at
                last = group.inner_end - 1
                stop = None if group.kind == "solid" else _END.match(self._text, last, last + 1)
            elif self._text[at] not in _STOPS:
                at += 1
                continue
            elif self._text[at] == "\n":
                if at > begun and self._ends_line(at):
                    yield _Sentence(begun, at, clauses.until(at))
                    begun = at
                    clauses = _Clauses(at)
                at += 1
                continue
            elif separator := _SEPARATOR.match(self._text, at, end):
                at = separator.end()
                clauses.divide(separator.start(), at)
                continue
            else:
                stop = _END.match(self._text, at, end)
                body, at = at, stop.end() if stop else at + 1
            if stop and self._ends(stop, at, end):
                at = at if _INK.search(self._text, at, end) else end
                yield _Sentence(begun, at, clauses.until(body))
                begun = at
                clauses = _Clauses(at)
        if begun < end:
            yield _Sentence(begun, end, clauses.until(end))

    def _ends_line(self, at: int) -> bool:
        """Tell whether a line break is one for readers, too: a hard one, or before a label."""
        before = self._text[max(0, at - 8) : at].rstrip("\r")
        return before.endswith(_HARD_BREAKS) or _LABEL.match(self._text, at + 1) is not None

    def _ends(self, stop: re.Match[str], at: int, end: int) -> bool:
        """Tell whether a stop ends a sentence, and the next one begins at or behind `at`."""
        if stop[0][-1] in _WIDE_ENDS or at >= end:
            return True
        reach = max(0, stop.end() - _SHORTENED_REACH)
        if not self._text[at].isspace() or _SHORTENED.search(self._text[reach : stop.end()]):
            return False
        word = self._skipped(at, end)
        return word >= end or not self._text[word].islower()


@dataclass(slots=True)
class _Clauses:
    """The clauses of a sentence that is being read."""

    start: int
    inner: int = -1
    found: list[_Clause] = field(default_factory=list)
    groups: list[_Group] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inner = self.start

    def divide(self, end: int, inner: int) -> None:
        """End a clause at a separator; the next one begins with it, and its words at `inner`."""
        self.found.append(_Clause(self.start, self.inner, end, tuple(self.groups)))
        self.start, self.inner, self.groups = end, inner, []

    def until(self, end: int) -> tuple[_Clause, ...]:
        """Return the clauses of the sentence whose words end here."""
        self.divide(end, end)
        return tuple(self.found)


def _left(text: str, start: int, end: int, cuts: Iterable[Span]) -> str:
    left = []
    for first, last in sorted(cuts):
        left.append(text[start:first])
        start = max(start, last)
    return "".join((*left, text[start:end]))


@dataclass(slots=True)
class _Mark:
    """Signs of emphasis that are open; those from `end` on are closed already."""

    sign: str
    start: int
    end: int


@dataclass(slots=True)
class _Frame:
    """A bracket that is open, and the marks of emphasis that are open inside of it."""

    opener: str
    start: int
    marks: list[_Mark] = field(default_factory=list)


def _groups(text: str) -> dict[int, _Group]:
    """Return all that stands in pairs by where it begins; what has no other half is plain text."""
    found: dict[int, _Group] = {}
    frames = [_Frame("", 0)]
    unclosed: set[str] = set()
    at = 0
    while token := _TOKEN.search(text, at):
        at = token.end()
        start = token.start()
        if token["ticks"]:
            end = _code_end(text, token, unclosed)
            if end:
                found[start] = _Group("solid", start, at, end - len(token[0]), end)
                at = end
        elif token["whole"]:
            found[start] = _Group("solid", start, start, at, at)
        elif token["mark"]:
            found |= {group.start: group for group in _marked(text, token, frames)}
        elif token["bracket"]:
            group = _bracketed(text, token, frames)
            if group is not None:
                found[group.start] = group
                at = group.end
    return found


def code_spans(text: str) -> Iterator[Span]:
    """Yield where code stands: between runs of as many backticks, in a line or around lines."""
    unclosed: set[str] = set()
    at = 0
    while ticks := _TICKS.search(text, at):
        end = _code_end(text, ticks, unclosed)
        at = end or ticks.end()
        if end:
            yield ticks.start(), end


def _code_end(text: str, ticks: re.Match[str], unclosed: set[str]) -> int:
    """Return where code ends: behind as many ticks as it begins with; 0 where there are none."""
    if ticks[0] in unclosed:
        return 0
    closing = re.compile(rf"(?<!`){ticks[0]}(?!`)").search(text, ticks.end())
    if closing is None:
        unclosed.add(ticks[0])
        return 0
    return closing.end()


def _marked(text: str, token: re.Match[str], frames: list[_Frame]) -> Iterator[_Group]:
    """Open or close emphasis or straight quotes; yield what is closed.

    Two signs make a pair with two, else one with one, from the inside, as CommonMark 0.31 has it
    (section 6.2).
    """
    sign, start, end = token[0][0], token.start(), token.end()
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    within_words = sign in "*~"
    marks = frames[-1].marks
    if not before.isspace() and (within_words or not after.isalnum()):
        while start < end:
            place = next(
                (at for at, mark in reversed(list(enumerate(marks))) if mark.sign == sign), -1
            )
            if place < 0:
                break
            mark = marks[place]
            used = 2 if min(mark.end - mark.start, end - start) >= 2 else 1
            del marks[place + 1 :]
            mark.end -= used
            yield _Group("marked", mark.end, mark.end + used, start, start + used)
            start += used
            if mark.start == mark.end:
                marks.pop()
    opens = not after.isspace() and (within_words or not before.isalnum())
    if start < end and opens and _depth(frames) < _MAX_DEPTH:
        marks.append(_Mark(sign, start, end))


def _depth(frames: list[_Frame]) -> int:
    return sum(1 + len(frame.marks) for frame in frames)


def _bracketed(text: str, token: re.Match[str], frames: list[_Frame]) -> _Group | None:
    """Open or close a bracket or quotes; return what is closed, a link with its address."""
    mark, start, end = token[0], token.start(), token.end()
    openers = _OPENERS.get(mark, ())
    depth = next(
        (i for i in range(len(frames) - 1, 0, -1) if frames[i].opener in openers),
        0,
    )
    if not depth:
        if (mark in _CLOSERS or mark == "„") and _depth(frames) < _MAX_DEPTH:
            frames.append(_Frame(mark, start))
        return None
    frame = frames[depth]
    del frames[depth:]
    inner = frame.start + 1
    if frame.opener == "{":
        return _Group("solid", frame.start, inner, start, end)
    target = _TARGET.match(text, end) if mark == "]" else None
    if target is not None:
        first = frame.start - 1 if text[frame.start - 1 : frame.start] == "!" else frame.start
        return _Group("marked", first, inner, start, target.end())
    kind: Literal["aside", "marked"] = "aside" if frame.opener in _ASIDE else "marked"
    return _Group(kind, frame.start, inner, start, end)
