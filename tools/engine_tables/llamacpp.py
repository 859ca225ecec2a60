"""The options of llama.cpp's server, read from the sources of its builds.

    python -m tools.engine_tables.llamacpp TREES

TREES has one folder per build, named by its number, each with `common`, `src`, `ggml/src` and
`tools/server` of the source tree. `tools.engine_tables.llamacpp_sources` fetches them.

llama.cpp declares every option as a call: `add_opt(common_arg({spellings}, [{negations},]
[hint, [second hint,]] help, handler)` with `.set_env(…)`, `.set_examples({…})` and
`.set_excludes({…})` behind it. What an option takes follows from the type of the handler's
parameters, and which values it takes from the handler's body. Nothing is compiled or run.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.engine_tables.cpp_tokens import Token, closing, parts, source_of, strings, tokens
from tools.engine_tables.llamacpp_handlers import Declared, Tables, option, variables
from tools.engine_tables.spans import merged_spans, word_spans, write_table

SERVER, COMMON = "LLAMA_EXAMPLE_SERVER", "LLAMA_EXAMPLE_COMMON"
OUTPUT = Path(__file__).resolve().parents[2] / "chartgen/engines/tables/llamacpp.json"
# What took the place of options that vanished without a stub. From the log messages of b10142 for
# the loading options (--no-mmap: its handler), from the commits that renamed for the others.
SUCCESSORS = {
    "--mlock": "--load-mode mlock",
    "--mmap": "--load-mode mmap",
    "--no-mmap": "--load-mode none",
    "--direct-io": "--load-mode dio",
    "-dio": "--load-mode dio",
    "--no-direct-io": "--load-mode none",
    "-ndio": "--load-mode none",
    "--checkpoint-every-n-tokens": "--checkpoint-min-step",
    "-cpent": "--checkpoint-min-step",
    "--clear-idle": "--cache-idle-slots",
    "--no-clear-idle": "--no-cache-idle-slots",
}
# Names of --spec-type in forks that had a kind before llama.cpp did.
SPEC_TYPES = {
    "draft": "draft-simple",
    "eagle3": "draft-eagle3",
    "mtp": "draft-mtp",
    "nextn": "draft-mtp",
    "dflash": "draft-dflash",
}
# Files whose getenv calls are not the server's business.
FOREIGN = ("tests/", "tools/mtmd/tests", "ggml-hexagon/", "ggml-cann/")


def build(folder: Path) -> dict[str, Any]:
    """Return everything the table has for one build."""
    found = tokens(_text(folder, "common/arg.cpp"))
    values = _values(folder, found)
    options: dict[str, dict[str, Any]] = {}
    for declared in declarations(found):
        name, fields = option(declared, values)
        if name in options:
            raise ValueError(f"{folder.name}: --{name} is declared twice")
        options[name] = fields
        values.env.update(variables(declared))
    names = {
        "kv-cache-type": values.kv_types,
        "spec-type": options["spec-type"]["choices"],
        "reasoning-format": values.reasoning_formats,
        "architecture": values.architectures,
        "chat-template": values.chat_templates,
    }
    return {"options": options, "names": names, "env": sorted(values.env)}


def declarations(found: list[Token]) -> Iterator[Declared]:
    """Yield the options that the server knows, in the order of the source."""
    lists = _example_lists(found)
    skipped = _branches_of_others(found)
    for at, token in enumerate(found):
        if (
            token.text != "common_arg"
            or found[at + 1].text != "("
            or found[at - 2].text != "add_opt"
        ):
            continue
        if any(first <= at <= last for first, last in skipped):
            continue
        end = closing(found, at + 1)
        settings = dict(_settings(found, end + 1))
        examples = _examples(settings.get("set_examples"), lists) or [COMMON]
        excludes = _examples(settings.get("set_excludes"), lists)
        if not {SERVER, COMMON} & set(examples) or SERVER in excludes:
            continue
        yield _declared(list(parts(found[at + 2 : end])), settings)


def _declared(arguments: list[list[Token]], settings: dict[str, list[Token]]) -> Declared:
    spellings = [token.text for token in arguments[0] if token.kind == "string"]
    negations = []
    rest = arguments[1:-1]
    if rest[0][0].text == "{":
        negations = [token.text for token in rest[0] if token.kind == "string"]
        rest = rest[1:]
    handler = arguments[-1]
    opening = next(i for i, token in enumerate(handler) if token.text == "(")
    ending = closing(handler, opening)
    parameters = list(parts(handler[opening + 1 : ending]))[1:]
    body = handler[ending + 1 :]
    return Declared(
        spellings=spellings,
        negations=negations,
        hints=len(rest) - 1,
        help=strings(rest[-1]),
        takes=[next(t.text for t in p if t.text in ("int", "bool", "string")) for p in parameters],
        body=source_of(body),
        texts=[token.text for token in body if token.kind == "string"],
        env=strings(settings.get("set_env", [])),
    )


def _settings(found: list[Token], at: int) -> Iterator[tuple[str, list[Token]]]:
    """Yield the calls chained behind a declaration: name and arguments."""
    while found[at].text == "." and found[at + 2].text == "(":
        end = closing(found, at + 2)
        yield found[at + 1].text, found[at + 3 : end]
        at = end + 1


def _examples(found: list[Token] | None, lists: dict[str, list[str]]) -> list[str]:
    names = [token.text for token in found or () if token.kind == "word"]
    return [name for word in names for name in lists.get(word, [word])]


def _example_lists(found: list[Token]) -> dict[str, list[str]]:
    """Return the named lists of programs, such as mmproj_examples."""
    lists = {}
    for at, token in enumerate(found):
        if token.text == "initializer_list" and found[at + 2].text in ("enum", "llama_example"):
            head = next(i for i in range(at, at + 12) if found[i].text in ("=", ";", ")", "&", "{"))
            if found[head].text == "=" and found[head + 1].text == "{":
                inner = found[head + 2 : closing(found, head + 1)]
                lists[found[head - 1].text] = [t.text for t in inner if t.kind == "word"]
    return lists


def _branches_of_others(found: list[Token]) -> list[tuple[int, int]]:
    """Return the `else` branches of `if (ex == LLAMA_EXAMPLE_SERVER)`."""
    branches = []
    wanted = ["if", "(", "ex", "==", SERVER, ")", "{"]
    for at in range(len(found) - len(wanted)):
        if [token.text for token in found[at : at + len(wanted)]] == wanted:
            end = closing(found, at + len(wanted) - 1)
            if found[end + 1].text == "else" and found[end + 2].text == "{":
                branches.append((end + 2, closing(found, end + 2)))
    return branches


def _values(folder: Path, arguments: list[Token]) -> Tables:
    speculative = tokens(_text(folder, "common/speculative.cpp"))
    chat = _text(folder, "common/chat.cpp")
    reasoning = re.search(r"common_reasoning_format_from_name\(.*?\n}", chat, re.DOTALL)
    return Tables(
        kv_types=_kv_types(folder, arguments),
        spec_types=_mapped(speculative, "common_speculative_type_from_name_map"),
        reasoning_formats=re.findall(r'== "([^"]+)"', reasoning[0] if reasoning else ""),
        architectures=sorted(
            _mapped(tokens(_text(folder, "src/llama-arch.cpp")), "LLM_ARCH_NAMES")
        ),
        chat_templates=sorted(
            _mapped(tokens(_text(folder, "src/llama-chat.cpp")), "LLM_CHAT_TEMPLATES")
        ),
        env=_environment(folder),
    )


def _kv_types(folder: Path, arguments: list[Token]) -> list[str]:
    """Return the names of the KV cache types, by ggml's own table of type names."""
    at = next(
        i
        for i, token in enumerate(arguments)
        if token.text == "kv_cache_types" and arguments[i + 1].text == "="
    )
    inner = arguments[at + 3 : closing(arguments, at + 2)]
    named = dict(
        re.findall(
            r"\[(GGML_TYPE_\w+)\]\s*=\s*\{\s*\.type_name\s*=\s*\"([^\"]+)\"",
            _text(folder, "ggml/src/ggml.c"),
        )
    )
    return [named[token.text] for token in inner if token.text.startswith("GGML_TYPE_")]


def _mapped(found: list[Token], name: str) -> list[str]:
    """Return the strings in the initial value of a map."""
    for at, token in enumerate(found):
        if token.text == name and found[at + 1].text == "=" and found[at + 2].text == "{":
            inner = found[at + 3 : closing(found, at + 2)]
            return [item.text for item in inner if item.kind == "string" and "(" not in item.text]
    return []


def _environment(folder: Path) -> set[str]:
    """Return the variables that the server and the libraries under it read."""
    found: set[str] = set()
    for part in ("common", "src", "ggml/src", "tools/server", "tools/mtmd"):
        for path in sorted((folder / part).rglob("*")):
            inside = path.relative_to(folder).as_posix()
            if not path.is_file() or path.suffix not in _SOURCE or inside.startswith(FOREIGN):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            found.update(re.findall(r"getenv\w*\(\s*\"([A-Za-z_][A-Za-z0-9_]*)\"", text))
    return found


_SOURCE = frozenset({".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".m", ".mm"})


def successors(builds: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, str]]]:
    """Return, per subject and build, what took the place of names that a build has no more."""
    found: dict[str, dict[str, dict[str, str]]] = {"option": {}, "spec-type": {}, "env": {}}
    newest = builds[list(builds)[-1]]
    now = {s: f for name, f in newest["options"].items() for s in _spelled(name, f)}
    renamed: dict[str, str] = {}
    for facts in builds.values():
        for name, fields in facts["options"].items():
            spelled = [s for s in _spelled(name, fields) if s in now]
            old = fields.get("env", "")
            new = now[spelled[0]].get("env", "") if spelled else ""
            if old and new and old != new:
                renamed[old] = new
    for release, facts in builds.items():
        here = {s for name, fields in facts["options"].items() for s in _spelled(name, fields)}
        found["option"][release] = {
            old: new
            for old, new in SUCCESSORS.items()
            if old not in here and new.partition(" ")[0] in here
        }
        types = set(facts["names"]["spec-type"])
        found["spec-type"][release] = {
            old: new for old, new in SPEC_TYPES.items() if old not in types and new in types
        }
        known = set(facts["env"])
        found["env"][release] = {
            old: new for old, new in renamed.items() if old not in known and new in known
        }
    return found


def _spelled(name: str, fields: dict[str, Any]) -> list[str]:
    return [*fields.get("spellings", [f"--{name}"]), *fields.get("negations", ())]


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def main() -> int:
    """Write the table of all builds in a folder."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("trees", type=Path, help="folder with one source tree per build")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    chosen = parser.parse_args()
    folders = sorted(
        (f for f in chosen.trees.iterdir() if f.name.isdigit()), key=lambda f: int(f.name)
    )
    builds = {folder.name: build(folder) for folder in folders}
    releases = list(builds)
    size = write_table(
        chosen.output,
        {
            "kind": "llamacpp",
            "syntax": "llamacpp",
            "releases": releases,
            "options": merged_spans(releases, {r: b["options"] for r, b in builds.items()}),
            "names": {
                subject: word_spans(releases, {r: b["names"][subject] for r, b in builds.items()})
                for subject in next(iter(builds.values()))["names"]
            },
            "env": word_spans(releases, {r: b["env"] for r, b in builds.items()}),
            "successors": {
                subject: merged_spans(releases, by_build)
                for subject, by_build in successors(builds).items()
            },
        },
    )
    for release, found in builds.items():
        flags = sum(len(_spelled(name, fields)) for name, fields in found["options"].items())
        print(f"b{release}: {len(found['options'])} options, {flags} spellings", file=sys.stderr)
    print(f"{chosen.output.name}: {size} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
