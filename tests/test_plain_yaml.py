"""What the fast reader reads is what Helm reads; everything else it refuses."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chartgen.plain_yaml import UncertainError, read_plain
from chartgen.yaml_text import yaml_text
from tests.test_yaml_text import AWKWARD, TEXT

PIECES = [
    *("a", "b: ", "key: ", ": ", "- ", "\n", "\n  ", "\n    ", " ", "'", '"', "|", "|-", ">", "|+"),
    *(
        "{",
        "}",
        "[",
        "]",
        ", ",
        "#",
        " # ",
        "&x ",
        "*x",
        "!t ",
        "!!str ",
        "<<: ",
        "? ",
        "---\n",
        "%",
    ),
    *("yes", "on", "null", "~", "true", "True", "0", "1", "-1", "01", "0x1f", "0o7", "1_0", "1.0"),
    *("1e3", ".5", ".inf", "12:30", "2001-01-01", "9007199254740993", "\\x7b", "\\n", "\\u00e9"),
    *(
        "é",
        "\u2028",
        "\x85",
        "\r\n",
        "\t",
        "\ufeff",
        "10Gi",
        "v1",
        "apps/v1",
        "=",
        "...",
        "@",
        "`",
        "_",
        "/",
    ),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_what_is_read_is_what_helm_reads(text: str) -> None:
    helm = pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
    try:
        value = read_plain(f"top:\n  x: {text}\n")
    except UncertainError:
        return
    assert helm.values_from_yaml(f"top:\n  x: {text}\n") == value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**14), 10**14) | TEXT | st.sampled_from(AWKWARD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(TEXT.filter(lambda key: key != "<<"), VALUES, min_size=1, max_size=4))
def test_what_chartgen_writes_is_read_back(value: dict[str, object]) -> None:
    text = yaml_text(value)
    if "<<" in text:
        return
    assert read_plain(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("a:\n", {"a": None}),
        (
            "a: {b: [1, -2, true, null], c: apps/v1}\n",
            {"a": {"b": [1, -2, True, None], "c": "apps/v1"}},
        ),
        ("- 'yes'\n- \"0x10\"\n- |\n  1.0\n", ["yes", "0x10", "1.0\n"]),
        ("word\n", "word"),
    ],
)
def test_plain_documents(text: str, value: object) -> None:
    assert read_plain(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *(f"a: {word}" for word in ("yes", "On", "NULL", "~", "y", "0x10", "010", "1.0", "1e3")),
        *(f"a: {word}" for word in (".inf", "12:30", "2001-01-01", "1_000", "9007199254740993")),
        *("a: &x 1", "a: [&x b, *x]", "a: &x {b: 1}", "a: !!str 1", "a: !up x", "a: !!map {}"),
        *("a: 1\na: 2", "1: a", "true: a", "'<<': {a: 1}", "? [a]\n: b", "a: 1\n---\nb: 2\n"),
        *("a: [", "a: 'b", "\ta: 1", "a: b\r\nc: d", "a: 'b\u2028c'", "\ufeffa: 1", "a: \ud800"),
    ],
)
def test_doubtful_documents_are_refused(text: str) -> None:
    with pytest.raises(UncertainError):
        read_plain(text)


def test_refusal_says_where_and_why() -> None:
    with pytest.raises(UncertainError, match=r"^line 2: 'yes' is not written in one way only$"):
        read_plain("a: 1\nb: yes\n")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_documents_are_refused_and_crash_nothing(opening: str) -> None:
    with pytest.raises(UncertainError):
        read_plain(opening * 100_000)


def test_tags_make_values_of_texts() -> None:
    assert read_plain("a: !up x\nb: [!up 'y']\n", {"!up": str.upper}) == {"a": "X", "b": ["Y"]}


def test_the_pure_reader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert read_plain("a: {b: '1', c: 1, d: e}\n") == {"a": {"b": "1", "c": 1, "d": "e"}}
