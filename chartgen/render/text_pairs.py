"""What stands in pairs in a paragraph: brackets, emphasis, code, links, quotes and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Span = tuple[int, int]

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
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)")
# Half a row would have fewer cells than the head of its table.
_SOLID_TAGS = frozenset({"tr"})
# What stands in brackets is said beside the sentence, which is whole without it.
_ASIDE = frozenset("([（【")
_TICKS = re.compile("`+")
_TARGET = re.compile(r"\((?:[^()\n\\]|\\.|\([^()\n]*\))*\)|\[[^\[\]\n]*\]")
# Deeper nesting is no text of a person; what follows is read as if it were flat.
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Group:
    """What stands in a pair of marks, by its offsets.

    `aside` goes without a loss to the rest; of `marked` parts may go; `solid` is never divided.
    """

    kind: Literal["aside", "marked", "solid"]
    start: int
    inner_start: int
    inner_end: int
    end: int


@dataclass(slots=True)
class _Mark:
    """Signs of emphasis that are open; those from `end` on are closed already."""

    sign: str
    start: int
    end: int


@dataclass(slots=True)
class _Frame:
    """A bracket or tag that is open, and the marks of emphasis that are open inside of it."""

    opener: str
    start: int
    inner: int
    marks: list[_Mark] = field(default_factory=list)


def pairs(text: str) -> dict[int, Group]:
    """Return all that stands in pairs by where it begins; what has no other half is plain text."""
    found: dict[int, Group] = {}
    frames = [_Frame("", 0, 0)]
    unclosed: set[str] = set()
    at = 0
    while token := _TOKEN.search(text, at):
        at = token.end()
        start = token.start()
        if token["ticks"]:
            end = _code_end(text, token, unclosed)
            if end:
                found[start] = Group("solid", start, at, end - len(token[0]), end)
                at = end
        elif token["whole"]:
            found[start] = Group("solid", start, start, at, at)
            element = _element(token, frames)
            if element is not None:
                found[element.start] = element
        elif token["mark"]:
            found |= {group.start: group for group in _marked(text, token, frames)}
        elif token["bracket"]:
            group = _bracketed(text, token, frames)
            if group is not None:
                found[group.start] = group
                at = group.end
    return found


def _element(token: re.Match[str], frames: list[_Frame]) -> Group | None:
    """Open or close an element of HTML; return what is closed. A tag without another is a word."""
    tag = _TAG.match(token[0])
    if tag is None or token[0].endswith("/>"):
        return None
    opener = f"<{tag[2].lower()}"
    if not tag[1]:
        if _depth(frames) < _MAX_DEPTH:
            frames.append(_Frame(opener, token.start(), token.end()))
        return None
    depth = next((i for i in range(len(frames) - 1, 0, -1) if frames[i].opener == opener), 0)
    if not depth:
        return None
    frame = frames[depth]
    del frames[depth:]
    kind: Literal["solid", "marked"] = "solid" if tag[2].lower() in _SOLID_TAGS else "marked"
    return Group(kind, frame.start, frame.inner, token.start(), token.end())


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


def _marked(text: str, token: re.Match[str], frames: list[_Frame]) -> Iterator[Group]:
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
            yield Group("marked", mark.end, mark.end + used, start, start + used)
            start += used
            if mark.start == mark.end:
                marks.pop()
    opens = not after.isspace() and (within_words or not before.isalnum())
    if start < end and opens and _depth(frames) < _MAX_DEPTH:
        marks.append(_Mark(sign, start, end))


def _depth(frames: list[_Frame]) -> int:
    return sum(1 + len(frame.marks) for frame in frames)


def _bracketed(text: str, token: re.Match[str], frames: list[_Frame]) -> Group | None:
    """Open or close a bracket or quotes; return what is closed, a link with its address."""
    mark, start, end = token[0], token.start(), token.end()
    openers = _OPENERS.get(mark, ())
    depth = next(
        (i for i in range(len(frames) - 1, 0, -1) if frames[i].opener in openers),
        0,
    )
    if not depth:
        if (mark in _CLOSERS or mark == "„") and _depth(frames) < _MAX_DEPTH:
            frames.append(_Frame(mark, start, end))
        return None
    frame = frames[depth]
    del frames[depth:]
    if frame.opener == "{":
        return Group("solid", frame.start, frame.inner, start, end)
    target = _TARGET.match(text, end) if mark == "]" else None
    if target is not None:
        first = frame.start - 1 if text[frame.start - 1 : frame.start] == "!" else frame.start
        return Group("marked", first, frame.inner, start, target.end())
    kind: Literal["aside", "marked"] = "aside" if frame.opener in _ASIDE else "marked"
    return Group(kind, frame.start, frame.inner, start, end)
