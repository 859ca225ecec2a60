"""Which spec `bench` and `smoke` measure, how it is named, and what of it they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, parse_measurement
from chartgen.evidence.workload import workload_digest
from chartgen.spec.load import load_spec
from tests.scripted_engine import Script, ScriptedEngine
from tests.smoking import engine as sound_engine
from tests.specs import png, write_spec

pytestmark = pytest.mark.loopback
Capture = pytest.CaptureFixture[str]
QUICK = {"bench": ("--runs", "1", "--max-tokens", "100"), "smoke": ()}
BOTH = pytest.mark.parametrize("command", ["bench", "smoke"])


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARTGEN_API_KEY", raising=False)


def run(folder: Path, command: str, spec: str, *more: str) -> int:
    """Measure an app of a folder with an engine that does all that is asked."""
    server = ScriptedEngine(Script(tokens=None, rate=6000)) if command == "bench" else None
    with server or sound_engine() as running:
        given = (*QUICK[command], *more)
        return main(["-C", str(folder), command, spec, running.url, *given])


def evidence(folder: Path) -> list[Measurement]:
    files = sorted(folder.rglob("evidence/*/*.json"))
    found = [parse_measurement(file.read_bytes()) for file in files]
    return [one for one in found if isinstance(one, Measurement)]


@BOTH
@pytest.mark.parametrize("word", ["smallapp", "apps/second.yaml"])
def test_an_app_goes_by_its_name_or_its_spec(command: str, word: str, tmp_path: Path) -> None:
    write_spec(tmp_path / "apps").rename(tmp_path / "apps" / "second.yaml")
    write_spec(tmp_path / "apps", {"name": "otherapp"})
    assert run(tmp_path, command, word) == 0
    assert [(one.kind, one.app) for one in evidence(tmp_path)] == [(command, "smallapp")]


@BOTH
def test_a_name_of_two_specs_is_refused(command: str, tmp_path: Path, capsys: Capture) -> None:
    first = write_spec(tmp_path / "apps")
    (tmp_path / "apps" / "second.yaml").write_bytes(first.read_bytes())
    assert run(tmp_path, command, "smallapp") == 2
    assert "apps/second.yaml, apps/smallapp.yaml" in capsys.readouterr().err


@BOTH
def test_a_name_of_none_is_refused(command: str, tmp_path: Path, capsys: Capture) -> None:
    write_spec(tmp_path / "apps")
    assert run(tmp_path, command, "smalap") == 1
    assert "did you mean smallapp?" in capsys.readouterr().err
    assert run(tmp_path, command, "apps/none.yaml") == 3


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A spec alone in a folder: no market, no icon, none of the texts it names."""
    about = {"about": {"from": "texts/none.md"}}
    spec = write_spec(tmp_path, about | {"i18n": {"de-DE": {"about": {"from": "de.md"}}}})
    (tmp_path / "icons" / "smallapp.png").unlink()
    return spec


@BOTH
def test_what_only_people_look_at_may_be_missing(command: str, bare: Path, capsys: Capture) -> None:
    assert run(bare.parent, command, "smallapp.yaml", "--no-save") == 0
    assert "cannot be read" not in capsys.readouterr().err
    assert run(bare.parent, command, "smallapp.yaml") == 0
    (kept,) = evidence(bare.parent)
    assert kept.content == {}
    whole, _ = load_spec(write_spec(bare.parent))
    assert whole is not None
    assert kept.workload == workload_digest(whole)


@pytest.mark.parametrize(
    "shown",
    [{"about": {"from": "icons/smallapp.png"}}, {"icon": "../icon.png"}, {"icon": "large.png"}],
    ids=["picture as text", "outside", "too large"],
)
def test_what_only_people_look_at_may_be_unusable(shown: dict[str, object], tmp_path: Path) -> None:
    spec = write_spec(tmp_path / "apps", shown)
    (tmp_path / "apps" / "large.png").write_bytes(png() + bytes(512_000))
    assert run(tmp_path, "bench", "smallapp") == 0
    assert [one.content for one in evidence(tmp_path)] == [{}]
    strict, _ = load_spec(spec)
    assert strict is None


@BOTH
def test_what_the_app_runs_may_not_be_missing(command: str, bare: Path, capsys: Capture) -> None:
    write_spec(bare.parent, {"files": {"/etc/a.conf": {"from": "a.conf"}}})
    assert run(bare.parent, command, "smallapp.yaml", "--no-save") == 3
    assert "'a.conf' cannot be read" in capsys.readouterr().err


@BOTH
def test_hardware_that_nobody_knows(command: str, tmp_path: Path, capsys: Capture) -> None:
    write_spec(tmp_path / "apps")
    assert run(tmp_path, command, "smallapp", "--hardware", "toaster") == 2
    err = capsys.readouterr().err
    assert "'toaster'" in err
    assert "olares-one, l4," in err
    assert "--no-save" in err
