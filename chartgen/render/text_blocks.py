"""Paragraphs, lists and tables of a text, and what of them goes where a number is not known.

A wrapped paragraph is one text, and so is a list item.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from chartgen.render.text_clauses import Span, kept_spans
from chartgen.render.text_words import is_label

Kind = Literal["paragraph", "heading", "item", "table", "code", "html", "blank"]

_LEAD = re.compile(r"[ \t]*(?:>[ \t]*)*")
_MARKER = re.compile(r"(?:[-*+•‣◦·→✓✔\N{EN DASH}]|\d{1,9}[.)]|#{1,6})[ \t]+")
_FENCE = re.compile(r"`{3,}|~{3,}")
_LEAD_IN = re.compile(r"[:：](?:\*\*)?\s*\Z")
_CELL_END = re.compile(r"(?<!\\)\|")
# The line below a heading that has no `#`.
_UNDERLINE = re.compile(r"(?:=+|-+)\s*\Z")
# A paragraph that is bold does for a heading, unless it is a sentence or leads to something.
_BOLD_LINE = re.compile(r"(?:\*\*[^*]+(?<![.!?…:。！？：])\*\*|__[^_]+(?<![.!?…:。！？：])__)\s*\Z")
_BOLD_LEVEL = 7
_TAG_LINE = re.compile(
    r"<(?:/[a-z]|(?:address|article|aside|blockquote|center|dd|details|div|dl|dt|figure|h[1-6]|hr|li"
    r"|ol|p|section|summary|table|tbody|td|tfoot|th|thead|tr|ul)(?![\w-]))",
    re.IGNORECASE,
)
_LONE_TAG = re.compile(r"<(/?)([a-z][\w-]*)(?:\s[^<>]*)?>\s*\Z", re.IGNORECASE)
_WORD = re.compile(r"\w+(?:\.\w+)*")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line: its indentation and quote marks, the sign of a list or heading, and the rest."""

    lead: str
    marker: str
    body: str

    def __str__(self) -> str:
        return f"{self.lead}{self.marker}{self.body}"

    @property
    def depth(self) -> int:
        """Return how many quotes it stands in."""
        return self.lead.count(">")


@dataclass(slots=True)
class _Block:
    """Lines that are one text; `left` are those that stay."""

    kind: Kind
    lines: list[_Line]
    left: Sequence[str]

    @property
    def level(self) -> int:
        """Return the level of a heading, or the indentation of anything else."""
        first = self.lines[0]
        if self.kind != "heading":
            return len(first.lead)
        if self.is_underlined:
            return 1 if self.lines[-1].body.startswith("=") else 2
        return first.marker.count("#") or _BOLD_LEVEL

    @property
    def is_underlined(self) -> bool:
        """Tell whether it is a heading with a line of `=` or `-` below it."""
        return self.kind == "heading" and len(self.lines) > 1

    @property
    def words(self) -> list[_Line]:
        """Return the lines without the one that underlines them."""
        return self.lines[:-1] if self.is_underlined else self.lines

    @property
    def text(self) -> str:
        """Return the words without what stands before their lines."""
        return "\n".join(line.body for line in self.words)


def without(text: str, unknown: re.Pattern[str]) -> str:
    """Return a text without what is not known, and without the smallest pieces around it.

    What these are within a paragraph says `text_clauses`. A paragraph, list item, heading or line
    of code of which nothing is left goes with its line. A row of a table goes where nothing but
    its first cell is left; else the cell is empty. A list item takes along what is indented below
    it. A heading goes with all that stood below it, and words with a colon with what they led to.
    """
    if not unknown.search(text):
        return text
    blocks = list(_blocks([_line(line) for line in text.split("\n")]))
    for block in blocks:
        if any(unknown.search(line.body) for line in block.lines):
            block.left = _left(block, unknown)
    _drop_what_belongs_to_items(blocks)
    _drop_empty_elements(blocks)
    _drop_what_led_there(blocks, unknown)
    return "\n".join(_joined(blocks))


def _line(raw: str) -> _Line:
    lead = _LEAD.match(raw)
    at = lead.end() if lead else 0
    marker = _MARKER.match(raw, at)
    end = marker.end() if marker else at
    if not marker and unicodedata.category(raw[at : at + 1] or " ") == "So":
        # Pictures do for bullets.
        end = at + 1
    return _Line(raw[:at], raw[at:end], raw[end:])


def _blocks(lines: list[_Line]) -> Iterator[_Block]:
    at = 0
    while at < len(lines):
        kind = _kind(lines, at)
        end = at + 1
        if kind == "code":
            end = _fence_end(lines, at)
        elif kind == "table":
            while end < len(lines) and "|" in lines[end].body:
                end += 1
        elif kind == "html":
            end = _element_end(lines, at)
        elif kind in {"paragraph", "item"}:
            while end < len(lines) and _goes_on(lines, end):
                end += 1
                if kind == "paragraph" and _UNDERLINE.match(lines[end - 1].body):
                    break
            kind = _or_heading(kind, lines[at:end])
        yield _Block(kind, lines[at:end], [str(line) for line in lines[at:end]])
        at = end


def _kind(lines: list[_Line], at: int) -> Kind:
    line = lines[at]
    if line.marker:
        return "heading" if line.marker.startswith("#") else "item"
    if not line.body.strip():
        return "blank"
    if _FENCE.match(line.body):
        return "code"
    if _TAG_LINE.match(line.body):
        return "html"
    return "table" if "|" in line.body and _is_rule(lines[at + 1 : at + 2]) else "paragraph"


def _or_heading(kind: Kind, lines: list[_Line]) -> Kind:
    """Return the kind of a paragraph or item; a paragraph may be a heading."""
    if kind != "paragraph":
        return kind
    sign = _BOLD_LINE if len(lines) == 1 else _UNDERLINE
    return "heading" if sign.match(lines[-1].body) else kind


def _element_end(lines: list[_Line], at: int) -> int:
    """Return where the text ends that begins with a tag of HTML; a tag alone is no text."""
    first = lines[at].body.lower()
    end = at + 1
    if first.startswith("<tr"):
        # A row is one text with its cells.
        for last in range(at, len(lines)):
            row = lines[last].body.strip().lower()
            if not row or (last > at and row.startswith("<tr")):
                return last
            if "</tr" in row:
                return last + 1
    if _LONE_TAG.match(first):
        return end
    while end < len(lines) and _goes_on(lines, end):
        end += 1
    return end


def _is_rule(lines: list[_Line]) -> bool:
    """Tell whether the first line is the one below the head of a table."""
    marks = set(lines[0].body.strip()) if lines and not lines[0].marker else set()
    return {"|", "-"} <= marks <= set("|-: \t")


def _fence_end(lines: list[_Line], at: int) -> int:
    fence = _FENCE.match(lines[at].body)
    assert fence is not None
    for end in range(at + 1, len(lines)):
        closing = lines[end].body.strip()
        if closing.startswith(fence[0]) and not closing.strip(fence[0][0]):
            return end + 1
    return len(lines)


def _goes_on(lines: list[_Line], at: int) -> bool:
    """Tell whether a line goes on with the paragraph of the one before it."""
    return _kind(lines, at) == "paragraph" and lines[at].depth == lines[at - 1].depth


def _left(block: _Block, unknown: re.Pattern[str]) -> Sequence[str]:
    if block.kind == "code":
        return _left_of_code(block.lines, unknown)
    if block.kind == "table":
        return _left_of_table(block.lines, unknown)
    text = block.text
    return _paragraph(block, kept_spans(text, [item.start() for item in unknown.finditer(text)]))


def _paragraph(block: _Block, spans: tuple[Span, ...] | None) -> Sequence[str]:
    """Return the lines of a paragraph of which some spans stay, each with its own indentation."""
    if spans is None:
        return ()
    text = block.text
    # The offset of each line break, and what stands before the words of the line behind it.
    leads: dict[int, str] = {}
    at = -1
    for before, line in itertools.pairwise(block.words):
        at += len(before.body) + 1
        leads[at] = line.lead
    first = block.lines[0]
    stay = [first.lead + first.marker]
    for start, end in spans:
        at = text.find("\n", start, end)
        while at >= 0:
            stay.append(leads[at])
            at = text.find("\n", at + 1, end)
    lines = _words(text, spans).split("\n")
    left = [lead + line for lead, line in zip(stay, lines, strict=True)]
    return [*left, str(block.lines[-1])] if block.is_underlined else left


def _words(text: str, spans: tuple[Span, ...]) -> str:
    """Join what stays; a sentence whose first clause went has a capital again."""
    parts: list[str] = []
    gone = 0
    for start, end in spans:
        part = text[start:end]
        word = _WORD.match(part)
        # A name such as vLLM or llama.cpp stays as it is.
        if word and text[gone:start][:1].isupper() and word[0].islower() and word[0].isalpha():
            part = part[:1].upper() + part[1:]
        parts.append(part)
        gone = end
    return "".join(parts)


def _left_of_code(lines: list[_Line], unknown: re.Pattern[str]) -> Sequence[str]:
    left = [line for line in lines if not unknown.search(line.body)]
    is_empty = not any(line.body.strip() for line in left if not _FENCE.match(line.body))
    return () if is_empty else [str(line) for line in left]


def _left_of_table(lines: list[_Line], unknown: re.Pattern[str]) -> Sequence[str]:
    head, rule, *rows = lines
    left = []
    for row in rows:
        cells = _cells(row, unknown)
        kept = _CELL_END.split(row.body) == cells or any(
            cell.strip() for cell in (cells[2:] if row.body.startswith("|") else cells[1:])
        )
        if kept:
            left.append(f"{row.lead}{'|'.join(cells)}")
    if rows and not left:
        return ()
    return [f"{head.lead}{'|'.join(_cells(head, unknown))}", str(rule), *left]


def _cells(row: _Line, unknown: re.Pattern[str]) -> list[str]:
    cells = []
    for cell in _CELL_END.split(row.body):
        lacks = [item.start() for item in unknown.finditer(cell)]
        spans = kept_spans(cell, lacks) if lacks else ((0, len(cell)),)
        cells.append(_words(cell, spans) if spans else " ")
    return cells


def _drop_what_belongs_to_items(blocks: list[_Block]) -> None:
    """Drop what is indented below a list item that is gone."""
    gone: int | None = None
    for block in blocks:
        if block.kind == "blank":
            continue
        if gone is not None and len(block.lines[0].lead) > gone:
            block.left = ()
        else:
            gone = block.level if block.kind == "item" and not block.left else None


@dataclass(slots=True)
class _Element:
    """A tag of HTML on a line of its own: whether anything below it goes, or stays."""

    tag: _Block
    name: str
    has_gone: bool = False
    has_left: bool = False


def _drop_empty_elements(blocks: list[_Block]) -> None:
    """Drop the tags around what is gone, where nothing else is between them."""
    outer = _Element(_Block("blank", [], ()), "")
    opened = [outer]
    for block in blocks:
        tag = _LONE_TAG.match(block.text) if block.kind == "html" and block.left else None
        name = tag[2].lower() if tag else ""
        if block.kind == "blank":
            continue
        if not block.left:
            opened[-1].has_gone = True
        elif tag is None or name == "hr":
            opened[-1].has_left = True
        elif not tag[1]:
            opened.append(_Element(block, name))
        elif opened[-1].name == name:
            inner = opened.pop()
            if inner.has_gone and not inner.has_left:
                inner.tag.left = block.left = ()
                opened[-1].has_gone = True
            else:
                opened[-1].has_left = True
        else:
            # Tags that do not fit each other are left as they are.
            opened = [outer]


def _drop_what_led_there(blocks: list[_Block], unknown: re.Pattern[str]) -> None:
    """Drop headings with nothing left below them, and words that led to what is gone."""
    below: _Block | None = None
    kept: _Block | None = None
    for block in reversed(blocks):
        if block.kind == "blank":
            continue
        if block.left and below is not None and not below.left:
            if block.kind == "heading":
                ends = kept is None or (kept.kind == "heading" and kept.level <= block.level)
                block.left = () if ends else block.left
            elif _is_bare(block, below, kept):
                block.left = ()
            elif not _leads_to(block, kept) and (block.kind != "item" or below.level > block.level):
                _drop_lead_in(block, unknown)
        below = block
        kept = block if block.left else kept


def _is_bare(block: _Block, below: _Block, kept: _Block | None) -> bool:
    """Tell whether an item is but a label of what was indented below it."""
    if block.kind != "item" or len(below.lines[0].lead) <= block.level or not is_label(block.text):
        return False
    return kept is None or len(kept.lines[0].lead) <= block.level


def _leads_to(block: _Block, kept: _Block | None) -> bool:
    """Tell whether the block that comes next may belong to the same list."""
    if kept is None or kept.kind not in {"item", "table", "code"}:
        return False
    return block.kind != "item" or kept.level > block.level


def _drop_lead_in(block: _Block, unknown: re.Pattern[str]) -> None:
    text = block.text
    colon = _LEAD_IN.search(text)
    if colon is not None and block.kind in {"paragraph", "item"}:
        gone = [item.start() for item in unknown.finditer(text)]
        block.left = _paragraph(block, kept_spans(text, sorted([*gone, colon.start()])))


def _joined(blocks: list[_Block]) -> Sequence[str]:
    """Return the lines that stay, with one blank line where there were two around what is gone."""
    lines: list[str] = []
    is_gap = False
    for block in blocks:
        if block.kind != "blank":
            lines += block.left
            is_gap = not block.left
        elif not is_gap or (lines and not _is_blank(lines[-1])):
            lines += block.left
    while is_gap and lines and _is_blank(lines[-1]):
        lines.pop()
    return lines


def _is_blank(line: str) -> bool:
    return not line.strip(" \t\r>")
