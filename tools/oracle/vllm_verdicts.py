# ruff: noqa: SLF001  # what a parser or a registry holds is in their private parts
"""What vLLM itself makes of argument lists: its parser, its checks, its configuration classes.

Runs where tools/engine_tables/dump_vllm.py runs: `vllm_verdicts.py FOLDER < lists > verdicts`.
Each list holds the words after `vllm serve MODEL`; each verdict is the stage that refused it
("parse", "checks", "config" or "lookup"; "" for accepted) and the class of the reason.

Needs no model, so it stops before the model's own configuration is known: of SpeculativeConfig and
the like, all fields are validated by the engine's classes, but not what they mean together.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "engine_tables"))

from dump_vllm import (
    FRONTEND,
    INTERNAL,
    TAG,
    TAGGED,
    as_cpu,
    cli_args,
    config_class,
    module,
    parser_class,
    registered,
    tag_help,
)

MODEL = "owner/model"
# Validated apart, as the server builds the classes behind them.
OBJECTS = frozenset({"limit_mm_per_prompt", "speculative_config"})
# The words of argparse and pydantic that tell reasons apart, and our class for each.
REASONS = {
    "unrecognized arguments": "unknown",
    "ambiguous option": "unknown",
    "expected one argument": "value-missing",
    "expected at least one argument": "value-missing",
    "ignored explicit argument": "value-unexpected",
    "invalid choice": "value-choice",
    "validation error": "json",
    "cannot be converted to <function loads": "json-broken",
    "cannot be converted": "value-type",
    "invalid": "value-type",
    "requires --": "requires",
}


class RefusedError(Exception):
    """A stage that refused, with the reason."""

    def __init__(self, stage: str, reason: str):
        super().__init__(stage, reason)
        self.stage, self.reason = stage, reason


def error(_: Any, message: str) -> NoReturn:
    """Stand for ArgumentParser.error, which would end the process."""
    raise RefusedError("parse", message)


def whole_parser() -> tuple[Any, Any]:
    """Return the parser of `vllm`, as vllm/entrypoints/cli/main.py builds it, and that of serve."""
    tag_help()
    parser = parser_class()(prog="vllm")
    serve = parser.add_subparsers(required=False, dest="subparser").add_parser("serve")
    return parser, cli_args().make_arg_parser(serve)


def config_fields(serve: Any) -> dict[str, tuple[Any, str]]:
    """Return, per attribute of the parsed arguments, the config class and field behind it."""
    found = {}
    for action in serve._actions:
        tag = TAG.search(action.help or "")
        if tag is not None and tag[1] not in FRONTEND:
            found[action.dest] = (TAGGED[tag[1]], tag[2])
    return found


def without_post_init(classes: set[Any]) -> None:
    """Take away what needs a model or a device; fields are validated before."""
    for cls in classes:
        if "__post_init__" in vars(cls):
            cls.__post_init__ = lambda *_args, **_kwargs: None


def field_errors(cls: Any, values: dict[str, Any]) -> Iterator[str]:
    """Yield what a config class refuses in these fields, others aside."""
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(cls).validate_python(values)
    except ValidationError as problem:
        for item in problem.errors():
            if item["loc"] and item["loc"][0] in values:
                yield f"validation error: {item['type']} {item['loc']}"
    except (KeyError, ValueError, TypeError) as problem:
        # A field's own validator that looks a name up (`AttentionBackendEnum[...]`), unless it is
        # one of the checks across fields, which lack what was taken away.
        decorators = getattr(cls, "__pydantic_decorators__", None)
        across = set(decorators.model_validators) if decorators is not None else set()
        frames = {frame.name for frame in traceback.extract_tb(problem.__traceback__)}
        if not frames & across:
            yield f"validation error: {problem!r}"
    except AttributeError:
        return


class Judge:
    """One release's verdicts."""

    def __init__(self) -> None:
        argparse.ArgumentParser.error = error  # type: ignore[method-assign]  # a patch
        self.parser, serve = whole_parser()
        self.fields = config_fields(serve)
        self.defaults = {action.dest: action.default for action in serve._actions}
        self.speculative = importlib.import_module("vllm.config.speculative").SpeculativeConfig
        self.multimodal = importlib.import_module("vllm.config.multimodal").MultiModalConfig
        without_post_init({cls for cls, _ in self.fields.values()} | {self.speculative})
        tools = module("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")
        self.tool_parsers = set(registered(tools.ToolParserManager))
        reasoning = module("vllm.reasoning").ReasoningParserManager
        self.reasoning_parsers = set(registered(reasoning))
        # Chat templates are files of the chart; whether they exist is no question here.
        cli_args().validate_chat_template = lambda _: None

    def verdict(self, words: list[str]) -> tuple[str, str]:
        """Return the stage that refuses a list, and why; ("", "") where none does."""
        try:
            self.run(words)
        except RefusedError as refused:
            return refused.stage, reason_class(refused.reason)
        return "", ""

    def run(self, words: list[str]) -> None:
        """Go through the stages."""
        try:
            args = self.parser.parse_args(["serve", MODEL, *words])
        except (ValueError, IndexError, TypeError, KeyError) as problem:
            raise RefusedError("parse", repr(problem)) from None
        try:
            cli_args().validate_parsed_serve_args(args)
        except (TypeError, ValueError) as problem:
            raise RefusedError("checks", str(problem)) from None
        for reason in (*self.config(args), *self.objects(args)):
            raise RefusedError("config", reason)
        for reason in self.lookups(args):
            raise RefusedError("lookup", reason)

    def config(self, args: Any) -> Iterator[str]:
        """Yield what the configuration classes refuse of plain values."""
        for name, (cls, field) in self.fields.items():
            value = getattr(args, name, None)
            if value is None or value == self.defaults[name] or name in OBJECTS:
                continue
            if not dataclasses.is_dataclass(value):
                yield from field_errors(cls, {field: value})

    def objects(self, args: Any) -> Iterator[str]:
        """Yield what is wrong with objects that were plain JSON so far."""
        config = args.speculative_config
        if config is not None:
            if not isinstance(config, dict):
                yield "validation error: no object"
            else:
                yield from field_errors(
                    self.speculative, {k: v for k, v in config.items() if k not in INTERNAL}
                )
        limits = args.limit_mm_per_prompt
        if limits != self.defaults["limit_mm_per_prompt"]:
            field = self.fields["limit_mm_per_prompt"][1]
            try:
                yield from field_errors(self.multimodal, {field: limits})
            except AttributeError:
                yield "validation error: no object"
            if not isinstance(limits, dict):
                yield "validation error: no object"

    def lookups(self, args: Any) -> Iterator[str]:
        """Yield names that the server looks up and does not find."""
        # entrypoints/openai/api_server.py:validate_api_server_args, cli_args.py since 0.32.
        if args.enable_auto_tool_choice and args.tool_call_parser not in self.tool_parsers:
            yield "name-unknown tool-call-parser"
        reasoning = args.structured_outputs_config.reasoning_parser
        reasoning = reasoning or getattr(args, "reasoning_parser", "")
        if reasoning and reasoning not in self.reasoning_parsers:
            yield "name-unknown reasoning-parser"
        backend = getattr(args, "attention_backend", None)
        attention = config_class("AttentionConfig")
        if isinstance(backend, str) and attention is not None:
            for _ in field_errors(attention, {"backend": backend}):
                yield "name-unknown attention-backend"
        quantization = importlib.import_module("vllm.model_executor.layers.quantization")
        # config/model.py: lowered by a validator, then compared with this list.
        if args.quantization and args.quantization.lower() not in quantization.QUANTIZATION_METHODS:
            yield "name-unknown quantization"
        loaders = importlib.import_module("vllm.model_executor.model_loader")
        if str(args.load_format).lower() not in loaders._LOAD_FORMAT_TO_MODEL_LOADER:
            yield "name-unknown load-format"


def reason_class(reason: str) -> str:
    """Return our class of a reason, its first word where it begins with one."""
    if reason.startswith("name-unknown"):
        return "name-unknown"
    return next((kind for words, kind in REASONS.items() if words in reason), "other")


if __name__ == "__main__":
    # Some releases print while they are imported.
    printed, sys.stdout = sys.stdout, sys.stderr
    as_cpu(Path(sys.argv[1]))
    lists = json.load(sys.stdin)
    judge = Judge()
    json.dump([judge.verdict(words) for words in lists], printed)
