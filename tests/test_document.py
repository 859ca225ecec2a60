"""Reading YAML: values as they were written, places, and every hostile or half-typed file."""

from __future__ import annotations

import pytest

from chartgen.document import MAX_BYTES, Document, dotted_path, read_document, scalar_text


def value_of(text: str) -> object:
    document, findings = read_document(text.encode(), "x.yaml")
    assert not findings
    assert document is not None
    return document.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("131072", 131072),
        ("0.94", 0.94),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("", None),
        ("1e3", "1e3"),
        ("0x10", "0x10"),
        ("1.50", "1.50"),
        ("1.", "1."),
        ("007", "007"),
        ("+1", "+1"),
        ("1_000", "1_000"),
        ("on", "on"),
        ("yes", "yes"),
        ("True", "True"),
        ("12:30", "12:30"),
        ("2026-01-02", "2026-01-02"),
        (".inf", ".inf"),
        ('"131072"', "131072"),
        ("'true'", "true"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_a_plain_scalar_is_a_number_only_in_its_canonical_spelling(
    written: str, value: object
) -> None:
    read = value_of(f"key: {written}\n")
    assert read == {"key": value}
    assert type(read["key"]) is type(value)  # type: ignore[index]  # a mapping, as just compared


@pytest.mark.parametrize("text", ["131072", "0.94", "-0.5", "true", "false", "0"])
def test_scalars_keep_their_characters(text: str) -> None:
    (value,) = value_of(f"- {text}")  # type: ignore[misc]  # a list of one
    assert scalar_text(value) == text


def test_every_value_and_key_has_its_place() -> None:
    document, _ = read_document(b"a: 1\nb:\n  - c: x\n    d: {e: 2}\n", "x.yaml")
    assert document is not None
    assert document.places["b", 0, "c"] == (3, 8)
    assert document.key_places["b", 0, "d"] == (4, 5)
    place = document.place(("b", 0, "d", "e"))
    assert (place.line, place.column, place.path) == (4, 12, "b[0].d.e")


def test_a_value_that_is_missing_is_placed_at_what_encloses_it() -> None:
    document, _ = read_document(b"a: 1\nb:\n  c: 2\n", "x.yaml")
    assert document is not None
    assert document.place(("b", "missing")).line == 2
    assert document.place(("missing",)).line == 1


def test_dotted_paths() -> None:
    assert dotted_path(("entrances", 0, "port")) == "entrances[0].port"
    assert dotted_path(()) == ""


@pytest.mark.parametrize(
    ("data", "rule", "line", "column"),
    [
        (b"a:\n\t- b\n", "yaml-tab", 2, 1),
        (b"a: &x 1\n", "yaml-alias", 1, 4),
        (b"a: 1\nb: *x\n", "yaml-alias", 2, 4),
        (b"a: !!python/object:os.system x\n", "yaml-tag", 1, 4),
        (b"a: 1\na: 2\n", "yaml-duplicate-key", 2, 1),
        (b"a: \xff\n", "yaml-encoding", 1, 4),
        (b"a: \x01\n", "yaml-syntax", 1, 4),
        (b"a: b: c\n", "yaml-syntax", 1, 5),
        (b"a: 1\n---\nb: 2\n", "yaml-documents", 2, 1),
        (b"? [a]\n: 1\n", "yaml-key", 1, 3),
        (b"a: [" + b"[" * 10_000, "yaml-depth", 1, 44),
        (b"x" * (MAX_BYTES + 1), "yaml-size", 1, 1),
    ],
)
def test_bad_files_are_findings_with_a_place(
    data: bytes, rule: str, line: int, column: int
) -> None:
    _, findings = read_document(data, "x.yaml")
    assert [(f.rule, f.place.line, f.place.column) for f in findings] == [(rule, line, column)]
    assert findings[0].remedy


def test_an_alias_bomb_costs_nothing() -> None:
    bomb = "a: &a [x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)
    )
    document, findings = read_document(bomb.encode(), "x.yaml")
    assert document is None
    assert [f.rule for f in findings] == ["yaml-alias"]


def test_an_empty_file_holds_nothing() -> None:
    assert read_document(b"# only a comment\n", "x") == (Document("x", None), ())
