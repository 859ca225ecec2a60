"""The arithmetic of the Worker's benchmark, and the markets that it measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.worker import ANSWERS, MANY, SMALL, Load, Served, worker_table, worker_targets
from bench.worker_market import market_site, plain_modules, renamed
from chartgen.chart import Chart

ROOT = Path(__file__).resolve().parent.parent


def served(
    setup: str, apps: int, *, speed: float = 100, cpu: float = 1, ready: float = 1, mib: float = 50
) -> Served:
    return Served(setup, apps, dict.fromkeys(ANSWERS, Load(speed, cpu)), ready, mib)


def test_the_worst_of_all_answers_counts() -> None:
    ours = served("ours", SMALL)
    plain = served("plain", SMALL)
    slow = Served("ours", SMALL, {**ours.loads, "chart": Load(90, 1.5)}, 1, 50)
    speed, cost = worker_targets([slow, plain])
    assert (speed.value, speed.met) == (0.9, False)
    assert (cost.value, cost.met) == (1.5, False)
    assert all(target.met for target in worker_targets([ours, plain]))


def test_a_round_of_a_device_is_six_requests_for_32_apps() -> None:
    ours = served("ours, routed", SMALL, cpu=1)
    loads = {"hash": Load(1, 1), "info": Load(1, 1), "details": Load(1, 2.5), "chart": Load(1, 99)}
    (target,) = worker_targets([ours, Served("plain, routed", SMALL, loads, 1, 50)])
    assert target.value == 6 / 12


@pytest.mark.parametrize(("ready", "mib", "met"), [(3, 150, True), (2.9, 149, False)])
def test_many_apps_have_to_be_three_times_lighter(ready: float, mib: float, met: bool) -> None:
    found = worker_targets([served("ours", MANY), served("plain", MANY, ready=ready, mib=mib)])
    assert [target.value for target in found] == [ready, mib / 50]
    assert [target.met for target in found] == [met, met]


def test_what_was_not_measured_has_no_target() -> None:
    assert worker_targets([]) == ()
    assert worker_targets([served("ours", SMALL), served("plain", MANY)]) == ()


def test_every_set_up_has_a_row() -> None:
    lines = worker_table([served("ours", SMALL), served("plain", MANY, ready=0.25)]).splitlines()
    assert lines[1].split() == ["ours", "32", *["100", "1.00"] * 4, "1000", "50"]
    assert lines[2].split()[-2:] == ["250", "50"]


def test_a_market_of_any_size_is_made_of_sound_packages() -> None:
    site = market_site(ROOT, 12)
    base = site.bases[0]
    assert len(base.details) == len(base.charts) == 12
    plain = plain_modules(site)["market.js"][1].removeprefix(b"export default ").rstrip(b";\n")
    market = json.loads(plain)
    assert market["details"] == {id_: json.loads(text) for id_, text in base.details.items()}
    assert set(base.charts) < set(market["files"])


def test_a_renamed_chart_states_its_new_name_only() -> None:
    chart = Chart("oldname", {"Chart.yaml": b"name: oldname\n", "templates/oldname.yaml": b"x"})
    found = renamed(chart, "newname")
    assert found.name == "newname"
    assert dict(found.files) == {"Chart.yaml": b"name: newname\n", "templates/newname.yaml": b"x"}
