"""Edits of a spec's text: only the wanted lines change, and the result means what is wanted."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from chartgen.document import read_document
from chartgen.errors import RefusedError
from chartgen.spec.edit import add_change_note, set_scalar, set_version, written_scalar

ROOT = Path(__file__).resolve().parent.parent
SPECS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "apps").glob("*.yaml"))}
SHAPES = {
    "as it is": lambda text: text,
    "windows": lambda text: text.replace("\n", "\r\n"),
    "no last newline": lambda text: text.rstrip("\n"),
    "blank lines at the end": lambda text: text + "\n\n",
    "byte order mark": lambda text: "\ufeff" + text,
}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.sampled_from([0.5, 0.94, -1.25]),
    st.sampled_from(["on", "1e3", "0x10", "~", "a: b", "a #b", "{x}", "", " x", "2026-01-31"]),
    texts,
)


def value_of(text: str) -> Any:
    document, findings = read_document(text.encode(), "spec")
    assert document is not None, findings
    return document.value


def scalar_paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [found for key in value for found in scalar_paths(value[key], (*path, key))]
    if isinstance(value, list):
        return [found for at, item in enumerate(value) for found in scalar_paths(item, (*path, at))]
    return [path]


def with_value(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = new
    return changed


def untouched(before: str, after: str) -> tuple[int, int]:
    """Return how many lines at the beginning and at the end are the same, byte for byte."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    return head, tail


@given(st.data())
def test_one_value_changes_and_no_other_line(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SPECS)))
    text = SHAPES[data.draw(st.sampled_from(sorted(SHAPES)))](SPECS[name])
    value = value_of(text)
    path = data.draw(st.sampled_from(scalar_paths(value)))
    new = data.draw(scalars)

    edited = set_scalar(text, path, new)

    # JSON tells 1 from true and 1.0, and keeps the order of keys.
    assert json.dumps(value_of(edited)) == json.dumps(with_value(value, path, new))
    stated = value
    for part in path:
        stated = stated[part]
    lines = len(text.splitlines())
    head, tail = untouched(text, edited)
    most = str(stated).count("\n") + 2 if isinstance(stated, str) else 1
    assert lines - head - tail <= most
    assert edited.startswith("\ufeff") == text.startswith("\ufeff")


@given(st.data())
def test_setting_the_old_value_again_changes_only_that_line(data: st.DataObject) -> None:
    text = SPECS[data.draw(st.sampled_from(sorted(SPECS)))]

    assert set_version(text, value_of(text)["version"]) == text


@given(st.data())
def test_a_note_only_adds_lines(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SPECS)))
    text = SHAPES[data.draw(st.sampled_from(sorted(SHAPES)))](SPECS[name])
    value = value_of(text)
    notes = data.draw(st.lists(texts, min_size=1, max_size=3))

    edited = add_change_note(text, "99.0.1", notes)

    wanted = value | {"changes": {"99.0.1": notes} | (value.get("changes") or {})}
    assert json.dumps(value_of(edited)) == json.dumps(wanted)
    head, tail = untouched(text, edited)
    added = len(edited.splitlines()) - len(text.splitlines())
    # A file without a last newline gets one in the middle: its last line is one that changes.
    assert head + tail >= len(text.splitlines()) - (not text.endswith("\n"))
    assert added == 1 + len(notes)
    assert ("\r\n" in edited) == ("\r\n" in text)
    assert edited.count("\r\n") in (0, edited.count("\n"))


@given(scalars)
def test_other_readers_read_the_same_value(value: Any) -> None:
    text = f"key: {written_scalar(value)}\n"

    assert yaml.safe_load(text) == {"key": value}
    assert YAML(typ="safe", pure=True).load(text) == {"key": value}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a: 1 # c\n", 2, "a: 2 # c\n"),
        ("a:   'x'\n", "it's", "a:   'it''s'\n"),
        ("a:   'x'\n", "two\nlines", 'a:   "two\\nlines"\n'),
        ('{"a":"x"}', "y", '{"a":"y"}'),
        ("{a: x, b: 1}", "y, z", '{a: "y, z", b: 1}'),
        ("a: x\nb: 1", "on", 'a: "on"\nb: 1'),
        ("a: 8Gi..16Gi\n", "4Gi..8Gi", "a: 4Gi..8Gi\n"),
        ("a: x\n  y # c\nb: 1\n", "z", "a: z # c\nb: 1\n"),
        ("a:\nb: 1\n", 5, "a: 5\nb: 1\n"),
        ("a: # c\n", 5, "a: 5 # c\n"),
        ("a: |  # c\n  x\n  y\n\nb: 1\n", "z", 'a: "z"  # c\n\nb: 1\n'),
        ("a: >-\n  x\n  y", "z", 'a: "z"'),
    ],
)
def test_the_style_of_a_value_stays(text: str, value: Any, expected: str) -> None:
    assert set_scalar(text, ("a",), value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Under `changes`, above the older ones, with the indentation that is used there.
        (
            "changes:\n    1.0.0:\n        - a\n",
            "changes:\n    1.0.1:\n        - New\n    1.0.0:\n        - a\n",
        ),
        ("changes:\n  1.0.0:\n  - a\n", "changes:\n  1.0.1:\n  - New\n  1.0.0:\n  - a\n"),
        (
            "changes:\n  # newest first\n  '1.0.0': [a]\nb: 1",
            "changes:\n  # newest first\n  1.0.1:\n    - New\n  '1.0.0': [a]\nb: 1",
        ),
        ("changes: {1.0.0: [a]} # c\n", 'changes: {1.0.1: ["New"], 1.0.0: [a]} # c\n'),
        ("changes: {}\n", 'changes: {1.0.1: ["New"]}\n'),
        # No notes yet.
        ("changes: # c\nb: 1\n", "changes: # c\n  1.0.1:\n    - New\nb: 1\n"),
        ("a: 1\r\nchanges: null\r\n", "a: 1\r\nchanges:\r\n  1.0.1:\r\n    - New\r\n"),
        # No key yet.
        ("a: 1\n", "a: 1\nchanges:\n  1.0.1:\n    - New\n"),
        ("a: 1", "a: 1\nchanges:\n  1.0.1:\n    - New"),
        ("a: 1\n...\n", "a: 1\nchanges:\n  1.0.1:\n    - New\n...\n"),
        ("{a: 1}\n", '{changes: {1.0.1: ["New"]}, a: 1}\n'),
        ("a: |+\n  x\n\n", "a: |+\n  x\n\nchanges:\n  1.0.1:\n    - New\n"),
    ],
)
def test_where_a_note_goes(text: str, expected: str) -> None:
    assert add_change_note(text, "1.0.1", ["New"]) == expected


def test_a_version_without_notes_is_an_empty_list() -> None:
    assert add_change_note("changes:\n", "1.0.1", []) == "changes:\n  1.0.1: []\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("changes: {1.0.1: [a]}\n", "1.0.1 already"),
        ("changes: [a]\n", "no mapping"),
        ("a: [\n", "line"),
        ("a: 1\na: 2\n", "line 2"),
        ("- a\n", "no mapping"),
        ("", "no mapping"),
        # What is added below would take this text's last line break.
        ("a: |\n  x", "by hand"),
    ],
)
def test_a_note_that_cannot_be_added_is_refused(text: str, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        add_change_note(text, "1.0.1", ["New"])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("b",), "b does not stand"),
        (("a", "x"), r"a\.x does not stand"),
        (("list", 2), r"list\[2\] does not stand"),
        (("list",), "no single value"),
        (("map",), "no single value"),
    ],
)
def test_a_place_without_a_value_is_refused(path: tuple[str | int, ...], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        set_scalar("a: 1\nlist: [1, 2]\nmap: {x: 1}\n", path, 5)


def test_a_key_without_a_colon_is_refused() -> None:
    with pytest.raises(RefusedError, match="by hand"):
        set_scalar("{a, b: 1}", ("a",), 5)
