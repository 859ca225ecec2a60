"""The v2 lists: what devices of generation C are told, and that nothing moves without a reason."""

from __future__ import annotations

from typing import Any

import pytest

from chartgen.market.v2 import Applications
from tests import protocol_models as protocol
from tests.markets import EMPTY, Market, released, retired, sample


def applications(market: Market, prefix: str = "") -> Any:
    site = market.site()
    return protocol.strict_json(site.content(f"{prefix}/api/v2/applications"))["data"]


def taxonomy(market: Market, prefix: str = "") -> Any:
    return protocol.strict_json(market.site().content(f"{prefix}/api/v2/taxonomy"))["data"]


def test_an_item_says_what_the_package_says() -> None:
    items = {item["name"]: item for item in applications(sample())["items"]}
    assert list(items) == ["alpha", "beta", "zeta"]
    assert items["beta"] == {
        "app_id": "987bcab0",
        "name": "beta",
        "title": "Beta",
        "version": "0.3.0",
        "icon": items["beta"]["icon"],
        "featured_image": "",
        "cfg_type": "app",
        "categories": ["Models", "Wörkspace"],
        "categories_v2": ["Models", "Wörkspace"],
        "tags": [],
        "app_labels": [],
        "olares_version_constraint": ">=1.12.6-0",
        # 2026-11-02T18:00:00Z
        "last_modify_time": 1_793_642_400_000,
        "updated_at": 1_793_642_400,
    }


def test_legacy_items_are_for_legacy_devices() -> None:
    items = applications(sample(), "/legacy")["items"]
    assert {item["olares_version_constraint"] for item in items} == {">=1.12.3-0,<1.12.6"}


def test_retired_apps_are_listed_as_removed() -> None:
    listed = applications(sample())
    # md5("delta") and md5("epsilon") begin with these, as md5sum says.
    assert listed["removed"] == ["63bcabf8", "3cd38ab3"]
    assert applications(sample(), "/legacy")["removed"] == ["3cd38ab3"]
    assert listed["total"] == len(listed["items"]) == 3


def test_a_release_moves_its_own_stamp_only() -> None:
    def stamps(market: Market) -> dict[str, int]:
        return {item["name"]: item["last_modify_time"] for item in applications(market)["items"]}

    before = stamps(sample())
    after = stamps(sample().grown(released("alpha", "1.2.0", 12)))
    assert {name for name in after if after[name] != before[name]} == {"alpha"}
    assert after["alpha"] > before["alpha"]


def test_a_release_for_one_platform_is_not_seen_by_the_other() -> None:
    grown = sample().grown(released("alpha", "1.2.0", 12, ("modern",)))
    assert applications(grown, "/legacy") == applications(sample(), "/legacy")
    assert taxonomy(grown, "/legacy") == taxonomy(sample(), "/legacy")
    assert applications(grown) != applications(sample())


def test_a_retirement_moves_the_newest_stamp() -> None:
    grown = sample().grown(retired("zeta", "1000.20000.30000", 20))
    assert (
        applications(grown)["max_last_modify_time"] > applications(sample())["max_last_modify_time"]
    )


def test_the_source_names_itself() -> None:
    assert taxonomy(sample())["source"] == {
        "source_id": "market.Sample",
        "short_label": "Sample",
        "display_name": {"en-US": "Sample"},
        "icon": taxonomy(sample())["categories"][1]["icon"],
        "is_official": False,
    }
    other = sample().with_settings(source_id="market.other", icon="https://example.org/m.png")
    source = taxonomy(other)["source"]
    assert (source["source_id"], source["icon"]) == ("market.other", "https://example.org/m.png")


def test_categories_of_retired_apps_are_not_offered() -> None:
    assert taxonomy(sample())["nav"] == ["Models", "Developer", "AI", "Wörkspace"]


def test_languages_are_those_of_the_texts_and_of_the_device() -> None:
    told = taxonomy(sample())["languages"]
    assert [(language["code"], language["display_name"]) for language in told] == [
        ("en-US", "English"),
        ("zh-CN", "简体中文"),
    ]
    market = EMPTY.grown(released("alpha", "1.0.0", i18n={"tlh": {"title": "wa'"}}))
    assert taxonomy(market)["languages"][2] == {
        "code": "tlh",
        "display_name": "tlh",
        "sort": 3,
        "enabled": True,
    }


def test_an_empty_market_is_sound() -> None:
    protocol.Applications.model_validate_json(EMPTY.site().content("/api/v2/applications"))
    assert taxonomy(EMPTY)["nav"] == []
    assert applications(EMPTY)["max_last_modify_time"] == 0


@pytest.mark.parametrize(
    ("page", "size", "items", "more"),
    [
        (1, None, "abc", False),
        (1, 2, "ab", True),
        (2, 2, "c", False),
        (3, 2, "", False),
        (1, 3, "abc", False),
        (1, 4, "abc", False),
        (3, 1, "c", False),
        (2, 1, "b", True),
        (10**9, 10**9, "", False),
    ],
)
def test_a_page_is_cut_where_its_number_says(
    page: int, size: int | None, items: str, more: bool
) -> None:
    listed = Applications(items=('"a"', '"b"', '"c"'), removed=("0a1b2c3d",), newest_ms=5)
    told = protocol.strict_json(listed.text(page, size).encode())
    assert told == {
        "code": 0,
        "msg": "success",
        "data": {
            "items": list(items),
            "removed": ["0a1b2c3d"],
            "has_more": more,
            "max_last_modify_time": 5,
            "total": 3,
            "page": page,
            "page_size": 3 if size is None else size,
        },
    }
