"""Template syntax that stands where a device since 1.12.6 reads plain YAML.

A manifest of version 0.12.0 or later is not rendered. Before it is decoded, braces are searched
for outside of strings with a scanner that works line by line (device lint, oac
internal/manifest/template_syntax.go); its idea of a string is narrower than YAML's and is kept:
quotes end with the line, and of plain scalars every brace counts.
"""

from __future__ import annotations

import re

_BRACES = re.compile(r"\{\{|\}\}")
# What may follow `|` or `>` where a block scalar begins.
_BLOCK_TAIL = re.compile(r"[ \t+\-0-9]*(?:#.*)?")


def template_syntax(text: str) -> tuple[int, int, str] | None:
    """Return line, column and braces of the first template syntax outside of strings."""
    if not _BRACES.search(text):
        return None
    block_indent: int | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r")
        indent = len(line) - len(line.lstrip(" "))
        blank = indent == len(line)
        if block_indent is not None and (blank or indent > block_indent):
            continue
        block_indent = None
        bare, opens_block = _without_strings(line)
        found = _BRACES.search(bare)
        if found:
            return number, found.start() + 1, found[0]
        if opens_block:
            block_indent = indent
    return None


def _without_strings(line: str) -> tuple[str, bool]:
    """Blank the braces within quotes; tell whether a block scalar begins on the line."""
    out = list(line)
    quote = ""
    opens_block = False
    position = 0
    while position < len(line):
        char = line[position]
        if quote:
            if char == "\\" and quote == '"' and position + 1 < len(line):
                position += 1
                char = line[position]
            elif char == quote:
                if quote == "'" and line[position + 1 : position + 2] == "'":
                    position += 1
                else:
                    quote = ""
            if char in "{}":
                out[position] = " "
        elif char in "\"'":
            quote = char
        elif char == "#":
            break
        elif char in "|>" and _BLOCK_TAIL.fullmatch(line, position + 1):
            opens_block = True
        position += 1
    return "".join(out), opens_block
