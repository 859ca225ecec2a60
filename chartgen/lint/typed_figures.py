"""Acceptance and context length that somebody typed into a text: whether they are what is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from chartgen.engines import engine_facts
from chartgen.evidence.beside import current_evidence, subject_of
from chartgen.evidence.figures import share_text
from chartgen.evidence.standing import fits_context
from chartgen.findings import Finding
from chartgen.lint.clauses import clause, rest_of_sentence
from chartgen.lint.rules import finding
from chartgen.lint.shown_texts import ShownText, shown_texts
from chartgen.lint.speed_words import any_of, readings, typed_acceptance, whole_words
from chartgen.render.texts import context_text
from chartgen.resources import shipped_data
from chartgen.spec.load import LoadedSpec

# 128K, 1M, 131072 and 131,072: what is no K has four digits at least.
_LENGTH = r"\d{1,4}(?:[.,]\d{1,3})?\s?[km](?![a-z])|\d{1,3}(?:[., \u00a0\u202f]\d{3}){1,2}|\d{4,7}"
_MARKUP = r"(?:[\s*_`(]|&nbsp;){0,3}"
# 131K is cut off from 131,072; of a number with few digits the last one is no measure.
_CUT_OFF = 0.02
_VERSION = re.compile(r"\d+\.\d+\.\d+")
# A year, but for 2048, as people write it; a length says "tokens" then.
_YEAR = re.compile(r"(?!2048)(?:19\d\d|20\d\d|2100)")
# In a row of a table: the memory that a length needs.
_MEMORY = re.compile(r"\d\s?[kmgt]i?b\b", re.IGNORECASE)


def figure_findings(loaded: LoadedSpec, machine: str = "") -> Iterator[Finding]:
    """Yield the typed-in shares of accepted drafts and context lengths that nothing bears out.

    Only in the texts of today: change notes tell of what was before.
    """
    for shown in shown_texts(loaded):
        yield from _acceptance(loaded, shown, machine)
        yield from _context(loaded, shown)


def _acceptance(loaded: LoadedSpec, shown: ShownText, machine: str) -> Iterator[Finding]:
    typed = typed_acceptance(shown.text)
    if not typed or not engine_facts(loaded.spec.engine.kind).openai_api:
        return
    benches = current_evidence(loaded, "bench", machine)
    told = [share for kept in benches if (share := kept.measurement.acceptance) is not None]
    for item in typed:
        if all(item.is_one_of(told, number) for number in item.bounds):
            continue
        says = f"and the newest bench says {share_text(told[-1])}" if told else ""
        message = f"{shown.name} says {item.words!r}, {says or 'and no bench has counted drafts'}"
        yield finding("acceptance-unproven", shown.place(item.offset), message)


def _context(loaded: LoadedSpec, shown: ShownText) -> Iterator[Finding]:
    stated = loaded.spec.engine.context
    if stated is None:
        return
    patterns = _patterns()
    matches = list(patterns.lengths.finditer(shown.text))
    if not matches:
        return
    today = subject_of(loaded)

    def fits(written: str) -> bool:
        return any(fits_context(length, today) for length in _lengths(written, stated))

    for found in matches:
        written = found["before"] or found["after"]
        if fits(written) or _is_of_something_else(shown.text, found, patterns):
            continue
        others = patterns.length.findall(rest_of_sentence(shown.text, *found.span()))
        if any(map(fits, others)):
            # "The model has 256K context, of which this app uses 128K."
            continue
        words = " ".join(found[0].split())
        message = f"{shown.name} says {words!r}, and engine.context is {context_text(stated)}"
        yield finding("context-contradicted", shown.place(found.start()), message)


def _is_of_something_else(text: str, found: re.Match[str], patterns: _Patterns) -> bool:
    said = clause(text, *found.span())
    if patterns.elsewhere.search(said) or _VERSION.search(said):
        return True
    if said.lstrip().startswith("|") and _MEMORY.search(said):
        return True
    is_year = _YEAR.fullmatch(found["before"] or found["after"]) is not None
    return is_year and not (patterns.token.search(found[0]) or patterns.token_after(text, found))


def _lengths(written: str, stated: int) -> Iterator[int]:
    """Yield the lengths (tokens) that may be meant; `stated` where it is that, rounded or cut off.

    128K is 131,072 or 128,000, and so is 128,000; 131K is 131,072, too.
    """
    told = {"k": 1, "m": 2}.get(written[-1].lower(), 0)
    for reading in readings(written.rstrip("kKmM \t\n")):
        if told == 0:
            yield int(reading.value)
        for power in range(max(told, 1), 3):
            # 1,000,000 is 1000K and 1M as well.
            value = reading.value / 1000 ** (power - told)
            if power > told and not value.is_integer():
                break
            for unit in (1000**power, 1024**power):
                yield round(value * unit)
                if abs(stated / unit - value) < min(reading.step, _CUT_OFF * value):
                    yield stated


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What a context length looks like, alone and with its word, and what makes it another one."""

    lengths: re.Pattern[str]
    length: re.Pattern[str]
    token: re.Pattern[str]
    elsewhere: re.Pattern[str]

    def token_after(self, text: str, found: re.Match[str]) -> bool:
        """Tell whether the tokens are named right after a length."""
        return self.token.match(text, found.end()) is not None


@cache
def _patterns() -> _Patterns:
    table = shipped_data("chartgen.lint", "context_words.yaml")
    word = {
        name: any_of(w for words in rows.values() for w in words) for name, rows in table.items()
    }
    begin, end = r"(?<![A-Za-z0-9.,])", r"(?![A-Za-z0-9])"
    lengths = (
        rf"{begin}(?P<before>{_LENGTH})-?{_MARKUP}(?:(?:{word['token']}){_MARKUP})?"
        rf"(?:(?:{word['of']}){_MARKUP})?(?:{word['context']}){end}"
        rf"|{begin}(?<!-)(?:{word['context']}){_MARKUP}(?:(?:{word['of']}){_MARKUP})?"
        rf"(?P<after>{_LENGTH}){end}"
    )
    return _Patterns(
        *(
            re.compile(pattern, re.IGNORECASE)
            for pattern in (
                lengths,
                rf"{begin}(?:{_LENGTH}){end}",
                rf"{_MARKUP}-?(?:{word['token']}){end}",
                whole_words(word["elsewhere"]),
            )
        )
    )
