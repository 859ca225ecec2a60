"""The checks of the context length: more than fits is refused in clear words, nearly all fits."""

from __future__ import annotations

import re

from chartgen.measure.connection import Reply
from chartgen.measure.endpoint import stated_limit
from chartgen.measure.smoke_asking import CHAT, Asking, CheckFailedError, user
from chartgen.measure.stream import read_usage

# Words of the engines when a prompt is too long: vllm 0.21.0 (renderers/params.py), llama.cpp
# b11434 (server-context.cpp), SGLang (managers/tokenizer_manager.py), TabbyAPI.
_CLEAR = re.compile(r"context|token|length|too long|max_seq_len|max_model_len", re.IGNORECASE)
# With these an engine may refuse what it was asked; others are of logins, addresses and faults.
_REFUSALS = (400, 413, 422)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROUND = " ".join(_LETTERS) + " "
_BEYOND = 64
_ROOM_TOKENS = 32
# A long prompt fills this much of the limit, and counts as long from the smaller share on.
_FILL, _LEAST_FILL = 0.95, 0.90
# A letter is a token; what counts fewer miscounts, or cuts.
_LEAST_TOKENS = 0.5
# Two short prompts tell how many tokens a letter is; of a small context, such shares at most.
_SAMPLES = ((200, 40), (1000, 8))


def letters(count: int) -> str:
    """Return so many single letters, each of them at least one token."""
    rounds = -(-count // len(_LETTERS))
    # Not joined letter by letter: a context may be of millions of them.
    return (_ROUND * rounds)[: max(2 * count - 1, 0)]


def check_context(asking: Asking, claimed: int | None, served: int | None) -> str:
    """A prompt longer than the context is refused, with words that say why.

    `claimed` is the context length of the spec, `served` the one that the server states.
    """
    limit = max(claimed or 0, served or 0)
    reply = asking.sent(
        CHAT, asking.chat_request([user(letters(limit + _BEYOND))], max_tokens=_ROOM_TOKENS)
    )
    if reply.status == 200:
        raise CheckFailedError(_taken(reply, limit))
    words = asking.words(reply)
    if reply.status not in _REFUSALS:
        raise asking.refused(reply, f"a prompt of more than {limit:,} tokens: ")
    if _CLEAR.search(words) is None:
        raise asking.refused(
            reply, "a prompt that is too long is refused, but the words do not say why: "
        )
    told = _told_limit(reply) or served
    if claimed is not None and told is not None and told < claimed:
        raise CheckFailedError(
            f"the spec says {claimed:,} tokens, and the server takes {told:,} at most: {words}"
        )
    more = f" (the spec says {claimed:,})" if claimed and told and told > claimed else ""
    return f"HTTP {reply.status}: {words}{more}"


def check_long(asking: Asking, limit: int) -> str:
    """A prompt that nearly fills the context is answered."""
    few, many = (max(1, min(count, limit // share)) for count, share in _SAMPLES)
    small, large = _prompt_tokens(asking, few), _prompt_tokens(asking, many)
    each = (large - small) / max(many - few, 1)
    if each < _LEAST_TOKENS:
        raise CheckFailedError(
            f"the server counts {small:,} tokens for {few:,} letters and {large:,} for {many:,}: "
            "it miscounts, or cuts prompts"
        )
    frame = small - each * few
    wanted = min(limit * _FILL, limit - 2 * _ROOM_TOKENS)
    answer = asking.chat([user(letters(int((wanted - frame) / each)))], max_tokens=_ROOM_TOKENS)
    taken = answer.usage.prompt_tokens if answer.usage is not None else None
    if taken is None or taken < limit * _LEAST_FILL:
        raise CheckFailedError(
            f"a prompt of about {wanted:,.0f} tokens was taken as {taken or 0:,}: it was cut"
        )
    if not (answer.text or answer.reasoning).strip():
        raise CheckFailedError(f"a prompt of {taken:,} tokens got an empty answer")
    return f"{taken:,} of {limit:,} tokens, answered after {answer.seconds:.1f} s"


def _taken(reply: Reply, limit: int) -> str:
    document = reply.json()
    usage = read_usage(document.get("usage")) if isinstance(document, dict) else None
    count = usage.prompt_tokens if usage is not None else None
    if count and count <= limit:
        return f"a prompt of more than {limit:,} tokens was silently cut to {count:,}"
    shown = f"{count:,}" if count else f"more than {limit:,}"
    return f"a prompt of {shown} tokens was taken, and the limit should be {limit:,}"


def _told_limit(reply: Reply) -> int | None:
    """Return the limit that llama.cpp states in its error."""
    document = reply.json()
    error = document.get("error") if isinstance(document, dict) else None
    return stated_limit(error)


def _prompt_tokens(asking: Asking, count: int) -> int:
    answer = asking.chat([user(letters(count))], max_tokens=1)
    tokens = answer.usage.prompt_tokens if answer.usage is not None else None
    if not tokens:
        raise CheckFailedError("the server does not count the tokens of a prompt")
    return tokens
