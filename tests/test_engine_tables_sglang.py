"""Reading SGLang's options from a parser, and facts of its releases."""

from __future__ import annotations

import argparse
import json

import pytest

from chartgen.engines.command_line import judge
from chartgen.engines.table import (
    engine_table,
)
from tests.table_spans import history
from tools.engine_tables.dump_sglang import option


class DeprecatedAction(argparse.Action):
    """As SGLang's: a flag that is gone, with a sentence on what to use."""

    error_message = "--gone is gone, use --new-one"


def read(*spellings: str, **settings: object) -> tuple[str, dict[str, object]]:
    parser = argparse.ArgumentParser(add_help=False)
    return option(parser.add_argument(*spellings, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "name", "fields"),
    [
        (read("--port", type=int, default=30000), "port", {"value": "int", "default": 30000}),
        (
            read("--tp-size", "--tp", type=int),
            "tp-size",
            {"spellings": ["--tp-size", "--tp"], "value": "int"},
        ),
        (read("--trust", action="store_true"), "trust", {"value": "none", "default": False}),
        (
            read("--graph", action=argparse.BooleanOptionalAction),
            "graph",
            {"value": "switch", "negations": ["--no-graph"]},
        ),
        (read("--bs", type=int, nargs="+"), "bs", {"value": "int", "most": None}),
        (read("--config", type=json.loads), "config", {"value": "json"}),
        (read("--level", choices=["a", "b"]), "level", {"choices": ["a", "b"]}),
        (
            read("--old", action="store_true", help="Deprecated. Use --attn-dp-size instead."),
            "old",
            {
                "value": "none",
                "default": False,
                "state": "deprecated",
                "replaced_by": "--attn-dp-size",
            },
        ),
        (
            read("--gone", action=DeprecatedAction, nargs=0),
            "gone",
            {"value": "none", "state": "removed", "replaced_by": "--new-one"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_action_is_read(
    found: tuple[str, dict[str, object]], name: str, fields: dict[str, object]
) -> None:
    assert found == (name, fields)


# ServerArgs.add_cli_args of the releases named.
@pytest.mark.parametrize(
    ("release", "words", "fine"),
    [
        ("0.5.3", ["--model-path", "m", "--mem-fraction-static", "0.8", "--tp", "2"], True),
        ("0.5.23", ["--model-path", "m", "--mem-fraction-static", "0.8", "--tp", "2"], True),
        ("0.5.3", ["--mem-fraction-static", "most"], False),
        ("0.5.3", ["--speculative-algorithm", "NOPE"], False),
        ("0.5.23", ["--gpu-memory-utilization", "0.9"], False),
    ],
)
def test_releases_of_sglang(release: str, words: list[str], fine: bool) -> None:
    problems = judge(engine_table("sglang", release), words)
    assert any(problem.refused for problem in problems) is not fine


def test_a_flag_that_all_releases_have() -> None:
    assert history("sglang", "--context-length") == ("0.5.3", "0.5.23")
