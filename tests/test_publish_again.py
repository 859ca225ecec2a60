"""A publish after a publish: only what changed is looked at, and the outcome is the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import chartgen.cli.clock
import chartgen.release.workspace
from chartgen.check import CheckedApp, check_app
from chartgen.check_record import maker
from chartgen.cli import main
from chartgen.market.pieces import PIECES
from chartgen.release.ledger import LEDGER
from chartgen.release.workspace import CHECKS
from tests.specs import write_spec
from tests.test_publish import publish, site

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
VERIFIED = "dist/.verified"


@pytest.fixture(autouse=True)
def one_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chartgen.cli.clock, "release_date", lambda _: "2026-11-21T18:00:00Z")


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the apps that are checked, in their order."""
    names: list[str] = []

    def counted(loaded, *rest) -> CheckedApp:  # type: ignore[no-untyped-def]  # as check_app
        names.append(loaded.spec.name)
        return check_app(loaded, *rest)

    monkeypatch.setattr(chartgen.release.workspace, "check_app", counted)
    return names


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market that was published: one app has a warning, one waives it, one names a text."""
    market = tmp_path_factory.mktemp("published")
    (market / "market").mkdir()
    (market / "market" / "market.yaml").write_text("url: https://apps.example.com\n")
    apps = market / "apps"
    write_spec(apps)
    unsaid = {"version": "1.3.0", "changes": None}
    write_spec(apps, {"name": "warned", "title": "Warned"} | unsaid)
    waiver = {"rule": "changes-missing", "reason": "nobody needs to know"}
    write_spec(apps, {"name": "waived", "title": "Waived", "waive": [waiver]} | unsaid)
    write_spec(apps, {"name": "texted", "title": "Texted", "about": {"from": "texted.md"}})
    (apps / "texted.md").write_text("All about it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chartgen.cli.clock, "release_date", lambda _: "2026-11-20T18:00:00Z")
        assert publish(market) == 0
    return market


@pytest.fixture
def market(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "market", symlinks=True))


def edit(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(market: Path) -> None:
        text = (market / path).read_text()
        assert old in text
        (market / path).write_text(text.replace(old, new, 1))

    return change


def grown_icon(market: Path) -> None:
    icon = market / "apps" / "icons" / "smallapp.png"
    icon.write_bytes(icon.read_bytes() + b"\0")


def twin(market: Path) -> None:
    text = (market / "apps" / "smallapp.yaml").read_text()
    (market / "apps" / "twin.yaml").write_text(text)


def lost_ledger(market: Path) -> None:
    shutil.rmtree(market / "market" / "releases")


def retired(market: Path) -> None:
    assert main(["retire", "-C", str(market), "smallapp", "-m", "Superseded"]) == 0


def damaged_package(market: Path) -> None:
    (market / "market" / "releases" / "packages" / "warned-1.3.0.tgz").write_bytes(b"damaged")


def nothing(market: Path) -> None:
    pass


def ledger_bytes(market: Path) -> bytes | None:
    path = market / LEDGER
    return path.read_bytes() if path.exists() else None


CHANGES: dict[str, Callable[[Path], None]] = {
    "nothing": nothing,
    "a setting": edit("apps/smallapp.yaml", "Small App", "Other App"),
    "a warning": edit("apps/warned.yaml", "1.3.0", "1.4.0"),
    "a version behind": edit("apps/smallapp.yaml", "1.2.3", "1.2.2"),
    "an error": edit("apps/smallapp.yaml", "v0.21.0", "latest"),
    "no YAML": edit("apps/smallapp.yaml", "name", "a: [\nname"),
    "a text": edit("apps/texted.md", "All", "Everything"),
    "a text lost": lambda market: (market / "apps" / "texted.md").unlink(),
    "an icon": grown_icon,
    "an icon lost": lambda market: (market / "apps" / "icons" / "smallapp.png").unlink(),
    "market.yaml": lambda market: (market / "market" / "market.yaml").write_text(
        "url: https://apps.example.com\ndeveloper: else\n"
    ),
    "a spec deleted": lambda market: (market / "apps" / "warned.yaml").unlink(),
    "a name taken": twin,
    "a ledger begun anew": lost_ledger,
    "a retired app": retired,
    "a damaged package": damaged_package,
}


@pytest.mark.parametrize("bump", [(), ("--bump", "patch")], ids=["", "bump"])
@pytest.mark.parametrize("what", CHANGES)
def test_the_outcome_is_that_of_a_market_that_remembers_nothing(
    what: str,
    bump: tuple[str, ...],
    market: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    CHANGES[what](market)
    plain = Path(shutil.copytree(market, tmp_path / "plain", symlinks=True))
    for path in (CHECKS, VERIFIED):
        (plain / path).unlink()
    shutil.rmtree(plain / PIECES)
    capsys.readouterr()

    codes, told = [], []
    for folder in (market, plain):
        codes.append(publish(folder, *bump))
        told.append(capsys.readouterr().err.replace(str(folder), ""))

    # It verifies once more, as it does not know that it did.
    said = told[1].replace("verified as devices of all generations see it\n", "")
    assert codes[0] == codes[1]
    assert told[0].replace("verified as devices of all generations see it\n", "") == said
    assert site(market) == site(plain)
    assert ledger_bytes(market) == ledger_bytes(plain)
    assert [spec.read_bytes() for spec in sorted((market / "apps").glob("*.yaml"))] == [
        spec.read_bytes() for spec in sorted((plain / "apps").glob("*.yaml"))
    ]


def test_only_what_changed_is_checked_again(market: Path, checked: list[str]) -> None:
    assert publish(market) == 0
    assert checked == []
    CHANGES["a setting"](market)
    assert publish(market) == 1
    assert checked == ["smallapp"]


@pytest.mark.parametrize("what", ["a setting", "a text", "an icon", "a version behind", "an error"])
def test_whatever_a_spec_names_is_noticed(what: str, market: Path, checked: list[str]) -> None:
    CHANGES[what](market)
    publish(market)
    assert checked == ["texted" if what == "a text" else "smallapp"]


@pytest.mark.parametrize("path", ["market/market.yaml", CHECKS])
def test_without_the_inputs_of_the_record_all_are_checked(
    path: str, market: Path, checked: list[str]
) -> None:
    (market / path).write_text("url: https://apps.example.com # another\n")
    publish(market)
    assert checked == ["smallapp", "texted", "waived", "warned"]


def test_another_chartgen_checks_all_again(
    market: Path, checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chartgen.release.workspace, "maker", lambda: "another")
    assert publish(market) == 0
    assert len(checked) == 4


def test_a_library_that_goes_makes_another_chartgen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = maker()
    assert maker() == before
    monkeypatch.setitem(chartgen.check_record.sys.modules, "helm_python", None)
    assert maker() != before


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "another type": lambda data: b"[1]",
    "other entries": lambda data: json.dumps(
        {"apps/smallapp.yaml": {"maker": maker(), "inputs": {}, "name": 1}, "apps/warned.yaml": 1}
    ).encode(),
    "zeros": lambda data: bytes(len(data)),
    "deep": lambda data: b"[" * 100_000,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage_costs_time_only(how: str, market: Path) -> None:
    before = site(market), (market / LEDGER).read_bytes()
    for path in (market / CHECKS, market / VERIFIED, *(market / PIECES).iterdir()):
        path.write_bytes(DAMAGE[how](path.read_bytes()))
    assert publish(market) == 0
    assert (site(market), (market / LEDGER).read_bytes()) == before


def test_one_changed_byte_of_a_piece_is_noticed(market: Path) -> None:
    before = site(market)
    for path in (market / PIECES).iterdir():
        data = path.read_bytes()
        path.write_bytes(data.replace(b"Small App", b"Smell App"))
    assert publish(market) == 0
    assert site(market) == before


def test_a_dry_run_remembers_nothing(market: Path) -> None:
    (market / CHECKS).unlink()
    assert publish(market, "--dry-run") == 0
    assert not (market / CHECKS).exists()


def test_a_release_changes_the_page_of_its_app_and_no_other(market: Path) -> None:
    before = site(market)
    CHANGES["a setting"](market)
    assert publish(market, "--bump", "patch") == 0
    after = site(market)
    changed = {path for path, data in after.items() if before.get(path) != data}
    assert {path for path in changed if path.startswith("apps/")} == {"apps/smallapp.html"}


def test_pieces_of_no_app_are_dropped(market: Path) -> None:
    (market / PIECES / "left-behind").write_bytes(b"x")
    CHANGES["a setting"](market)
    assert publish(market, "--bump", "patch") == 0
    assert len(list((market / PIECES).iterdir())) == 4
