"""Version ranges as a device reads them: Masterminds/semver v3.4.0, constraints.go.

A range is one or more groups with `||` between them; a group is comparisons with commas or spaces
between them, all of which must hold. A version with a prerelease part satisfies a group only where
one of its comparisons names a prerelease itself, which is why ranges for Olares end in `-0`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from semver import Version

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_NUMBER = r"[0-9xX*]+"
_PATTERN = rf"v?{_NUMBER}(?:\.{_NUMBER}){{0,2}}(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?"
# The longer operators stand first, so that `=>` is not read as `=`.
_OPERATOR = r"!=|>=|=>|<=|=<|~>|=|>|<|~|\^|"
_COMPARISON = re.compile(rf"({_OPERATOR})\s*({_PATTERN})")
_GROUP = re.compile(
    rf"\s*(?:{_OPERATOR})\s*{_PATTERN}\s*(?:(?:\s+|,\s*)(?:{_OPERATOR})\s*{_PATTERN}\s*)*"
)
_HYPHEN = re.compile(rf"\s*({_PATTERN})\s+-\s+({_PATTERN})\s*")
_PARTS = re.compile(
    rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?"
    rf"(?:-(?P<pre>{_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
)
_LENIENT = re.compile(
    r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?"
    rf"(?:-(?P<pre>{_IDENTIFIERS}))?(?:\+(?P<build>{_IDENTIFIERS}))?"
)
_PADDED = re.compile(r"0[0-9]+")


def lenient_version(text: str) -> Version | None:
    """Read a version as `NewVersion` of Masterminds/semver does; None where it reads none.

    A leading `v`, missing parts and leading zeros are accepted: `v1.02` is 1.2.0.
    """
    match = _LENIENT.fullmatch(text)
    if match is None or _padded(match["pre"]):
        return None
    numbers = (int(match[1]), int(match[2] or 0), int(match[3] or 0))
    return Version(*numbers, prerelease=match["pre"], build=match["build"])


def _padded(prerelease: str | None) -> bool:
    return any(_PADDED.fullmatch(part) for part in (prerelease or "").split("."))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One comparison; `known` counts the numbers given: `1.2.x` has two, `*` none."""

    operator: str
    version: Version
    known: int

    def holds(self, version: Version, prereleases: bool) -> bool:
        if version.prerelease and not prereleases:
            return False
        return _HOLDS[self.operator](self, version)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A version range that versions can be tested against."""

    groups: tuple[tuple[_Comparison, ...], ...]

    def allows(self, version: Version | str) -> bool:
        """Tell whether a version lies in the range. Raises ValueError for no version."""
        if isinstance(version, str):
            parsed = lenient_version(version)
            if parsed is None:
                raise ValueError(f"{version!r} is not a version")
            version = parsed
        return any(_all_hold(group, version) for group in self.groups)


def _all_hold(group: tuple[_Comparison, ...], version: Version) -> bool:
    prereleases = any(c.version.prerelease for c in group)
    return all(c.holds(version, prereleases) for c in group)


def parse_constraint(text: str) -> Constraint:
    """Read a version range. Raises ValueError where a device would refuse it."""
    spaced = _HYPHEN.sub(r">= \1 <= \2", text)
    return Constraint(tuple(_group(group) for group in spaced.split("||")))


def _group(text: str) -> tuple[_Comparison, ...]:
    if not _GROUP.fullmatch(text):
        raise ValueError(f"{text.strip()!r} is not a version range")
    return tuple(_comparison(m[1], m[2]) for m in _COMPARISON.finditer(text))


def _comparison(operator: str, pattern: str) -> _Comparison:
    parts = _PARTS.fullmatch(pattern)
    if parts is None or _padded(parts["pre"]):
        raise ValueError(f"{pattern!r} is not a version")
    numbers: list[int] = []
    for name in ("major", "minor", "patch"):
        part = parts[name]
        if part is None or part in {"x", "X", "*"}:
            break
        numbers.append(int(part))
    known = len(numbers)
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    version = Version(major, minor, patch, prerelease=parts["pre"])
    return _Comparison(operator, version, known)


def _equal(c: _Comparison, version: Version) -> bool:
    return _tilde(c, version) if c.known < 3 else version == c.version


def _not_equal(c: _Comparison, version: Version) -> bool:
    if c.known == 3:
        return version != c.version
    if version.major != c.version.major:
        return True
    if c.known < 2:
        # `!=*` compares with 0.0.0, `!=1` with everything of major version 1.
        return c.known == 0 and version != c.version
    if version.minor != c.version.minor:
        return True
    return (version.prerelease or "") != (c.version.prerelease or "")


def _greater(c: _Comparison, version: Version) -> bool:
    if c.known == 1:
        return version.major > c.version.major
    if c.known == 2:
        return (version.major, version.minor) > (c.version.major, c.version.minor)
    return version > c.version


def _less_or_equal(c: _Comparison, version: Version) -> bool:
    if c.known == 3:
        return version <= c.version
    if c.known == 1:
        return version.major <= c.version.major
    return (version.major, version.minor) <= (c.version.major, c.version.minor)


def _tilde(c: _Comparison, version: Version) -> bool:
    if version < c.version:
        return False
    if c.known in {0, 3} and (c.version.major, c.version.minor, c.version.patch) == (0, 0, 0):
        return True
    if version.major != c.version.major:
        return False
    return c.known == 1 or version.minor == c.version.minor


def _caret(c: _Comparison, version: Version) -> bool:
    if version < c.version:
        return False
    if c.known == 0:
        return version.major == 0 and version.minor == 0 and version.patch == 0
    if version.major != c.version.major:
        return False
    if c.version.major > 0 or c.known == 1:
        return True
    if version.minor != c.version.minor:
        return False
    return c.version.minor > 0 or c.known == 2 or version.patch == c.version.patch


_HOLDS: dict[str, Callable[[_Comparison, Version], bool]] = {
    "": _equal,
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": lambda c, version: version < c.version,
    ">=": lambda c, version: version >= c.version,
    "=>": lambda c, version: version >= c.version,
    "<=": _less_or_equal,
    "=<": _less_or_equal,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
