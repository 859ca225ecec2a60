"""Reports: each format says the same, and content of files cannot speak the format's language."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.findings import Finding, Place, Severity
from chartgen.lint.excerpt import excerpt
from chartgen.lint.report import FORMATS, render_report
from chartgen.lint.rules import rule_book
from chartgen.terminal import display_width

RULE = next(iter(rule_book().values()))
ERROR = Finding(
    RULE.id, Severity.ERROR, Place("apps/a.yaml", 2, 12, "engine.context"), "bad", "mend it"
)
WARNING = Finding("zz-unknown", Severity.WARNING, Place("apps/b.yaml", 1), "odd")
NOTE = Finding("zz-unknown", Severity.NOTE, Place("p.tgz!Chart.yaml", path="version"), "old")
SOURCES = {"apps/a.yaml": ["engine:", "  context: 9"], "apps/b.yaml": ["name: b"]}


def source_lines(file: str) -> Sequence[str]:
    return SOURCES.get(file, ())


def report(format: str, *findings: Finding, color: bool = False, width: int = 80) -> str:
    return render_report(format, findings, source_lines=source_lines, color=color, width=width)


def test_text_shows_the_place_the_line_and_the_remedy() -> None:
    assert report("text", NOTE, WARNING, ERROR) == (
        f"apps/a.yaml:2:12: error: bad [{RULE.id}]\n"
        "    2 |   context: 9\n"
        "      |            ^\n"
        "  fix: mend it\n"
        "\n"
        "apps/b.yaml:1: warning: odd [zz-unknown]\n"
        "    1 | name: b\n"
        "\n"
        "p.tgz!Chart.yaml (version): note: old [zz-unknown]\n"
        "\n"
        "1 error, 1 warning, 1 note in 3 files\n"
    )


@pytest.mark.parametrize(
    ("findings", "count"),
    [
        ([], "no findings"),
        ([ERROR], "1 error in 1 file"),
        ([ERROR, ERROR], "1 error in 1 file"),
        ([WARNING, NOTE], "1 warning, 1 note in 2 files"),
        (
            [Finding("r", Severity.ERROR, Place("f", line), "m") for line in (1, 2)],
            "2 errors in 1 file",
        ),
    ],
)
def test_text_ends_with_a_count(findings: list[Finding], count: str) -> None:
    assert report("text", *findings).splitlines()[-1] == count


def test_colour_only_when_asked() -> None:
    coloured = report("text", ERROR, color=True)
    assert "\x1b[1;31merror\x1b[0m: bad" in coloured
    assert coloured.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == report("text", ERROR)
    assert not any("\x1b" in report(name, ERROR, color=name != "text") for name in FORMATS)


@pytest.mark.parametrize("line", [0, 3, 99])
def test_a_line_that_is_not_there_is_not_shown(line: int) -> None:
    finding = Finding("r", Severity.ERROR, Place("apps/a.yaml", line, 1), "m")
    assert " | " not in report("text", finding)


@pytest.mark.parametrize("format", FORMATS)
def test_order_and_repeats_of_findings_do_not_matter(format: str) -> None:
    assert report(format, ERROR, WARNING, NOTE) == report(format, NOTE, ERROR, WARNING, ERROR)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="'xml' is no report format; choose from text, json"):
        report("xml")


HOSTILE = "x\x1b[2J\r\n::error::pwned\u202e\n"


@pytest.mark.parametrize("format", ["text", "github"])
@pytest.mark.parametrize("field", ["rule", "file", "path", "message", "remedy", "line"])
def test_content_cannot_give_commands(
    format: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {name: HOSTILE if name == field else "a" for name in ("rule", "message", "remedy")}
    place = Place(
        file=HOSTILE if field == "file" else "a.yaml",
        line=0 if field == "path" else 1,
        path=HOSTILE if field == "path" else "",
    )
    monkeypatch.setitem(SOURCES, "a.yaml", [HOSTILE if field == "line" else "a"])
    finding = Finding(fields["rule"], Severity.ERROR, place, fields["message"], fields["remedy"])
    text = report(format, finding)
    assert not set(text) & {"\x1b", "\r", "\u202e"}
    commands = [line for line in text.splitlines() if line.strip().startswith("::")]
    assert len(commands) == (1 if format == "github" else 0)


def test_json_is_one_document_with_everything() -> None:
    assert json.loads(report("json", WARNING, ERROR)) == {
        "findings": [
            {
                "rule": RULE.id,
                "severity": "error",
                "file": "apps/a.yaml",
                "line": 2,
                "column": 12,
                "path": "engine.context",
                "message": "bad",
                "remedy": "mend it",
            },
            {
                "rule": "zz-unknown",
                "severity": "warning",
                "file": "apps/b.yaml",
                "line": 1,
                "column": None,
                "path": None,
                "message": "odd",
                "remedy": None,
            },
        ],
        "summary": {"errors": 1, "warnings": 1, "notes": 0, "files": 2},
    }


def test_json_is_ascii_and_keeps_every_character() -> None:
    message = "日本 \x1b \u202e \ud800"
    text = report("json", Finding("r", Severity.NOTE, Place("f"), message))
    assert text.isascii()
    assert json.loads(text)["findings"][0]["message"] == message


def test_github_annotations() -> None:
    assert report("github", ERROR, WARNING, NOTE) == (
        f"::error file=apps/a.yaml,line=2,col=12,title={RULE.id}::bad%0AFix: mend it\n"
        "::warning file=apps/b.yaml,line=1,title=zz-unknown::odd\n"
        "::notice file=p.tgz!Chart.yaml,title=zz-unknown::old\n"
    )
    assert report("github") == ""


def test_github_escapes_as_its_runner_unescapes() -> None:
    place = Place("a,b:c%.yaml", 1)
    text = report("github", Finding("r", Severity.ERROR, place, "100%: a,\r\nb%0A"))
    assert text == "::error file=a%2Cb%3Ac%25.yaml,line=1,title=r::100%25: a,%0D%0Ab%250A\n"


# The parts of the SARIF 2.1.0 schema (errata 01) that a log of chartgen uses. The standard allows
# no further keys, so none are allowed here either.
_TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}},
    "additionalProperties": False,
}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_FROM_ONE = {"type": "integer", "minimum": 1}


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": _closed(
                ["tool"],
                tool=_closed(
                    ["driver"],
                    driver=_closed(
                        ["name"],
                        name={"type": "string"},
                        version={"type": "string"},
                        rules={
                            "type": "array",
                            "uniqueItems": True,
                            "items": _closed(
                                ["id"],
                                id={"type": "string"},
                                shortDescription=_TEXT,
                                fullDescription=_TEXT,
                                help=_TEXT,
                                defaultConfiguration=_closed([], level=_LEVEL),
                            ),
                        },
                    ),
                ),
                columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                results={
                    "type": "array",
                    "items": _closed(
                        ["message"],
                        ruleId={"type": "string"},
                        ruleIndex={"type": "integer", "minimum": -1},
                        level=_LEVEL,
                        message=_TEXT,
                        locations={
                            "type": "array",
                            "items": _closed(
                                [],
                                physicalLocation=_closed(
                                    ["artifactLocation"],
                                    artifactLocation=_closed(
                                        [],
                                        uri={
                                            "type": "string",
                                            # RFC 3986: no scheme but file, no unsafe character.
                                            "pattern": r"^(file://)?[A-Za-z0-9._~!/%-]+$",
                                        },
                                    ),
                                    region=_closed(
                                        ["startLine"], startLine=_FROM_ONE, startColumn=_FROM_ONE
                                    ),
                                ),
                                logicalLocations={
                                    "type": "array",
                                    "items": _closed([], fullyQualifiedName={"type": "string"}),
                                },
                            ),
                        },
                    ),
                },
            ),
        },
    },
}


def sarif_run(*findings: Finding) -> Any:
    document = json.loads(report("sarif", *findings))
    jsonschema.Draft202012Validator(SARIF).validate(document)
    return document["runs"][0]


def test_sarif_points_from_each_result_to_its_rule() -> None:
    run = sarif_run(ERROR, WARNING, NOTE)
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    assert sorted(rule["id"] for rule in rules) == sorted({RULE.id, "zz-unknown"})


def test_sarif_explains_its_rules() -> None:
    (rule,) = sarif_run(ERROR)["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == RULE.title
    assert RULE.why in rule["help"]["text"]
    assert RULE.fix in rule["help"]["text"]
    assert rule["defaultConfiguration"]["level"] == RULE.severity.value


def test_sarif_without_findings_is_a_clean_run() -> None:
    assert sarif_run()["results"] == []


def test_sarif_has_the_region_as_far_as_it_is_known() -> None:
    locations = [result["locations"][0] for result in sarif_run(ERROR, WARNING, NOTE)["results"]]
    regions = [location["physicalLocation"].get("region") for location in locations]
    assert regions == [{"startLine": 2, "startColumn": 12}, {"startLine": 1}, None]
    assert locations[2]["logicalLocations"] == [{"fullyQualifiedName": "version"}]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("apps/a.yaml", "apps/a.yaml"),
        ("./apps//a.yaml", "apps/a.yaml"),
        ("../a.yaml", "../a.yaml"),
        ("my apps/größe#1?.yaml", "my%20apps/gr%C3%B6%C3%9Fe%231%3F.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),
        ("100%.yaml", "100%25.yaml"),
        ("apps\\a.yaml", "apps/a.yaml"),
        ("/srv/a.yaml", "file:///srv/a.yaml"),
        ("p.tgz!Chart.yaml", "p.tgz!Chart.yaml"),
    ],
)
def test_sarif_names_files_as_uris(file: str, uri: str) -> None:
    (result,) = sarif_run(Finding("r", Severity.ERROR, Place(file), "m"))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_sarif_messages_hold_neither_placeholders_nor_links() -> None:
    finding = Finding("r", Severity.ERROR, Place("f"), "{0} {{ .X }} [a](https://x)\x1b[1m")
    (result,) = sarif_run(finding)["results"]
    assert result["message"]["text"] == "{{0}} {{{{ .X }}}} [a\\](https://x)"


@pytest.mark.parametrize(
    ("line", "column", "shown", "caret"),
    [
        ("name: b", 7, "name: b", 6),
        ("name: b\r\n", 0, "name: b", 0),
        ("\tname: b", 2, "    name: b", 4),
        ("日本: x", 5, "日本: x", 6),
        ("e\u0301: x", 5, "e\u0301: x", 3),
        ("a\x1bb: x", 5, "ab: x", 3),
        ("ab", 9, "ab", 2),
        ("x" * 40, 1, "x" * 40, 0),
        ("x" * 41, 1, "x" * 39 + "…", 0),
        ("0123456789" * 4 + "y", 41, "…" + "3456789" + "0123456789" * 3 + "y", 38),
    ],
)
def test_an_excerpt_points_at_its_column(line: str, column: int, shown: str, caret: int) -> None:
    assert excerpt(line, column, width=40) == (shown, caret)


LINES = st.text(st.sampled_from("ab日\t\u0301é "), max_size=300)


@given(LINES, st.integers(0, 310), st.integers(0, 100))
def test_an_excerpt_fits_and_has_the_character_at_its_caret(
    line: str, column: int, width: int
) -> None:
    shown, caret = excerpt(line, column, width)
    assert display_width(shown) <= max(width, 22)
    assert 0 <= caret < max(width, 22)
    if 0 < column <= len(line) and line[column - 1] in "ab日é":
        before = 0
        while display_width(shown[:before]) < caret:
            before += 1
        rest = shown[before:].lstrip("\u0301")
        assert rest[0] == line[column - 1]


def test_a_line_of_a_megabyte_takes_no_time() -> None:
    shown, caret = excerpt("a" * 1_000_000 + "b" + "c" * 1_000_000, 1_000_001, width=60)
    assert shown[caret] == "b"
