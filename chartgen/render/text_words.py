"""Words that tell what of a sentence makes sense alone, in English, German and Chinese."""

from __future__ import annotations

import re

# What stands before a name or number more often than at the end of a sentence.
_SHORTENED = re.compile(
    r"(?<!\w)(?:approx|avg|ca|circa|e\.g|i\.e|incl|max|min|vs|dr|mr|mrs|ms|prof|st|resp|esp|cf"
    r"|bzw|d\.h|ggf|inkl|z\.\s?B|evtl|bspw|vgl|sog|u\.\s?a)\.\Z",
    re.IGNORECASE,
)
# These end sentences as well, but not before a number.
_SHORTENED_BEFORE_NUMBERS = re.compile(
    r"(?<!\w)(?:no|nos|nr|fig|figs|sec|vol|ver|ch|p|pp|eq|tab|etc|usw|abb|kap|bd|abs|art)\.\Z",
    re.IGNORECASE,
)
_REACH = 8
# Such a word leads to a number that was measured, and is of no use without it.
_MEASURED = re.compile(
    r"(?<!\w)(?:rates?|tps|tok|tokens?|t/s|bench\w*|decod(?:e|ing)|prefill|generation|output"
    r"|results?|numbers?|figures?|values?|follow(?:s|ing)|measur\w+|accept\w+|tempo|leistung"
    r"|gemessen\w*|folgend\w*|zahl(?:en)?|werte?|ergebnis\w*)(?!\w)"
    r"|speed|throughput|performance|geschwindigkeit|durchsatz|akzeptanz"
    r"|速度|速率|吞吐|性能|实测|测得|接受率|スループット",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\s*[*_]*\w[\w./-]{0,20}(?: [\w./-]{1,20}){0,2}[*_]*\s*", re.IGNORECASE)
_DEPENDENT = re.compile(
    r"\s*(?:on|with|at|in|for|by|from|under|using|without|when|if|as|per"
    r"|auf|mit|bei|für|unter|ohne|im|am|an|von|wenn|als|pro)\s|\s*[在对用以当]",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"\s*(?:(?:and|but|so|yet)\s+)?(?:however|moreover|furthermore|nevertheless|still|then|also"
    r"|thus|hence|therefore|here|now|today|so|yet|but|and|usually|typically|otherwise|besides"
    r"|additionally|meanwhile|instead|finally|overall|again|first|second|e\.g\.|i\.e\."
    r"|in (?:addition|practice|short|turn|fact|general)|for (?:example|instance)|as a result"
    r"|on average|at (?:best|least|most)|by default|that is|of course"
    r"|jedoch|allerdings|außerdem|dennoch|zudem|trotzdem|daher|deshalb|dann|hier|also|doch|aber|und"
    r"|z\.\s?B\.|zum Beispiel|im Schnitt|im Mittel|in der Praxis|unter anderem|d\.\s?h\."
    r"|但是?|然而|不过|此外|另外|因此|所以|例如|比如|同时|而且)\s*",
    re.IGNORECASE,
)
_AND = re.compile(r"\s+(?:and|or|plus|und|oder|sowie|&)\s+(?=\S)", re.IGNORECASE)
_WIDE_AND = re.compile(r"\s*(?:以及|和|及|与|と)\s*")
# The first of two that belong together.
_HALF = re.compile(
    r"(?<!\w)(?:between|from|both|either|of|zwischen|von|sowohl|entweder)(?!\w)|\d\s*%?\Z",
    re.IGNORECASE,
)


def is_shortened(text: str, end: int, follows: str) -> bool:
    """Tell whether the full stop before `end` belongs to a short form.

    `follows` is the letter that the next word begins with.
    """
    before = text[max(0, end - _REACH) : end]
    if _SHORTENED.search(before):
        return True
    is_number = follows.isdigit() or follows in {"{", "#"}
    return is_number and _SHORTENED_BEFORE_NUMBERS.search(before) is not None


def tells_of_measuring(head: str) -> bool:
    """Tell whether the words before a colon are about a number that was measured."""
    return _MEASURED.search(head) is not None


def is_label(text: str) -> bool:
    """Tell whether a text is up to three words that say nothing alone, as `Speed` or `RTX 5090`."""
    return _LABEL.fullmatch(text) is not None


def stands_alone(head: str) -> bool:
    """Tell whether the words before a colon make sense without what they led to."""
    dependent = is_label(head) or tells_of_measuring(head) or _DEPENDENT.match(head)
    return not dependent and _OPENING.fullmatch(head) is None


def only_opens(clause: str) -> bool:
    """Tell whether a clause only leads over to the next one, as `However`."""
    return _OPENING.fullmatch(clause) is not None


def last_of_list(text: str, start: int, unknown: int) -> int:
    """Return where `and …` begins, by which a clause ends its list, before what is not known.

    Zero where there is none, or where what is before it is half a pair, as in `between 1 and`.
    """
    found = [join.start() for join in _AND.finditer(text, start, unknown + 1)]
    wide = [
        join.start() for join in _WIDE_AND.finditer(text, start, unknown) if join.end() == unknown
    ]
    at = (wide or found or [0])[-1]
    head = text[start:at]
    return at if at and head.strip() and not _HALF.search(head) else 0
