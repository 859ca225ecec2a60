"""One chat completion: asked, timed and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chartgen.evidence.record import Run
from chartgen.measure.connection import Connection, Limits, NoReplyError, Received, Trouble
from chartgen.measure.endpoint import check_status
from chartgen.measure.faults import (
    EndpointError,
    StoppedError,
    at_proxy_limit,
    broken,
    no_reply,
    refused,
)
from chartgen.measure.stream import DONE, Stream, error_text, read_stream, read_usage

PATH = "/v1/chat/completions"
# No answer of a model lasts longer; it ends what drips in for ever.
TOTAL_SECONDS = 3600.0
# Events have some 250 bytes a token, with logprobs and several choices up to a few kilobytes.
_BYTES_PER_TOKEN = 4096
_BYTES_BESIDES = 1 << 20
# Tokens/s that no engine writes to one user: such an answer lay in a buffer on the way, and the
# times of its words are those of the buffer.
_FROM_A_BUFFER = 20_000.0


class NoUsageError(Exception):
    """The endpoint does not say how many tokens a stream had."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request as it is sent, but for what concerns the stream.

    `settings` are model, max_tokens, temperature and the like, `messages` what is asked.
    """

    settings: Mapping[str, Any]
    messages: list[Any] = field(repr=False)

    def body(self, *, stream: bool) -> dict[str, Any]:
        """Return the document that is sent."""
        body = {**self.settings, "messages": self.messages, "stream": stream}
        return body | {"stream_options": {"include_usage": True}} if stream else body


def chat_limits(max_tokens: int, silence_seconds: float) -> Limits:
    """Return the limits for an answer of at most so many tokens."""
    return Limits(silence_seconds, TOTAL_SECONDS, _BYTES_BESIDES + _BYTES_PER_TOKEN * max_tokens)


def stream_chat(connection: Connection, request: ChatRequest, limits: Limits) -> Stream:
    """Ask for a streamed completion and return what came.

    Raises EndpointError for anything but a whole stream with words in it, StoppedError where the
    connection was hung up.
    """
    url = connection.address.url
    what = "a chat completion"
    try:
        received = connection.stream(PATH, request.body(stream=True), limits, end=DONE)
    except NoReplyError as error:
        if error.trouble.kind == "stopped":
            raise StoppedError from None
        raise no_reply(what, url, error) from None
    seconds = received.ended_at - received.sent_at
    if received.trouble is not None and received.trouble.kind == "stopped":
        raise StoppedError
    if received.status != 200:
        text = connection.redact(error_text(_json(received)))
        raise refused(what, url, received.status, text, seconds)
    if received.trouble is not None:
        raise broken(what, url, received.trouble, seconds)
    stream = read_stream(received)
    _check_whole(connection, what, stream, seconds)
    return stream


def timed_run(
    connection: Connection, request: ChatRequest, limits: Limits, *, streaming: bool = True
) -> Run:
    """Measure one completion. Without `streaming` there is only the end-to-end rate.

    Raises EndpointError for a broken run, NoUsageError where a stream has no counts, StoppedError
    where the connection was hung up.
    """
    if not streaming:
        return _whole_run(connection, request, limits)
    stream = stream_chat(connection, request, limits)
    if stream.usage is None or stream.usage.completion_tokens is None:
        raise NoUsageError
    tokens = _counted(connection, stream.usage.completion_tokens)
    assert stream.first_seconds is not None
    assert stream.last_seconds is not None
    drafts = stream.drafted_tokens and stream.accepted_tokens is not None
    # The first event brings the first token; which share of them it really had, nobody tells.
    after_first, talking = tokens - 1, stream.last_seconds - stream.first_seconds
    held_back = after_first > _FROM_A_BUFFER * talking
    return Run(
        tokens_per_second=tokens / stream.last_seconds,
        decode_tokens_per_second=after_first / talking if after_first and not held_back else None,
        first_token_seconds=None if held_back else stream.first_seconds,
        completion_tokens=tokens,
        prompt_tokens=stream.usage.prompt_tokens,
        accepted_tokens=stream.accepted_tokens if drafts else None,
        drafted_tokens=stream.drafted_tokens if drafts else None,
    )


def _whole_run(connection: Connection, request: ChatRequest, limits: Limits) -> Run:
    what, url = "a chat completion that is not streamed", connection.address.url
    try:
        reply = connection.post(PATH, request.body(stream=False), limits)
    except NoReplyError as error:
        if error.trouble.kind == "stopped":
            raise StoppedError from None
        raise no_reply(what, url, error) from None
    check_status(connection, what, reply)
    document = reply.json()
    usage = read_usage(document.get("usage")) if isinstance(document, dict) else None
    if usage is None or usage.completion_tokens is None:
        raise EndpointError(
            f"{url}: says nowhere how many tokens it made (no `usage`), streamed or not, so that "
            "there is no rate; give the address of the engine itself"
        )
    tokens = _counted(connection, usage.completion_tokens)
    return Run(
        tokens_per_second=tokens / reply.seconds,
        completion_tokens=tokens,
        prompt_tokens=usage.prompt_tokens,
    )


def _check_whole(connection: Connection, what: str, stream: Stream, seconds: float) -> None:
    url = connection.address.url
    if stream.fault:
        fault = connection.redact(stream.fault)
        if at_proxy_limit(seconds):
            raise broken(what, url, Trouble("cut", fault), seconds)
        raise EndpointError(f"{url}: {what} is broken: {fault}; look into the engine's log")
    if not stream.said_anything:
        raise EndpointError(
            f"{url}: {what} was empty after {seconds:.1f} s (finish_reason {stream.finish!r}); "
            "look into the engine's log, and at the chat template"
        )


def _counted(connection: Connection, tokens: int) -> int:
    if tokens > 0:
        return tokens
    raise EndpointError(
        f"{connection.address.url}: counts 0 completion tokens although an answer came, so that "
        "there is no rate; give the address of the engine itself"
    )


def _json(received: Received) -> Any:
    import json

    try:
        return json.loads(received.body)
    except (ValueError, RecursionError):
        return None
