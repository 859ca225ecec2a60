"""The benchmark of the client that measures: its arithmetic and its table; nothing is measured."""

from __future__ import annotations

import pytest

from bench.measuring import Measured, as_text, client_targets


@pytest.mark.parametrize(
    ("client_rate", "cpu_per_cent", "met"),
    [
        (1990.0, 15.0, [True, True]),
        (2010.0, 25.0, [True, True]),
        (1970.0, 15.0, [False, True]),
        (2000.0, 26.0, [True, False]),
    ],
)
def test_targets(client_rate: float, cpu_per_cent: float, met: list[bool]) -> None:
    measured = Measured(2000.0, client_rate, cpu_per_cent)
    assert [target.met for target in client_targets(measured)] == met


def test_table_says_which_target_was_missed() -> None:
    lines = as_text(Measured(2000.0, 1970.0, 15.0)).splitlines()
    assert lines[1].split()[-4:] == ["1.50", "<=", "1", "missed"]
    assert lines[2].split()[-4:] == ["15.00", "<=", "25", "met"]
