"""One measurement of one release on one machine, as it is kept: written once, sealed.

The seal is the SHA-256 of all the rest in a fixed spelling. It is no signature: it shows an edit,
a merge or a cut file, and that is what it is for. A file says its own number under the seal, and
the seals of the files that it was written after, so that one that was moved, copied or taken away
shows too (`chartgen.evidence.folder`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from chartgen.evidence.files import MAX_BYTES, MAX_NUMBER
from chartgen.spec.values import APP_NAME, VERSION

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# Of the form of the file; a later one may have other fields.
FORMAT = 1

# Whole numbers do not pass for text nor text for numbers; unknown fields are a fault.
_STRICT = ConfigDict(strict=True, extra="forbid")

# Far above anything that one request has had (a card of today writes some thousand tokens/s in
# all), and small enough that sums and squares of a series stay exact numbers.
MAX_RATE = 1e6
MAX_SECONDS = 1e6
MAX_COUNT = 10**9


def _calendar_day(text: str) -> str:
    if text:
        date.fromisoformat(text)
    return text


Rate = Annotated[float, Field(ge=0, le=MAX_RATE, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Line = Annotated[str, Field(max_length=1000)]
Date = Annotated[
    str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"), AfterValidator(_calendar_day)
]
Digest = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Seal = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Run:
    """One measured request; None stands for what is not known.

    `tokens_per_second` is end to end: completion tokens by the time from the request to the last
    token. `decode_tokens_per_second` leaves the wait for the first token out. `accepted_tokens`
    of `drafted_tokens` were right. The first run after a start is `cold`; statistics leave it out.
    """

    __pydantic_config__ = _STRICT

    tokens_per_second: Rate
    decode_tokens_per_second: Rate | None = None
    first_token_seconds: Seconds | None = None
    completion_tokens: Count | None = None
    prompt_tokens: Count | None = None
    accepted_tokens: Count | None = None
    drafted_tokens: Count | None = None
    cold: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication tells of runs (tokens/s) that it does not list one by one.

    `two_speeds`: it says itself that quick and slow phases took turns, so that its mean is of the
    quick ones only or of no run at all, and is no headline.
    """

    __pydantic_config__ = _STRICT

    mean: Rate
    least: Rate | None = None
    most: Rate | None = None
    range: Rate | None = None
    runs: Count | None = None
    two_speeds: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a smoke test."""

    __pydantic_config__ = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=100)]
    outcome: Literal["passed", "failed", "skipped"]
    detail: Line = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A bench or a smoke test of one release of an app on one named machine.

    `version` is empty where it is not known, or where no release was measured but a `trial`, which
    then says what it was; neither is ever shown as the number of a release. `workload` is the
    digest of what ran (`chartgen.evidence.workload`), empty for what was imported; `content` is
    the content digest of the chart for each platform. `engine` is the version that the endpoint
    reports. `hardware` is the name of a profile. `date` (YYYY-MM-DD) is given by whoever measures.
    `users` requests ran at a time; `settings` are what each request said. `source` names the
    publication that an imported measurement is from, and is empty for one that chartgen made;
    `note` tells what the source leaves open. `accepted_tokens` and `drafted_tokens` are of all
    runs together, where the single runs do not tell them.

    `number` is that of the file's name, and `after` are the seals of the newest files of the app
    when it was written; imported files and those of an early chartgen have neither. `seal` is that
    of the file it was read from, empty before it is written.
    """

    __pydantic_config__ = _STRICT

    kind: Literal["bench", "smoke"]
    app: Annotated[str, Field(pattern=APP_NAME)]
    version: Annotated[str, Field(pattern=rf"{VERSION}|^$")]
    workload: Digest = ""
    content: Mapping[str, str] = field(default_factory=dict)
    image: Line = ""
    engine: Line = ""
    hardware: Line = ""
    date: Date = ""
    context: Annotated[int, Field(gt=0, le=MAX_COUNT)] | None = None
    users: Annotated[int, Field(gt=0, le=MAX_COUNT)] = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    published: Published | None = None
    checks: tuple[Check, ...] = ()
    source: Line = ""
    trial: Line = ""
    note: Line = ""
    accepted_tokens: Count | None = None
    drafted_tokens: Count | None = None
    number: Annotated[int, Field(gt=0, le=MAX_NUMBER)] | None = None
    after: tuple[Seal, ...] = ()
    seal: str = field(default="", compare=False)

    @property
    def imported(self) -> bool:
        """Tell that a publication says so, and chartgen did not measure it."""
        return bool(self.source)

    @property
    def acceptance(self) -> float | None:
        """Return the share of drafted tokens that were accepted, 0 to 1; None where unknown."""
        accepted, drafted = self.accepted_tokens, self.drafted_tokens
        if accepted is None or drafted is None:
            told = [
                (run.accepted_tokens, run.drafted_tokens)
                for run in self.runs
                if not run.cold
                and run.accepted_tokens is not None
                and run.drafted_tokens is not None
            ]
            accepted, drafted = (sum(part) for part in zip(*told, strict=True)) if told else (0, 0)
        return accepted / drafted if drafted else None


@dataclass(frozen=True, slots=True)
class Unsound:
    """Why a file is no measurement; `broken_seal` where it was one and has been changed."""

    message: str
    broken_seal: bool = False


def measurement_json(measurement: Measurement) -> bytes:
    """Return the sealed file of a measurement.

    Raises ValueError for a measurement that could not be read back: a number that is not finite or
    beyond its bounds, a bench without runs, a smoke test without checks, an unknown kind.
    """
    told = _told(replace(measurement, seal=""))
    body: dict[str, Any] = {"format": FORMAT, "version": "", **told}
    sealed = {**body, "seal": _seal(body)}
    data = (json.dumps(sealed, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    found = parse_measurement(data)
    if isinstance(found, Unsound):
        raise ValueError(found.message)
    return data


def parse_measurement(data: bytes) -> Measurement | Unsound:
    """Read the file of a measurement; says why where it is none."""
    if len(data) > MAX_BYTES:
        return Unsound(f"it has more than {MAX_BYTES:,} bytes")
    try:
        found = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
        if not isinstance(found, dict):
            return Unsound("it holds no object")
        seal = found.pop("seal", None)
        sound = seal == _seal(found)
    except (ValueError, RecursionError) as error:
        return Unsound(f"it is no JSON that chartgen writes: {error}"[:200])
    if seal is None:
        return Unsound("it has no seal")
    if not sound:
        return Unsound("its seal does not fit what it says", broken_seal=True)
    if found.pop("format", None) != FORMAT:
        return Unsound(f"it is not of format {FORMAT}; a newer chartgen may have written it")
    measurement = _validated(found)
    return measurement if isinstance(measurement, Unsound) else replace(measurement, seal=seal)


def _told(part: Any) -> dict[str, Any]:
    """Return the fields of a part that say something; what is not known takes no line."""
    told: dict[str, Any] = {}
    for item in fields(part):
        value = getattr(part, item.name)
        if value is None or value is False or value in ("", (), {}):
            continue
        if is_dataclass(value):
            value = _told(value)
        elif isinstance(value, tuple):
            value = [_told(inner) if is_dataclass(inner) else inner for inner in value]
        told[item.name] = dict(value) if isinstance(value, Mapping) else value
    return told


def _validated(found: Mapping[str, Any]) -> Measurement | Unsound:
    try:
        measurement = _adapter().validate_json(json.dumps(found))
    except ValueError as error:
        return Unsound(_first_error(error))
    if measurement.kind == "smoke" and not measurement.checks:
        return Unsound("it is a smoke test without checks")
    if measurement.kind == "bench" and not measurement.runs and measurement.published is None:
        return Unsound("it is a bench without runs")
    if measurement.trial and measurement.version:
        return Unsound("it is of a release and of a trial at the same time")
    counted: list[Measurement | Run] = [measurement, *measurement.runs]
    if any(map(_too_many_accepted, counted)):
        return Unsound("more tokens were accepted than drafted")
    return measurement


def _too_many_accepted(counted: Measurement | Run) -> bool:
    accepted, drafted = counted.accepted_tokens, counted.drafted_tokens
    return accepted is not None and drafted is not None and accepted > drafted


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Measurement]:
    from pydantic import TypeAdapter

    return TypeAdapter(Measurement)


def _first_error(error: ValueError) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)[:200]
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return f"{name}: {first['msg']}"[:200]


def _seal(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
