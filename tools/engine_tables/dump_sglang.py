"""Print, as JSON, what one release of SGLang accepts, from its own parser.

Runs inside an environment with torch and the pure packages that SGLang imports, on the .py files
of a wheel alone: `python dump_sglang.py FOLDER [STUB ...]`. A package that is missing ends the run
with status 3 and its name; given as STUB it is replaced by a stand-in. No GPU is needed.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import json
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

# Types whose rules a table has no word for: any text passes.
UNCHECKED = frozenset({"human_readable_int", "nullable_str", "parse_cuda_graph_backend_arg"})
LISTS = {None: (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}
OLD = re.compile(r"\W*deprecated", re.IGNORECASE)
NAME = re.compile(r"\bSGL(?:ANG)?_[A-Z0-9_]+\b")


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives an object that swallows everything for packages that are not installed."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Answer for the stand-ins and what lies below them."""
        if fullname.partition(".")[0] not in self.names:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the stand-in."""
        stand_in: Any = MagicMock(name=spec.name)
        stand_in.__path__ = []
        stand_in.__version__ = "0"
        return stand_in  # type: ignore[no-any-return]  # a MagicMock in place of a module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: there is nothing to run."""


def let_names_repeat() -> None:
    """Let SGLang register models that a newer transformers than its own already has."""
    configurations = importlib.import_module("transformers.models.auto.configuration_auto")
    real = configurations.AutoConfig.register

    def register(model_type: str, config: Any, **_: Any) -> None:
        real(model_type, config, exist_ok=True)

    configurations.AutoConfig.register = staticmethod(register)


def value_kind(kind: Any) -> str:
    """Return the kind of value of an argparse type."""
    plain = {None: "text", str: "text", int: "int", float: "float", json.loads: "json"}
    if kind in plain:
        return plain[kind]
    title = getattr(kind, "__name__", str(kind))
    if title in ("json_list_type", "parse_cuda_graph_config_arg"):
        return "json-or-text"
    if title in UNCHECKED:
        return "text"
    raise TypeError(f"no kind of value is known for {title}")


def option(action: Any) -> tuple[str, dict[str, Any]]:
    """Return the main spelling of an action without dashes, and its facts."""
    negative = [s for s in action.option_strings if s.startswith("--no-")]
    switch = isinstance(action, argparse.BooleanOptionalAction)
    positive = [s for s in action.option_strings if not (switch and s in negative)]
    main = next((s for s in positive if s.startswith("--")), positive[0])
    title = type(action).__name__
    found: dict[str, Any] = {} if positive == [main] else {"spellings": positive}
    if switch:
        found |= {"value": "switch", "negations": negative}
    elif action.nargs == 0:
        found["value"] = "none"
    else:
        found["value"] = "lora" if title == "LoRAPathAction" else value_kind(action.type)
        least, most = LISTS.get(action.nargs, (action.nargs, action.nargs))
        found |= {"least": least, "most": most}
        choices = [str(choice) for choice in action.choices or () if choice is not None]
        # A set has another order in each run.
        found["choices"] = sorted(choices) if isinstance(action.choices, set) else choices
    found["default"] = default_of(action.default)
    if title == "DeprecatedAction" and getattr(action, "error_message", None):
        found |= {"state": "removed", "replaced_by": flags_in(action.error_message, main)}
    elif title.startswith("Deprecated") or re.match(
        r"\W*deprecated", action.help or "", re.IGNORECASE
    ):
        named = getattr(action, "new_flag", None) or flags_in(action.help or "", main)
        found |= {"state": "deprecated", "replaced_by": named}
    usual = {"value": "text", "least": 1, "most": 1}
    return main.lstrip("-"), {
        key: value
        for key, value in found.items()
        if not (key in usual and value == usual[key])
        if value not in ("", []) and (value is not None or key == "most")
    }


def default_of(value: Any) -> Any:
    """Return a default that JSON can hold, None for anything else."""
    plain = isinstance(value, (str, int, float, bool)) and value != argparse.SUPPRESS
    return value if plain else None


def flags_in(text: str, own: str) -> str:
    """Return the first other option that a sentence names."""
    return next((f for f in re.findall(r"--[a-z][a-z0-9-]*[a-z0-9]", text) if f != own), "")


def variables(folder: Path) -> Iterator[str]:
    """Yield the names of SGLang's own variables in its source."""
    for path in sorted((folder / "sglang").rglob("*.py")):
        yield from NAME.findall(path.read_text(encoding="utf-8", errors="replace"))


def main() -> int:
    """Print the facts of the release in a folder."""
    folder, stubs = Path(sys.argv[1]), sys.argv[2:]
    sys.argv = ["sglang"]
    sys.path.insert(0, str(folder))
    sys.meta_path.insert(0, StandIns(stubs))
    logging.disable(logging.CRITICAL)
    let_names_repeat()
    try:
        arguments = importlib.import_module("sglang.srt.server_args")
    except ModuleNotFoundError as missing:
        print(str(missing.name).partition(".")[0])
        return 3
    parser = argparse.ArgumentParser()
    arguments.ServerArgs.add_cli_args(parser)
    # argparse has no public way to walk a parser.
    found = parser._actions  # noqa: SLF001
    actions = [a for a in found if a.option_strings and a.dest != "help"]
    facts = {"options": dict(map(option, actions)), "env": sorted(set(variables(folder)))}
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
