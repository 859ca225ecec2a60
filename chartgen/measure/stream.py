"""A streamed chat completion, read from the pieces in which it came in: pure, after its end.

Tokens are counted by the server, in the usage of its last event. Events are not tokens: with
speculative decoding one event brings several.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chartgen.measure.connection import Received
from chartgen.terminal import one_line, shortened

# The last event of a stream (OpenAI's API).
DONE = b"[DONE]"
# What a model says, in whatever kind of delta: the text, what it thinks before (`reasoning` in
# vLLM since 0.11, `reasoning_content` before and in llama.cpp), the words of a tool call.
_CHANNELS = ("content", "reasoning_content", "reasoning")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server counted. None where it does not say."""

    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """What one stream said, and when: seconds from the request to its first and last words.

    `fault` says what was wrong with it, and is empty for a whole one. `drafted_tokens` and
    `accepted_tokens` are those that llama.cpp tells in its last event.
    """

    first_seconds: float | None
    last_seconds: float | None
    usage: Usage | None
    finish: str
    text: str = field(repr=False)
    reasoning: str = field(repr=False)
    tool_calls: tuple[ToolCall, ...]
    drafted_tokens: int | None = None
    accepted_tokens: int | None = None
    fault: str = ""

    @property
    def said_anything(self) -> bool:
        """Tell whether any word came."""
        return self.first_seconds is not None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model wants made; `arguments` as text, which should be JSON."""

    id: str
    name: str
    arguments: str


def read_stream(received: Received) -> Stream:
    """Return what a stream said. What is no event of a chat completion is a fault, never raised."""
    reader = _Reader()
    for at, data in _events(received):
        if not reader.take(at - received.sent_at, data):
            break
    # A server that leaves the last event out has still said that it was finished.
    if not (reader.fault or reader.done or reader.finish):
        reader.fault = "it ended early, without a last event"
    return reader.stream()


def read_usage(value: Any) -> Usage | None:
    """Return the counts of a `usage` object, None for anything else."""
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(_count(value.get("prompt_tokens")), _count(value.get("completion_tokens")), cached)


def read_tool_calls(value: Any) -> tuple[ToolCall, ...]:
    """Return the tool calls of a whole message; what is none is left out."""
    calls = _Calls()
    for index, part in enumerate(value if isinstance(value, list) else ()):
        if isinstance(part, dict):
            calls.add({"index": index, **part})
    return calls.whole()


def error_text(value: Any) -> str:
    """Return the message of an error document, empty where it holds none.

    vLLM, llama.cpp and OpenAI write `{"error": {"message": …}}`, older vLLM `{"message": …}`,
    FastAPI `{"detail": …}`.
    """
    if not isinstance(value, dict):
        return ""
    inner = value.get("error", value)
    if isinstance(inner, dict):
        inner = inner.get("message") or inner.get("detail") or ""
    return shortened(one_line(inner if isinstance(inner, str) else json.dumps(inner)), _SHOWN)


def _events(received: Received) -> Iterator[tuple[float, bytes]]:
    """Yield the data of each event with the time of its last piece (HTML standard, §9.2).

    Comments and the fields `event`, `id` and `retry` carry nothing here; any other line is yielded
    whole, so that a page of a proxy shows as what it is.
    """
    rest = b""
    for at, piece in received.pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from ((at, data) for line in lines if (data := _data(line)))
    if received.pieces and (data := _data(rest)):
        yield received.pieces[-1][0], data


def _data(line: bytes) -> bytes:
    line = line.strip()
    if line.startswith(b"data:"):
        return line[5:].lstrip()
    return b"" if line.startswith((b":", b"event:", b"id:", b"retry:")) else line


class _Reader:
    """Takes the events of one stream in their order."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last: float | None = None
        self.usage: Usage | None = None
        self.finish = ""
        self.fault = ""
        self.done = False
        self.drafted: int | None = None
        self.accepted: int | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls = _Calls()

    def take(self, seconds: float, data: bytes) -> bool:
        """Take one event; False after the last one and after a fault."""
        if data == DONE:
            self.done = True
            return False
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            start = one_line(data[:_SHOWN].decode("utf-8", "replace"))[:60]
            self.fault = f"it sent something that is no event: {start!r}"
            return False
        if "error" in event:
            self.fault = f"it sent an error: {error_text(event) or 'without a message'}"
            return False
        self._take_counts(event)
        choices = event.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self._take_choice(seconds, choices[0])
        return True

    def stream(self) -> Stream:
        """Return all that was taken."""
        return Stream(
            first_seconds=self.first,
            last_seconds=self.last,
            usage=self.usage,
            finish=self.finish,
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            tool_calls=self._calls.whole(),
            drafted_tokens=self.drafted,
            accepted_tokens=self.accepted,
            fault=self.fault,
        )

    def _take_counts(self, event: Mapping[str, Any]) -> None:
        # Some servers repeat the usage in every event, and the last one counts.
        self.usage = read_usage(event.get("usage")) or self.usage
        timings = event.get("timings")
        if isinstance(timings, dict):
            self.drafted = _count(timings.get("draft_n"))
            self.accepted = _count(timings.get("draft_n_accepted"))

    def _take_choice(self, seconds: float, choice: Mapping[str, Any]) -> None:
        finish = choice.get("finish_reason")
        if isinstance(finish, str):
            self.finish = one_line(finish)[:40]
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        said = False
        for channel in _CHANNELS:
            text = delta.get(channel)
            if isinstance(text, str) and text:
                (self._text if channel == "content" else self._reasoning).append(text)
                said = True
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                said |= self._calls.add(call)
        if said:
            self.first = seconds if self.first is None else self.first
            self.last = seconds


class _Calls:
    """Tool calls put together from their parts."""

    def __init__(self) -> None:
        self._parts: dict[int, list[list[str]]] = {}

    def add(self, part: Mapping[str, Any]) -> bool:
        """Take a part of a call; tells whether it said anything."""
        index = part.get("index")
        lists = self._parts.setdefault(index if isinstance(index, int) else 0, [[], [], []])
        function = part.get("function")
        inner = function if isinstance(function, dict) else {}
        said = False
        for kept, text in zip(
            lists, (part.get("id"), inner.get("name"), inner.get("arguments")), strict=True
        ):
            if isinstance(text, str) and text:
                kept.append(text)
                said = True
        return said

    def whole(self) -> tuple[ToolCall, ...]:
        """Return the calls in their order."""
        return tuple(
            ToolCall(*("".join(texts) for texts in self._parts[index]))
            for index in sorted(self._parts)
        )


def _count(value: Any) -> int | None:
    """Return a number of tokens, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1 << 63 else None
