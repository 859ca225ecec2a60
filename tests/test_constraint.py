"""Version ranges as Masterminds/semver v3.4.0 reads them."""

from __future__ import annotations

import pytest

from chartgen.olares.constraint import lenient_version, parse_constraint

# Ranges and versions from the library's documentation (README, "Checking Version Constraints")
# and from the device's lint; what holds follows from the text there.
HOLDS = [
    (">=1.12.6-0", "1.12.6", True),
    (">=1.12.6-0", "1.12.6-20260701", True),
    (">=1.12.6-0", "2.0.0", True),
    (">=1.12.6-0", "1.12.5", False),
    (">=1.12.6", "1.12.7-20260801", False),
    (">=1.12.3-0,<1.12.6", "1.12.3", True),
    (">=1.12.3-0,<1.12.6", "1.12.5", True),
    (">=1.12.3-0,<1.12.6", "1.12.2", False),
    (">=1.12.3-0,<1.12.6", "1.12.6", False),
    # One prerelease in a group opens all of the group to prereleases.
    (">=1.12.3-0,<1.12.6", "1.12.4-rc.1", True),
    (">=1.12.3,<1.12.6", "1.12.4-rc.1", False),
    (">= 1.2, < 3.0.0 || >= 4.2.3", "2.5.0", True),
    (">= 1.2, < 3.0.0 || >= 4.2.3", "3.5.0", False),
    (">= 1.2, < 3.0.0 || >= 4.2.3", "4.2.3", True),
    (">= 1.2 < 3.0.0", "2.9.9", True),
    ("1.2 - 1.4.5", "1.4.5", True),
    ("1.2 - 1.4.5", "1.4.6", False),
    ("2.3.4 - 4.5", "4.5.9", True),
    ("1.2.x", "1.2.9", True),
    ("1.2.x", "1.3.0", False),
    (">= 1.2.x", "1.2.0", True),
    ("<= 2.x", "2.9.9", True),
    ("<= 2.x", "3.0.0", False),
    ("*", "0.0.1", True),
    ("*", "1.0.0-rc.1", False),
    ("~1.2.3", "1.2.9", True),
    ("~1.2.3", "1.3.0", False),
    ("~1", "1.9.9", True),
    ("~1", "2.0.0", False),
    ("~2.3", "2.3.9", True),
    ("~2.3", "2.4.0", False),
    ("~1.x", "1.9.0", True),
    ("~>1.2.3", "1.2.4", True),
    ("^1.2.3", "1.9.9", True),
    ("^1.2.3", "2.0.0", False),
    ("^0.2.3", "0.2.9", True),
    ("^0.2.3", "0.3.0", False),
    ("^0.2", "0.2.9", True),
    ("^0.0.3", "0.0.3", True),
    ("^0.0.3", "0.0.4", False),
    ("^0.0", "0.0.9", True),
    ("^0.0", "0.1.0", False),
    ("^0", "0.9.9", True),
    ("^0", "1.0.0", False),
    ("!=1.2.3", "1.2.4", True),
    ("!=1.2.3", "1.2.3", False),
    ("!=1.2.x", "1.2.9", False),
    ("!=1.2.x", "1.3.0", True),
    ("!=1.x", "1.9.9", False),
    ("!=*", "0.0.1", True),
    (">1.2", "1.2.9", False),
    (">1.2", "1.3.0", True),
    (">1", "1.9.9", False),
    (">1", "2.0.0", True),
    ("=1.2.3", "1.2.3+build", True),
    ("1.2.3", "1.2.3", True),
    ("1.2.3", "1.2.4", False),
    ("=>1.2.3", "1.2.3", True),
    ("=<1.2.3", "1.2.3", True),
    ("v1.2.3", "1.2.3", True),
]


@pytest.mark.parametrize(("range_", "version", "expected"), HOLDS)
def test_range_holds(range_: str, version: str, expected: bool) -> None:
    assert parse_constraint(range_).allows(version) is expected


@pytest.mark.parametrize(
    "text", ["", "newest", ">=", ">= 1.2.3 and < 2", "1.2.3.4", "==1.2.3", ">=1.0.0-01", "1.2,"]
)
def test_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"version"):
        parse_constraint(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("1.2", "1.2.0"),
        ("1", "1.0.0"),
        ("01.2.3", "1.2.3"),
        ("1.2.3-rc.1+b.2", "1.2.3-rc.1+b.2"),
    ],
)
def test_version_is_read_leniently(text: str, version: str) -> None:
    assert str(lenient_version(text)) == version


@pytest.mark.parametrize(
    "text", ["", "1.", "a", "1.2.3.4", "1.2.3-", "1.2.3-01", " 1.2.3", "1.2.3\n"]
)
def test_version_is_refused(text: str) -> None:
    assert lenient_version(text) is None


def test_what_is_no_version_cannot_be_tested() -> None:
    with pytest.raises(ValueError, match="not a version"):
        parse_constraint("*").allows("newest")
