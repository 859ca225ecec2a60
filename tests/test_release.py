"""Bumps, differences, publish plans, rollbacks: what follows from specs and ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chartgen.cli import main
from chartgen.errors import RefusedError
from chartgen.package.read import read_package
from chartgen.release.diff import Change, setting_changes
from chartgen.release.ledger import LedgerError, append, read_ledger, verify_packages
from chartgen.release.plan import PublishPlan
from chartgen.release.rollback import rollback
from chartgen.release.versions import bumped
from chartgen.release.workspace import (
    read_released,
    retirement,
    write_publish,
)
from tests.publishing import DATE, plan, publish
from tests.specs import write_spec

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")


@pytest.fixture
def market(tmp_path: Path) -> Path:
    write_spec(tmp_path / "apps")
    write_spec(tmp_path / "apps", {"name": "otherapp", "title": "Other"})
    return tmp_path


def states(made: PublishPlan) -> dict[str, str]:
    return {state.name: state.state for state in made.states}


@pytest.mark.parametrize(
    ("current", "bump", "released", "expected"),
    [
        ("1.2.3", "patch", None, "1.2.4"),
        ("1.2.3", "minor", None, "1.3.0"),
        ("1.2.3", "major", None, "2.0.0"),
        ("1.2.3", "patch", "1.2.9", "1.2.10"),
        ("1.2.3", "1.2.10", "1.2.9", "1.2.10"),
    ],
)
def test_versions_rise(current: str, bump: str, released: str | None, expected: str) -> None:
    assert bumped(current, bump, released=released) == expected


@pytest.mark.parametrize(
    ("bump", "word"),
    [
        ("1.2.3", "does not rise"),
        ("1.2.2", "does not rise"),
        ("1.3", "no version"),
        ("1.3.0-rc1", "no version"),
        ("01.3.0", "no version"),
        ("biggest", "no version"),
        ("1.3.10000000000000", "no version"),
    ],
)
def test_versions_that_do_not_rise_are_refused(bump: str, word: str) -> None:
    with pytest.raises(RefusedError, match=word):
        bumped("1.2.3", bump)


def test_settings_are_told_in_the_words_of_the_spec() -> None:
    before = {
        "version": "1.0.0",
        "engine": {
            "image": "vllm/vllm-openai:tokenspeed-preview",
            "context": 16384,
            "args": {"kv-cache-dtype": "fp8", "max-num-seqs": 4},
        },
        "env": {"A": 1},
    }
    after = {
        "version": "1.0.1",
        "engine": {
            "image": "vllm/vllm-openai:v0.21.0-cu129",
            "context": 131072,
            "draft": {"hf": "google/draft", "size": "840MB"},
            "args": {"kv-cache-dtype": "fp8", "enable-prefix-caching": True},
        },
    }
    assert [str(change) for change in setting_changes(before, after)] == [
        "image vllm/vllm-openai:tokenspeed-preview → vllm/vllm-openai:v0.21.0-cu129",
        "context 16384 → 131072",
        "draft model added: google/draft",
        "--enable-prefix-caching added: true",
        "--max-num-seqs removed",
        "env removed",
    ]


def test_equal_values_of_two_types_are_a_change() -> None:
    assert setting_changes({"a": 1}, {"a": True}) == (Change("a", "1", "true"),)


def test_a_version_that_was_never_released_is_released_as_it_stands(market: Path) -> None:
    made = publish(market)
    assert states(made) == {"smallapp": "new", "otherapp": "new"}
    assert made.edits == ()
    ledger = read_ledger(market)
    assert [(r.name, r.version, len(r.packages)) for r in ledger.releases] == [
        ("otherapp", "1.2.3", 2),
        ("smallapp", "1.2.3", 2),
    ]
    assert verify_packages(market, ledger) == ()


def test_nothing_changed_releases_nothing(market: Path) -> None:
    publish(market)
    made = publish(market, "patch")
    assert set(states(made).values()) == {"unchanged"}
    assert made.releases == ()


def test_content_changed_without_a_bump_is_refused(market: Path) -> None:
    publish(market)
    write_spec(market / "apps", {"engine": {"context": 4096}})
    workspace, made = plan(market)
    (found,) = made.findings
    assert (found.rule, found.place.path) == ("bump-needed", "version")
    assert "context added: 4096" in found.message
    with pytest.raises(RefusedError):
        write_publish(workspace, made)


def test_a_bump_raises_only_what_changed_and_proposes_notes(market: Path) -> None:
    publish(market)
    path = write_spec(market / "apps", {"engine": {"context": 4096}})
    text = path.read_text() + "# the last line is a comment\n"
    path.write_text(text)
    made = publish(market, "patch")
    assert [(r.name, r.version, r.changes) for r in made.releases] == [
        ("smallapp", "1.2.4", ("Context added: 4096",))
    ]
    assert path.read_text().endswith("# the last line is a comment\n")
    assert states(plan(market)[1]) == {"smallapp": "unchanged", "otherapp": "unchanged"}
    package = made.releases[0].packages[0]
    chart = read_package(read_released(market, package.file), "x")
    manifest = yaml.safe_load(chart.files["OlaresManifest.yaml"])
    assert manifest["spec"]["upgradeDescription"] == "Context added: 4096"


def test_a_shared_change_is_told_as_such(market: Path) -> None:
    publish(market)
    (market / "market").mkdir(exist_ok=True)
    (market / "market" / "market.yaml").write_text("developer: somebody else\n")
    made = plan(market, "patch")[1]
    assert {state.name: state.difference.shared for state in made.states if state.difference} == {
        "smallapp": True,
        "otherapp": True,
    }
    assert [release.version for release in made.releases] == ["1.2.4", "1.2.4"]


def test_a_spec_below_its_release_is_left_alone(market: Path) -> None:
    write_spec(market / "apps", {"version": "2.0.0", "changes": {"2.0.0": ["New"]}})
    publish(market)
    write_spec(market / "apps")
    made = publish(market, "patch")
    assert states(made)["smallapp"] == "behind"
    assert [(f.rule, f.severity.value) for f in made.findings] == [("version-behind", "warning")]


def test_a_deleted_spec_and_a_retired_name_stop_a_publish(market: Path) -> None:
    publish(market)
    spec = market / "apps" / "otherapp.yaml"
    text = spec.read_text()
    spec.unlink()
    assert [f.rule for f in plan(market)[1].findings] == ["spec-deleted"]
    ledger = read_ledger(market)
    append(market, ledger, [retirement(ledger, "otherapp", "unused", DATE)], {})
    assert plan(market)[1].findings == ()
    spec.write_text(text)
    assert [f.rule for f in plan(market)[1].findings] == ["app-retired"]


def test_a_rollback_is_old_content_under_a_new_version(market: Path) -> None:
    publish(market)
    write_spec(market / "apps", {"engine": {"context": 4096}})
    publish(market, "patch")
    ledger = read_ledger(market)
    line, files = rollback(
        ledger, "smallapp", lambda path: read_released(market, path), to=None, date=DATE
    )
    append(market, ledger, [line], files)
    assert (line.version, line.changes) == ("1.2.5", ("Back to the content of 1.2.3",))
    first = ledger.history("smallapp")[0]
    for package in line.packages:
        record = first.package(package.platform)
        assert record is not None
        old = read_package(read_released(market, record.file), "old")
        new = read_package(read_released(market, package.file), "new")
        changed = {name for name in old.files if old.files[name] != new.files[name]}
        assert changed == {"Chart.yaml", "OlaresManifest.yaml", "i18n/en-US/OlaresManifest.yaml"}
        assert yaml.safe_load(new.files["Chart.yaml"])["version"] == "1.2.5"
    assert states(plan(market)[1])["smallapp"] == "behind"


@pytest.mark.parametrize(
    ("name", "to"), [("none", None), ("smallapp", None), ("smallapp", "9.9.9")]
)
def test_a_rollback_to_nothing_is_refused(name: str, to: str | None, market: Path) -> None:
    publish(market)
    with pytest.raises(RefusedError):
        rollback(
            read_ledger(market), name, lambda path: read_released(market, path), to=to, date=DATE
        )


def test_somebody_else_published_meanwhile(market: Path) -> None:
    workspace, made = plan(market)
    publish(market)
    with pytest.raises(RefusedError, match="meanwhile"):
        write_publish(workspace, made)
    with pytest.raises(LedgerError):
        append(market, workspace.ledger, made.releases, made.files)


def test_the_commands_do_what_the_core_does(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(market)
    folder = ["-C", str(market)]
    assert main(["diff", *folder]) == 0
    assert "nothing changed" in capsys.readouterr().err
    write_spec(market / "apps", {"engine": {"context": 4096}})
    assert main(["diff", *folder]) == 0
    assert "smallapp 1.2.3: changed; needs a bump\n  context added: 4096" in capsys.readouterr().out
    assert main(["bump", *folder, "minor", "-m", "More context"]) == 0
    assert "1.2.3 → 1.3.0" in capsys.readouterr().err
    assert "More context" in (market / "apps" / "smallapp.yaml").read_text()
    assert main(["bump", *folder, "apps/smallapp.yaml", "1.0.0"]) == 1
    assert main(["retire", *folder, "otherapp", "-m", "Not used any more"]) == 0
    assert main(["retire", *folder, "otherapp", "-m", "Not used any more"]) == 1
    assert main(["rollback", *folder, "otherapp"]) == 1
