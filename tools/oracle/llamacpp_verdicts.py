"""What llama.cpp's server makes of argument lists: verdicts of the program itself.

    python -m tools.oracle.llamacpp_verdicts SERVER BUILD

SERVER is a `llama-server` binary, BUILD its number. A few hundred lists are made from the table of
that build, valid ones and mutated ones, always the same; the server runs on each with a model file
that does not exist, so that it stops soon after its arguments. Written are whether it refused, at
which argument, and its list of all flags:

    tests/engines/verdicts-llamacpp-bBUILD.json    tests/engines/flags-llamacpp-bBUILD.json

Left out are options that read a file or a device, open a connection, or end the program at once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from chartgen.engines.command_line import judge
from chartgen.engines.llamacpp_words import judge_variables
from chartgen.engines.table import EngineTable, Option, engine_table

FOLDER = Path(__file__).resolve().parents[2] / "tests/engines"
SEED = 11434
SECONDS = 20
REFUSALS = (
    re.compile(r'^error while handling argument "(?P<at>[^"]+)"', re.MULTILINE),
    re.compile(r'^error while handling environment variable "(?P<at>[^"]+)"', re.MULTILINE),
    re.compile(r"^error: invalid argument: (?P<at>.*)$", re.MULTILINE),
)
# Read a file or device, connect, download, or end the program: the verdict would be about that.
LEFT_OUT = re.compile(
    r"^(help|version|cache-list|list-devices|completion-bash|.*-default|fim-.*|"
    r".*file.*|.*-path|path|.*-dir|.*url|hf-.*|docker-repo|spec-draft-hf|rpc|.*device|"
    r".*override-tensor|override-kv|.*cpu-mask.*|.*cpu-range.*|lora.*|control-vector.*|"
    r"tensor-split|fit-target|logit-bias|json-schema|grammar|chat-template|log-.*|tools.*|mcp-.*|"
    r"models-.*|model|mmproj|spec-draft-model|offline|agent|ui-config|.*samplers?|sampler-seq|"
    r"host|.*n-cpu-.*|spec-synth-.*|spec-default|.*verbos.*)$"
)
WHOLE = ("0", "1", "-1", "4096", "007", "+5", " 8", "8k", "128K", "4096.5", "2147483647", "1e3")
NOT_WHOLE = ("", "k8", "auto", "all", "2147483648", "-2147483649", "none", "--", "None", "\uff10")
REAL = ("0", "1", "0.25", "1e-3", "1e3", ".5", "5.", "-1", "0x1p3", "0x1.8p1", "inf", "nan", "0.5x")
NOT_REAL = ("", "x", "1e39", "1e-50", "none", "half", "-", ".", "1e-45")
JSON = ("{}", '{"enable_thinking": false}', '{"a": [1, null, true, "x"]}', ' {"a": 1e3} ')
NOT_JSON = ("", "{", "{'a': 1}", '{"a": NaN}', '{"a": 1,}', "{a: 1}", '{"a": 1} x', '{"a": 01}')
BY_HAND: tuple[tuple[str, ...], ...] = (
    ("--mlock",),
    ("--no-mmap", "--mlock"),
    ("--load-mode", "mmap+mlock"),
    ("--direct-io",),
    ("--draft-max", "8", "--draft-min", "0"),
    ("--spec-type", "mtp"),
    ("--spec-type", "draft-mtp", "--spec-draft-n-max", "3"),
    ("--spec-type", "draft-mtp,ngram-mod"),
    ("--spec-type", "draft-mtp, ngram-mod"),
    ("--spec-type", "none,mtp"),
    ("--spec-type", "mtp,none"),
    ("--spec-type", ""),
    ("--spec-type", "draft-mtp,"),
    ("--spec-type", "draft-mtp", "--spec-type", "ngram-cache"),
    ("--spec_type", "draft-mtp"),
    ("--ctx_size", "4096"),
    ("--ctx-size=4096",),
    ("-c=4096",),
    ("-c4096",),
    ("--ctx", "4096"),
    ("--ctx-siz", "4096"),
    ("--ctx-size", "128K"),
    ("--ctx-size", "--jinja"),
    ("--alias", "--jinja"),
    ("--alias", "--jinja", "--jinja"),
    ("--jinja", "true"),
    ("--jinja", "--no-jinja"),
    ("--no-context-shift", "--context-shift"),
    ("--flash-attn",),
    ("--flash-attn", "--jinja"),
    ("--flash-attn", "On"),
    ("-fa", "1", "-fa", "auto"),
    ("-np", "0"),
    ("-np", "-1"),
    ("-ngl", "all", "-ngld", "auto"),
    ("-ngl", "most"),
    ("-ngl", "99x"),
    ("-ctk", "turbo3", "-ctv", "turbo3"),
    ("-ctk", "Q8_0"),
    ("-ctk", "q8_0", "-ctv", "q8_0", "-ctkd", "q4_0", "-ctvd", "iq4_nl"),
    ("--cache_type_k", "f16"),
    ("-ct-k", "f16"),
    ("-no_kvu",),
    ("-no-kvu",),
    ("-kvu", "-no-kvu"),
    ("--host", "0.0.0.0", "--port", "8080", "--metrics", "--slots", "--props"),
    ("--",),
    ("-",),
    ("",),
    ("serve",),
    ("--max-model-len", "4096"),
    ("--seed", "-1"),
    ("--seed", "18446744073709551615"),
    ("--seed", "18446744073709551616"),
    ("--control-vector-layer-range", "1", "x"),
    ("--control-vector-layer-range", "1"),
    ("--control-vector-layer-range", "1", "2"),
    ("--chat-template-kwargs", "null"),
    ("--chat-template-kwargs", "3"),
    ("--chat-template-kwargs", "[1]"),
    ("--chat-template-kwargs", '"x"'),
    ("--swa-full", "--kv-unified", "--cont-batching", "--no-warmup"),
    ("--temp", "0.6", "--top-k", "20", "--top-p", "0.95", "--min-p", "0.0"),
    ("--temp", "0,6"),
    ("--n-cpu-moe", "10"),
    ("-ncmoe", "-1"),
)
BY_ENV: tuple[dict[str, str], ...] = (
    {"LLAMA_ARG_CTX_SIZE": "4096"},
    {"LLAMA_ARG_CTX_SIZE": "4k"},
    {"LLAMA_ARG_CTX_SIZE": "many"},
    {"LLAMA_ARG_CTX_SIZE": ""},
    {"LLAMA_ARG_FLASH_ATTN": "on"},
    {"LLAMA_ARG_FLASH_ATTN": "yes"},
    {"LLAMA_ARG_KV_UNIFIED": "true"},
    {"LLAMA_ARG_KV_UNIFIED": "yes"},
    {"LLAMA_ARG_NO_KV_UNIFIED": "whatever"},
    {"LLAMA_ARG_NO_KV_UNIFIED": "1", "LLAMA_ARG_KV_UNIFIED": "yes"},
    {"LLAMA_ARG_SWA_FULL": "yes"},
    {"LLAMA_ARG_SWA_FULL": "1"},
    {"LLAMA_ARG_DRAFT_MAX": "8"},
    {"LLAMA_ARG_CACHE_TYPE_K": "turbo3"},
    {"LLAMA_ARG_SPEC_TYPE": "draft-mtp,ngram-mod"},
    {"LLAMA_ARG_SPEC_TYPE": "mtp"},
    {"LLAMA_ARG_MLOCK": "1"},
    {"LLAMA_ARG_N_GPU_LAYERS": "all"},
    {"LLAMA_ARG_N_PARALLEL": "0"},
    {"LLAMA_ARG_CHAT_TEMPLATE_KWARGS": "{"},
)


def lists(table: EngineTable) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Yield words and variables, always the same ones."""
    chance = random.Random(SEED)
    options = {option.name: option for option in table.options.values()}
    tried = [option for name, option in sorted(options.items()) if not LEFT_OUT.match(name)]
    for words in BY_HAND:
        yield words, {}
    for env in BY_ENV:
        yield (), env
    for option in tried:
        for good in (True, False):
            yield tuple(_words(option, chance, good=good)), {}
    for _ in range(120):
        chosen = chance.sample(tried, chance.randint(2, 7))
        bad = chance.choice([None, *chosen])
        mixed = [w for option in chosen for w in _words(option, chance, good=option is not bad)]
        yield tuple(mixed), {}
    spellings = sorted({s for option in tried for s in option.spellings})
    for _ in range(60):
        yield (_misspelt(chance.choice(spellings), chance), "1"), {}


def _words(option: Option, chance: random.Random, *, good: bool) -> Iterator[str]:
    spelling = chance.choice([*option.spellings, *option.negations])
    if spelling.startswith("--") and chance.random() < 0.15:
        spelling = "--" + spelling[2:].replace("-", "_")
    yield spelling
    if spelling.replace("_", "-") in option.negations or option.most == 0:
        if not good:
            yield chance.choice(["true", "0", "off"])
        return
    if not good and chance.random() < 0.15:
        return
    for _ in range(option.least):
        yield chance.choice(_pool(option, good=good))


def _pool(option: Option, *, good: bool) -> tuple[str, ...]:
    choices = option.choices
    match option.value:
        case "int":
            return WHOLE if good else NOT_WHOLE
        case "int-or-word":
            return (*choices, *WHOLE) if good else ("", "most", "x1", "All")
        case "float":
            return REAL if good else NOT_REAL
        case "json":
            return JSON if good else NOT_JSON
        case "list":
            pairs = tuple(f"{a},{b}" for a, b in pairwise(choices))
            return (*choices, *pairs) if good else ("x", "draft", "none;", ",", choices[-1] + " ")
        case _:
            if choices:
                return choices if good else ("x", choices[0].upper(), choices[0] + " ", "auto,")
            return ("text", "a,b", "", "1") if good else ("text",)


def _misspelt(spelling: str, chance: random.Random) -> str:
    at = chance.randrange(2, len(spelling)) if len(spelling) > 2 else len(spelling) - 1
    kind = chance.randrange(5)
    if kind == 0:
        return spelling[:at] + spelling[at + 1 :]
    if kind == 1:
        return spelling[:at] + spelling[at:][::-1]
    if kind == 2:
        return spelling.upper()
    if kind == 3:
        return spelling + chance.choice(["s", "=1", "-", "_"])
    return spelling[1:] if spelling.startswith("--") else "-" + spelling


def verdict(server: Path, words: tuple[str, ...], env: dict[str, str]) -> dict[str, Any]:
    """Run the server and return what it did."""
    command = [str(server), "--model", "missing.gguf", "--offline", *words]
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": folder, **env},
        )
    said = run.stdout + run.stderr
    found: dict[str, Any] = {"words": list(words)}
    if env:
        found["env"] = env
    for pattern in REFUSALS:
        if match := pattern.search(said):
            return found | {"refused": True, "at": match["at"]}
    if "llama_server: initializing" not in said:
        raise ValueError(f"{words} {env}: neither refused nor starting: {said[-400:]!r}")
    return found | {"refused": False}


def flags(server: Path) -> dict[str, list[str]]:
    """Return all flags and variables of the program's own help."""
    command = [str(server), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: set[str] = set()
    for line in text.splitlines():
        if line.startswith("-") and not line.startswith("-----"):
            for word in line.split():
                if not word.startswith("-"):
                    break
                found.add(word.rstrip(","))
    return {"flags": sorted(found), "env": sorted(set(re.findall(r"\(env: (\w+)\)", text)))}


def main() -> int:
    """Write the verdicts and flags of a build, and report where ours differ."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("server", type=Path)
    parser.add_argument("build")
    chosen = parser.parse_args()
    table = engine_table("llamacpp", chosen.build)
    server = chosen.server.resolve()
    found = [verdict(server, words, env) for words, env in lists(table)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"llamacpp-b{chosen.build}.json"
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in found)
    (FOLDER / f"verdicts-{name}").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    (FOLDER / f"flags-{name}").write_text(json.dumps(flags(server), indent=1) + "\n", "utf-8")
    differing = [
        item
        for item in found
        if item["refused"]
        != any(
            problem.refused
            for problem in (
                *judge(table, item["words"]),
                *judge_variables(table, item.get("env", {})),
            )
        )
    ]
    for item in differing:
        print(json.dumps(item, ensure_ascii=False))
    refused = sum(item["refused"] for item in found)
    print(f"{len(found)} lists, {refused} refused, {len(differing)} judged otherwise by chartgen")
    return bool(differing)


if __name__ == "__main__":
    raise SystemExit(main())
