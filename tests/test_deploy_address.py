"""The address in market.yaml against the one at which devices will reach the market."""

from __future__ import annotations

import pytest

from chartgen.market.deploy.address import address_findings, address_of
from chartgen.market.deploy.publication import Target
from chartgen.market.settings import PLACEHOLDER

REACHED = "https://mine.acme.workers.dev"


@pytest.mark.parametrize(
    ("domain", "host", "address"),
    [
        (None, "acme.workers.dev", REACHED),
        ("apps.example.net", "acme.workers.dev", "https://apps.example.net"),
        ("apps.example.net", None, "https://apps.example.net"),
        (None, None, None),
    ],
)
def test_a_domain_goes_before_workers_dev(
    domain: str | None, host: str | None, address: str | None
) -> None:
    assert address_of(Target("mine", domain), host) == address


@pytest.mark.parametrize(
    "stated",
    [REACHED, f"{REACHED}:443", "https://Mine.ACME.workers.dev"],
)
def test_the_same_place_in_other_words_is_no_finding(stated: str) -> None:
    assert address_findings(stated, REACHED) == ()


@pytest.mark.parametrize(
    "stated",
    [
        "https://mine.other.workers.dev",
        f"{REACHED}:8443",
        f"{REACHED}:99999",
        f"{REACHED}/market",
    ],
)
def test_another_place_is_found_with_the_remedy(stated: str) -> None:
    (found,) = address_findings(stated, REACHED)

    assert (found.rule, found.severity.value) == ("market-url-elsewhere", "warning")
    assert stated in found.message and REACHED in found.message
    assert f"url: {REACHED}" in found.remedy
    assert "--bump patch" in found.remedy


@pytest.mark.parametrize(("stated", "reached"), [(PLACEHOLDER, REACHED), (REACHED, None)])
def test_nothing_is_said_of_the_example_or_of_what_nobody_knows(
    stated: str, reached: str | None
) -> None:
    assert address_findings(stated, reached) == ()
