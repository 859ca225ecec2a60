"""The v1 lists: what devices of generations A and B show of an app."""

from __future__ import annotations

from typing import Any

import pytest

from chartgen.market.settings import MarketSettings
from chartgen.market.v1 import nano_date, olares_version, resources
from tests import protocol_models as protocol
from tests.markets import AWKWARD, EMPTY, SETTINGS, Market, released, retired, sample

OLARES_ONE = MarketSettings(hardware="olares-one")


def info(market: Market, prefix: str = "") -> Any:
    return protocol.strict_json(market.site().content(f"{prefix}/api/v1/appstore/info"))


def entries(market: Market, prefix: str = "") -> dict[str, Any]:
    return {entry["name"]: entry for entry in info(market, prefix)["data"]["apps"].values()}


def details(market: Market, prefix: str = "") -> dict[str, Any]:
    base = next(base for base in market.site().bases if base.prefix == prefix)
    found = [protocol.strict_json(text.encode()) for text in base.details.values()]
    return {entry["name"]: entry for entry in found}


def test_an_entry_says_what_the_spec_says() -> None:
    entry = entries(sample())["beta"]
    assert entry["title"] == "Beta"
    assert entry["description"] == AWKWARD
    assert entry["fullDescription"].startswith(f"First line\n\n{AWKWARD}\n")
    assert entry["upgradeDescription"] == "A change"
    assert entry["categories"] == ["Models", "Wörkspace"]
    assert entry["developer"] == "somebody"
    assert entry["supportArch"] == ["amd64"]
    assert entry["locale"] == ["en-US", "zh-CN"]
    assert entry["i18n"]["zh-CN"] == {
        "metadata": {"title": "贝塔", "description": "一个小应用"},
        "entrances": None,
        "spec": {
            "fullDescription": entry["fullDescription"],
            "upgradeDescription": "A change",
        },
    }


def test_the_icon_is_at_the_market_whatever_its_address_was() -> None:
    moved = sample().with_settings(url="https://elsewhere.example.org/market")
    icon = entries(moved)["alpha"]["icon"]
    assert icon.startswith("https://elsewhere.example.org/market/icons/alpha-")
    assert f"/icons/{icon.rpartition('/')[2]}" in moved.site().files


def test_the_history_is_newest_first_and_of_the_platform() -> None:
    assert details(sample())["alpha"]["versionHistory"] == [
        {
            "appName": "alpha",
            "version": "1.1.1",
            "versionName": "1.1.1",
            "mergedAt": "2026-11-07T18:00:00.000000000Z",
            "upgradeDescription": "A change",
        },
        {
            "appName": "alpha",
            "version": "1.1.0",
            "versionName": "1.1.0",
            "mergedAt": "2026-11-02T18:00:00.000000000Z",
            "upgradeDescription": "- Faster\n- Smaller",
        },
        {
            "appName": "alpha",
            "version": "1.0.0",
            "versionName": "1.0.0",
            "mergedAt": "2026-11-01T18:00:00.000000000Z",
            "upgradeDescription": "A change",
        },
    ]
    legacy = details(sample(), "/legacy")["alpha"]["versionHistory"]
    assert [line["version"] for line in legacy] == ["1.0.0"]


def test_item_18_a_retired_app_stays_as_a_tombstone() -> None:
    for prefix, names in (("", {"delta", "epsilon"}), ("/legacy", {"epsilon"})):
        for found in (entries(sample(), prefix), details(sample(), prefix)):
            labelled = {name for name, entry in found.items() if entry["appLabels"] == ["remove"]}
            assert labelled == names
    delta = entries(sample())["delta"]
    assert delta["version"] == "2.0.0"
    assert delta["upgradeDescription"] == "Not maintained any more"
    assert delta["updated_at"] == "2026-11-05T18:00:00.000000000Z"


def test_a_tombstone_without_a_reason_keeps_its_text() -> None:
    market = EMPTY.grown(released("alpha", "1.0.0"), retired("alpha", "1.0.0", reason=""))
    assert entries(market)["alpha"]["upgradeDescription"] == "A change"


def test_newest_apps_come_first() -> None:
    assert info(sample())["data"]["latest"] == ["zeta", "alpha", "beta"]
    assert info(sample(), "/legacy")["data"]["latest"] == ["zeta", "gamma", "beta", "alpha"]


def test_categories_keep_the_order_of_the_market() -> None:
    tags = info(sample())["data"]["tags"]
    in_order = sorted(tags, key=lambda name: tags[name]["sort"])
    # Those of market.yaml first, as it has them; the small app's own category is AI.
    assert in_order == ["All", "Models", "Developer", "AI", "Gone", "Wörkspace"]
    assert tags["Models"]["title"] == {"en-US": "Models", "zh-CN": "模型"}
    assert tags["All"]["title"] == {"en-US": "Discover", "zh-CN": "发现"}


def test_a_category_can_be_shown_otherwise() -> None:
    market = sample().with_settings(
        categories=[
            {"name": "All", "titles": {"en-US": "Everything"}},
            {
                "name": "AI",
                "titles": {"en-US": "Intelligence", "de-DE": "KI"},
                "icon": "https://example.org/ai.svg",
            },
        ]
    )
    tags = info(market)["data"]["tags"]
    assert tags["All"]["title"]["en-US"] == "Everything"
    assert tags["AI"]["title"] == {"en-US": "Intelligence", "zh-CN": "Intelligence", "de-DE": "KI"}
    assert tags["AI"]["icon"] == "https://example.org/ai.svg"
    assert tags["Developer"]["icon"].startswith("https://market.example.com/icons/market-")


@pytest.mark.parametrize(("platform", "version"), [("modern", "1.12.6"), ("legacy", "1.12.3")])
def test_answers_name_the_first_release_of_their_platform(platform: str, version: str) -> None:
    assert olares_version(platform) == version


def test_an_empty_market_is_sound() -> None:
    told = protocol.Info.model_validate(info(EMPTY))
    assert told.data.apps == {}
    assert told.data.pages.keys() == told.data.tags.keys() == {"All"}
    assert told.last_updated == "1970-01-01T00:00:00.000000000Z"
    assert told.hash


def test_a_date_has_nine_digits_of_a_second() -> None:
    assert nano_date("2026-11-21T18:00:00Z") == "2026-11-21T18:00:00.000000000Z"


NVIDIA = {
    "mode": "nvidia",
    "requiredCpu": "4100m",
    "limitedCpu": "17",
    "requiredMemory": "24640Mi",
    "limitedMemory": "1.5Gi",
    "requiredDisk": "30G",
    "limitedDisk": "0.1Gi",
    "requiredGPUMemory": "23Gi",
    "limitedGPUMemory": "-1",
}
GB10 = {"mode": "nvidia-gb10", "requiredCpu": "100", "requiredMemory": "1"}


def test_amounts_are_exact_bytes_and_cores() -> None:
    assert resources({"accelerator": [NVIDIA]}, OLARES_ONE) == {
        "requiredCPU": "4.1",
        "limitedCPU": "17",
        "requiredMemory": str(24640 * 1024**2),
        "limitedMemory": str(3 * 1024**3 // 2),
        "requiredDisk": "30000000000",
        # 107374182.4 bytes; a byte cannot be had in part.
        "limitedDisk": "107374183",
        "requiredGPU": str(23 * 1024**3),
        # Found at install: nothing to show.
        "limitedGPU": "",
    }


@pytest.mark.parametrize("modes", [[GB10, NVIDIA], [NVIDIA, GB10]])
def test_of_several_accelerators_the_market_s_own_counts(modes: list[dict[str, str]]) -> None:
    assert resources({"accelerator": modes}, OLARES_ONE)["requiredCPU"] == "4.1"
    unknown = MarketSettings(hardware="something")
    assert resources({"accelerator": modes}, unknown)["requiredCPU"] == "4.1"


def test_without_a_known_accelerator_the_first_counts() -> None:
    modes = [GB10, {"mode": "cpu", "requiredCpu": "1"}]
    found = resources({"accelerator": modes}, OLARES_ONE)
    assert (found["requiredCPU"], found["requiredMemory"], found["requiredGPU"]) == ("100", "1", "")


def test_older_manifests_state_amounts_flat() -> None:
    flat = {"requiredCpu": "500m", "requiredMemory": "8Gi", "requiredGpu": "8Gi", "limitedCpu": "x"}
    found = resources(flat, OLARES_ONE)
    assert found["requiredCPU"] == "0.5"
    assert found["requiredMemory"] == found["requiredGPU"] == str(8 * 1024**3)
    assert found["limitedCPU"] == found["requiredDisk"] == ""


def test_both_platforms_say_the_same_amounts() -> None:
    modern, legacy = entries(sample())["beta"], entries(sample(), "/legacy")["beta"]
    fields = [
        f"{side}{what}" for side in ("required", "limited") for what in ("CPU", "Memory", "GPU")
    ]
    assert [modern[name] for name in fields] == [legacy[name] for name in fields]
    assert modern["requiredGPU"] == str(8 * 1024**3)


def test_settings_that_devices_never_see_are_no_part_of_the_lists() -> None:
    changed = sample().with_settings(submitter="Somebody else")
    assert changed.site() == sample().site()
    assert changed.settings != SETTINGS


@pytest.mark.parametrize(
    ("model", "good", "bad"),
    [
        # §2.2: what generation B loses the whole answer to; the models must see it.
        (protocol.Page, {"category": "a", "content": "[]"}, {"source": "custom"}),
        (protocol.Top, {"appId": "a", "appid": "a", "rank": 1}, {"rank": 1.5}),
        (
            protocol.Tag,
            {"_id": "a", "name": "a", "icon": "", "title": {}, "sort": 7, "source": 0},
            {"sort": "7"},
        ),
        (
            protocol.Hash,
            {"hash": "x", "last_updated": "2026-11-21T18:00:00.000000000Z", "version": "1"},
            {"last_updated": "2026-11-21T18:00:00Z"},
        ),
        (
            protocol.Hash,
            {"hash": "x", "last_updated": "2026-11-21T18:00:00.000000000Z", "version": "1"},
            {"hash": ""},
        ),
    ],
)
def test_the_models_know_the_traps(model: Any, good: dict[str, Any], bad: dict[str, Any]) -> None:
    model.model_validate(good)
    with pytest.raises(ValueError, match=next(iter(bad))):
        model.model_validate(good | bad)
