"""Versions of apps: three plain numbers that only rise."""

from __future__ import annotations

import re
from typing import Literal

from chartgen.errors import RefusedError
from chartgen.spec.values import VERSION, VERSION_LENGTH

Bump = Literal["patch", "minor", "major"]
BUMPS: tuple[Bump, ...] = ("patch", "minor", "major")


def number(version: str) -> tuple[int, int, int]:
    """Return a version as three numbers, which compare as versions do."""
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def bumped(current: str, bump: Bump | str, *, released: str | None = None) -> str:
    """Return the version after a bump.

    `bump` is patch, minor, major or an exact version; `released` the newest published one. Raises
    RefusedError for what is no version, and for a version that does not rise above both.
    """
    if bump in BUMPS:
        highest = max(number(current), number(released) if released else (0, 0, 0))
        major, minor, patch = highest
        if bump == "major":
            following = (major + 1, 0, 0)
        elif bump == "minor":
            following = (major, minor + 1, 0)
        else:
            following = (major, minor, patch + 1)
        return _checked(".".join(str(part) for part in following))
    version = _checked(bump)
    for other, what in ((released, "released"), (current, "in the spec")):
        if other is not None and number(version) <= number(other):
            raise RefusedError(f"{version} does not rise above {other}, which is {what}")
    return version


def _checked(version: str) -> str:
    if not re.fullmatch(VERSION, version) or len(version) > VERSION_LENGTH:
        raise RefusedError(
            f"{version!r} is no version: write patch, minor, major or X.Y.Z with plain numbers, "
            f"at most {VERSION_LENGTH} characters"
        )
    return version
