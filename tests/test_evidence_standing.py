"""Which measurement stands for what: texts, change notes and the market give one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.evidence.beside import current_speed
from chartgen.evidence.record import Check, Measurement, Published, Run
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.lint.evidence import evidence_findings
from chartgen.market.evidence import read_beside
from chartgen.market.leaderboard import Row, leaderboard_with
from chartgen.spec.load import LoadedSpec
from tests.markets import EMPTY
from tests.specs import loaded

MACHINE = "olares-one"
CONTEXT: dict[str, Any] = {"engine": {"context": 8192}}


def llama(context: int | None = 8192, **args: Any) -> dict[str, Any]:
    engine = {"kind": "llamacpp", "image": "ghcr.io/ggml-org/llama.cpp:server-b11434"}
    model = {"hf": "owner/model", "file": "a.gguf", "size": "1GB"}
    return {"engine": {**engine, "model": model, "context": context, "args": args}}


def bench(folder: Path, changes: dict[str, Any], rate: float = 250.0, **told: Any) -> Path:
    """Keep a bench of what an app with some changes runs, of five steady runs."""
    app = loaded(folder, changes)
    plain: dict[str, Any] = {"version": app.spec.version, "workload": workload_digest(app)}
    plain |= {"hardware": MACHINE, "date": "2026-05-20", "context": app.spec.engine.context}
    plain |= {"settings": {"standard": True}, "runs": (Run(rate),) * 5}
    return keep(folder, Measurement("bench", "smallapp", **plain | told))


def row_of(app: LoadedSpec, folder: Path) -> Row:
    """Return the line of the leaderboard of an app that is not released yet."""
    beside = read_beside(folder.parent, ["smallapp"])
    (row,) = leaderboard_with(EMPTY.catalog(), [app], beside, EMPTY.read)
    return row


def answer(folder: Path, changes: dict[str, Any]) -> float | None:
    """Return the number of the app as it is now: that of its texts, and of the leaderboard."""
    app = loaded(folder, changes)
    speed, row = current_speed(app, MACHINE), row_of(app, folder)
    told = None if speed is None else speed.tokens_per_second
    assert told == (None if row.speed is None else row.speed.mean)
    return told


def findings(folder: Path, changes: dict[str, Any]) -> list[tuple[str, str]]:
    app = loaded(folder, {"summary": "A small app, {tps} tokens/s", **changes})
    return [(item.rule, item.message) for item in evidence_findings(app, MACHINE)]


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    return tmp_path / "apps"


def test_versions_follow_each_other_as_numbers(apps: Path) -> None:
    bench(apps, CONTEXT | {"version": "1.0.10"}, 400.0)
    bench(apps, CONTEXT | {"version": "1.0.9"}, 200.0)
    assert answer(apps, CONTEXT | {"version": "1.0.10"}) == 400.0


def test_the_latest_date_wins_over_version_and_number(apps: Path) -> None:
    bench(apps, CONTEXT | {"version": "1.0.10"}, 400.0, date="2026-05-19")
    bench(apps, CONTEXT | {"version": "1.0.9"}, 200.0)
    bench(apps, CONTEXT | {"version": "1.0.9"}, 201.0)
    assert answer(apps, CONTEXT | {"version": "1.0.10"}) == 201.0


def test_an_endpoint_of_another_context_is_no_release(apps: Path) -> None:
    bench(apps, CONTEXT, context=4096)
    assert answer(apps, CONTEXT) is None
    assert [rule for rule, _ in findings(apps, CONTEXT)] == [
        "evidence-stale",
        "text-without-evidence",
    ]
    for _, message in findings(apps, CONTEXT):
        assert "4,096" in message
        assert "8,192" in message


def test_a_context_that_one_of_both_does_not_tell_is_no_other(apps: Path) -> None:
    bench(apps, {}, context=4096)
    assert answer(apps, {}) == 250.0
    bench(apps, CONTEXT, 251.0, context=None)
    assert answer(apps, CONTEXT) == 251.0


@pytest.mark.parametrize(
    ("changes", "told", "same"),
    [
        # What llama-server b11434 tells in /v1/models, with a model trained for more.
        (llama(parallel=1), 8192, True),
        (llama(parallel=2), 4096, True),
        (llama(np=2), 4096, True),
        (llama(parallel=2), 8192, True),
        (llama(parallel=2) | {"env": {"LLAMA_ARG_N_PARALLEL": "4"}}, 4096, True),
        (llama() | {"env": {"LLAMA_ARG_N_PARALLEL": "2"}}, 4096, True),
        # 8192 / 3 is 2730, and eleven times 256 are 2816.
        (llama(parallel=3), 2816, True),
        (llama(3000, parallel=1), 3072, True),
        (llama(3000, parallel=2), 1536, True),
        # Four slots that share one context.
        (llama(), 8192, True),
        (llama(), 2048, False),
        (llama(parallel=2, **{"kv-unified": True}), 4096, False),
        (llama(parallel=2), 2048, False),
        (llama(parallel=2), 16384, False),
        (llama(parallel=3), 2730, False),
        # Only llama.cpp shares a context out.
        ({"engine": {"context": 8192, "args": {"parallel": 2}}}, 4096, False),
    ],
    ids=str,
)
def test_a_slot_of_llama_cpp_tells_its_share(
    changes: dict[str, Any], told: int, same: bool, apps: Path
) -> None:
    bench(apps, changes, context=told)
    assert answer(apps, changes) == (250.0 if same else None)


@pytest.mark.parametrize(
    "told",
    [
        {"runs": (Run(250.0, cold=True),)},
        {"runs": (Run(100.0, cold=True), *(Run(250.0),) * 3)},
        {"users": 2},
        {"settings": {"standard": False}},
        {"hardware": "rtx-4090"},
        {"version": "", "trial": "other drafts"},
    ],
    ids=str,
)
def test_a_newer_one_that_stands_for_nothing_hides_nothing(
    told: dict[str, Any], apps: Path
) -> None:
    bench(apps, CONTEXT, 180.0)
    bench(apps, CONTEXT, date="2026-05-21", **told)
    assert answer(apps, CONTEXT) == 180.0


def test_a_newer_one_of_two_speeds_leaves_no_number(apps: Path) -> None:
    bench(apps, CONTEXT, 180.0)
    bench(apps, CONTEXT, date="2026-05-21", runs=tuple(map(Run, (220.0, 60.0) * 4)))
    assert answer(apps, CONTEXT) is None


@pytest.mark.parametrize("count", [1, 3])
def test_runs_that_cannot_tell_one_speed_from_two_are_no_standard_bench(
    count: int, apps: Path
) -> None:
    bench(apps, CONTEXT, runs=(Run(250.0),) * count)
    assert answer(apps, CONTEXT) is None
    (found,) = findings(apps, CONTEXT)
    assert "none of the standard ones" in found[1]


def test_a_lone_cold_run_is_not_said_to_have_two_speeds(apps: Path) -> None:
    bench(apps, CONTEXT, runs=(Run(250.0, cold=True),))
    assert answer(apps, CONTEXT) is None
    (found,) = findings(apps, CONTEXT)
    assert "none of the standard ones" in found[1]


@pytest.mark.parametrize("told", [{"runs": (Run(250.0),)}, {"published": Published(250.0)}])
def test_a_publication_may_tell_of_few_runs(told: dict[str, Any], apps: Path) -> None:
    bench(apps, CONTEXT, **{"workload": "", "runs": (), "source": "a publication"} | told)
    assert answer(apps, CONTEXT) == 250.0


def test_a_file_under_another_name_counts_nowhere(apps: Path) -> None:
    path = bench(apps, CONTEXT)
    path.rename(path.with_name("1.2.2-bench-1.json"))
    assert answer(apps, CONTEXT) is None


def test_a_spec_for_another_machine_has_the_number_of_that_one(apps: Path) -> None:
    bench(apps, CONTEXT)
    other = CONTEXT | {"hardware": "rtx-4090"}
    assert row_of(loaded(apps, other), apps).speed is None
    bench(apps, CONTEXT, 300.0, hardware="rtx-4090", date="2026-05-19")
    speed = row_of(loaded(apps, other), apps).speed
    assert speed is not None
    assert speed.mean == 300.0
    assert answer(apps, CONTEXT) == 250.0


def test_texts_say_which_machine_was_measured_instead(apps: Path) -> None:
    bench(apps, CONTEXT, hardware="rtx-4090")
    ((rule, message),) = findings(apps, CONTEXT)
    assert rule == "text-without-evidence"
    assert "rtx-4090" in message
    assert MACHINE in message


@pytest.mark.parametrize(
    ("machine", "ability", "rules"),
    [
        ("", "tested", []),
        (MACHINE, "tested", []),
        ("rtx-4090", "stated", ["claim-untested"]),
    ],
)
def test_a_smoke_test_counts_on_its_machine(
    machine: str, ability: str, rules: list[str], apps: Path
) -> None:
    changes = {"engine": {"args": {"limit-mm-per-prompt": {"image": 1}}}}
    app = loaded(apps, changes)
    passed = Measurement(
        "smoke",
        "smallapp",
        "1.2.3",
        workload=workload_digest(app),
        hardware=machine,
        checks=(Check("vision", "passed"),),
    )
    keep(apps, passed)
    app = loaded(apps, changes)
    assert row_of(app, apps).vision == ability
    assert [item.rule for item in evidence_findings(app, MACHINE)] == rules


def test_what_an_older_smoke_test_tried_last_still_counts(apps: Path) -> None:
    args = {"limit-mm-per-prompt": {"image": 1}, "enable-auto-tool-choice": True}
    changes = {"engine": {"args": args}}
    for checks in (
        (Check("vision", "passed"), Check("tools", "failed")),
        (Check("vision", "skipped"), Check("tools", "passed")),
    ):
        digest = workload_digest(loaded(apps, changes))
        keep(apps, Measurement("smoke", "smallapp", "1.2.3", digest, checks=checks))
    app = loaded(apps, changes)
    row = row_of(app, apps)
    assert (row.vision, row.tools) == ("tested", "tested")
    assert list(evidence_findings(app, MACHINE)) == []
