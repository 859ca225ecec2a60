"""Addresses of endpoints, as people copy them."""

from __future__ import annotations

import pytest

from chartgen.errors import RefusedError
from chartgen.measure.address import Address, read_endpoint


@pytest.mark.parametrize(
    ("given", "address", "shown"),
    [
        ("http://10.0.0.5:8000", Address("http", "10.0.0.5", 8000, ""), "http://10.0.0.5:8000"),
        ("http://10.0.0.5:8000/", Address("http", "10.0.0.5", 8000, ""), "http://10.0.0.5:8000"),
        ("https://a.example/v1", Address("https", "a.example", 443, ""), "https://a.example"),
        ("https://a.example/v1/", Address("https", "a.example", 443, ""), "https://a.example"),
        (
            "https://a.example:8443/llm/v1/chat/completions",
            Address("https", "a.example", 8443, "/llm"),
            "https://a.example:8443/llm",
        ),
        ("http://[::1]:80/v1", Address("http", "::1", 80, ""), "http://[::1]"),
        (
            f"http://{'a' * 63}.b.",
            Address("http", f"{'a' * 63}.b.", 80, ""),
            f"http://{'a' * 63}.b.",
        ),
        ("http://A.Example", Address("http", "a.example", 80, ""), "http://a.example"),
    ],
)
def test_what_people_copy_is_understood(given: str, address: Address, shown: str) -> None:
    assert read_endpoint(given) == address
    assert read_endpoint(given).url == shown


@pytest.mark.parametrize(
    "given",
    [
        "",
        "localhost:8000",
        "ftp://a.example",
        "http://",
        "http://a.example/v1?x=1",
        "http://a.example/#x",
        "http://a.example:99999",
        "http://a b.example",
        "http://a.example/\x1b[2J",
        "http://[::1",
        "http://ä.example",
        "http://a..b/",
        "http://.a",
        f"http://{'a' * 64}.b",
        f"http://{'a.' * 130}",
        "http://a.example:0",
        "http://a.example:-1",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(RefusedError):
        read_endpoint(given)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(RefusedError, match="CHARTGEN_API_KEY") as refused:
        read_endpoint("https://user:geheim@a.example")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ftp://user:geheim@a.example/", "ftp://…@a.example/: is no address"),
        ("http://user:geheim@a.example:99999/", "http://a.example: its port"),
        ("http://user:ge heim@a.example/", "http://…@a.example/: an address has neither"),
        ("http://user:gehäim@a.example/", "http://…@a.example/: an address has neither"),
        ("http://user:ge@heim@a b", "http://…@a b: an address has neither"),
        ("http://user:ge?heim@a b", "http://…: an address has neither"),
        ("http://user:geheim/x@a.example", "http://user: its port"),
        ("user:geheim@a.example", "…@a.example: is no address"),
        ("x user:geheim@a.example://b", "…@a.example://b: an address has neither"),
        ("http://a.example/?api_key=geheim", "http://a.example/?…: an endpoint's address has no"),
        ("http://a.example/?mail=a@b&key=geheim", "http://…: an endpoint's address has no"),
        ("http://a.example/#geheim", "http://a.example/#…: an endpoint's address has no"),
        ("http://[::1/?geheim", "http://[::1/?…: is no address"),
    ],
)
def test_a_refusal_repeats_nothing_that_may_be_secret(given: str, shown: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read_endpoint(given)
    assert str(refused.value).startswith(shown)
    assert "heim" not in str(refused.value)
