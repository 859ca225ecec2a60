"""The market as a Helm repository: read by a YAML reader, and used by Helm itself."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.markets import AWKWARD, EMPTY, Market, sample
from tests.test_market_conformance import running

ROOT = Path(__file__).resolve().parent.parent


def index(market: Market, prefix: str = "") -> Any:
    return yaml.safe_load(market.site().content(f"{prefix}/index.yaml"))


def helm3() -> str | None:
    own = ROOT / ".tools" / "bin" / "helm3"
    return str(own) if own.is_file() else shutil.which("helm3")


def test_every_version_is_listed_with_its_digest() -> None:
    market = sample()
    told = index(market)
    assert told["apiVersion"] == "v1"
    assert list(told["entries"]) == ["alpha", "beta", "delta", "epsilon", "zeta"]
    alpha = told["entries"]["alpha"]
    assert [chart["version"] for chart in alpha] == ["1.1.1", "1.1.0", "1.0.0"]
    for chart in alpha:
        data = market.files[f"packages/alpha-{chart['version']}.tgz"]
        assert chart["digest"] == hashlib.sha256(data).hexdigest()
        assert chart["urls"] == [f"charts/alpha-{chart['version']}.tgz"]
        assert chart["apiVersion"] == "v2"
    # A YAML reader may take a date for more than text.
    created = market.site().content("/index.yaml").decode()
    assert 'created: "2026-11-07T18:00:00Z"' in created
    assert 'generated: "2026-11-08T18:00:00Z"' in created


def test_the_offered_version_describes_itself() -> None:
    beta = index(sample())["entries"]["beta"][0]
    assert beta["description"] == AWKWARD
    assert beta["icon"].startswith("https://market.example.com/icons/beta-")


def test_retired_apps_are_deprecated() -> None:
    entries = index(sample())["entries"]
    deprecated = {name for name, charts in entries.items() if charts[0].get("deprecated")}
    assert deprecated == {"delta", "epsilon"}


def test_each_base_has_an_index_of_its_own() -> None:
    legacy = index(sample(), "/legacy")["entries"]
    assert list(legacy) == ["alpha", "beta", "epsilon", "gamma", "zeta"]
    assert [chart["version"] for chart in legacy["alpha"]] == ["1.0.0"]


def test_an_empty_market_has_an_index() -> None:
    told = index(EMPTY)
    assert told["entries"] == {}
    assert EMPTY.site().content("/index.yaml").endswith(b'generated: "1970-01-01T00:00:00Z"\n')


@pytest.mark.helm
@pytest.mark.loopback
@pytest.mark.skipif(helm3() is None, reason="no Helm 3 here: run tools/install-helm3.sh")
@pytest.mark.parametrize("prefix", ["", "/legacy"])
def test_helm_adds_the_repository_and_pulls_from_it(tmp_path: Path, prefix: str) -> None:
    program = helm3()
    assert program is not None
    homes = {f"HELM_{what}_HOME": str(tmp_path / what) for what in ("CACHE", "CONFIG", "DATA")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **homes}

    def helm(*words: str) -> str:
        run = subprocess.run(
            [program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    market = sample()
    with running(market.site) as url:
        helm("repo", "add", "sample", f"{url}{prefix}")
        found = yaml.safe_load(helm("search", "repo", "sample", "--versions", "-o", "yaml"))
        helm("pull", "sample/alpha", "--version", "1.0.0")
        helm("pull", "sample/zeta")
        shown = yaml.safe_load(helm("show", "chart", "sample/beta"))
    folder = f"packages{prefix}"
    entries = index(market, prefix)["entries"]
    listed = {(chart["name"].removeprefix("sample/"), chart["version"]) for chart in found}
    assert listed == {
        (chart["name"], chart["version"]) for charts in entries.values() for chart in charts
    }
    for name in ("alpha-1.0.0.tgz", "zeta-1000.20000.30000.tgz"):
        assert (tmp_path / name).read_bytes() == market.files[f"{folder}/{name}"]
    assert (shown["name"], shown["version"]) == ("beta", "0.3.0")
