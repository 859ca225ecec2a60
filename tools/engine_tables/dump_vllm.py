# ruff: noqa: SLF001  # what a parser or a registry holds is in their private parts
"""Print, as JSON, what one release of vLLM accepts: from its own parser, registries and source.

Runs inside an environment with torch and the packages of requirements-vllm.txt, on the .py files
of a wheel alone: `python dump_vllm.py FOLDER`, the folder holding `vllm/` and its dist-info.
Neither a GPU nor a compiled extension is needed: a version with "+cpu" selects the CPU platform.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import enum
import importlib
import importlib.metadata
import inspect
import json
import logging
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

# Words of JSON Schema that a table keeps.
KEPT = frozenset(
    {
        "type",
        "enum",
        "const",
        "anyOf",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "additionalProperties",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "pattern",
    }
)
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
# Objects that only plain JSON is asked of at first; the server makes these classes of them later.
LATER_SCHEMAS = {
    "speculative-config": "SpeculativeConfig",
    "limit-mm-per-prompt": "limit-mm-per-prompt",
    "diffusion-config": "DiffusionConfig",
    "watermark-config": "WatermarkConfig",
}
# Set by the engine itself, whatever the user gives (config/speculative.py).
INTERNAL = {
    "target_model_config",
    "target_parallel_config",
    "draft_model_config",
    "draft_parallel_config",
}
# Options whose value is looked up in a registry after parsing, by the subject of the names.
LOOKED_UP = {
    "tool-call-parser": "tool-call-parser",
    "reasoning-parser": "reasoning-parser",
    "attention-backend": "attention-backend",
    "mm-encoder-attn-backend": "attention-backend",
    "quantization": "quantization",
    "load-format": "load-format",
    "kv-cache-dtype": "kv-cache-dtype",
    "optimization-level": "optimization-level",
}
# Where the parser of `vllm serve` is built: from 0.33, from 0.29, before.
CLI_ARGS = (
    "vllm.entrypoints.common.cli_args",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.entrypoints.openai.cli_args",
)
FRONTEND = frozenset({"FrontendArgs", "BaseFrontendArgs"})
TAG = re.compile(r"@@(\w+)\.(\w+)@@")


def module(*names: str) -> ModuleType:
    """Import the first module of several that a release has."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as problem:
            if not name.startswith(problem.name or "?"):
                raise
    raise ModuleNotFoundError(f"none of {', '.join(names)}")


def as_cpu(folder: Path) -> None:
    """Put a release on the path, as a build for CPU."""
    sys.path.insert(0, str(folder))
    real = importlib.metadata.version
    importlib.metadata.version = lambda name: real(name) + ("+cpu" if name == "vllm" else "")
    sys.argv = ["vllm", "serve"]
    logging.disable(logging.CRITICAL)
    # Releases before 0.18 ask torch for a function that newer versions of it lack.
    import torch

    if not hasattr(torch._C._cpu, "_is_avx512_supported"):
        torch._C._cpu._is_avx512_supported = lambda: False


def cli_args() -> ModuleType:
    """Return the module that builds the parser of `vllm serve`."""
    return module(*CLI_ARGS)


def parser_class() -> Any:
    """Return vLLM's own parser class."""
    return module("vllm.utils.argparse_utils", "vllm.utils").FlexibleArgumentParser


def serve_parser(prog: str = "vllm serve") -> Any:
    """Build the parser of `vllm serve`."""
    return cli_args().make_arg_parser(parser_class()(prog=prog))


def tag_help() -> None:
    """Let the help text of each option name the config field behind it."""
    arguments = importlib.import_module("vllm.engine.arg_utils")
    real = arguments.get_kwargs
    arguments.NEEDS_HELP = True

    def get_kwargs(cls: Any) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = real(cls)
        for name, kwargs in found.items():
            kwargs["help"] = f"{kwargs.get('help', '')}@@{cls.__name__}.{name}@@"
            TAGGED[cls.__name__] = cls
        return found

    arguments.get_kwargs = get_kwargs
    for name in CLI_ARGS:
        if hasattr(sys.modules.get(name), "get_kwargs"):
            sys.modules[name].get_kwargs = get_kwargs  # type: ignore[attr-defined]  # a patch


TAGGED: dict[str, Any] = {}


def closure(function: Callable[..., Any], name: str) -> Any:
    """Return a variable that a nested function took from its surroundings."""
    return inspect.getclosurevars(function).nonlocals[name]


def value_kind(kind: Any) -> tuple[str, bool, str]:
    """Return the kind of value of an argparse type, whether "" and "None" mean nothing, a class."""
    plain = {None: "text", str: "text", int: "int", float: "float", json.loads: "json"}
    if kind in plain:
        return plain[kind], False, ""
    if kind is bool:
        return "text", False, ""
    title = getattr(kind, "__qualname__", str(kind))
    if title == "optional_type.<locals>._optional_type":
        found, _, schema = value_kind(closure(kind, "return_type"))
        return found, True, schema
    if title == "parse_type.<locals>._parse_type":
        return value_kind(closure(kind, "return_type"))
    if title.endswith("<locals>.parse_dataclass"):
        cls = inspect.signature(kind).parameters["cls"].default
        class_schema(cls)
        return "config", False, cls.__name__
    known = {
        "human_readable_int": "human-int",
        "human_readable_int_or_auto": "human-int-auto",
        "union_dict_and_str": "json-or-text",
        "parse_reasoning_parser": "text",
    }
    if title in known:
        return known[title], False, ""
    if title.endswith("<lambda>"):
        return ("word" if kind("A-b") == "a_b" else "text"), False, ""
    raise TypeError(f"no kind of value is known for {title}")


def jsonable(value: Any) -> Any:
    """Return a default that JSON can hold, None for anything else."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (list, tuple, set, frozenset)):
        found = [jsonable(item) for item in (sorted(value) if isinstance(value, set) else value)]
        return found if all(item is not None for item in found) else None
    plain = isinstance(value, (str, int, float, bool)) and value != argparse.SUPPRESS
    return value if plain else None


def option(action: Any, spellings: list[str], deprecated: bool) -> tuple[str, dict[str, Any]]:
    """Return the facts of one action."""
    negative: set[str] = set()
    if isinstance(action, argparse.BooleanOptionalAction):
        negative = set(getattr(action, "negative_option_strings", ()))
        negative = negative or {s for s in spellings if s.startswith("--no-")}
    main = next(s for s in spellings if s.startswith("--") and s not in negative)
    positive = [s for s in spellings if s not in negative]
    found: dict[str, Any] = {}
    if positive != [main]:
        found["spellings"] = positive
    nargs = action.nargs
    kind, nullable, schema = value_kind(action.type)
    if negative:
        found |= {"value": "switch", "negations": [s for s in spellings if s in negative]}
    elif nargs == 0:
        found["value"] = "none"
    else:
        lora = type(action).__name__ == "LoRAParserAction"
        found["value"] = "lora" if lora else kind
        least, most = {None: (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}.get(
            nargs, (nargs, nargs)
        )
        found |= {"least": least, "most": most}
        choices = list(action.choices or ())
        found["choices"] = [str(c) for c in choices if c not in (None, "None")]
        # With optional_type, "None" becomes None, which must be among the choices to pass.
        found["nullable"] = nullable and (not choices or None in choices)
        found["schema"] = schema or LATER_SCHEMAS.get(main[2:], "")
        found["names"] = LOOKED_UP.get(main[2:], "") if not choices else ""
    found["appends"] = type(action).__name__ == "_AppendAction"
    found["default"] = jsonable(action.default)
    help_text = action.help or ""
    tag = TAG.search(help_text)
    # Nobody validates the classes of the HTTP server's own options.
    if tag is not None and tag[1] not in FRONTEND:
        found |= limits(found, TAGGED[tag[1]], tag[2])
    text = " ".join(TAG.sub("", help_text).split())
    if deprecated or re.match(r"\W*deprecated\b", text, re.IGNORECASE):
        found["state"] = "deprecated"
        found["replaced_by"] = successor(text, main[2:])
    usual = {"least": 1, "most": 1, "value": "text", "state": "current"}
    return main[2:], {
        key: value
        for key, value in found.items()
        if value not in (None, False, "", [], {}) or (key in ("least", "most"))
        if not (key in usual and value == usual[key])
    } | ({"default": False} if found["default"] is False else {})


def successor(text: str, name: str) -> str:
    """Return the option that a sentence on a deprecation names as the one to use."""
    pattern = r"(?:use|using|with|by|favou?r of)\s+`?'?(--[a-z0-9-]+)"
    found = re.findall(pattern, text, re.IGNORECASE)
    return next((spelling for spelling in found if spelling != f"--{name}"), "")


def deprecations() -> dict[str, str]:
    """Return option to sentence for each "--x is deprecated" in the source of the arguments."""
    tree = ast.parse(inspect.getsource(importlib.import_module("vllm.engine.arg_utils")))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = re.search(r"--([a-z0-9-]+)[`)']* (?:is|are) deprecated", node.value)
            if match is not None:
                found[match[1]] = node.value[match.start() :]
    return found


def options(parser: Any) -> dict[str, Any]:
    """Return the facts of all options, hidden spellings included."""
    by_action: dict[int, tuple[Any, list[str]]] = {}
    # argparse has no public way to walk a parser.
    for spelling, action in parser._option_string_actions.items():
        by_action.setdefault(id(action), (action, []))[1].append(spelling)
    marked = {id(action) for action in getattr(parser, "_deprecated", ())}
    found = {}
    for action, spellings in by_action.values():
        if type(action).__name__ != "_HelpAction":
            old = id(action) in marked or getattr(action, "deprecated", False)
            old = old or type(action).__name__.startswith("Deprecated")
            name, facts = option(action, spellings, bool(old))
            found[name] = facts
    return found


def limits(facts: dict[str, Any], cls: Any, field: str) -> dict[str, Any]:
    """Return what an option's config field asks of the parsed value beyond its type."""
    schema = class_schema(cls).get(field, {})
    kind = facts["value"]
    if kind == "json-or-text" and not passes(cls, field, "text"):
        # The parser lets text pass, the field does not.
        return {"value": "json", "limits": schema}
    if kind in ("json", "json-or-text"):
        return {} if facts.get("schema") else {"limits": schema}
    if kind == "text" and not facts.get("choices") and not facts.get("names"):
        several = facts.get("most", 1) is None
        asks = (several and facts.get("nullable")) or closed_words(schema)
        return {"limits": schema} if asks else {}
    parts = [schema, *schema.get("anyOf", ())]
    return {"limits": {word: part[word] for part in parts for word in BOUNDS if word in part}}


def closed_words(schema: dict[str, Any]) -> bool:
    """Tell whether a schema takes some words only."""
    parts = schema.get("anyOf", [schema])
    return any("enum" in part for part in parts) and not any(
        not part or (part.get("type") == "string" and "enum" not in part) for part in parts
    )


SCHEMAS: dict[str, dict[str, Any]] = {}


def class_schema(cls: Any) -> dict[str, Any]:
    """Return field to schema of a config class, remembered in SCHEMAS with all that it holds."""
    title: str = cls.__name__
    if title not in SCHEMAS:
        SCHEMAS[title] = {}
        whole = whole_schema(cls)
        for name, part in whole.get("$defs", {}).items():
            if "properties" in part and name not in SCHEMAS and config_class(name) is None:
                SCHEMAS[name] = {k: reduced(v, whole) for k, v in part["properties"].items()}
        properties = whole.get("properties", {})
        names = [f.name for f in dataclasses.fields(cls) if f.init]
        SCHEMAS[title] = {
            name: reduced(properties.get(name, {}), whole) for name in names if name not in INTERNAL
        }
        loosen(cls)
        if (getattr(cls, "__pydantic_config__", None) or {}).get("extra") != "forbid":
            SCHEMAS[title]["*"] = {"ignored": True}
        for name in sorted(set(refs(SCHEMAS[title]))):
            nested = config_class(name)
            if nested is not None:
                class_schema(nested)
    return SCHEMAS[title]


def whole_schema(cls: Any) -> dict[str, Any]:
    """Return pydantic's schema, of each field alone where it can't make that of the class."""
    from pydantic import TypeAdapter

    try:
        found: dict[str, Any] = TypeAdapter(cls).json_schema()
        if "$ref" in found:
            found |= found["$defs"][found["$ref"].rpartition("/")[2]]
    except Exception:  # noqa: BLE001  # whatever pydantic dislikes about a foreign class
        return {"properties": dict(single_schemas(cls))}
    return found


def single_schemas(cls: Any) -> Iterator[tuple[str, Any]]:
    """Yield the schema of each field that pydantic can describe on its own."""
    from pydantic import TypeAdapter

    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001  # names that exist for type checkers only
        hints = {f.name: f.type for f in dataclasses.fields(cls)}
    for field in dataclasses.fields(cls):
        hint: Any = hints[field.name]
        metadata = getattr(field.default, "metadata", ())
        if metadata:
            hint = typing.Annotated[hint, *metadata]
        try:
            schema = TypeAdapter(hint).json_schema()
        except Exception:  # noqa: BLE001  # as above
            schema = {}
        yield field.name, schema if "$defs" not in schema else {}


def reduced(schema: Any, whole: dict[str, Any]) -> Any:
    """Return the part of a schema that a validator needs, enums written out."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = whole["$defs"][name]
        return {"ref": name} if "properties" in target else reduced(target, whole)
    found: dict[str, Any] = {}
    for word, value in schema.items():
        if word == "allOf" and len(value) == 1:
            found |= reduced(value[0], whole)
        elif word in ("anyOf", "prefixItems"):
            found[word] = [reduced(item, whole) for item in value]
        elif word in ("items", "additionalProperties"):
            found[word] = reduced(value, whole)
        elif word in KEPT:
            found[word] = value
    if found.get("additionalProperties") is True:
        del found["additionalProperties"]
    return found


def loosen(cls: Any) -> None:
    """Replace the schema of fields that have a validator of their own before pydantic's.

    Enumerations: the words it takes are tried out. Anything else: any value may pass.
    """
    decorators = getattr(cls, "__pydantic_decorators__", None)
    if decorators is None:
        return
    try:
        hints = typing.get_type_hints(cls)
    except Exception:  # noqa: BLE001  # names that exist for type checkers only
        hints = {}
    for decorator in decorators.field_validators.values():
        if decorator.info.mode == "after":
            continue
        for name in decorator.info.fields:
            fields = SCHEMAS[cls.__name__]
            for field in [f for f in fields if name in ("*", f)]:
                if decorator.info.mode == "wrap":
                    # "Skip None" validators: what pydantic says, or nothing.
                    known = fields[field]
                    if known and {"type": "null"} not in known.get("anyOf", ()):
                        fields[field] = {"anyOf": [known, {"type": "null"}]}
                elif not list(refs(fields[field])):
                    fields[field] = tried(cls, field, hints.get(field))


def enums_in(hint: Any) -> Iterator[Any]:
    """Yield the enumerations of a type hint."""
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield hint
    for part in typing.get_args(hint):
        yield from enums_in(part)


def config_class(title: str) -> Any:
    """Return a dataclass of vLLM's configuration by its name, None where it is no dataclass."""
    for name, loaded in sorted(sys.modules.items()):
        if name.startswith("vllm.config"):
            found = getattr(loaded, title, None)
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                return found
    return None


def tried(cls: Any, field: str, hint: Any) -> dict[str, Any]:
    """Return a schema of the words and small numbers that a field's validator lets pass."""
    kinds = list(enums_in(hint))
    if not kinds:
        return {}
    members = [m for kind in kinds for m in kind.__members__.values()]
    values = [m.value for m in members if isinstance(m.value, (str, int))]
    texts = {w for m in members for w in (m.name, m.name.lower(), m.name.upper())}
    texts |= {v for v in values if isinstance(v, str)}
    numbers = {v for v in values if isinstance(v, int)} | set(range(-1, 6))
    words = [*sorted(texts), "auto", "none", *sorted(numbers), None]
    passed = [word for word in words if passes(cls, field, word)]
    if not any(isinstance(word, str) for word in passed):
        return {}
    lower = {w for w in passed if isinstance(w, str) and w == w.lower()}
    upper = {w.upper() for w in passed if isinstance(w, str)}
    if lower and {w.upper() for w in lower} == upper:
        rest = [w for w in passed if not isinstance(w, str)]
        return {"enum": [*sorted(lower), *rest], "nocase": True}
    return {"enum": passed}


def passes(cls: Any, field: str, value: Any) -> bool:
    """Tell whether a config class takes a value for a field, in JSON."""
    from pydantic import TypeAdapter

    try:
        TypeAdapter(cls).validate_python({field: value})
    except Exception as problem:  # noqa: BLE001  # other fields may be missing; only this one counts
        errors = getattr(problem, "errors", list)()
        return bool(errors) and not any(field in e["loc"] for e in errors)
    return True


def literals(hint: Any) -> Iterator[str]:
    """Yield all words of nested Literal types."""
    if typing.get_origin(hint) is typing.Literal:
        for word in typing.get_args(hint):
            yield from [word] if isinstance(word, str) else literals(word)
    else:
        for part in typing.get_args(hint):
            yield from literals(part)


def registered(manager: Any) -> list[str]:
    """Return the parsers that a manager knows, loaded or lazily."""
    if hasattr(manager, "list_registered"):
        return list(manager.list_registered())
    found: set[str] = set()
    for name in ("tool_parsers", "reasoning_parsers", "lazy_parsers"):
        found |= set(getattr(manager, name, {}))
    return sorted(found)


def names() -> dict[str, list[str]]:
    """Return what the server accepts after parsing, per subject."""
    tools = module("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")
    backends = module(
        "vllm.v1.attention.backends.registry",
        "vllm.attention.backends.registry",
        "vllm.platforms.interface",
    )
    backend = getattr(backends, "AttentionBackendEnum", None) or backends._Backend
    quantization = importlib.import_module("vllm.model_executor.layers.quantization")
    loaders = importlib.import_module("vllm.model_executor.model_loader")
    speculative = importlib.import_module("vllm.config.speculative")
    cache = importlib.import_module("vllm.config.cache")
    found = {
        "tool-call-parser": registered(tools.ToolParserManager),
        "reasoning-parser": registered(module("vllm.reasoning").ReasoningParserManager),
        "attention-backend": list(backend.__members__),
        "quantization": list(quantization.QUANTIZATION_METHODS),
        "load-format": list(loaders._LOAD_FORMAT_TO_MODEL_LOADER),
        "speculative-method": sorted(set(literals(speculative.SpeculativeMethod))),
        "kv-cache-dtype": sorted(set(literals(cache.CacheDType))),
    }
    levels = getattr(module("vllm.config.vllm", "vllm.config"), "OptimizationLevel", ())
    found["optimization-level"] = [level.value for level in levels]
    config = importlib.import_module("vllm.config")
    if hasattr(config, "AttentionConfig") and passes(config.AttentionConfig, "backend", "auto"):
        found["attention-backend"].append("auto")
    return {subject: sorted({str(w) for w in words}) for subject, words in found.items()}


def name_successors() -> dict[str, dict[str, str]]:
    """Return names that stay valid but log that another one replaces them."""
    speculative = importlib.import_module("vllm.config.speculative")
    if "is deprecated and replaced with mtp" not in inspect.getsource(speculative):
        return {}
    old = set(literals(getattr(speculative, "MTPModelTypes", None))) - {"mtp"}
    return {"speculative-method": dict.fromkeys(sorted(old), "mtp")}


def multimodal_limits() -> dict[str, Any]:
    """Return the shape of --limit-mm-per-prompt: a count, or an object with a count, per kind."""
    config = importlib.import_module("vllm.config.multimodal")
    shapes = {"image": "ImageDummyOptions", "video": "VideoDummyOptions"}
    shapes |= {"audio": "AudioDummyOptions", "*": "BaseDummyOptions"}
    if not hasattr(config, "BaseDummyOptions"):
        return {"*": {"type": "integer"}}
    # `isinstance(v, int)`, then the count of the class (config/multimodal.py).
    count = class_schema(config.BaseDummyOptions)["count"] | {"strict": True}
    found = {}
    for kind, title in shapes.items():
        class_schema(getattr(config, title))
        found[kind] = {"anyOf": [count, {"ref": title}]}
    return found


def requires(source: str) -> dict[str, str]:
    """Return which option needs which, as the checks after parsing say."""
    return dict(re.findall(r"--([a-z-]+) requires\s*\"?\s*\"?--([a-z-]+)", source))


def traits() -> list[str]:
    """Return the habits of this release's parser, read from its source."""
    parsing = inspect.getsource(parser_class().parse_args)
    arguments = inspect.getsource(importlib.import_module("vllm.engine.arg_utils"))
    signs = {
        "short-o-level": '"-O.level' in parsing or "-O.level=" in parsing,
        "short-o-mode": '"-O.mode"' in parsing,
        "short-o-optimization": '"--optimization-level"' in parsing,
        "human-dotted": "human_readable_int(value_str)" in parsing,
        "human-json": "_expand_json_human_readable_numbers" in arguments,
        "model-first": "should be provided as the first positional" in parsing,
    }
    return sorted(name for name, there in signs.items() if there)


def closed(found: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas that options reach, without those nobody names."""
    wanted = {facts.get("schema", "") for facts in found["options"].values()}
    done: set[str] = set()
    while todo := (wanted & set(SCHEMAS)) - done:
        done |= todo
        for title in todo:
            wanted |= set(refs(SCHEMAS[title]))
    return {title: SCHEMAS[title] for title in sorted(done)}


def refs(schema: Any) -> Iterator[str]:
    """Yield the classes that a schema names."""
    if isinstance(schema, dict):
        for word, value in schema.items():
            if word == "ref":
                yield value
            else:
                yield from refs(value)
    elif isinstance(schema, Iterable) and not isinstance(schema, str):
        for item in schema:
            yield from refs(item)


def dump() -> dict[str, Any]:
    """Return all facts of the release on the path."""
    tag_help()
    found: dict[str, Any] = {"options": options(serve_parser())}
    for name, sentence in deprecations().items():
        if name in found["options"]:
            found["options"][name] |= {"state": "deprecated"}
            advice = successor(sentence, name)
            if advice:
                found["options"][name]["replaced_by"] = advice
    importlib.import_module("vllm.config.speculative")
    for title in LATER_SCHEMAS.values():
        cls = config_class(title)
        if cls is not None:
            class_schema(cls)
    SCHEMAS["limit-mm-per-prompt"] = multimodal_limits()
    found["schemas"] = closed(found)
    found["names"] = names()
    found["name_successors"] = name_successors()
    found["env"] = sorted(importlib.import_module("vllm.envs").environment_variables)
    found["traits"] = traits()
    checks = getattr(cli_args(), "validate_parsed_serve_args", None)
    found["requires"] = requires(inspect.getsource(checks)) if checks else {}
    return found


if __name__ == "__main__":
    # Some releases print while they are imported.
    printed, sys.stdout = sys.stdout, sys.stderr
    as_cpu(Path(sys.argv[1]))
    json.dump(dump(), printed, sort_keys=True, default=str)
