"""The checks of a chat model: text, streaming, images, tools.

Each takes what it asks with and returns what there is to say of a success; it raises
CheckFailedError otherwise.
"""

from __future__ import annotations

import json
import re
from typing import Any

from chartgen.measure.smoke_asking import Answer, Asking, CheckFailedError, user
from chartgen.measure.smoke_image import data_url, plain_png
from chartgen.measure.stream import ToolCall, spelt

_HELLO = "Say hello in one short sentence."
_COLOUR = "What colour is this picture? Answer with one word."
_RED = re.compile(r"\b(red|scarlet|crimson)\b(?!\s*\?)", re.IGNORECASE)
# "Not blue but red" is said of red; "it is not red" and "blue, not red" are not.
_CLAUSE = re.compile(r"[.,;:!\n]|\bbut\b", re.IGNORECASE)
_NOT = re.compile(r"\b(no|not|none|never|neither|nor|cannot|unable)\b|n['\u2019]t\b", re.IGNORECASE)
# Whoever does not see the picture itself guesses: "I can't see, so I say red". Who sees no text, no
# objects or nothing else in it has seen it.
_BLIND = re.compile(
    r"\b(can(not| not|['\u2019]t)|(do|could)(n['\u2019]t| not)|(not able|unable) to) (\w+ )?"
    r"((see|view|process|access|open|identify|analy[sz]e)( or | and |/)?)+"
    r"( *$|( (the|this|that|these|those|any|an?|your|actual|attached|provided|uploaded|shared))*"
    r" (image|picture|photo)s?\b(?!['\u2019]))"
    r"|\bno (image|picture|photo)s?\b",
    re.IGNORECASE,
)
# Nobody guesses it: who says it was told by the tool.
CODE = "7413"
TOOL = "read_code"
_DOORS = ("north", "south")
_ASK_CODE = "Which code opens the north door? Ask the tool, then answer with the code."
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Reads the code that opens a door.",
            "parameters": {
                "type": "object",
                "properties": {"door": {"type": "string", "enum": list(_DOORS)}},
                "required": ["door"],
            },
        },
    }
]


def check_text(asking: Asking) -> str:
    """A question gets an answer in text."""
    answer = asking.chat([user(_HELLO)])
    _wanted_text(asking, answer)
    cut = ", cut there" if answer.finish == "length" else ""
    return f"{asking.quoted(answer.text)}{_tokens(answer)}{cut}"


def check_streaming(asking: Asking) -> str:
    """The answer comes as events, with the usage in the last one."""
    stream = asking.stream([user(_HELLO)])
    if not stream.said_anything:
        raise CheckFailedError("the stream said nothing before it ended")
    usage = stream.usage
    if usage is None or not usage.completion_tokens:
        told = "no usage" if usage is None else "a usage of 0 tokens"
        raise CheckFailedError(
            f"the stream ended with {told}: without it nobody can measure this endpoint"
        )
    first = f"{stream.first_seconds:.2f}" if stream.first_seconds is not None else "?"
    return f"first words after {first} s, {usage.completion_tokens:,} tokens by its usage"


def check_vision(asking: Asking) -> str:
    """A red picture is called red."""
    answer = asking.chat(
        [
            user(
                [
                    {"type": "text", "text": _COLOUR},
                    {"type": "image_url", "image_url": {"url": data_url(plain_png())}},
                ]
            )
        ]
    )
    _wanted_text(asking, answer)
    if not _says_red(answer.text):
        said = _said(asking, answer)
        raise CheckFailedError(f"asked for the colour of a red picture, it said: {said}")
    return f"a red picture is {asking.quoted(answer.text)}"


def check_tools(asking: Asking) -> str:
    """The model calls a tool, is told the result and uses it."""
    question = user(_ASK_CODE)
    called = asking.chat([question], tools=_TOOLS, tool_choice="auto")
    call, arguments = _wanted_call(asking, called)
    told = asking.chat(
        [question, _said_again(called, call), _result(call)], tools=_TOOLS, tool_choice="auto"
    )
    _wanted_text(asking, told)
    if CODE not in told.text:
        raise CheckFailedError(
            f"the tool said {CODE}, and the answer does not hold it: {_said(asking, told)}"
        )
    shown = ", ".join(
        f"{name}={_shown(asking, value)}" for name, value in sorted(arguments.items())
    )
    return f"{call.name}({shown}), then {asking.quoted(told.text)}"


def _says_red(text: str) -> bool:
    """Tell whether a text calls something red, and does not deny or ask it."""
    clauses = _CLAUSE.split(text)
    if any(_BLIND.search(clause) for clause in clauses):
        return False
    return any(
        _NOT.search(clause, 0, found.start()) is None
        for clause in clauses
        for found in _RED.finditer(clause)
    )


def _wanted_text(asking: Asking, answer: Answer) -> None:
    if answer.text.strip():
        return
    if answer.calls:
        name = asking.quoted(answer.calls[0].name)
        raise CheckFailedError(f"it wanted to call the tool {name} instead")
    if answer.reasoning.strip():
        why = ", cut there" if answer.finish == "length" else ""
        raise CheckFailedError(f"it only thought and gave no answer{_tokens(answer)}{why}")
    raise CheckFailedError(f"the answer is empty{_tokens(answer)}")


def _wanted_call(asking: Asking, answer: Answer) -> tuple[ToolCall, dict[str, Any]]:
    """Return the first call and its arguments."""
    if not answer.calls:
        as_text = TOOL in answer.text and "{" in answer.text
        why = (
            "the call came as text, so the engine does not read this model's form of calls"
            if as_text
            else "it answered without calling the tool"
        )
        raise CheckFailedError(f"{why}: {_said(asking, answer)}")
    call = answer.calls[0]
    if call.name != TOOL:
        raise CheckFailedError(f"it called {asking.quoted(call.name)}, and there is only {TOOL}")
    given = _given_arguments(answer)
    if not isinstance(given, str):
        shown = asking.quoted(spelt(given))
        raise CheckFailedError(
            f"the arguments of the call came as {_kind(given)}, where clients of OpenAI's API read "
            f"text: {shown}"
        )
    try:
        arguments: Any = json.loads(given)
    except (ValueError, RecursionError):
        raise _unwanted("are no JSON", asking, given) from None
    if not isinstance(arguments, dict):
        raise _unwanted("are no object", asking, given)
    if arguments.get("door") not in _DOORS:
        raise _unwanted('have a door that is neither "north" nor "south"', asking, given)
    return call, arguments


def _unwanted(why: str, asking: Asking, arguments: str) -> CheckFailedError:
    return CheckFailedError(f"the arguments of the call {why}: {asking.quoted(arguments)}")


def _shown(asking: Asking, value: Any) -> str:
    """Return an argument, text as Python spells it: quotes may change a key, so it goes first."""
    return repr(asking.connection.redact(value)) if isinstance(value, str) else spelt(value)


def _given_arguments(answer: Answer) -> Any:
    """Return the arguments of the first call as they came, whether text or not."""
    calls = answer.message.get("tool_calls")
    parts = [part for part in calls if isinstance(part, dict)] if isinstance(calls, list) else []
    function = parts[0].get("function") if parts else None
    return function.get("arguments") if isinstance(function, dict) else None


def _kind(value: Any) -> str:
    """Return what something in a JSON document is called."""
    if value is None:
        return "null"
    return {dict: "an object", list: "a list", bool: "a truth value"}.get(type(value), "a number")


def _said_again(answer: Answer, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {
        "role": "assistant",
        "content": answer.text,
        "tool_calls": [{"id": call.id or "call-1", "type": "function", "function": function}],
    }


def _result(call: ToolCall) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.id or "call-1", "content": CODE}


def _said(asking: Asking, answer: Answer) -> str:
    return asking.quoted(answer.text or answer.reasoning, 120)


def _tokens(answer: Answer) -> str:
    count = answer.usage.completion_tokens if answer.usage is not None else None
    return f" ({count:,} tokens)" if count else ""
