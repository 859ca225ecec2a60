"""The pages say what is true: links lead somewhere, specs load, commands exist, outputs are real.

`python -m tests.test_docs` runs the commands of the pages again and writes their outputs.

A comment before a block of code tells what a reader does there:

    <!-- replay -->                 the commands of the block are run, and its output compared
    <!-- serve -->                  its one command is a server, which runs until the page ends
    <!-- write apps/small.yaml -->  the block becomes this file
    <!-- replay
    apps/small.yaml: "old" -> "new"
    -->                             before that, a file is edited
    <!-- engine -->                 its command asks a real engine; tests/test_real_engines.py runs
                                    it where there is one, with the server's options that follow
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from chartgen.check import check_app
from chartgen.cli.group import root
from chartgen.document import read_document
from chartgen.findings import Severity
from chartgen.lint.rules import rule_book
from chartgen.render.patches import merge_patch
from chartgen.spec.app import AppSpec
from chartgen.spec.load import load_spec, named_files, parse_spec
from chartgen.yaml_text import yaml_text
from tests.specs import MARKET, SMALL, png

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
# Pages whose outputs have sizes and digests of packages, which change with every word in a script.
PACKAGED = [ROOT / "README.md", ROOT / "docs" / "tutorial.md"]
HOW_TO = ROOT / "docs" / "how-to"
REPLAYED = [
    *PACKAGED,
    *(
        HOW_TO / f"{name}.md"
        for name in ("add-a-model", "check-engine-arguments", "plan-gpu-memory")
    ),
]
# A page that begins with an empty folder; the others have this repository's apps and market.
FROM_NOTHING = "tutorial.md"
# Where `chartgen serve` listens unless it is told otherwise.
ADDRESS = "http://127.0.0.1:8080"

NOTE = r"(?:<!-- (?P<note>(?:(?!-->).)*)-->\n)?"
FENCE = re.compile(NOTE + r"```(?P<language>\w*)\n(?P<body>.*?)```", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
EDIT = re.compile(r'^(\S+): (".*") -> (".*")$', re.MULTILINE)
# A rule's id is told from other words with dashes by standing before a link to the rules.
RULE_LINK = re.compile(r"\[`([^`]+)`\]\([^)]*reference/rules\.md#([^)]+)\)")
CHARTGEN = re.compile(r"(?:^|\$\(|/|\s)chartgen(?= |$)((?: [^|>&()`\n]+)?)")
MAKE = re.compile(r"\bmake ([a-z][a-z0-9-]*)")


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A block of code, with the comment that stands before it."""

    language: str
    body: str
    note: str = ""

    @property
    def name(self) -> str:
        return next((line for line in self.body.splitlines() if re.match(r"[^#\s]", line)), "empty")


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> Iterator[Block]:
    for match in FENCE.finditer(text_of(page)):
        if match["language"] == language:
            yield Block(match["language"], match["body"], match["note"] or "")


def prose(page: Path) -> str:
    return FENCE.sub("", text_of(page))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found: list[str] = []
    for title in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        taken = sum(1 for other in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        found.append(f"{slug}-{taken}" if taken else slug)
    return frozenset(found)


def of_pages(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=shown)


@of_pages(PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT), link
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target), link


def test_table_of_contents_names_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    lists = (ROOT / "docs" / "reference" / "knowledge.md", ROOT / "docs" / "apps" / "index.md")
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in (index, *lists)
        for link in LINK.findall(prose(page))
    }
    assert {page for page in PAGES if page != index} <= linked


def yaml_blocks(kind: str) -> list[Any]:
    """Return the blocks that are whole specs, or the ones that hold some keys of a spec."""
    found = []
    for page in WRITTEN:
        for block in blocks(page, "yaml"):
            value = yaml.safe_load(block.body)
            keys = set(value) if isinstance(value, dict) else set()
            whole = {"name", "engine"} <= keys
            part = not whole and keys and keys <= set(AppSpec.model_fields)
            if (whole if kind == "whole" else part) and keys:
                found.append(pytest.param(block.body, id=f"{shown(page)}: {block.name}"))
    return found


def named_spec(folder: Path, text: str) -> Path:
    """Write a spec, and beside it whatever files it names."""
    document, findings = read_document(text.encode(), "spec.yaml")
    assert document is not None, findings
    spec, findings = parse_spec(document)
    assert spec is not None, findings
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"
    for path, name, _ in named_files(spec):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png() if path == ("icon",) else manifest.encode())
    written = folder / "spec.yaml"
    written.write_text(text, encoding="utf-8")
    return written


def errors_of(path: Path) -> list[str]:
    loaded, faults = load_spec(path)
    assert loaded is not None, faults
    app = check_app(loaded, MARKET, faults=faults)
    return [str(item) for item in app.findings if item.severity is Severity.ERROR]


@pytest.mark.parametrize("text", yaml_blocks("whole"))
def test_specs_in_the_pages_build(text: str, tmp_path: Path) -> None:
    assert errors_of(named_spec(tmp_path, text)) == []


@pytest.mark.parametrize("text", yaml_blocks("part"))
def test_parts_of_specs_in_the_pages_build(text: str, tmp_path: Path) -> None:
    document, findings = read_document(text.encode(), "part.yaml")
    assert document is not None, findings
    light = {"engine": {"model": {"hf": "owner/model", "size": "1GB"}}}
    base = merge_patch(SMALL, light) | {"gpu": {"memory": "23Gi"}}
    assert errors_of(named_spec(tmp_path, yaml_text(base | document.value))) == []


def rule_mentions() -> list[Any]:
    found = {(shown(page), *names) for page in WRITTEN for names in RULE_LINK.findall(prose(page))}
    return [pytest.param(*names, id=" ".join(names[:2])) for names in sorted(found)]


@pytest.mark.parametrize(("page", "name", "anchor"), rule_mentions())
def test_rules_in_the_pages_exist(page: str, name: str, anchor: str) -> None:
    assert name in rule_book()
    assert anchor == name


def command_lines() -> list[Any]:
    found: dict[str, None] = {}
    for page in WRITTEN:
        shells = [*blocks(page, "console"), *blocks(page, "sh")]
        typed = [line for block in shells for line in block.body.splitlines()]
        typed = [line.removeprefix("$ ") for line in typed if line.startswith(("$ ", ".venv/"))]
        for line in (*typed, *CODE.findall(prose(page))):
            for match in CHARTGEN.finditer(line):
                found.setdefault(match[1].strip())
    return [line for line in found if line]


@pytest.mark.parametrize("line", command_lines(), ids=str)
def test_command_lines_in_the_pages_are_understood(line: str) -> None:
    try:
        words = shlex.split(line)
        context = root.make_context("chartgen", words, obj={})
        name, command, rest = root.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None
        command.make_context(name, rest, parent=context)
    except click.exceptions.Exit:
        pass  # `--help` and `--version` end here
    except click.MissingParameter as error:
        # A command may be mentioned by its name alone.
        assert len(line.split()) == 1, error


@of_pages(WRITTEN)
def test_make_targets_in_the_pages_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shells = " ".join(block.body for block in blocks(page, "sh"))
    for text in (*CODE.findall(prose(page)), shells):
        for target in MAKE.findall(text):
            assert target in targets


def test_paths_in_the_pages_exist() -> None:
    """Files of chartgen that a page names are there; those of a market's releases are not."""
    inside = re.compile(r"(chartgen|tests|tools|market)/(?!releases)[\w./-]*")
    named = {word for page in WRITTEN for word in CODE.findall(prose(page))}
    missing = [word for word in named if inside.fullmatch(word) and not (ROOT / word).exists()]
    assert missing == []


@pytest.mark.parametrize(
    "command",
    [
        "git clone <this repository> chartgen && cd chartgen",
        "make setup",
        ".venv/bin/chartgen build apps/gemma4-vision.yaml",
        "make test",
    ],
)
def test_readme_names_the_commands_of_a_first_visit(command: str) -> None:
    assert command in text_of(ROOT / "README.md")


def test_pictures_fit_eighty_columns() -> None:
    pictures = [block.body for page in WRITTEN for block in blocks(page, "text")]
    assert pictures
    assert max(len(line) for body in pictures for line in body.splitlines()) <= 80


class Reader:
    """Somebody who follows a page from its beginning, in an empty folder or a copy of the apps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: list[subprocess.Popen[str]] = []
        # The port that a page names may be taken here; the servers of a test take free ones.
        self.address = ADDRESS
        program = folder / ".venv" / "bin" / "chartgen"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chartgen "$@"\n')
        program.chmod(0o755)
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}

    def follow(self, page: str) -> str:
        """Return the page with the outputs that its commands really have."""
        try:
            return FENCE.sub(self._block, page)
        finally:
            for server in self.servers:
                server.terminate()
                server.communicate(timeout=30)

    def _block(self, match: re.Match[str]) -> str:
        word, *rest = (match["note"] or "").split(maxsplit=1)[:2] or [""]
        if word == "write":
            (self.folder / rest[0].strip()).write_text(match["body"], encoding="utf-8")
        if word not in ("replay", "serve"):
            return match[0]
        for name, old, new in EDIT.findall(match["note"]):
            file = self.folder / name
            before = file.read_text(encoding="utf-8")
            assert json.loads(old) in before, old
            file.write_text(before.replace(json.loads(old), json.loads(new)), encoding="utf-8")
        if match["language"] != "console":
            return match[0]
        commands = [line for line in match["body"].splitlines() if line.startswith("$ ")]
        run = self._serve if word == "serve" else self._run
        told = "".join(f"{command}\n{run(command[2:])}" for command in commands)
        head, _, _ = match[0].partition("```console\n")
        return f"{head}```console\n{told}```"

    def _run(self, command: str) -> str:
        if command.startswith("cd "):
            self.folder /= command[3:]
            return ""
        done = subprocess.run(
            command.replace(ADDRESS, self.address),
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout.replace(self.address, ADDRESS)

    def _serve(self, command: str) -> str:
        """Start a server; return what it says until one can stop it."""
        server = subprocess.Popen(
            [*command.split(), "--port", "0"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.servers.append(server)
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line
            if line.startswith("http://"):
                self.address = line.strip()
            if line.startswith("Stop"):
                break
        return said.replace(self.address, ADDRESS)


def replayed(page: Path, folder: Path) -> str:
    """Follow a page in a folder and return it with real outputs."""
    if page.name != FROM_NOTHING:
        for name in ("apps", "market"):
            shutil.copytree(ROOT / name, folder / name)
    return Reader(folder).follow(text_of(page))


def without_sizes(page: Path, text: str) -> str:
    """Take out sizes and digests of packages, on pages that have them."""
    if page not in PACKAGED:
        return text
    text = re.sub(r"\b[0-9a-f]{12}\b", "D", text)
    return re.sub(r" +", " ", re.sub(r"\b\d{1,3}(,\d{3})+\b", "N", text))


@of_pages(REPLAYED)
def test_outputs_in_the_pages_are_real(page: Path, tmp_path: Path) -> None:
    again = "the outputs have changed: run `python -m tests.test_docs`, and read the diff"
    real, written = replayed(page, tmp_path), text_of(page)
    assert without_sizes(page, real) == without_sizes(page, written), again


if __name__ == "__main__":
    for followed in REPLAYED:
        with tempfile.TemporaryDirectory() as temporary:
            followed.write_text(replayed(followed, Path(temporary)), encoding="utf-8")
