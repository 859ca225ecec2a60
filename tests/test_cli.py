"""The program itself: its commands, common options, streams, exit codes and failures."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest

import chartgen.errors
from chartgen.cli import main
from chartgen.cli.exit_codes import MEANINGS
from chartgen.cli.group import COMMANDS, root
from chartgen.cli.options import ENGINE_NAMES, FORMAT_NAMES, PLATFORM_NAMES, common_options
from chartgen.cli.reference import cli_page, exit_codes_page
from chartgen.cli.table import table
from chartgen.cli.versions import LIBRARIES
from chartgen.errors import ChartgenError, MissingToolError, RemoteError, UnreadableError
from chartgen.lint.report import FORMATS
from chartgen.lint.rules import rule_book
from chartgen.olares.platform import PLATFORMS
from chartgen.spec.engine import ENGINE_KINDS
from chartgen.terminal import display_width
from tests.specs import write_spec

ROOT = Path(__file__).resolve().parent.parent
Capture = pytest.CaptureFixture[str]


def words_id(value: object) -> str | None:
    """Name a test by the words of its command line."""
    return " ".join(map(str, value)) or "nothing" if isinstance(value, list) else None


class Terminal(io.StringIO):
    """A stream that says that a person sits before it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one sound app in it."""
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path / "apps")
    return tmp_path


def command(name: str) -> click.Command:
    found = root.get_command(click.Context(root), name)
    assert found is not None
    return found


def run_python(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


# Commands and their help


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_docstring_says(name: str) -> None:
    found = command(name)

    assert found.name == name
    assert (found.help or "").split("\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(name: str, option: str, capsys: Capture) -> None:
    assert main([name, option]) == 0

    shown = capsys.readouterr()
    assert COMMANDS[name] in shown.out
    assert shown.err == ""
    assert max(map(len, shown.out.splitlines())) <= 80


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_option_has_help(name: str) -> None:
    options = (command(name) if name else root).params

    assert [o.name for o in options if isinstance(o, click.Option) and not o.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_common_options(name: str) -> None:
    given = {spelling for option in command(name).params for spelling in option.opts}

    wanted = {spelling for option in common_options(json=False) for spelling in option.opts}
    assert wanted <= given


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    page = cli_page()
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    assert f"chartgen {name} [OPTIONS]" in section
    shared = {option.name for option in common_options()}
    for option in command(name).params:
        if isinstance(option, click.Option) and option.name not in shared:
            assert all(f"`{spelling}`" in section for spelling in option.opts)


def test_the_program_s_help_names_every_command(capsys: Capture) -> None:
    assert main(["--help"]) == 0

    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["completion", "bash"], *([name, "--help"] for name in COMMANDS)],
    ids=words_id,
)
def test_help_needs_none_of_the_heavy_modules(words: list[str]) -> None:
    code = (
        "import sys; from chartgen.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'pydantic', 'yaml', 'jinja2', 'semver', 'helm_python'} & set(sys.modules); "
        "print(code, sorted(heavy), file=sys.stderr)"
    )

    assert run_python("-c", code, *words).stderr == "0 []\n"


def test_words_that_help_states_are_those_of_the_modules() -> None:
    assert tuple(PLATFORMS) == PLATFORM_NAMES
    assert ENGINE_NAMES == ENGINE_KINDS
    assert FORMAT_NAMES == FORMATS


def test_the_version_names_every_library(capsys: Capture) -> None:
    assert main(["--version"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"chartgen {chartgen.__version__}"
    assert f"  click {version('click')}" in lines
    assert "Python" in lines[-1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(word for words in extras for word in words)]
    assert sorted(LIBRARIES) == sorted(re.split(r"[<>=!~\[; ]", word)[0] for word in wanted)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_the_program(shell: str, capsys: Capture) -> None:
    assert main(["completion", shell]) == 0

    shown = capsys.readouterr()
    assert f"_CHARTGEN_COMPLETE={shell}_complete" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("chartgen ", list(COMMANDS)),
        ("chartgen sch", ["schema"]),
        ("chartgen check --form", ["--format"]),
        ("chartgen check --format s", ["sarif"]),
        ("chartgen rules yaml-ta", ["yaml-tab", "yaml-tag"]),
    ],
)
def test_a_shell_is_given_completions(words: str, expected: list[str]) -> None:
    at = len(words.split(" ")) - 1
    run = run_python(
        "-m", "chartgen", _CHARTGEN_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at)
    )

    assert [line.partition(",")[2] for line in run.stdout.splitlines()] == expected


# Usage


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Usage: chartgen"),
        (["chekc"], "'check'"),
        (["zzzzzz"], "chartgen --help"),
        (["check", "--strikt"], "--strict"),
        (["check", "--format", "xml"], "xml"),
        (["check", "--json", "--format", "sarif"], "contradict"),
        (["build", "x.tgz"], "no spec"),
        (["new", "x"], "--engine"),
        (["new", "x", "--engine", "tabbyapi"], "--image"),
        (["new", "x", "--engine", "vllm", "--size", "1GB"], "--model"),
        (["rules", "yaml-aliases"], "'yaml-alias'"),
        (["rules", "zzzzzz"], "chartgen rules"),
        (["completion", "tcsh"], "tcsh"),
        (["--json", "completion", "bash"], "JSON"),
        (["-C", "absent", "check"], "absent"),
    ],
    ids=words_id,
)
def test_a_wrong_command_line_is_explained(words: list[str], said: str, capsys: Capture) -> None:
    assert main(words) == 2

    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


# Exit codes and failures


def test_codes_are_those_of_the_design() -> None:
    assert set(MEANINGS) == {0, 1, 2, 3, 4, 5, 70, 130}
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    assert all(f"| {code} | {meaning} |" in exit_codes_page() for code, meaning in MEANINGS.items())


def test_each_kind_of_failure_has_a_code_of_its_own() -> None:
    kinds = [
        kind
        for kind in vars(chartgen.errors).values()
        if isinstance(kind, type)
        and issubclass(kind, ChartgenError)
        and kind is not ChartgenError
        and "exit_code" in vars(kind)
    ]
    codes = [kind.exit_code for kind in kinds]

    assert len(set(codes)) == len(codes)
    assert set(codes) <= MEANINGS.keys() - {0, 2, 70, 130}


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ChartgenError("what; do this"), 1),
        (UnreadableError("what; do this"), 3),
        (RemoteError("what; do this"), 4),
        (MissingToolError("what; do this"), 5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_one_message(
    error: ChartgenError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("chartgen.lint.rules.rule_book", failing(error))

    assert main(["rules"]) == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "error: what; do this\n")


@pytest.mark.parametrize("words", [["--debug", "rules"], ["rules", "--debug"]])
def test_debug_shows_where_a_failure_comes_from(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("chartgen.lint.rules.rule_book", failing(ChartgenError("what")))

    assert main(words) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_message_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("chartgen.lint.rules.rule_book", failing(ChartgenError("a\x1b[2Jb\x07")))

    main(["rules"])
    assert capsys.readouterr().err == "error: ab\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()], ids=["^C", "abort"])
def test_an_interrupt_has_its_code(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("chartgen.lint.rules.rule_book", failing(error))

    assert main(["rules"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_bug_leaves_a_log(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_sesame")
    monkeypatch.setattr("chartgen.lint.rules.rule_book", failing(ZeroDivisionError("oh")))

    assert main(["rules", "two words"]) == 70

    shown = capsys.readouterr()
    (log,) = temporary.iterdir()
    assert "this is a bug in chartgen: ZeroDivisionError: oh" in shown.err
    assert str(log) in shown.err
    assert "Traceback" not in shown.err
    text = log.read_text()
    assert f"chartgen {chartgen.__version__}\n" in text
    assert "command line: chartgen rules 'two words'\n" in text
    assert "Traceback" in text
    assert "Python 3." in text
    assert "sesame" not in text
    assert log.stat().st_mode & 0o077 == 0


def test_debug_shows_a_bug_s_traceback(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("chartgen.lint.rules.rule_book", failing(ZeroDivisionError("oh")))

    assert main(["rules", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_without_room_for_a_log_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    monkeypatch.setattr("chartgen.lint.rules.rule_book", failing(ZeroDivisionError("oh")))

    assert main(["rules"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_changes_nothing() -> None:
    """`chartgen check | head -0` stays quiet and keeps its exit code."""
    run = subprocess.run(
        f'"{sys.executable}" -c "{_SLOW_CHECK}" | true; echo "${{PIPESTATUS[0]}}"',
        shell=True,
        executable="/bin/bash",
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert (run.stdout, run.stderr) == ("1\n", "")


# Sleeps until the other side has gone, then finds no spec in a folder without any.
_SLOW_CHECK = (
    "import sys, time; from chartgen.cli import main; time.sleep(0.5); "
    "sys.exit(main(['-C', 'docs', 'check']))"
)


@pytest.mark.parametrize(
    "words",
    [["init", "file"], ["schema", "-o", "file/x.json"], ["schema", "-o", "apps"]],
    ids=words_id,
)
def test_a_place_that_cannot_be_written_is_explained(
    words: list[str], market: Path, capsys: Capture
) -> None:
    (market / "file").write_text("")

    assert main(words) == 1
    assert capsys.readouterr().err.startswith(f"error: {words[-1].split('/')[0]}")


def test_paths_to_write_count_from_the_market_s_folder(
    market: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")

    assert main(["-C", str(market), "schema", "-o", "made/app.json"]) == 0
    assert main(["-C", str(market), "init", "second"]) == 0
    assert json.loads((market / "made" / "app.json").read_text())["title"]
    assert (market / "second" / "apps" / "icons").is_dir()


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        pytest.param(
            *("> /dev/full", 1, "error: the output cannot be written"),
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only"),
        ),
    ],
)
def test_streams_that_take_nothing(redirection: str, code: int, said: str, market: Path) -> None:
    run = subprocess.run(
        f'"{sys.executable}" -m chartgen check {redirection}',
        shell=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert run.returncode == code
    assert run.stderr.startswith(said)
    assert "Traceback" not in run.stderr


# Streams, colours and width


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--json"],
        ["--json", "check"],
        ["check", "--format", "sarif"],
        ["build", "--json"],
        ["build", "--json", "--dry-run", "-v"],
        ["schema"],
        ["--json", "schema"],
        ["rules", "--json"],
        ["rules", "yaml-tab", "--json"],
        ["init", "--json"],
        ["new", "another", "--engine", "vllm", "--json"],
    ],
    ids=words_id,
)
def test_stdout_holds_one_json_document(words: list[str], market: Path, capsys: Capture) -> None:
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)


def test_json_lists_what_was_made_and_kept(market: Path, capsys: Capture) -> None:
    (market / "README.md").write_text("mine")

    main(["init", "--json"])

    written = json.loads(capsys.readouterr().out)
    assert written["kept"] == ["README.md"]
    assert sorted(written["created"]) == [
        ".gitignore",
        "market/market.yaml",
        "schema/app.schema.json",
        "schema/market.schema.json",
    ]
    assert (market / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("environment", "words", "colored"),
    [
        ({}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": ""}, [], True),
        ({"CI": "true"}, [], False),
        ({"TERM": "dumb"}, [], False),
        ({}, ["--color", "never"], False),
        ({"NO_COLOR": "1", "CI": "1"}, ["--color", "always"], True),
        # The command's own option wins.
        ({}, ["--color", "always", "check", "--color", "never"], False),
    ],
)
def test_colours(
    environment: dict[str, str],
    words: list[str],
    colored: bool,
    market: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (market / "apps" / "smallapp.yaml").write_text("name: [")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)

    main([*words, "check"] if "check" not in words else words)

    assert ("\x1b[" in screen.getvalue()) is colored


def test_a_file_gets_no_colours(market: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    (market / "apps" / "smallapp.yaml").write_text("name: [")
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)

    main(["check"])

    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize(
    ("words", "stdout", "stderr"),
    [
        (["rules"], True, True),
        (["-q", "rules"], True, False),
        (["rules", "-q"], True, False),
        (["-q", "rules", "-v"], True, True),
        (["-q", "init"], False, False),
        (["build"], False, True),
        (["build", "-q"], False, False),
    ],
    ids=words_id,
)
def test_quiet_leaves_data(
    words: list[str], stdout: bool, stderr: bool, market: Path, capsys: Capture
) -> None:
    assert main(words) == 0

    shown = capsys.readouterr()
    assert (bool(shown.out), bool(shown.err)) == (stdout, stderr)


def test_an_old_encoding_is_no_failure(market: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (market / "apps" / "smallapp.yaml").write_text("name: 'größe €'\n", "utf-8")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "latin-1"))

    assert main(["check"]) == 1
    assert "größe \\u20ac".encode("latin-1") in raw.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_tables_fit(width: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    main(["rules"])

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(rule_book())
    assert max(map(display_width, lines)) <= width


def test_a_table_shortens_its_widest_column() -> None:
    text = table(("App", "N"), [("a" * 30, "1"), ("宽" * 10, "22")], width=20, right=(1,))

    assert text.splitlines() == [
        "App                N",
        "aaaaaaaaaaaaaaa…   1",
        # Wide characters take two cells, so the column ends a cell early.
        "宽宽宽宽宽宽宽…   22",
    ]
