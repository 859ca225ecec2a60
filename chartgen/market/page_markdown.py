"""Full texts of apps as HTML: CommonMark, in which a spec can put nothing but text and links.

HTML in a text is shown as it stands. Only http and https addresses become links, pictures become
their descriptions (the page asks no other server for anything), and headings continue the page's
own outline without a gap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# The sections of a page have headings of this level.
_SECTION_LEVEL = 2
_WEB = ("https://", "http://")
# Control characters, halves of surrogate pairs, and what turns the direction of the text after it:
# with the last, a command could read as another one.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Deeper lists and quotes than this say nothing to a reader.
_MAX_NESTING = 20


@dataclass(frozen=True, slots=True)
class Html:
    """HTML that is safe to put into a page: templates print it as it is."""

    text: str

    def __html__(self) -> str:
        return self.text


def is_web_address(address: str) -> bool:
    """Tell whether an address may become a link."""
    return address.lower().startswith(_WEB)


def visible_text(text: str) -> str:
    """Drop the characters that HTML does not allow, or that hide what a text says."""
    return _INVISIBLE.sub("", text)


def markdown_html(text: str) -> Html:
    """Return a Markdown text as HTML."""
    parser = _parser()
    tokens = parser.parse(visible_text(text))
    _fit_headings(tokens)
    for token in tokens:
        # Cells of a table are aligned by a style, which the page's policy refuses.
        token.attrs.pop("style", None)
    return Html(str(parser.renderer.render(tokens, parser.options, {})))


class _Renderer(RendererHTML):
    """The library's renderer finds a method by the type of a token."""

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        # The library's text of a picture is meant for its own escaping of attributes.
        text = self.renderInlineAsText(tokens[idx].children or [], options, env)
        return f"<em>{escapeHtml(text)}</em>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        if is_web_address(str(token.attrGet("href"))):
            token.attrSet("rel", "noopener nofollow")
        else:
            # Without an address it is a piece of text.
            token.attrs = {}
        return str(self.renderToken(tokens, idx, options, env))

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        # Wide tables are scrolled, which a keyboard must be able to do too.
        table = self.renderToken(tokens, idx, options, env)
        return f'<div class="wide" role="group" aria-label="Table" tabindex="0">\n{table}'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f"{self.renderToken(tokens, idx, options, env)}</div>\n"


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": _MAX_NESTING}
    return MarkdownIt("commonmark", options, renderer_cls=_Renderer).enable("table")


def _fit_headings(tokens: Sequence[Token]) -> None:
    """Renumber headings so that the first is one below the section's, and none skips a level."""
    outline: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1:])
            while outline and outline[-1] >= level:
                outline.pop()
            outline.append(level)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(_SECTION_LEVEL + len(outline), 6)}"
