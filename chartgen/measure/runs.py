"""A bench: one cold run, warm-up, then the runs that count, for one user or several at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from chartgen.evidence.record import Run
from chartgen.measure.chat import ChatRequest, NoUsageError, chat_limits, timed_run
from chartgen.measure.connection import Connection, Limits
from chartgen.measure.endpoint import read_counters
from chartgen.measure.faults import EndpointError
from chartgen.measure.metrics import Drafts, drafts_between
from chartgen.measure.prompt import game_prompt, messages

# Left free of filler for the question itself, the chat template and a picture.
_BESIDE_FILLER_TOKENS = 1024
# Apart enough that their mean length is that of the filler, and few for the smallest context.
_PROBE_WORDS = (50, 250)
# Enough for a model that thinks to say a word: the first tokens of a thought are not shown.
_PROBE_TOKENS = 16
# None of the runs has it, so that no cache knows their prompts.
_PROBE_SEED = 999_999_999
# What people sample with in this community's benches (engines.md §6): not greedy, as drafts would
# then be accepted more often than in use.
TEMPERATURE, TOP_P = 0.6, 0.95
MAX_TOKENS = 2500
# What two benches must have alike for their numbers to be compared, and how it is called; how often
# they ask is free.
_COMPARED = {
    "users": "number of users",
    "prompt_tokens": "length of prompts",
    "image": "question (no picture)",
    "max_tokens": "length of answers",
    "temperature": "temperature",
    "top_p": "top-p",
}
# How long a stream may be silent: before the first words and between any two, for each token of a
# longer prompt, and for each token of an answer that another user waits for. Engines on one card
# read 700 tokens/s of a long prompt and more, and write 30 (engines.md §6).
_SILENCE_SECONDS, _READ_SECONDS, _WRITE_SECONDS = 120.0, 1 / 200, 1 / 20


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What a bench asks, and how often.

    `runs` rounds count, `warm_up` rounds come before them; each round has a request for each of
    `users`, begun at the same time. `prompt_tokens` is the length that prompts are filled up to,
    0 for the prompt alone, and `fill_words` what that takes (see `fitted`). `silence_seconds` is
    the longest pause within an answer.
    """

    model: str
    runs: int = 10
    warm_up: int = 1
    users: int = 1
    prompt_tokens: int = 0
    fill_words: int = 0
    image: bool = False
    max_tokens: int = MAX_TOKENS
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    silence_seconds: float = _SILENCE_SECONDS

    @property
    def unusual(self) -> tuple[str, ...]:
        """Return in what it differs from what all apps are compared by: one user, one question."""
        usual = BenchPlan(self.model)
        differing = (name for name in _COMPARED if getattr(self, name) != getattr(usual, name))
        return tuple(_COMPARED[name] for name in differing)

    @property
    def limits(self) -> Limits:
        """Return the limits of each answer."""
        return chat_limits(self.max_tokens, self.silence_seconds)

    def request(self, number: int) -> ChatRequest:
        """Return the request of that number, from 0; no two have the same seed or filler."""
        settings = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": number,
        }
        asked = messages(game_prompt(), fill_words=self.fill_words, seed=number, image=self.image)
        return ChatRequest(settings, asked)

    def settings(self) -> dict[str, Any]:
        """Return what evidence says of the requests."""
        first = self.request(0)
        seed = first.settings["seed"]
        return {
            **{name: value for name, value in first.settings.items() if name != "seed"},
            "first_seed": seed,
            "stream": True,
            "prompt": f"sha256:{hashlib.sha256(game_prompt().encode()).hexdigest()}",
            "prompt_tokens": self.prompt_tokens,
            "fill_words": self.fill_words,
            "image": self.image,
            "warm_up": self.warm_up,
        }


@dataclass(frozen=True, slots=True)
class Round:
    """What one round brought: a run for each user.

    `counts` tells a round of the series from one of the warm-up. `total` is what all users got
    together in tokens/s. `drafts` are those that the engine counted in the round.
    """

    runs: tuple[Run, ...]
    counts: bool
    total: float
    drafts: Drafts | None
    streaming: bool


@dataclass(frozen=True, slots=True)
class Series:
    """What a bench has so far: the rounds that are finished, whole or interrupted."""

    rounds: tuple[Round, ...] = ()
    # Runs of the warm-up that are kept: those of the very first round.
    cold: tuple[Run, ...] = field(default=())

    def with_round(self, found: Round) -> Series:
        """Return the series with one more round."""
        cold = tuple(run for run in found.runs if run.cold) if not found.counts else ()
        rounds = (*self.rounds, found) if found.counts else self.rounds
        return Series(rounds, self.cold + cold)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return all runs that are kept, the cold ones first."""
        return (*self.cold, *(run for found in self.rounds for run in found.runs))

    @property
    def streaming(self) -> bool:
        """Tell whether the runs were streamed."""
        return all(found.streaming for found in self.rounds)

    @property
    def drafts(self) -> Drafts | None:
        """Return the drafts of all warm rounds; None where one of them was not counted."""
        warm = [found.drafts for found in self.rounds if not any(run.cold for run in found.runs)]
        counted = [drafts for drafts in warm if drafts is not None]
        if not counted or len(counted) < len(warm):
            return None
        return Drafts(sum(one.drafted for one in counted), sum(one.accepted for one in counted))

    @property
    def total(self) -> float | None:
        """Return what all users got together, the mean of the warm rounds in tokens/s."""
        warm = [found.total for found in self.rounds if not any(run.cold for run in found.runs)]
        return sum(warm) / len(warm) if warm else None


def usual_silence(prompt_tokens: int, users: int, max_tokens: int) -> float:
    """Return how many seconds a sound engine may be silent: it reads a prompt, or has a queue."""
    reading, queue = prompt_tokens * _READ_SECONDS, (users - 1) * max_tokens * _WRITE_SECONDS
    return _SILENCE_SECONDS + reading + queue


def fill_tokens(context: int, per_cent: int, max_tokens: int) -> int:
    """Return the prompt length that fills so much of a context and leaves room for the answer."""
    most = max(0, context - max_tokens - _BESIDE_FILLER_TOKENS)
    return min(context * per_cent // 100, most)


def fitted(connection: Connection, plan: BenchPlan) -> BenchPlan:
    """Return a plan whose prompts have about the length asked for by this model's own counting.

    Two short answers tell how long prompts with a little filler are. Where they are not
    counted, a word is taken for a token. Raises EndpointError as a run does.
    """
    if not plan.prompt_tokens:
        return plan
    probe = replace(plan, max_tokens=_PROBE_TOKENS)
    few, many = _PROBE_WORDS
    less = _prompt_tokens(connection, replace(probe, fill_words=few))
    more = _prompt_tokens(connection, replace(probe, fill_words=many))
    if less is None or more is None or more <= less:
        return replace(plan, fill_words=plan.prompt_tokens)
    words = few + (plan.prompt_tokens - less) * (many - few) / (more - less)
    return replace(plan, fill_words=max(0, round(words)))


def _prompt_tokens(connection: Connection, plan: BenchPlan) -> int | None:
    request = plan.request(_PROBE_SEED)
    try:
        return timed_run(connection, request, plan.limits).prompt_tokens
    except NoUsageError:
        pass
    try:
        return timed_run(connection, request, plan.limits, streaming=False).prompt_tokens
    except EndpointError:
        # Whatever else was wrong, the first run will meet it again and say it.
        return None


def measure(connection: Connection, plan: BenchPlan) -> Iterator[Round]:
    """Yield the rounds of a bench, warm-up first, each when it is finished.

    The very first runs are marked as cold. Where the endpoint counts no tokens in streams, all
    rounds are measured without streaming. Raises EndpointError for a broken run. Whoever stops
    in between has what was yielded.
    """
    streaming = True
    before = read_counters(connection)
    watched = before.answered
    for number in range(plan.warm_up + plan.runs):
        try:
            runs, total = _round(connection, plan, number, streaming=streaming)
        except NoUsageError:
            if number:
                raise EndpointError(
                    f"{connection.address.url}: a stream has no `usage`, and those before it had "
                    "one, so that the runs cannot be compared; look into the engine's log"
                ) from None
            streaming = False
            # What the first try drafted is no part of the round.
            before = read_counters(connection)
            runs, total = _round(connection, plan, number, streaming=False)
        after = read_counters(connection) if watched else before
        drafts = drafts_between(before.drafts, after.drafts)
        before = after
        if drafts is not None and plan.users == 1:
            # The engine's own counters see all of a run, its last event may leave drafts out.
            runs = tuple(
                replace(run, accepted_tokens=drafts.accepted, drafted_tokens=drafts.drafted)
                for run in runs
            )
        if drafts is None:
            drafts = _told_drafts(runs)
        cold = number == 0
        yield Round(
            runs=tuple(replace(run, cold=cold) for run in runs),
            counts=number >= plan.warm_up,
            total=total,
            drafts=drafts,
            streaming=streaming,
        )


def _round(
    connection: Connection, plan: BenchPlan, number: int, *, streaming: bool
) -> tuple[tuple[Run, ...], float]:
    """Measure one request for each user, all begun together; return the runs and their total."""
    requests = [plan.request(number * plan.users + user) for user in range(plan.users)]
    if plan.users == 1:
        run = timed_run(connection, requests[0], plan.limits, streaming=streaming)
        return (run,), run.tokens_per_second
    with ThreadPoolExecutor(plan.users) as pool:
        begun = [
            pool.submit(timed_run, connection, request, plan.limits, streaming=streaming)
            for request in requests
        ]
        try:
            _check_all(begun)
        except NoUsageError:
            raise
        except BaseException:
            # A run that has failed, or Ctrl-C: nobody waits for the others.
            connection.hang_up()
            raise
        runs = tuple(one.result() for one in begun)
    seconds = max(_seconds(run) for run in runs)
    return runs, sum(run.completion_tokens or 0 for run in runs) / seconds


def _check_all(begun: Sequence[Future[Run]]) -> None:
    """Wait for all runs, or for the first that fails, and raise what it raised."""
    done, _ = wait(begun, return_when=FIRST_EXCEPTION)
    for one in begun:
        if one in done and (error := one.exception()) is not None:
            raise error


def _seconds(run: Run) -> float:
    """Return how long a run took, from the request to its last token."""
    return (run.completion_tokens or 0) / run.tokens_per_second


def _told_drafts(runs: tuple[Run, ...]) -> Drafts | None:
    """Return the drafts that the answers themselves tell, as llama.cpp's do."""
    if any(run.drafted_tokens is None or run.accepted_tokens is None for run in runs):
        return None
    return Drafts(
        sum(run.drafted_tokens or 0 for run in runs), sum(run.accepted_tokens or 0 for run in runs)
    )
