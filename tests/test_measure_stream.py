"""Streams: what they said and when, from the pieces in which they came in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chartgen.measure.connection import Received
from chartgen.measure.stream import (
    ToolCall,
    Usage,
    error_text,
    read_stream,
    read_tool_calls,
    says_something,
    whole_fault,
)

DONE = b"data: [DONE]\n\n"


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


def received(*pieces: bytes, every: float = 1.0) -> Received:
    """A stream that was asked for at 100 and came in a piece each second."""
    timed = tuple((100.0 + every * at, piece) for at, piece in enumerate(pieces, 1))
    return Received(200, "text/event-stream", 100.0, 100.0 + every * len(pieces), timed)


USAGE = {"prompt_tokens": 7, "completion_tokens": 12}


def test_times_are_those_of_the_first_and_last_words() -> None:
    stream = read_stream(
        received(
            event({"role": "assistant", "content": ""}),
            event({"content": "Hel"}),
            event({"content": "lo wor"}),
            event({"content": "ld"}),
            event({}, "stop"),
            event(usage=USAGE),
            DONE,
        )
    )
    assert (stream.first_seconds, stream.last_seconds) == (2.0, 4.0)
    assert (stream.text, stream.finish, stream.fault) == ("Hello world", "stop", "")
    assert stream.usage == Usage(7, 12)


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"reasoning_content": "x"},
        {"reasoning": "x"},
        {"content": None, "tool_calls": [{"index": 0, "function": {"name": "f"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"thinking": "x"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}]},
        {"function_call": {"name": "f", "arguments": "{"}},
    ],
)
def test_each_kind_of_word_is_a_first_token(delta: dict[str, Any]) -> None:
    stream = read_stream(received(event({"role": "assistant"}), event(delta), DONE))
    assert stream.first_seconds == 2.0


@pytest.mark.parametrize(
    "delta",
    [
        {"role": "assistant", "content": ""},
        {"content": None},
        {"tool_calls": []},
        {"tool_calls": [{"index": 0, "function": {"arguments": ""}}]},
        {"role": "assistant", "id": "a", "name": "b", "thinking": "", "details": [{"type": "c"}]},
    ],
)
def test_an_empty_delta_is_no_token(delta: dict[str, Any]) -> None:
    stream = read_stream(received(event(delta), DONE))
    assert not stream.said_anything


def test_events_are_put_together_from_pieces_of_any_size() -> None:
    whole = event({"content": "ä"}) + event({"content": "b"}, "length") + event(usage=USAGE) + DONE
    pieces = [whole[at : at + 5] for at in range(0, len(whole), 5)]
    stream = read_stream(received(*pieces, every=0.5))
    assert (stream.text, stream.finish, stream.usage) == ("äb", "length", Usage(7, 12))
    # The first word is there with the last byte of its line.
    first_line = whole.index(b"\n") + 1
    assert stream.first_seconds == 0.5 * -(-first_line // 5)


def test_comments_carriage_returns_and_other_fields_are_passed_over() -> None:
    stream = read_stream(
        received(b": ping\r\nevent: message\r\nid: 1\r\n", event({"content": "x"}, "stop"), DONE)
    )
    assert (stream.text, stream.fault) == ("x", "")


def test_nothing_counts_after_the_last_event() -> None:
    stream = read_stream(received(event({"content": "x"}), DONE, event({"content": "y"})))
    assert (stream.text, stream.last_seconds) == ("x", 1.0)


def test_the_last_usage_counts() -> None:
    early = {"prompt_tokens": 7, "completion_tokens": 1}
    details = USAGE | {"prompt_tokens_details": {"cached_tokens": 5}}
    stream = read_stream(
        received(
            event({"content": "x"}, usage=early), event(usage=details), event(usage=None), DONE
        )
    )
    assert stream.usage == Usage(7, 12, 5)


def test_drafts_of_llamacpp_are_read() -> None:
    timings = {"predicted_ms": 5.0, "draft_n": 30, "draft_n_accepted": 26}
    stream = read_stream(received(event({"content": "x"}, "stop", timings=timings), DONE))
    assert (stream.drafted_tokens, stream.accepted_tokens) == (30, 26)


@pytest.mark.parametrize(
    ("pieces", "fault"),
    [
        ((event({"content": "x"}),), "it ended early, without a last event"),
        ((), "it ended early, without a last event"),
        (
            (event({"content": "x"}), b"data: <html>"),
            "it sent something that is no event: '<html>'",
        ),
        ((b"<!DOCTYPE html>\n",), "it sent something that is no event: '<!DOCTYPE html>'"),
        ((b"data: [1, 2]\n",), "it sent something that is no event: '[1, 2]'"),
        ((b"data: " + b"[" * 100_000,), "it sent something that is no event: '" + "[" * 60 + "'"),
        (
            (b'data: {"error": {"message": "out of\\u001b[2J memory"}}\n',),
            "it sent an error: out of memory",
        ),
        ((b'data: {"error": 7}\n',), "it sent an error: 7"),
        (
            (b'event: error\ndata: {"message": "boom", "code": 500}\n\n',),
            "it sent an error: boom",
        ),
        ((b"event: error\r\ndata: boom\r\n\r\n",), "it sent an error: boom"),
        ((b'{\n  "error": {\n "message": "quota"\n}\n}\n',), "it sent an error: quota"),
        (
            (b'data: {"x": "', *[b"x" * 64] * 20_000, b'"}\n\n', DONE),
            "it sent a line of more than 1,048,576 bytes",
        ),
    ],
)
def test_what_is_no_whole_stream_is_a_fault(pieces: tuple[bytes, ...], fault: str) -> None:
    assert read_stream(received(*pieces)).fault == fault


@pytest.mark.parametrize("finish", ["error", "abort", "content_filter", "ERROR"])
def test_an_answer_that_was_given_up_is_a_fault(finish: str) -> None:
    stream = read_stream(received(event({"content": "x"}, finish), event(usage=USAGE), DONE))
    assert stream.fault == f"the answer was given up (finish_reason '{finish}')"
    assert stream.told


# Words of OpenAI's API, text-generation-inference, Anthropic's and Google's API, vLLM.
@pytest.mark.parametrize(
    "finish",
    [
        *("stop", "length", "tool_calls", "function_call", None),
        *("eos", "eos_token", "stop_sequence", "end_turn", "STOP", "MAX_TOKENS", "repetition"),
    ],
)
def test_an_answer_that_came_to_its_end_is_none(finish: str | None) -> None:
    assert read_stream(received(event({"content": "x"}, finish), DONE)).fault == ""


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'data: {"error": {"message": "boom"}}\n', True),
        (b"event: error\ndata: boom\n\n", True),
        (b'{"error": {"message": "quota"}}', True),
        (b"data: <html>\n", False),
        (event({"content": "x"}), False),
        (json.dumps({"choices": [{"message": {"content": "x"}}]}).encode(), False),
    ],
)
def test_only_an_app_speaks_of_itself(data: bytes, told: bool) -> None:
    stream = read_stream(received(data))
    assert stream.fault
    assert stream.told == told


def nested(depth: int) -> bytes:
    """Return a word within so many lists."""
    return b"[" * depth + b'"x"' + b"]" * depth


# Python's reader takes some 900 levels of lists, and its limit is one of a program's callers, too.
@pytest.mark.parametrize(("depth", "said"), [(30, True), (33, False), (450, False), (900, False)])
def test_words_lie_no_deeper_than_a_message_goes(depth: int, said: bool) -> None:
    data = b'{"choices": [{"delta": {"x": %s}}]}' % nested(depth)
    assert read_stream(received(b"data: " + data + b"\n\n", DONE)).said_anything == said
    try:
        message = json.loads(data.replace(b"delta", b"message"))
    except RecursionError:
        assert says_something(data)
    else:
        assert says_something(data) == said
        assert whole_fault(message) == ("" if said else "its message is empty")


def test_an_error_that_is_nested_endlessly() -> None:
    error: list[Any] = []
    for _ in range(100_000):
        error = [error]
    assert error_text({"error": error}) == "…"


@pytest.mark.parametrize("error", [None, "", {}, False])
def test_an_error_that_is_none_ends_no_stream(error: Any) -> None:
    stream = read_stream(received(event({"content": "x"}, error=error), DONE))
    assert (stream.text, stream.fault) == ("x", "")


def test_the_kind_of_an_event_ends_with_it() -> None:
    other = b"event: error\n: but without data\n\n"
    stream = read_stream(received(other, event({"content": "x"}, "stop"), DONE))
    assert (stream.text, stream.fault) == ("x", "")


ANSWER: dict[str, Any] = {
    "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


@pytest.mark.parametrize("indent", [None, 2])
def test_an_answer_in_one_document_is_no_stream(indent: int | None) -> None:
    stream = read_stream(received(b"\n", json.dumps(ANSWER, indent=indent).encode()))
    assert not stream.streamed
    assert stream.fault == "it is no stream, the answer came as one document"


def test_events_without_a_field_are_still_a_stream() -> None:
    line = event({"content": "x"}, "stop").removeprefix(b"data: ")
    stream = read_stream(received(line))
    assert (stream.text, stream.streamed, stream.fault) == ("x", True, "")


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (ANSWER, ""),
        (ANSWER | {"error": None}, ""),
        (ANSWER | {"error": {"message": "boom"}}, "it sent an error: boom"),
        (ANSWER | {"choices": []}, "it has no message"),
        (
            {"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]},
            "the answer was given up (finish_reason 'error')",
        ),
        (
            {"choices": [{"message": {"role": "assistant", "content": ""}}]},
            "its message is empty",
        ),
        ({"choices": [{"message": {"content": None}, "finish_reason": "length"}]}, ""),
        ([ANSWER], "it is no JSON object"),
    ],
)
def test_the_fault_of_a_whole_answer(document: Any, fault: str) -> None:
    assert whole_fault(document) == fault


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (event({"content": "x"}), True),
        (event({}, "stop"), True),
        (event(usage=USAGE), True),
        (event(error={"message": "x"}), True),
        (b"data: <html>", True),
        (event({"role": "assistant", "content": ""}), False),
        (event({"content": None}, usage=None), False),
        (event(), False),
        (b"data: {}", False),
    ],
)
def test_more_than_a_sign_of_life(data: bytes, says: bool) -> None:
    assert says_something(data.removeprefix(b"data: ").strip()) == says


def test_a_finished_stream_without_its_last_event_is_whole() -> None:
    assert read_stream(received(event({"content": "x"}, "stop"))).fault == ""


@pytest.mark.parametrize(
    "choices", ["x", {}, [7], [{"delta": 7}], [{"delta": {"tool_calls": 7}}], [{"delta": None}]]
)
def test_shapes_that_no_api_has_are_passed_over(choices: Any) -> None:
    data = b"data: " + json.dumps({"choices": choices}).encode() + b"\n\n"
    stream = read_stream(received(data, DONE))
    assert (stream.said_anything, stream.fault) == (False, "")


@pytest.mark.parametrize("count", [True, "12", -1, 1 << 70, float("nan"), None])
def test_a_count_that_is_no_number_of_tokens_is_unknown(count: Any) -> None:
    stream = read_stream(received(event(usage={"completion_tokens": count}), DONE))
    assert stream.usage == Usage(None, None)


def test_tool_calls_are_put_together() -> None:
    def part(index: int, **inner: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **inner}]}

    stream = read_stream(
        received(
            event(part(0, id="a", function={"name": "get", "arguments": ""})),
            event(part(0, function={"arguments": '{"x"'})),
            event(part(1, id="b", function={"name": "put", "arguments": "{}"})),
            event(part(0, function={"arguments": ": 1}"})),
            DONE,
        )
    )
    assert stream.tool_calls == (ToolCall("a", "get", '{"x": 1}'), ToolCall("b", "put", "{}"))


def test_tool_calls_of_a_whole_message() -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}, 7]
    assert read_tool_calls(calls) == (ToolCall("a", "f", "{}"),)
    assert read_tool_calls(None) == ()


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"error": {"message": "no", "code": 401}}, "no"),
        ({"message": "no"}, "no"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"error": "no"}, "no"),
        ({"error": None, "message": "no"}, "no"),
        ({"error": "no room " * 40}, "no room " * 24 + "no room…"),
        ("no", ""),
        (None, ""),
    ],
)
def test_the_message_of_an_error(document: Any, text: str) -> None:
    assert error_text(document) == text
