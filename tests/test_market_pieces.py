"""Pieces kept from one publish to the next: the site is the same with and without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.market.catalog import build_catalog
from chartgen.market.page import page_files
from chartgen.market.pieces import KeptPieces, Recall
from chartgen.market.site import Site, build_site
from tests.markets import Market, released, retired, sample


def build(market: Market, recall: Recall, read: list[str]) -> Site:
    def reading(path: str) -> bytes:
        read.append(path)
        return market.files[path]

    catalog = build_catalog(market.settings, market.ledger, reading, recall)
    return build_site(catalog, reading, page_files(catalog, reading, recall), recall)


def kept(folder: Path, market: Market, made_by: str = "me") -> tuple[Site, list[str]]:
    """The site with the pieces of a folder, and the packages that had to be read for it."""
    pieces, read = KeptPieces(folder, market.settings, market.ledger, made_by), []
    site = build(market, pieces.recall, read)
    pieces.save()
    return site, sorted({path for path in read if path.endswith(".tgz")})


def plain(market: Market) -> Site:
    return market.site(page_files(market.catalog(), market.read))


def same(one: Site, other: Site) -> bool:
    return (one.files, one.bases) == (other.files, other.bases)


def test_the_site_is_the_same_and_no_package_is_read_twice(tmp_path: Path) -> None:
    market = sample()
    first, read = kept(tmp_path, market)
    assert same(first, plain(market))
    assert len(read) > 5
    again, read = kept(tmp_path, market)
    assert same(again, plain(market))
    assert read == []


def test_a_line_of_the_ledger_changes_the_pieces_of_its_app_only(tmp_path: Path) -> None:
    kept(tmp_path, sample())
    grown = sample().grown(released("beta", "0.4.0", 20), retired("zeta", "1000.20000.30000", 21))
    site, read = kept(tmp_path, grown)
    assert same(site, plain(grown))
    assert {Path(path).name.partition("-")[0] for path in read} == {"beta", "zeta"}


@pytest.mark.parametrize(
    "changes", [{"url": "https://else.example.com"}, {"title": "Else"}, {"hardware": "x"}]
)
def test_another_market_file_makes_all_anew(changes: dict[str, Any], tmp_path: Path) -> None:
    _, read = kept(tmp_path, sample())
    other = sample().with_settings(**changes)
    site, again = kept(tmp_path, other)
    assert same(site, plain(other))
    assert again == read


def test_another_chartgen_makes_all_anew(tmp_path: Path) -> None:
    _, read = kept(tmp_path, sample())
    assert kept(tmp_path, sample(), "you")[1] == read


@pytest.mark.parametrize("piece", [{1: "a"}, ("a",), {"a": ("b",)}, [{"a": {2: None}}]])
def test_what_json_would_change_is_not_kept(piece: Any, tmp_path: Path) -> None:
    market = sample()
    for _ in range(2):
        pieces = KeptPieces(tmp_path, market.settings, market.ledger, "me")
        made: list[int] = []
        assert pieces.recall("alpha", "x", lambda made=made: made.append(1) or piece) == piece
        assert made == [1]
        pieces.save()


def test_what_a_piece_is_given_counts(tmp_path: Path) -> None:
    market = sample()
    pieces = KeptPieces(tmp_path, market.settings, market.ledger, "me")
    assert pieces.recall("alpha", "x", lambda: "one", "1") == "one"
    assert pieces.recall("alpha", "x", lambda: "two", "1") == "one"
    assert pieces.recall("alpha", "x", lambda: "two", "2") == "two"


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    site, _ = kept(file / "pieces", sample())
    assert same(site, plain(sample()))
