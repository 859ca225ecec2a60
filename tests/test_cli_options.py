"""Options that several commands share."""

from __future__ import annotations

import click
import pytest

from chartgen.cli.options import FiniteRange


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "x"])
@pytest.mark.parametrize("bounds", [FiniteRange(0.1, 3600), FiniteRange(min=0), FiniteRange()])
def test_number_that_is_none_lies_in_no_range(bounds: FiniteRange, text: str) -> None:
    with pytest.raises(click.BadParameter):
        bounds.convert(text, None, None)


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("0.5", 0.5), ("2e1", 20.0)])
def test_number_of_a_range(text: str, value: float) -> None:
    assert FiniteRange(0.5, 20).convert(text, None, None) == value
