"""The values of each render."""

from __future__ import annotations

from typing import Any

from sound_chart import Draft, legacy, two_parts

from chartgen.lint.manifest_reading import read_manifests
from chartgen.lint.rendered import declarations
from chartgen.olares.names import app_id, official_apps
from chartgen.olares.values import Declarations, Scenario, manifest_values, scenarios


def declared(draft: Draft) -> Declarations:
    manifests, findings = read_manifests(draft.chart())
    assert findings == ()
    return declarations(manifests[0])


def by_name(draft: Draft) -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in scenarios(declared(draft))}


def values(scenario: Scenario) -> Any:
    return scenario.values


def test_modern_chart_is_rendered_in_these_ways() -> None:
    draft = Draft()
    draft.spec["accelerator"].append({"mode": "cpu"})
    found = by_name(draft)
    assert list(found) == [
        "lint",
        "lint:nvidia",
        "lint:cpu",
        "device",
        "device:cpu",
        "device-stopped",
        "market",
        "bare",
    ]
    assert {name: scenario.mode for name, scenario in found.items() if scenario.mode} == {
        "lint:nvidia": "nvidia",
        "lint:cpu": "cpu",
        "device": "nvidia",
        "device:cpu": "cpu",
        "device-stopped": "nvidia",
    }


def test_legacy_chart_has_neither_modes_nor_replicas() -> None:
    found = by_name(legacy())
    assert list(found) == ["lint", "device", "market", "bare"]
    assert values(found["device"])["GPU"]["Type"] == "nvidia"
    assert "workloads" not in values(found["device"])
    assert values(found["device"])["sharedlib"]


def test_lint_has_its_own_names_and_little_else() -> None:
    found = by_name(Draft())["lint"]
    assert (found.release, found.namespace) == ("demo", "app-namespace")
    lint = values(found)
    assert (lint["admin"], lint["bfl"]) == ("admin", {"username": "owner"})
    assert lint["domain"] == {"demo": "random-string"}
    assert lint["userspace"] == {"appdata": "appdata", "data": "userspace/Home"}
    assert lint["olaresEnv"] == {}
    assert not {"nodes", "gpu", "sysVersion", "workloads", "sharedlib"} & lint.keys()
    assert values(by_name(Draft())["lint:nvidia"])["GPU"] == {"Type": "nvidia"}


def test_device_injects_what_the_manifest_declares() -> None:
    draft = Draft()
    draft.manifest["permission"] = {"appData": True, "userData": ["Home/Models"]}
    draft.manifest["envs"] = [
        {"envName": "A", "default": "a"},
        {"envName": "B", "valueFrom": {"envName": "OLARES_SYSTEM_CDN_SERVICE"}},
        {"envName": "C", "default": "c", "value": "d"},
    ]
    draft.manifest["middleware"] = {
        "postgres": {"username": "u", "databases": [{"name": "main"}]},
        "redis": {"namespace": "demo"},
    }
    device = values(by_name(draft)["device"])
    assert set(device["userspace"]) == {"appData", "userData"}
    assert device["userspace"]["appData"].endswith("/Data/demo")
    assert device["olaresEnv"] == {"A": "a", "B": "", "C": "d"}
    assert device["postgres"]["databases"] == {"main": "main"}
    assert device["redis"]["namespaces"] == {"demo": "demo"}
    assert device["workloads"] == {"demo": {"replicaCount": 1}}
    assert device["gpu"] == device["GPU"]["Type"] == "nvidia"
    assert device["nodes"][0]["GPUS"][0]["Vendor"] == "NVIDIA"
    assert "sharedlib" not in device
    assert "oidc" not in device


def test_stopped_device_differs_in_replicas_only() -> None:
    found = by_name(Draft())
    device, stopped = dict(values(found["device"])), dict(values(found["device-stopped"]))
    assert stopped.pop("workloads") == {"demo": {"replicaCount": 0}}
    device.pop("workloads")
    assert stopped == device


def test_market_has_neither_variables_nor_the_app_s_storage() -> None:
    market = values(by_name(Draft())["market"])
    assert "olaresEnv" not in market
    assert set(market["userspace"]) == {"appCache", "userData"}


def test_entrances_are_numbered_from_the_second_on() -> None:
    draft = Draft()
    one = values(by_name(draft)["device"])["domain"]
    # md5("demo") begins with fe01ce2a.
    assert one == {"demo": "fe01ce2a.owner.olares.com"}
    draft.manifest["entrances"].append({**draft.entrance, "name": "api"})
    two = values(by_name(draft)["device"])["domain"]
    assert two == {"demo": "fe01ce2a0.owner.olares.com", "api": "fe01ce2a1.owner.olares.com"}


def test_administrator_installs_the_shared_part() -> None:
    device = values(by_name(two_parts())["device"])
    assert device["bfl"]["username"] == device["admin"]
    assert device["isAdmin"] is True


def test_manifest_gets_three_values() -> None:
    assert manifest_values("a", "b") == {"admin": "b", "bfl": {"username": "a"}, "isAdmin": False}
    assert manifest_values("b", "b")["isAdmin"] is True


def test_official_apps_are_known() -> None:
    # beclab/apps has 351 folders of apps at the commit that the file names.
    assert len(official_apps()) == 351
    assert {"firefox", "n8n", "vllmllmbasev3"} <= official_apps()
    assert all(name.isalnum() for name in official_apps())


def test_app_id_is_the_head_of_a_hash() -> None:
    # echo -n firefox | md5sum
    assert app_id("firefox") == "d6a5c9544eca9b5ce2266d1c34a93222"[:8]
