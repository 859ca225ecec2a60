"""A streamed chat completion, read from the pieces in which it came in: pure, after its end.

Tokens are counted by the server, in the usage of its last event. Events are not tokens: with
speculative decoding one event brings several.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chartgen.measure.connection import Received
from chartgen.measure.events import LINE_LIMIT, Piece, data_of, lines
from chartgen.terminal import one_line, shortened

# The last event of a stream (OpenAI's API).
DONE = b"[DONE]"
# What a model thinks before it answers: `reasoning` in vLLM since 0.11, `reasoning_content` before
# and in llama.cpp.
_REASONING = ("reasoning_content", "reasoning")
# Words of the server, not of the model, wherever they stand in a message.
_NO_WORDS = frozenset({"role", "id", "name", "type", "index", "object", "model", "format"})
# How an answer ends that was given up: `abort` and `error` in vLLM and SGLang, `content_filter` in
# OpenAI's API. Servers have many words for a sound end (`eos`, `end_turn`, `stop_sequence`), and
# vLLM's `repetition` is one, too: what came until then came whole.
_GIVEN_UP = frozenset({"abort", "error", "content_filter"})
# A message of OpenAI's API has words four levels deep; what lies deeper than this is no answer.
_MOST_DEPTH = 32
_SHOWN = 200
_ENDED_EARLY = "it ended early, without a last event"


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server counted. None where it does not say."""

    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """What one stream said, and when: seconds from the request to its first and last words.

    `fault` says what was wrong with it, and is empty for a whole one; `ended_early` tells that its
    end was missing, `told` that it is the app itself who says so (an error, or an answer given up),
    `streamed` that it was a stream at all. `drafted_tokens` and `accepted_tokens` are those that
    llama.cpp tells in its last event.
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
    told: bool = False
    streamed: bool = True

    @property
    def ended_early(self) -> bool:
        """Tell whether it broke off, as a connection does that is cut in good order."""
        return self.fault == _ENDED_EARLY

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
    if not reader.take_document(_document(received.pieces)):
        name = b""
        for at, line in lines(received.pieces):
            if not line.strip():
                name = b""
            elif line.startswith(b"event:"):
                name = line[6:].strip()
            elif (data := data_of(line)) and not reader.take(at - received.sent_at, data, name):
                break
    return reader.stream()


def says_something(data: bytes) -> bool:
    """Tell whether an event is more than a sign of life: words, counts, an end or a fault."""
    event = _json(data)
    if not isinstance(event, dict):
        return True
    choice = _first_choice(event)
    said = choice.get("finish_reason") or has_words(choice.get("delta"))
    return bool(said or event.get("usage") or event.get("error"))


def has_words(value: Any, most_depth: int = _MOST_DEPTH) -> bool:
    """Tell whether a message, or a part of one, holds words of the model under whatever name.

    Nothing is looked for deeper than so many levels.
    """
    if isinstance(value, str):
        return value != ""
    if not most_depth:
        return False
    if isinstance(value, list):
        return any(has_words(inner, most_depth - 1) for inner in value)
    if isinstance(value, dict):
        inner_values = (inner for name, inner in value.items() if name not in _NO_WORDS)
        return any(has_words(inner, most_depth - 1) for inner in inner_values)
    return False


def end_fault(choice: Mapping[str, Any]) -> str:
    """Return what is wrong with how a choice ended, empty for a sound end."""
    return _given_up(_finish(choice))


def whole_fault(document: Any) -> str:
    """Return what is wrong with a chat completion that is not streamed, empty for a sound one."""
    if not isinstance(document, dict):
        return "it is no JSON object"
    if document.get("error"):
        return _told_error(document)
    choice = _first_choice(document)
    if not isinstance(choice.get("message"), dict):
        return "it has no message"
    if fault := end_fault(choice):
        return fault
    # What was cut after few tokens may have had no word yet.
    sound = _finish(choice) == "length" or has_words(choice["message"])
    return "" if sound else "its message is empty"


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
    inner = value.get("error") or value
    if isinstance(inner, dict):
        inner = inner.get("message") or inner.get("detail") or ""
    return shortened(one_line(inner if isinstance(inner, str) else spelt(inner)), _SHOWN)


def spelt(value: Any) -> str:
    """Return a part of a JSON document as it is written there, … for one that is nested endlessly.

    What could be read may be too deep to be written: the limit counts the callers, too.
    """
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def _document(pieces: Sequence[Piece]) -> Any:
    """Return the document that came in the place of events, None where there is none."""
    begins = next((start for _, data in pieces if (start := data.lstrip())), b"")
    return _json(b"".join(data for _, data in pieces)) if begins.startswith(b"{") else None


class _Reader:
    """Takes the events of one stream in their order."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last: float | None = None
        self.usage: Usage | None = None
        self.finish = ""
        self.fault = ""
        self.told = False
        self.done = False
        self.streamed = True
        self.drafted: int | None = None
        self.accepted: int | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls = _Calls()

    def take_document(self, document: Any) -> bool:
        """Take what an endpoint wrote that does not stream; False where it may be events."""
        if not isinstance(document, dict):
            return False
        if document.get("error"):
            self._tell(_told_error(document))
        elif isinstance(_first_choice(document).get("message"), dict):
            self.streamed = False
            self.fault = "it is no stream, the answer came as one document"
        return self.fault != ""

    def take(self, seconds: float, data: bytes, name: bytes = b"") -> bool:
        """Take an event, `name` being its kind; False after the last one and after a fault."""
        if data == DONE:
            self.done = True
            return False
        if len(data) > LINE_LIMIT:
            self.fault = f"it sent a line of more than {LINE_LIMIT:,} bytes"
            return False
        event = _json(data)
        if name == b"error":
            words = error_text(event) or _start(data)
            self._tell(f"it sent an error: {words}")
            return False
        if not isinstance(event, dict):
            self.fault = f"it sent something that is no event: {_start(data)!r}"
            return False
        if event.get("error"):
            self._tell(_told_error(event))
            return False
        self._take_counts(event)
        self._take_choice(seconds, _first_choice(event))
        return True

    def stream(self) -> Stream:
        """Return all that was taken."""
        if not self.fault:
            self._tell(_given_up(self.finish))
        # A server that leaves the last event out has still said that it was finished.
        if not (self.fault or self.done or self.finish):
            self.fault = _ENDED_EARLY
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
            told=self.told,
            streamed=self.streamed,
        )

    def _tell(self, fault: str) -> None:
        """Take a fault, if any, in the app's own words."""
        self.fault, self.told = fault, fault != ""

    def _take_counts(self, event: Mapping[str, Any]) -> None:
        # Some servers repeat the usage in every event, and the last one counts.
        self.usage = read_usage(event.get("usage")) or self.usage
        timings = event.get("timings")
        if isinstance(timings, dict):
            self.drafted = _count(timings.get("draft_n"))
            self.accepted = _count(timings.get("draft_n_accepted"))

    def _take_choice(self, seconds: float, choice: Mapping[str, Any]) -> None:
        self.finish = _finish(choice) or self.finish
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        said = False
        for name, value in delta.items():
            if not value or name in _NO_WORDS:
                continue
            if name == "tool_calls":
                said |= self._take_calls(value)
            elif name == "content" and isinstance(value, str):
                self._text.append(value)
                said = True
            elif name in _REASONING and isinstance(value, str):
                self._reasoning.append(value)
                said = True
            else:
                said |= has_words(value)
        if said:
            self.first = seconds if self.first is None else self.first
            self.last = seconds

    def _take_calls(self, calls: Any) -> bool:
        said = False
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                said |= self._calls.add(call)
        return said


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


def _first_choice(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = event.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _finish(choice: Mapping[str, Any]) -> str:
    finish = choice.get("finish_reason")
    return one_line(finish)[:40] if isinstance(finish, str) else ""


def _given_up(finish: str) -> str:
    """Return what is wrong with an end, empty for a sound one."""
    given_up = finish.lower() in _GIVEN_UP
    return f"the answer was given up (finish_reason {finish!r})" if given_up else ""


def _told_error(document: Mapping[str, Any]) -> str:
    return f"it sent an error: {error_text(document) or 'without a message'}"


def _start(data: bytes) -> str:
    return one_line(data[:_SHOWN].decode("utf-8", "replace"))[:60]


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
