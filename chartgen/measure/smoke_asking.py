"""What the checks of a smoke test ask an endpoint, and how its answers are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chartgen.measure.connection import Connection, Limits, NoReplyError, Reply, Trouble
from chartgen.measure.endpoint import page_limits
from chartgen.measure.faults import KEY_VARIABLE, PROXY_LIMIT, at_proxy_limit, is_proxy_limit
from chartgen.measure.stream import (
    DONE,
    Stream,
    ToolCall,
    Usage,
    end_fault,
    error_text,
    read_stream,
    read_tool_calls,
    read_usage,
)
from chartgen.terminal import one_line, shortened

CHAT = "/v1/chat/completions"
# Enough for a model that thinks before it answers a word.
ANSWER_TOKENS = 2048
ANSWER_LIMIT_BYTES = 32 << 20
_SHOWN = 200
# What logins, limits and proxies answer in the place of an app; other redirects are no API's.
_BEFORE_THE_APP = frozenset({*range(300, 400), 401, 403, 407, 429, 502, 503, 504})
_HINTS = {
    401: f"the endpoint wants an API key: put it into {KEY_VARIABLE}",
    403: f"the endpoint refuses this key or this machine; check {KEY_VARIABLE} and the login",
    404: "nothing is there: check the address",
    413: "a proxy refuses requests of this size",
    429: "too many requests; let the others end first",
    502: "a proxy did not reach the engine",
    503: "the engine is not ready yet, or a proxy did not reach it",
    504: "a proxy did not wait for the engine; ask it past the proxy",
}


class CheckFailedError(Exception):
    """A check did not pass; `broken` where no whole answer of the app came at all."""

    def __init__(self, detail: str, *, broken: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.broken = detail, broken


@dataclass(frozen=True, slots=True)
class Answer:
    """The message of a whole chat completion, read; `message` is as it came."""

    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    finish: str
    usage: Usage | None
    seconds: float = 0.0
    message: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Asking:
    """An endpoint with the name of its model. No request lasts longer than `seconds`."""

    connection: Connection
    model: str
    seconds: float
    answer_tokens: int = ANSWER_TOKENS

    def get(self, path: str) -> Reply:
        """Ask for a page, whatever its status. Raises CheckFailedError where none came."""
        try:
            return self.connection.get(path, page_limits(self.seconds))
        except NoReplyError as error:
            raise _no_answer(error) from None

    def post(self, path: str, document: Mapping[str, Any]) -> Reply:
        """Send a document and return the answer of status 200.

        Raises CheckFailedError for any other, with the server's own words.
        """
        reply = self.sent(path, document)
        if reply.status != 200:
            raise self.refused(reply)
        return reply

    def sent(self, path: str, document: Mapping[str, Any]) -> Reply:
        """Send a document and return the answer, whatever its status.

        Raises CheckFailedError where none came.
        """
        try:
            return self.connection.post(path, self._named(document), self._limits())
        except NoReplyError as error:
            raise _no_answer(error) from None

    def chat(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> Answer:
        """Return the answer to a chat. Raises CheckFailedError where it is none."""
        reply = self.post(CHAT, self.chat_request(messages, **more))
        document = reply.json()
        choices = document.get("choices") if isinstance(document, dict) else None
        given = choices[0] if isinstance(choices, list) and choices else None
        first = given if isinstance(given, dict) else {}
        message = first.get("message")
        if isinstance(document, dict) and document.get("error"):
            raise CheckFailedError(f"the answer is an error: {self.words(reply)}")
        if not isinstance(document, dict) or not isinstance(message, dict):
            shown = self.words(reply)
            raise CheckFailedError(f"the answer is no chat completion: {shown}", broken=True)
        if fault := end_fault(first):
            raise CheckFailedError(fault)
        return Answer(
            text=_text(message.get("content")),
            reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
            calls=read_tool_calls(message.get("tool_calls")),
            finish=one_line(_text(first.get("finish_reason"))),
            usage=read_usage(document.get("usage")),
            seconds=reply.seconds,
            message=message,
        )

    def stream(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> Stream:
        """Return a streamed answer.

        Raises CheckFailedError where none came whole, or the app itself says that it gave up.
        """
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        request = self._named(self.chat_request(messages, **more) | streamed)
        try:
            received = self.connection.stream(CHAT, request, self._limits(), end=DONE)
        except NoReplyError as error:
            raise _no_answer(error) from None
        seconds = received.ended_at - received.sent_at
        if received.status != 200:
            reply = Reply(received.status, received.media_type, received.body, seconds)
            raise self.refused(reply)
        if received.trouble is not None:
            why = _why(received.trouble, seconds)
            raise CheckFailedError(f"the stream broke: {why}", broken=True)
        stream = read_stream(received)
        if not stream.streamed:
            raise CheckFailedError("it does not stream: the answer came as one document")
        if stream.told:
            raise CheckFailedError(stream.fault)
        if stream.fault:
            kind = "cut" if stream.ended_early else "broken"
            why = _why(Trouble(kind, self.connection.redact(stream.fault)), seconds)
            raise CheckFailedError(f"the stream broke: {why}", broken=True)
        return stream

    def chat_request(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        """Return the body of a chat request, without the model's name."""
        return {
            "messages": list(messages),
            "max_tokens": self.answer_tokens,
            "temperature": 0,
            **more,
        }

    def refused(self, reply: Reply, about: str = "") -> CheckFailedError:
        """Return the failure of a check that got another status than it should.

        It is broken where somebody answered in the app's place: a login, or a proxy, whose pages
        have no message as those of engines do.
        """
        silent = reply.status == 413 or reply.status >= 500
        before = reply.status in _BEFORE_THE_APP or (silent and not self._message(reply))
        return CheckFailedError(about + self.refusal(reply), broken=before)

    def refusal(self, reply: Reply) -> str:
        """Say with which words a server refused, and what that mostly means."""
        if reply.status in (502, 503, 504) and at_proxy_limit(reply.seconds):
            return f"HTTP {reply.status} after {reply.seconds:.1f} s, which is when {PROXY_LIMIT}"
        hint = _HINTS.get(reply.status, "")
        # An engine's own message says more than what a status mostly means.
        own = self._message(reply)
        hint = f" ({hint})" if hint and (not own or reply.status in (401, 403)) else ""
        return f"HTTP {reply.status}: {self.words(reply)}{hint}"

    def words(self, reply: Reply) -> str:
        """Return the message in an answer, or what the answer is where it has none."""
        own = self._message(reply)
        if own:
            return own
        if not reply.body:
            return "an empty answer"
        if reply.media_type == "text/html":
            return "a web page"
        return self.quoted(reply.body[: 4 * _SHOWN].decode("utf-8", "replace"))

    def quoted(self, text: str, most: int = 60) -> str:
        """Return the beginning of a text on one line, in quotes and without the key."""
        return f'"{shortened(self.connection.redact(text), most)}"'

    def _message(self, reply: Reply) -> str:
        return self.connection.redact(error_text(reply.json()))

    def _named(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Add the model's name, where the app has one."""
        return {"model": self.model, **document} if self.model else dict(document)

    def _limits(self) -> Limits:
        return Limits(self.seconds, self.seconds, ANSWER_LIMIT_BYTES)


def user(content: Any) -> dict[str, Any]:
    """Return a message of the user."""
    return {"role": "user", "content": content}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _no_answer(error: NoReplyError) -> CheckFailedError:
    return CheckFailedError(f"no answer: {_why(error.trouble, error.seconds)}", broken=True)


def _why(trouble: Trouble, seconds: float) -> str:
    """Say why an answer is not whole, and who ends answers at just that time."""
    if is_proxy_limit(trouble.kind, seconds):
        return f"{trouble.reason} after {seconds:.1f} s, which is when {PROXY_LIMIT}"
    return trouble.reason
