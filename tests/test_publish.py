"""`publish`, `verify` and `serve` from the command line, into a folder; and killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.release.ledger import LEDGER, read_ledger, verify_packages
from tests.specs import write_spec

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def market(tmp_path: Path) -> Path:
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "market.yaml").write_text("url: https://market.example.com\n")
    write_spec(tmp_path / "apps")
    write_spec(tmp_path / "apps", {"name": "otherapp", "title": "Other"})
    return tmp_path


def publish(market: Path, *words: str) -> int:
    return main(["publish", "-C", str(market), *words])


def site(market: Path) -> dict[str, bytes]:
    root = market / "dist" / "site" / "current"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def offered(market: Path) -> dict[str, str]:
    info = json.loads(site(market)["api/v1/appstore/info"])
    return {app["name"]: app["version"] for app in info["data"]["apps"].values()}


def test_the_first_publish_releases_and_writes_everything(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(market) == 0
    assert offered(market) == {"smallapp": "1.2.3", "otherapp": "1.2.3"}
    files = site(market)
    assert {"index.html", "index.yaml", "sha256sums", "charts/smallapp-1.2.3.tgz"} <= set(files)
    assert "legacy/charts/smallapp-1.2.3.tgz" in files
    told = capsys.readouterr()
    assert told.out == ""
    assert "verified as devices of all generations see it" in told.err


def test_nothing_changed_writes_nothing(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(market) == 0
    before = (market / LEDGER).read_bytes(), site(market)
    capsys.readouterr()
    assert publish(market, "--bump", "patch", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "releases": [],
        "folder": "dist/site",
        "changed": False,
    }
    assert ((market / LEDGER).read_bytes(), site(market)) == before


def test_a_change_is_refused_without_a_bump_and_published_with_one(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(market) == 0
    write_spec(market / "apps", {"engine": {"context": 4096}})
    before = (market / LEDGER).read_bytes(), site(market)
    assert publish(market) == 1
    assert "bump-needed" in capsys.readouterr().err
    assert ((market / LEDGER).read_bytes(), site(market)) == before
    assert publish(market, "--bump", "patch", "--dry-run") == 0
    assert ((market / LEDGER).read_bytes(), site(market)) == before
    assert publish(market, "--bump", "patch") == 0
    assert offered(market) == {"smallapp": "1.2.4", "otherapp": "1.2.3"}
    assert "charts/smallapp-1.2.3.tgz" in site(market), "old versions stay"


def test_a_market_is_rebuilt_from_its_git_alone(market: Path, tmp_path: Path) -> None:
    assert publish(market) == 0
    first = site(market)
    for path in sorted((market / "dist").rglob("*"), reverse=True):
        path.unlink() if path.is_file() or path.is_symlink() else path.rmdir()
    assert publish(market) == 0
    assert site(market) == first


def test_an_app_with_errors_stops_the_publish(market: Path) -> None:
    write_spec(market / "apps", {"engine": {"image": "vllm/vllm-openai:latest"}})
    assert publish(market) == 1
    assert not (market / LEDGER).exists()


@pytest.mark.parametrize("waived", [False, True])
def test_nothing_is_published_that_was_not_fully_checked(
    waived: bool, market: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if waived:
        waiver = {"rule": "checks-skipped", "reason": "no need to check anything"}
        write_spec(market / "apps", {"waive": [waiver]})
    monkeypatch.setitem(sys.modules, "helm_python", None)
    assert publish(market) == 5
    assert "chartgen[check]" in capsys.readouterr().err
    assert not (market / LEDGER).exists()


def test_a_damaged_package_stops_the_publish(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(market) == 0
    (market / "market" / "releases" / "packages" / "smallapp-1.2.3.tgz").write_bytes(b"damaged")
    capsys.readouterr()
    assert publish(market) == 1
    assert "smallapp-1.2.3.tgz" in capsys.readouterr().err


def test_a_retired_app_becomes_a_tombstone(market: Path) -> None:
    assert publish(market) == 0
    assert main(["retire", "-C", str(market), "otherapp", "-m", "Replaced by smallapp"]) == 0
    (market / "apps" / "otherapp.yaml").unlink()
    assert publish(market) == 0
    info = json.loads(site(market)["api/v1/appstore/info"])
    labels = {app["name"]: app["appLabels"] for app in info["data"]["apps"].values()}
    assert labels == {"smallapp": [], "otherapp": ["remove"]}


def test_cloudflare_without_a_token_says_what_to_do(
    market: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = "url: https://m.example.com\npublish: {cloudflare: {worker: my-market}}\n"
    (market / "market" / "market.yaml").write_text(settings)
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID", raising=False)
    assert publish(market) == 1
    assert "CLOUDFLARE_API_TOKEN" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["titel: x\n", "title: much too long\n", "url: http://plain.example.com\n", "[1]\n", "a: [\n"],
)
def test_a_bad_market_file_is_refused(
    text: str, market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (market / "market" / "market.yaml").write_text(text)
    assert publish(market) in {1, 3}
    assert "market/market.yaml" in capsys.readouterr().err
    assert not (market / LEDGER).exists()


# Dies at the n-th step that changes the disk.
_DYING = """
import os, signal, sys
from chartgen.cli import main

steps, done = int(sys.argv[2]), 0

def counted(function):
    def call(*args, **kwargs):
        global done
        done += 1
        if done == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

for name in ("replace", "rename", "fsync", "mkdir", "symlink", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
code = main(["publish", "-C", sys.argv[1], "--bump", "patch", "-q"])
print(done)
sys.exit(code)
"""


def run_dying(market: Path, step: int) -> subprocess.CompletedProcess[str]:
    environment: dict[str, Any] = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [sys.executable, "-c", _DYING, str(market), str(step)],
        env=environment | {"HOME": str(market)},
        capture_output=True,
        text=True,
    )


def test_a_killed_publish_is_finished_by_the_next_one(market: Path) -> None:
    assert publish(market) == 0
    whole = site(market)
    write_spec(market / "apps", {"engine": {"context": 4096}})
    spec = (market / "apps" / "smallapp.yaml").read_text()
    killed = 0
    for step in (1, 2, 3, 5, 8, 11, 14, 18, 25, 40):
        run = run_dying(market, step)
        ledger = read_ledger(market)
        assert verify_packages(market, ledger) == ()
        assert offered(market).keys() == {"smallapp", "otherapp"}
        if run.returncode != -signal.SIGKILL:
            break
        killed += 1
    assert killed > 3
    assert publish(market, "--bump", "patch") == 0
    ledger = read_ledger(market)
    assert offered(market) == {"smallapp": "1.2.4", "otherapp": "1.2.3"}
    assert [line.version for line in ledger.history("smallapp")] == ["1.2.3", "1.2.4"]
    assert whole["charts/smallapp-1.2.3.tgz"] == site(market)["charts/smallapp-1.2.3.tgz"]
    assert spec.replace("1.2.3", "1.2.4", 1).splitlines()[1] in (
        (market / "apps" / "smallapp.yaml").read_text()
    )
