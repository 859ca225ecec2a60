"""Just enough of C++ to read declarations that are written as calls: tokens and balanced groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<raw>R"(?P<mark>[^()\\\s]{0,16})\((?P<content>.*?)\)(?P=mark)")
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<char>'(?:[^'\\\n]|\\.)+')
    | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
    | (?P<number>[0-9][0-9A-Za-z_.']*)
    | (?P<sign>::|->|<=|>=|==|!=|&&|\|\||\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_CLOSING = {"(": ")", "{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (string, char, word, number, sign) and its text; strings decoded."""

    kind: str
    text: str


def tokens(source: str) -> list[Token]:
    """Return the tokens of C++ source, without comments and preprocessor lines."""
    found = []
    plain = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.)*", "", source, flags=re.MULTILINE | re.DOTALL)
    for match in _TOKEN.finditer(plain):
        kind = str(match.lastgroup)
        if match["comment"] is not None:
            continue
        if match["raw"] is not None:
            found.append(Token("string", match["content"]))
        elif kind == "string":
            found.append(Token("string", _decoded(match["string"][1:-1])))
        else:
            found.append(Token(kind, match[0]))
    return found


def _decoded(text: str) -> str:
    return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), text)


def closing(found: list[Token], at: int) -> int:
    """Return the position of the bracket that closes the one at `at`."""
    depth = 0
    opening = found[at].text
    for position in range(at, len(found)):
        token = found[position]
        if token.kind != "sign":
            continue
        if token.text == opening:
            depth += 1
        elif token.text == _CLOSING[opening]:
            depth -= 1
            if depth == 0:
                return position
    raise ValueError(f"no {_CLOSING[opening]} closes the {opening} at token {at}")


def parts(found: list[Token]) -> Iterator[list[Token]]:
    """Yield the parts of a list, split at the commas that stand in no bracket."""
    depth = 0
    part: list[Token] = []
    for token in found:
        if token.kind == "sign":
            if token.text in "([{":
                depth += 1
            elif token.text in ")]}":
                depth -= 1
            elif token.text == "," and depth == 0:
                yield part
                part = []
                continue
        part.append(token)
    if part:
        yield part


def strings(found: list[Token]) -> str:
    """Return all string literals of some tokens, joined, as the compiler joins neighbours."""
    return "".join(token.text for token in found if token.kind == "string")


def source_of(found: list[Token]) -> str:
    """Write tokens in one line, one space between them, so that patterns can be short."""
    return " ".join(f'"{token.text}"' if token.kind == "string" else token.text for token in found)
