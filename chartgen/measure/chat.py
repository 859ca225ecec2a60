"""One chat completion: asked, timed and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chartgen.evidence.record import Run
from chartgen.measure.connection import Connection, Limits, NoReplyError, Reply, Trouble
from chartgen.measure.faults import (
    EndpointError,
    StoppedError,
    at_proxy_limit,
    broken,
    no_reply,
    own_words,
    refused,
    without_key,
)
from chartgen.measure.stream import (
    DONE,
    Stream,
    read_stream,
    read_usage,
    says_something,
    whole_fault,
)

PATH = "/v1/chat/completions"
# Nobody measures for longer by one answer; it ends what drips in for ever.
TOTAL_SECONDS = 3600.0
# Events have some 250 bytes a token, with logprobs and several choices up to a few kilobytes.
_BYTES_PER_TOKEN = 4096
_BYTES_BESIDES = 1 << 20
# Tokens/s that no engine writes to one user: such an answer lay in a buffer on the way, and the
# times of its words are those of the buffer.
_FROM_A_BUFFER = 20_000.0
# Below this an answer is over before its rate has settled.
SHORT_TOKENS = 200
# Tokens that an engine may count beyond max_tokens: those of a last step that drafted several, of
# which DFlash has 16 at most.
_OVER_TOKENS = 16
# Tokens/s below which nobody measures; an answer that is not streamed is silent for as long.
_SLOWEST = 0.5


class NoUsageError(Exception):
    """The endpoint does not say how many tokens a stream had, or does not stream at all."""


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


def _streamed(connection: Connection, request: ChatRequest, limits: Limits) -> Stream:
    """Ask for a streamed completion and return what came, which is whole and has words in it."""
    url, what = connection.address.url, "a chat completion"
    try:
        received = connection.stream(
            PATH, request.body(stream=True), limits, end=DONE, says=says_something
        )
    except NoReplyError as error:
        raise _unanswered(what, url, error) from None
    seconds, trouble = received.ended_at - received.sent_at, received.trouble
    if trouble is not None and trouble.kind == "stopped":
        raise StoppedError
    if received.status != 200:
        reply = Reply(received.status, received.media_type, received.body, seconds)
        raise refused(what, url, reply.status, own_words(connection, reply), seconds)
    if trouble is not None:
        raise broken(what, url, trouble, seconds, bench=True)
    stream = read_stream(received)
    if not stream.streamed:
        raise NoUsageError
    _check_whole(url, what, stream, seconds)
    return stream


def timed_run(
    connection: Connection, request: ChatRequest, limits: Limits, *, streaming: bool = True
) -> Run:
    """Measure one completion. Without `streaming` there is only the end-to-end rate.

    Raises EndpointError for a broken run, NoUsageError where a stream has no counts, StoppedError
    where the connection was hung up.
    """
    with without_key(connection):
        if not streaming:
            return _whole_run(connection, request, limits)
        return _stream_run(connection, request, limits)


def _stream_run(connection: Connection, request: ChatRequest, limits: Limits) -> Run:
    stream = _streamed(connection, request, limits)
    if stream.usage is None or stream.usage.completion_tokens is None:
        raise NoUsageError
    tokens = _counted(connection.address.url, stream.usage.completion_tokens, request)
    assert stream.first_seconds is not None
    assert stream.last_seconds is not None
    drafted, accepted = stream.drafted_tokens, stream.accepted_tokens
    believable = bool(drafted) and accepted is not None and accepted <= (drafted or 0)
    # The first event brings the first token; which share of them it really had, nobody tells.
    after_first, talking = tokens - 1, stream.last_seconds - stream.first_seconds
    held_back = tokens >= SHORT_TOKENS and after_first > _FROM_A_BUFFER * talking
    timed = after_first > 0 and talking > 0 and not held_back
    return Run(
        tokens_per_second=tokens / stream.last_seconds,
        decode_tokens_per_second=after_first / talking if timed else None,
        first_token_seconds=None if held_back else stream.first_seconds,
        completion_tokens=tokens,
        prompt_tokens=stream.usage.prompt_tokens,
        accepted_tokens=accepted if believable else None,
        drafted_tokens=drafted if believable else None,
    )


def _whole_run(connection: Connection, request: ChatRequest, limits: Limits) -> Run:
    what, url = "a chat completion that is not streamed", connection.address.url
    try:
        reply = connection.post(PATH, request.body(stream=False), _silent(request, limits))
    except NoReplyError as error:
        raise _unanswered(what, url, error) from None
    if reply.status != 200:
        raise refused(what, url, reply.status, own_words(connection, reply), reply.seconds)
    document = reply.json()
    if fault := whole_fault(document):
        raise _broken_run(url, what, fault)
    usage = read_usage(document.get("usage"))
    if usage is None or usage.completion_tokens is None:
        raise EndpointError(
            f"{url}: says nowhere how many tokens it made (no `usage`), streamed or not, so that "
            "there is no rate; give the address of the engine itself"
        )
    tokens = _counted(url, usage.completion_tokens, request)
    return Run(
        tokens_per_second=tokens / reply.seconds,
        completion_tokens=tokens,
        prompt_tokens=usage.prompt_tokens,
    )


def _silent(request: ChatRequest, limits: Limits) -> Limits:
    """Return limits for an answer that is silent until it is whole."""
    needed = limits.silence_seconds + _most_tokens(request) / _SLOWEST
    return replace(limits, silence_seconds=min(needed, limits.total_seconds))


def _unanswered(what: str, url: str, error: NoReplyError) -> Exception:
    if error.trouble.kind == "stopped":
        return StoppedError()
    return no_reply(what, url, error, bench=True)


def _broken_run(url: str, what: str, fault: str) -> EndpointError:
    return EndpointError(f"{url}: {what} is broken: {fault}; look into the engine's log")


def _check_whole(url: str, what: str, stream: Stream, seconds: float) -> None:
    if stream.ended_early and at_proxy_limit(seconds):
        raise broken(what, url, Trouble("cut", stream.fault), seconds)
    if stream.fault:
        raise _broken_run(url, what, stream.fault)
    if not stream.said_anything:
        raise EndpointError(
            f"{url}: {what} was empty after {seconds:.1f} s (finish_reason {stream.finish!r}); "
            "look into the engine's log, and at the chat template"
        )


def _counted(url: str, tokens: int, request: ChatRequest) -> int:
    """Return a count of completion tokens that can be one. Raises EndpointError for any other."""
    most = _most_tokens(request)
    if 0 < tokens <= most + _OVER_TOKENS:
        return tokens
    which = f"{tokens:,} completion tokens although"
    why = "an answer came" if not tokens else f"{most:,} were allowed at most"
    raise EndpointError(
        f"{url}: counts {which} {why}, so that there is no rate; give the address of the engine "
        "itself"
    )


def _most_tokens(request: ChatRequest) -> int:
    return int(request.settings["max_tokens"])
