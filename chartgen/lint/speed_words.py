"""The speeds and shares of drafts that somebody typed into a text, by `speed_words.yaml`.

Each pattern looks at no more than some hundred characters from where it begins, so that the time
for a text grows with its length alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from chartgen.lint.clauses import around
from chartgen.resources import shipped_data

Unit = Literal["tokens/s", "tokens/min", "ms/token", "%"]
# How far "about 250" may lie from what was measured; a series that spreads more is no steady one.
ROUGHLY = 0.05

# No repetition of a group is possessive: Python loses matches there before 3.11.5.

# Between the parts of a large number; a space may also stand between two numbers.
_THIN = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\N{RIGHT SINGLE QUOTATION MARK}'"
# 250 or 250.5, with a comma as well; 1,234.5 and 1.234,5; 1 234 and 1'234; 1.2k. No version number.
_PLAIN = r"\d{1,15}+(?:[.,]\d{1,15}+)?"
_GROUPED = "|".join(
    (
        rf"\d{{1,3}}(?:[ {_THIN}]\d{{3}}){{1,3}}(?:[.,]\d{{1,6}}+)?",
        r"\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,6}+|(?<=,\d{3},\d{3}))",
        r"\d{1,3}(?:\.\d{3}){1,3}(?:,\d{1,6}+|(?<=\.\d{3}\.\d{3}))",
    )
)
_NUMBER = rf"(?:{_GROUPED}|{_PLAIN})(?![.,]?\d)(?:\s?(?:(?-i:[kK])(?![^\W\d_])|千))?"
# After a letter or a point: parts of names and versions. "+3" and "by 3" are differences.
_BEGIN = r"(?<![A-Za-z.\d+±])(?<![A-Za-z\d]_)(?<!\d,)(?<!\sby\s)"
# Between a number and its unit: spaces, one line's end, markup.
_SPACE = r"(?:[^\S\n]|&nbsp;|&thinsp;|&#160;|[*_`()\[\]]|</?[a-z]{1,8}>)"
_GAP = rf"{_SPACE}{{0,4}}(?:\n{_SPACE}{{0,4}})?"
# No longer word, no name such as "TPS-100", no "per second-stage", and no rate of something else.
_END = (
    r"(?![A-Za-z0-9_\u0400-\u04ff]|-\d|-stage|-pass)"
    r"(?!\s(?:(?:of|for|in)\s)?(?:audio|speech|sound|music|video|codec|memory|prefill|prompt)\b)"
)
# With a noun after it "second" is no time: "three tokens a second model checks".
_NO_NOUN = r"(?!\s(?:model|time|pass|stage|draft|engine|step)\b)"
_SOME_WORDS = r"[^\d\n,.;:|，。；：、]{0,10}?"
# After a number without a unit of its own: what goes on about it, or nothing.
_ALONE = r"(?![\w%]|[.,]\d|\s?%|\s(?!(?:on|at|in|with|for|and|or|to|mean|avg|average)\b)[^\W\d_])"
# Names of GPUs, as in the titles of `chartgen/hardware/profiles.yaml`, and of others of their kind.
_GPU = re.compile(
    r"\b(?:(?:RTX|GTX|RX)[ -]?(?:PRO[ -]?)?[1-9]\d{3}|[AV]100|A(?:10|40)|[HB]\d00|GB?200|L40S?|L4"
    r"|T4|MI\d{3}X?|DGX Spark|Strix Halo|M[1-5] (?:Max|Pro|Ultra))\b",
    re.IGNORECASE,
)
# Longer than all that says how a number is meant.
_REACH = 28


@dataclass(frozen=True, slots=True)
class TypedSpeed:
    """Numbers with a unit in a text, where in it they begin, and where they end.

    `least` tells that they are lower bounds, as in "over 100 tokens/s", `most` that they are upper
    ones. "Up to 100" says that 100 was reached, and so is a lower one. `roughly` tells of
    "about 100".
    """

    numbers: tuple[str, ...]
    words: str
    offset: int
    end: int
    least: bool = False
    most: bool = False
    roughly: bool = False
    unit: Unit = "tokens/s"

    @property
    def bounds(self) -> tuple[str, ...]:
        """Return the numbers that are said of the speed; "over 100 to 120" is over the first."""
        return self.numbers[:1] if self.least or self.most else self.numbers

    def is_one_of(self, speeds: Iterable[float], number: str) -> bool:
        """Tell whether one of the speeds (tokens/s) is what a number of these says of it.

        Of a percentage they are shares, 0 to 1.
        """
        told = [value for value in map(self._in_unit, speeds) if value is not None]
        return any(self._fits(reading, value) for reading in readings(number) for value in told)

    def _in_unit(self, speed: float) -> float | None:
        if self.unit == "ms/token":
            return 1000 / speed if speed else None
        return speed * {"tokens/min": 60, "%": 100}.get(self.unit, 1)

    def _fits(self, reading: Reading, value: float) -> bool:
        near = reading.step if not self.roughly else max(reading.step, ROUGHLY * value)
        if abs(reading.value - value) < near:
            return True
        return (self.least and value > reading.value) or (self.most and value < reading.value)


@dataclass(frozen=True, slots=True)
class Reading:
    """A written number as it may be meant, rounded or cut off at its last digit, worth `step`."""

    value: float
    step: float


def readings(written: str) -> Iterator[Reading]:
    """Yield what a written number may be: 1,234 is one of thousands or one with three decimals.

    The first part of "Gemma 4 250 tokens/s" may belong to what stands before it.
    """
    digits = written.rstrip("kK千 \t\n")
    scale = 1.0 if digits == written.rstrip() else 1000.0
    texts = [re.sub(rf"[ {_THIN}]", "", digits)]
    if " " in digits:
        texts.append(digits.rpartition(" ")[2])
    for text in texts:
        signs = re.findall(r"[.,]", text)
        value = float(re.sub(r"[.,]", "", text))
        last = len(re.split(r"[.,]", text)[-1])
        if not signs or (last == 3 and len(set(signs)) == 1):
            yield Reading(value * scale, scale)
        if len(signs) == 1 or len(set(signs)) == 2:
            step = scale / 10**last
            yield Reading(value * step, step)


Forms = tuple[tuple[re.Pattern[str], Unit], ...]


def typed_speeds(text: str) -> tuple[TypedSpeed, ...]:
    """Return the speeds that stand in a text as numbers, in their order."""
    patterns = _patterns()
    return _found(text, patterns.speeds) if patterns.hint.search(text) else ()


def typed_acceptance(text: str) -> tuple[TypedSpeed, ...]:
    """Return the shares of accepted drafts that stand in a text as percentages."""
    return _found(text, _patterns().acceptance) if "%" in text else ()


def _found(text: str, forms: Forms) -> tuple[TypedSpeed, ...]:
    found = [(one, unit) for form, unit in forms for one in form.finditer(text)]
    found.sort(key=lambda item: (item[0].start(), -item[0].end()))
    speeds: list[TypedSpeed] = []
    end = 0
    for match, unit in found:
        # What another form has taken is said once.
        if match.start() >= end:
            end = match.end()
            speeds.append(_typed(text, match, unit))
    return tuple(speeds)


def _typed(text: str, match: re.Match[str], unit: Unit) -> TypedSpeed:
    patterns, start = _patterns(), match.start("numbers")
    around = (
        patterns.before.search(text, max(0, start - _REACH), start),
        patterns.after.match(text, match.end()),
        match,
    )
    said = {name for part in around if part for name, word in part.groupdict().items() if word}
    return TypedSpeed(
        tuple(re.findall(_NUMBER, match["numbers"], re.IGNORECASE)),
        " ".join(match[0].split()),
        start,
        match.end(),
        least=bool(said & {"least", "reached"}),
        most="most" in said,
        roughly="roughly" in said,
        unit=unit,
    )


@dataclass(frozen=True, slots=True)
class _Patterns:
    """All ways to write a speed, with the unit of each, and what may stand around one.

    Without `hint` there is no speed in a text, and it is quick to look for.
    """

    hint: re.Pattern[str]
    speeds: Forms
    acceptance: Forms
    before: re.Pattern[str]
    after: re.Pattern[str]
    elsewhere: re.Pattern[str]
    input: re.Pattern[str]
    output: re.Pattern[str]
    difference: re.Pattern[str]
    earlier: re.Pattern[str]


def any_of(words: Iterable[str]) -> str:
    """Return a pattern for any of some words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


def whole_words(words: str) -> str:
    """Return a pattern for words of `any_of` where no Latin letter goes on."""
    return rf"(?<![a-zà-ÿ])(?:{words})(?![a-zà-ÿ])"


def is_of_something_else(text: str, typed: TypedSpeed, gpu: str = "") -> bool:
    """Tell whether the clause around a speed says that it is not how fast the app answers.

    It is that of reading the prompt, of several users together, a limit, a difference, or of a GPU
    that is not named in `gpu`, the title of the app's machine; empty for any.
    """
    patterns = _patterns()
    before, after = around(text, typed.offset, typed.end)
    if patterns.elsewhere.search(before) or patterns.elsewhere.search(after):
        return True
    if patterns.difference.match(text, typed.end):
        return True
    own = _plain(gpu)
    if own and any(_plain(found[0]) not in own for found in _GPU.finditer(f"{before}\n{after}")):
        return True
    reading = _distance(patterns.input, before, after)
    writing = _distance(patterns.output, before, after)
    return reading is not None and (writing is None or reading < writing)


def is_of_earlier_days(text: str, typed: TypedSpeed) -> bool:
    """Tell whether the clause around a speed says that it was so before."""
    before, after = around(text, typed.offset, typed.end)
    earlier = _patterns().earlier
    return earlier.search(before) is not None or earlier.search(after) is not None


def _distance(words: re.Pattern[str], before: str, after: str) -> int | None:
    """Return how many characters lie between a number and the nearest of some words."""
    found = [len(before) - word.end() for word in words.finditer(before)]
    found += [word.start() for word in words.finditer(after)]
    return min(found, default=None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def _patterns() -> _Patterns:
    table = shipped_data("chartgen.lint", "speed_words.yaml")
    word = {
        name: any_of(w for words in rows.values() for w in words) for name, rows in table.items()
    }

    def per(time: str) -> str:
        return (
            rf"(?:\s?[/\uff0f]\s?(?:{time})\.?|[\s-](?:{word['per']})[\s-](?:{time})\.?{_NO_NOUN}"
            rf"|\s?[每毎]\s?(?:{time}))"
        )

    tokens = rf"(?:(?:{word['kind']})[\s-]?)?(?:{word['token']})"
    inverse = r"[\s·⋅]?s\s?(?:⁻¹|\^\{?[-\u2212]1\}?|-1)"
    # A lone t is lower case, as T is the tera of T/s; TPs are several TP.
    rate = (
        rf"(?:{tokens}(?:{per(word['second'])}|{inverse})|(?-i:t){per(word['second'])}"
        rf"|(?-i:T/S|TPS|tps|Tps)){_END}"
    )
    to = rf"\s{{0,2}}(?:{word['to']})\s{{0,2}}"
    numbers = rf"(?P<numbers>(?>{_NUMBER}(?:{to}{_NUMBER}){{0,3}}))"
    by_token = rf"(?:\s?[/\uff0f]\s?|[\s-](?:{word['per']})[\s-]|\s?每\s?)"
    speeds: tuple[tuple[str, Unit], ...] = (
        # 250 tokens/s, **250** tok/s, 200-250 tokens per second, 250+ t/s
        (rf"{_BEGIN}{numbers}(?P<least>\+)?-?{_GAP}{rate}", "tokens/s"),
        # 60 tokens/min
        (rf"{_BEGIN}{numbers}{_GAP}{tokens}{per(word['minute'])}{_END}", "tokens/min"),
        # 4 ms per token
        (rf"{_BEGIN}{numbers}{_GAP}(?:{word['millisecond']}){by_token}{tokens}{_END}", "ms/token"),
        # 每秒生成 250 个词元
        (rf"(?:{word['each second']}){_SOME_WORDS}{numbers}{_GAP}{tokens}", "tokens/s"),
        # tok/s: 250, but not "{tps} tokens/s: 4 users"
        (
            rf"(?<![\w/}}])(?<!\}}\s){rate}{_GAP}[:=：]{_GAP}[<>≤≥≈]?\s?{numbers}{_ALONE}",
            "tokens/s",
        ),
        # | Speed (tok/s) | 250 |
        (
            rf"\|[^|\d{{}}\n]{{0,40}}?(?<![\w/]){rate}[^|\d\n]{{0,8}}\|{_GAP}{numbers}{_GAP}\|",
            "tokens/s",
        ),
        # | 250 | tok/s |
        (rf"\|{_GAP}{numbers}{_GAP}\|{_GAP}{rate}{_GAP}\|", "tokens/s"),
    )
    acceptance = (
        # 86.4 % of the drafts accepted, 86 % acceptance
        rf"{_BEGIN}{numbers}\s?%{_GAP}(?:(?:{word['of drafts']})\s?)?(?:{word['accepted']})",
        # acceptance rate: 86 %
        rf"(?:{word['acceptance']}){_GAP}(?:(?:{word['is']}){_GAP})?{_SOME_WORDS}{numbers}\s?%",
    )
    # A quotation mark, a letter or an arrow before ">" make it no sign of its own.
    least = rf"{word['least']}|(?<![\w\"'/=-])>"
    before = (
        rf"(?<![A-Za-zÀ-ÿ\u0400-\u04ff])(?:(?P<least>{least})|(?P<most>{word['most']})"
        rf"|(?P<reached>{word['reached']}))?{_SPACE}{{0,4}}(?P<roughly>{word['roughly']})?"
        rf"{_SPACE}{{0,4}}$"
    )
    after = (
        rf"{_SPACE}{{0,4}}(?:(?P<least>{word['least after']})|(?P<most>{word['most after']})"
        rf"|(?P<roughly>{word['roughly after']}))"
    )
    return _Patterns(
        hint=_compiled(rf"tps|t\s?/|t\sper|{word['token']}"),
        speeds=tuple((_compiled(form), unit) for form, unit in speeds),
        acceptance=tuple((_compiled(form), "%") for form in acceptance),
        before=_compiled(before),
        after=_compiled(after),
        elsewhere=_compiled(whole_words(word["elsewhere"])),
        input=_compiled(whole_words(word["input"])),
        output=_compiled(whole_words(word["output"])),
        difference=_compiled(rf"{_SPACE}{{0,4}}{whole_words(word['difference'])}"),
        earlier=_compiled(whole_words(word["earlier"])),
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
