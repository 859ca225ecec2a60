"""The plan of an upload: a pure function, and what Cloudflare could not hold."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace

import pytest

from chartgen.errors import RefusedError
from chartgen.market.deploy import plan as module
from chartgen.market.deploy.plan import (
    WorkerScript,
    asset_hash,
    build_plan,
    digest_of,
    market_script,
    origin_of,
    short_message,
)
from chartgen.market.deploy.secret import Secret
from chartgen.market.site import JSON, Site, SiteFile
from tests.deploy_sample import MODULES, SCRIPT, sample_plan, sample_site
from tests.markets import sample_site as whole_site


def with_file(path: str, file: SiteFile) -> Site:
    site = sample_site()
    return replace(site, files={**site.files, path: file})


def test_the_hash_stands_for_bytes_and_type() -> None:
    text, json_, other = (
        asset_hash(SiteFile.of(data, kind))
        for data, kind in ((b"a", "text/plain"), (b"a", JSON), (b"b", JSON))
    )

    assert len({text, json_, other}) == 3
    content = hashlib.sha256(b"a").hexdigest()
    assert json_ == hashlib.sha256(f"{content} application/json".encode()).hexdigest()[:32]


def test_a_file_that_is_read_from_disk_has_the_hash_of_one_that_is_held() -> None:
    held = SiteFile.of(b"abc", JSON)

    assert asset_hash(replace(held, data=None, source="packages/x")) == asset_hash(held)


def test_the_manifest_has_every_file_with_its_size_in_bytes() -> None:
    plan = sample_plan()

    assert list(plan.manifest) == sorted(sample_site().files)
    entry = plan.manifest["/charts/one-1.0.0.tgz"]
    assert entry["size"] == 7
    assert re.fullmatch("[0-9a-f]{32}", str(entry["hash"]))


def test_equal_files_are_sent_once() -> None:
    icon = sample_site().files["/icons/one-1a2b3c4d.png"]
    plan = build_plan(with_file("/icons/two.png", icon), SCRIPT)

    assert (len(plan.assets), len(plan.by_hash)) == (6, 5)


def test_the_digest_changes_with_whatever_a_device_could_see() -> None:
    site = sample_site()
    other_type = replace(site.files["/index.html"], content_type="text/plain")
    scripts = [
        replace(SCRIPT, modules={**MODULES, "data.js": ("text/plain", MODULES["data.js"][1])}),
        replace(SCRIPT, modules={**MODULES, "data.js": (MODULES["data.js"][0], b"")}),
        replace(SCRIPT, compatibility_date="2026-07-02"),
        replace(SCRIPT, asset_config={}),
        replace(SCRIPT, main="data.js"),
    ]
    plans = [
        sample_plan("1.0.0"),
        sample_plan("1.0.1"),
        build_plan(with_file("/index.html", other_type), SCRIPT),
        build_plan(with_file("/more", site.files["/index.html"]), SCRIPT),
        *(build_plan(site, script) for script in scripts),
    ]

    assert len({plan.digest for plan in plans}) == len(plans)


def test_the_digest_knows_no_order_and_no_clock() -> None:
    site = sample_site()
    turned = replace(site, files=dict(reversed(list(site.files.items()))))
    script = replace(SCRIPT, modules=dict(reversed(MODULES.items())))

    assert build_plan(turned, script).digest == sample_plan().digest


def test_a_tag_is_read_back_and_a_foreign_one_is_not() -> None:
    tag = sample_plan().tag("abc123")

    assert (digest_of(tag), origin_of(tag)) == (sample_plan().digest, "abc123")
    for foreign in ("", "v1.0", "x.y", f"{'g' * 32}.a", f"{'a' * 32}", f"{'a' * 32}.", f"{tag}!"):
        assert (digest_of(foreign), origin_of(foreign)) == ("", "")


def test_a_long_message_is_cut_between_characters() -> None:
    assert short_message("ä" * 600) == "ä" * 500
    assert short_message("x" + "ä" * 600) == "x" + "ä" * 499
    assert short_message("short") == "short"


def test_the_form_names_every_module_and_proves_the_assets() -> None:
    metadata, *modules = sample_plan().form(Secret("proof"), "message", "tag")

    assert [(part.name, part.filename) for part in modules] == [(n, n) for n in MODULES]
    settings = json.loads(metadata.data)
    assert settings["main_module"] == "worker.js"
    assert settings["assets"]["jwt"] == "proof"
    assert settings["annotations"] == {"workers/message": "message", "workers/tag": "tag"}


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.MAX_FILES == 100_000
    monkeypatch.setattr(module, "MAX_FILES", 5)
    assert len(sample_plan().assets) == 5
    monkeypatch.setattr(module, "MAX_FILES", 4)

    with pytest.raises(RefusedError, match=r"has 5 files, a Worker holds 4"):
        sample_plan()


def test_a_file_of_25_mib_is_the_largest() -> None:
    largest = replace(sample_site().files["/index.html"], size=25 * 1024 * 1024)
    build_plan(with_file("/big", largest), SCRIPT)

    with pytest.raises(RefusedError, match=r"^/big: has 26,214,401 bytes"):
        build_plan(with_file("/big", replace(largest, size=largest.size + 1)), SCRIPT)


def test_a_real_market_has_a_plan() -> None:
    site = whole_site()

    script = market_script(site)
    plan = build_plan(site, script)

    assert isinstance(script, WorkerScript)
    assert script.main in script.modules
    assert {asset.path for asset in plan.assets} == site.files.keys()
    assert {asset.content_type for asset in plan.assets if asset.path.endswith(".tgz")} == {
        "application/gzip"
    }
