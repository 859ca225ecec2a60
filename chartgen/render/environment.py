"""The Jinja2 environment of the chart templates.

The templates write plain YAML. Every text that they print is quoted by `_finalize`, so that no
template can forget it; all other values (lists, numbers, what is Go template) are set aside, and
a tag with their number stands in the text. The text is then read back into plain objects, patched,
and written by `chartgen.yaml_text`, the only place where Go template text comes into a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from chartgen.plain_yaml import UncertainError, read_plain
from chartgen.render.expansion import unexpanded
from chartgen.render.model import EnvVar, Expression
from chartgen.resources import template_folder
from chartgen.yaml_text import Helm, When


@jinja2.pass_context
def _finalize(context: jinja2.runtime.Context, value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        # YAML allows fewer raw characters than JSON, so all but ASCII is escaped.
        text = _paired(json.dumps(value, ensure_ascii=True))
    else:
        # Writing what is nested and reading it back would take a third of a chart's render.
        aside: list[Any] = context[_ASIDE]
        text = f"{_ASIDE_TAG} {len(aside)}"
        aside.append(_plain(value))
    # Quoted here, so nothing is left that a template could misread.
    return Markup(text)  # noqa: S704


def _plain(value: Any) -> Any:
    """Copy a value to dicts and lists that nothing else refers to."""
    if value is None or isinstance(value, (str, int, float, Helm)):
        return value
    if isinstance(value, When):
        return When(value.condition, _plain(value.value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} is nothing that a chart can hold")


def _paired(text: str) -> str:
    r"""Write JSON's surrogate pairs (`\ud83d\ude00`) as YAML's `\U0001f600`."""
    return _PAIR.sub(_join_pair, text)


def _join_pair(match: Any) -> str:
    if match["slash"]:
        return str(match[0])
    high, low = int(match["high"], 16), int(match["low"], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


_PAIR = re.compile(r"(?P<slash>\\\\)|\\u(?P<high>d[89ab][0-9a-f]{2})\\u(?P<low>d[c-f][0-9a-f]{2})")
_ASIDE = "values_set_aside"
_ASIDE_TAG = "!aside"


def env_entry(variable: EnvVar) -> Any:
    """Return an entry of a container's `env`, guarded where the variable may be absent."""
    entry: dict[str, Any] = {"name": variable.name}
    if variable.secret is not None:
        entry["valueFrom"] = {
            "secretKeyRef": {
                "name": variable.secret,
                "key": variable.key,
                "optional": variable.optional,
            }
        }
    elif variable.value is not None:
        entry["value"] = _word(variable.value)
    return entry if variable.condition is None else When(variable.condition, entry)


def container_words(words: Sequence[Expression]) -> list[Expression]:
    """Return words of a command line as a container's field states them."""
    return [_word(word) for word in words]


def _word(word: Expression) -> Expression:
    return unexpanded(word) if isinstance(word, str) else word


@cache
def environment() -> jinja2.Environment:
    """Return the environment: own delimiters, strict names, every value quoted."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder() / "chart"),
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        undefined=jinja2.StrictUndefined,
        # Quoted values are Markup; what a template prints otherwise goes through `_finalize`.
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.filters["env_entry"] = env_entry
    made.filters["container_words"] = container_words
    made.globals["helm"] = Helm
    made.globals["when"] = When
    return made


def render_object(template: str, **names: Any) -> Any:
    """Render a template to the object it describes, with `Helm` and `When` at their places."""
    aside: list[Any] = []
    text = environment().get_template(template).render({**names, _ASIDE: aside})
    try:
        return read_plain(text, {_ASIDE_TAG: lambda number: aside[int(number)]})
    except UncertainError as error:
        raise ValueError(f"template {template} gives no plain YAML: {error}") from error
