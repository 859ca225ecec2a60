"""Sentences and clauses of one paragraph: what goes where a number in it is not known.

A line with a label, and what a hard break divides, are sentences as well.

Brackets, emphasis, code, links and quotes stay in pairs, as only whole ones go, or whole clauses
inside of them.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chartgen.render.text_pairs import Group, Span, pairs
from chartgen.render.text_words import (
    is_shortened,
    last_of_list,
    only_opens,
    stands_alone,
    tells_of_measuring,
)

__all__ = ["Span", "kept_spans"]

# A comma between digits belongs to a number, a dash without spaces to a word or a range.
_SEPARATOR = re.compile(
    r"[;|；，、：]|:(?=\s+\S)|(?<!\d),|,(?!\d)|[\N{EM DASH}\N{HORIZONTAL BAR}]+"
    r"|(?<=\s)(?:[\N{EN DASH}·•]|-{1,3})(?=\s)"
)
_END = re.compile(r"[.!?…]+|[。！？]+")
_WIDE_ENDS = "。！？"
_COLONS = ":："
_STRONG = ";；|"
# A line such as `Speed: 250.5` or `**Context**: 128K` is no part of the sentence before it.
_LABEL = re.compile(
    r"\s*(?:\*\*)?[^\W\d_][\w/-]{0,20}(?: [\w/-]{1,20}){0,2}(?:\*\*)?(?::(?:\*\*)?(?=\s)|：)"
)
_HARD_BREAKS = ("  ", "\\", "<br>", "<br/>", "<br />")
_STOPS = frozenset("\n:：;|；，、,\N{EM DASH}\N{HORIZONTAL BAR}\N{EN DASH}·•-.!?…。！？")
_INK = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause from the separator before it (`start`) and after that (`inner`) to the next.

    `colon` is the place of the colon that led to it, which may stand in emphasis; else negative.
    """

    start: int
    inner: int
    end: int
    groups: tuple[Group, ...]
    colon: int = -1


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
        self._groups = pairs(text)

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
        clauses = sentence.clauses
        gone = self._of_clauses(clauses)
        kept = [at for at, cuts in enumerate(gone) if cuts is not None]
        if not kept:
            return None
        cuts: list[Span] = [cut for of_clause in gone for cut in of_clause or ()]
        first, end = clauses[0], clauses[-1].end
        cuts.append((self._skipped(first.inner, end), self._skipped(clauses[kept[0]].inner, end)))
        for before, after in itertools.pairwise(kept):
            if after - before > 1:
                cuts.append(self._between(clauses, before, after))
        last = clauses[kept[-1]]
        if kept[-1] + 1 < len(clauses):
            colon = clauses[kept[-1] + 1].colon
            if colon >= 0:
                cuts.append((colon, colon + 1))
            cuts.append((self._trimmed(last.inner, last.end), end))
        return cuts

    def _between(self, clauses: Sequence[_Clause], before: int, after: int) -> Span:
        """Return what goes between two clauses that stay, with one separator, or a colon.

        The space before a separator belongs to it.
        """
        dropped, follows = clauses[before + 1], clauses[after]
        if dropped.colon >= 0 and self._is_led_to(clauses, before + 1, after):
            return self._skipped(dropped.inner, follows.end), self._skipped(
                follows.inner, follows.end
            )
        start = self._trimmed(clauses[before].inner, clauses[before].end)
        return start, self._trimmed(start, follows.start)

    def _is_led_to(self, clauses: Sequence[_Clause], colon: int, at: int) -> bool:
        """Tell whether a clause belongs to the colon before another one: no `;` is between them."""
        return all(
            clause.colon < 0 and self._text[clause.start] not in _STRONG
            for clause in clauses[colon + 1 : at + 1]
        )

    def _of_clauses(self, clauses: Sequence[_Clause]) -> list[list[Span] | None]:
        """Return what goes of each clause; None for one that goes whole."""
        gone: list[list[Span] | None] = []
        for clause in clauses:
            cuts = self._of_clause(clause, in_list=bool(gone))
            # What a colon led to is no sentence without what led there.
            gone.append(None if clause.colon >= 0 and gone and gone[-1] is None else cuts)
        for at in range(len(clauses) - 1, 0, -1):
            if gone[at] is None and gone[at - 1] is not None:
                clause, head = clauses[at], clauses[at - 1]
                words = self._text[head.inner : head.end].rstrip(" \t*_:：")
                if only_opens(words) or (
                    clause.colon >= 0 and not self._head_stays(clauses, gone, at, words)
                ):
                    gone[at - 1] = None
        return gone

    def _head_stays(
        self,
        clauses: Sequence[_Clause],
        gone: Sequence[list[Span] | None],
        at: int,
        head: str,
    ) -> bool:
        """Tell whether the words before a colon stay where the first clause behind it goes."""
        for i in range(at + 1, len(clauses)):
            if not self._is_led_to(clauses, i - 1, i):
                break
            if gone[i] is not None:
                return not tells_of_measuring(head)
        return stands_alone(head)

    def _of_clause(self, clause: _Clause, *, in_list: bool) -> list[Span] | None:
        cuts = self._without_asides(clause)
        if cuts is None and in_list:
            return self._head_of_list(clause)
        return cuts

    def _head_of_list(self, clause: _Clause) -> list[Span] | None:
        """Cut the last part of `one, two and three`; None where the clause is no such end."""
        unknown = self._unknown[bisect_left(self._unknown, clause.inner)]
        holder = next((one for one in clause.groups if one.start <= unknown < one.end), None)
        at = last_of_list(self._text, clause.inner, holder.start if holder else unknown)
        if not at or any(one.start < at < one.end for one in clause.groups):
            return None
        return [(at, self._trimmed(at, clause.end))]

    def _without_asides(self, clause: _Clause) -> list[Span] | None:
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
                if group.kind == "marked" and self._leads(last, at, end):
                    clauses.divide(at, at, last)
                    continue
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
                begins = separator.start()
                clauses.divide(begins, at, begins if separator[0] in _COLONS else -1)
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

    def _leads(self, last: int, at: int, end: int) -> bool:
        """Tell whether emphasis ends with a colon at `last`, and something follows it."""
        return self._text[last] in _COLONS and self._skipped(at, end) < end

    def _ends_line(self, at: int) -> bool:
        """Tell whether a line break is one for readers, too: a hard one, or before a label."""
        before = self._text[max(0, at - 8) : at].rstrip("\r")
        return before.endswith(_HARD_BREAKS) or _LABEL.match(self._text, at + 1) is not None

    def _ends(self, stop: re.Match[str], at: int, end: int) -> bool:
        """Tell whether a stop ends a sentence, and the next one begins at or behind `at`."""
        if stop[0][-1] in _WIDE_ENDS or at >= end:
            return True
        if not self._text[at].isspace():
            return False
        word = self._skipped(at, end)
        follows = self._text[word : min(word + 1, end)]
        return not follows.islower() and not is_shortened(self._text, stop.end(), follows)


@dataclass(slots=True)
class _Clauses:
    """The clauses of a sentence that is being read."""

    start: int
    inner: int = -1
    colon: int = -1
    found: list[_Clause] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inner = self.start

    def divide(self, end: int, inner: int, colon: int = -1) -> None:
        """End a clause at a separator; the next one begins with it, and its words at `inner`."""
        self.found.append(_Clause(self.start, self.inner, end, tuple(self.groups), self.colon))
        self.start, self.inner, self.groups, self.colon = end, inner, [], colon

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
