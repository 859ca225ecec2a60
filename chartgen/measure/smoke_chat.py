"""The checks of a chat model: text, streaming, images, tools.

Each takes what it asks with and returns what there is to say of a success; it raises
CheckFailedError otherwise.
"""

from __future__ import annotations

import json
import re
from typing import Any

from chartgen.measure.smoke_asking import Answer, Asking, CheckFailedError, quoted, user
from chartgen.measure.smoke_image import data_url, plain_png
from chartgen.measure.stream import ToolCall

_HELLO = "Say hello in one short sentence."
_COLOUR = "What colour is this picture? Answer with one word."
_RED = re.compile(r"\b(red|scarlet|crimson)\b", re.IGNORECASE)
# Nobody guesses it: who says it was told by the tool.
CODE = "7413"
TOOL = "read_code"
_ASK_CODE = "Which code opens the north door? Ask the tool, then answer with the code."
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Reads the code that opens a door.",
            "parameters": {
                "type": "object",
                "properties": {"door": {"type": "string", "enum": ["north", "south"]}},
                "required": ["door"],
            },
        },
    }
]


def check_text(asking: Asking) -> str:
    """A question gets an answer in text."""
    answer = asking.chat([user(_HELLO)])
    _wanted_text(answer)
    cut = ", cut there" if answer.finish == "length" else ""
    return f"{quoted(answer.text)}{_tokens(answer)}{cut}"


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
    _wanted_text(answer)
    if _RED.search(answer.text) is None:
        raise CheckFailedError(f"asked for the colour of a red picture, it said: {_said(answer)}")
    return f"a red picture is {quoted(answer.text)}"


def check_tools(asking: Asking) -> str:
    """The model calls a tool, is told the result and uses it."""
    question = user(_ASK_CODE)
    called = asking.chat([question], tools=_TOOLS, tool_choice="auto")
    call = _wanted_call(called)
    told = asking.chat(
        [question, _said_again(called, call), _result(call)], tools=_TOOLS, tool_choice="auto"
    )
    _wanted_text(told)
    if CODE not in told.text:
        raise CheckFailedError(
            f"the tool said {CODE}, and the answer does not hold it: {_said(told)}"
        )
    return f"{call.name}({_shown_arguments(call)}), then {quoted(told.text)}"


def _wanted_text(answer: Answer) -> None:
    if answer.text.strip():
        return
    if answer.calls:
        raise CheckFailedError(f"it wanted to call the tool {quoted(answer.calls[0].name)} instead")
    if answer.reasoning.strip():
        why = ", cut there" if answer.finish == "length" else ""
        raise CheckFailedError(f"it only thought and gave no answer{_tokens(answer)}{why}")
    raise CheckFailedError(f"the answer is empty{_tokens(answer)}")


def _wanted_call(answer: Answer) -> ToolCall:
    if not answer.calls:
        spelt = TOOL in answer.text and "{" in answer.text
        why = (
            "the call came as text, so the engine does not read this model's form of calls"
            if spelt
            else "it answered without calling the tool"
        )
        raise CheckFailedError(f"{why}: {_said(answer)}")
    call = answer.calls[0]
    if call.name != TOOL:
        raise CheckFailedError(f"it called {quoted(call.name)}, and there is only {TOOL}")
    try:
        arguments: Any = json.loads(call.arguments)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict) or not isinstance(arguments.get("door"), str):
        raise CheckFailedError(
            f"the arguments of the call are not as the tool wants them: {quoted(call.arguments)}"
        )
    return call


def _said_again(answer: Answer, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {
        "role": "assistant",
        "content": answer.text,
        "tool_calls": [{"id": call.id or "call-1", "type": "function", "function": function}],
    }


def _result(call: ToolCall) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.id or "call-1", "content": CODE}


def _said(answer: Answer) -> str:
    return quoted(answer.text or answer.reasoning, 120)


def _tokens(answer: Answer) -> str:
    count = answer.usage.completion_tokens if answer.usage is not None else None
    return f" ({count:,} tokens)" if count else ""


def _shown_arguments(call: ToolCall) -> str:
    arguments = json.loads(call.arguments)
    return ", ".join(f"{name}={value!r}" for name, value in sorted(arguments.items()))
