"""market.yaml: what it may hold, and what is said of what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from chartgen.market.json_text import json_text, list_text, object_text
from chartgen.market.settings import MARKET_FILE, MarketSettings, load_market


def load(tmp_path: Path, text: str) -> tuple[MarketSettings | None, list[str]]:
    path = tmp_path / MARKET_FILE
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    settings, findings = load_market(tmp_path)
    return settings, [f"{finding.place.path}: {finding.message}" for finding in findings]


def test_a_folder_without_the_file_has_the_defaults(tmp_path: Path) -> None:
    settings, findings = load_market(tmp_path)
    assert findings == ()
    assert settings == MarketSettings()
    assert settings is not None
    assert settings.source == "market.Market"


def test_all_that_can_be_set(tmp_path: Path) -> None:
    settings, findings = load(
        tmp_path,
        """
title: Mine
url: https://example.org/market
description: Models for one machine
source_id: market.mine
icon: https://example.org/icon.png
categories:
  - Agents
  - name: Models
    titles: {zh-CN: 模型}
    icon: https://example.org/models.svg
""",
    )
    assert findings == []
    assert settings is not None
    assert (settings.title, settings.source) == ("Mine", "market.mine")
    assert [category.name for category in settings.categories] == ["Agents", "Models"]
    assert settings.categories[1].titles == {"zh-CN": "模型"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        # A device refuses such a title (market-protocol-v1 §4).
        ("title: My Market", "title"),
        ("title: Elevenchars", "title"),
        ("title: ''", "title"),
        ("url: http://example.org", "url"),
        ("url: https://example.org/", "url"),
        ("url: example.org", "url"),
        ("source_id: a_b", "source_id"),
        ("source_id: " + "a" * 51, "source_id"),
        ("icon: icon.png", "icon"),
        ("categories: [{name: a/b}]", "categories[0].name"),
        ("categories: [{title: a}]", "categories[0].title"),
        ("categories: [{name: a, titles: {english: a}}]", "categories[0].titles.english"),
        ("other: 1", "other"),
    ],
)
def test_what_no_device_would_take_is_found(tmp_path: Path, text: str, path: str) -> None:
    settings, findings = load(tmp_path, text)
    assert settings is None
    assert any(finding.startswith(f"{path}: ") for finding in findings), findings


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("title: My Market", "1:8", "'My Market' is no title of a market"),
        ("title: 1234567890123", "1:8", "'1234567890123' is no title of a market"),
        ("\nurl: http://a.org", "2:6", "'http://a.org' is no address that a device takes"),
        ("url: https://localhost", "1:6", "'https://localhost' is no address that a device takes"),
        ("source_id: a_b", "1:12", "'a_b' is no id of a source"),
        ("icon: icon.png", "1:7", "'icon.png' is no address of a picture"),
        ("categories: [A, 'a/b']", "1:17", "'a/b' is no name of a category"),
        (
            "categories:\n  - name: A\n    icon: x",
            "3:11",
            "'x' is no address of a picture",
        ),
        ("publish: {folder: ../x}", "1:19", "'../x' is no folder of the market"),
        (
            "publish:\n  cloudflare: {worker: My_Worker}",
            "2:24",
            "'My_Worker' is no name of a Worker",
        ),
        (
            "publish: {cloudflare: {worker: a, domain: https://a.org}}",
            "1:43",
            "'https://a.org' is no domain",
        ),
        ("publish: {cloudflare: {worker: a, zone: A.org}}", "1:41", "'A.org' is no domain"),
        (
            "publish: {cloudflare: {worker: a, account_name: Me}}",
            "1:49",
            "'Me' is no name on workers.dev",
        ),
    ],
)
def test_faults_are_told_in_words_at_their_place(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    (tmp_path / "market").mkdir()
    (tmp_path / MARKET_FILE).write_text(text)
    _, (found,) = load_market(tmp_path)
    assert (f"{found.place.line}:{found.place.column}", found.message) == (place, message)
    assert found.remedy.startswith(("Write ", "Use "))
    assert "^" not in found.remedy


def test_a_category_named_twice_is_found(tmp_path: Path) -> None:
    settings, findings = load(tmp_path, "categories: [AI, {name: Fun}, {name: AI}]")
    assert settings is None
    assert findings == ["categories[2]: the category 'AI' stands here again"]


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError):
        MarketSettings().title = "Other"  # type: ignore[misc]  # that is what is tested


def test_json_has_one_spelling() -> None:
    value = {"b": [1, None, True], "a": 'é"\u2028\x7f\n', "ü": {}}
    assert json_text(value) == '{"a":"é\\"\u2028\x7f\\n","b":[1,null,true],"ü":{}}'
    assert json_text("\ud800") == '"\\ud800"'
    assert json_text("\U0001f600") == '"\U0001f600"'
    assert object_text([("b", "1"), ('"', "[]")]) == '{"b":1,"\\"":[]}'
    assert list_text([]) == "[]"
    with pytest.raises(ValueError, match="float"):
        json_text(float("nan"))
