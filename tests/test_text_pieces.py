"""What goes of a text where a number in it was not measured: the smallest piece around it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.render.texts import english, filled, is_emptied, translated
from tests.specs import loaded

KNOWN = {"context": "128K", "title": "T"}
# Takes a second at most; minutes, if the time grew with the square of the length.
LONG = 20_000


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Fast chat, {tps} tokens/s", "Fast chat"),
        ("{tps} tokens/s, {context} context", "128K context"),
        ("It sees; it runs at {tps} tokens/s; {context} context", "It sees; 128K context"),
        ("Gemma \N{EN DASH} {tps} tokens/s \N{EN DASH} vision", "Gemma \N{EN DASH} vision"),
        ("Gemma—{tps} tokens/s—vision", "Gemma—vision"),
        ("Gemma - {tps} tokens/s", "Gemma"),
        ("Gemma | {tps} tokens/s | vision", "Gemma | vision"),
        ("Gemma · {tps} tokens/s", "Gemma"),
        ("支持图像，{tps} 词元/秒，128K", "支持图像，128K"),
        ("支持图像；{tps} 词元/秒；128K", "支持图像；128K"),
        ("高速、{tps} トークン/秒、画像", "高速、画像"),
        # What belongs to a word or a number divides nothing.
        ("1,000 users, {tps} tokens/s", "1,000 users"),
        ("Sees, {tps} of 1,234 tokens", "Sees"),
        ("16\N{EN DASH}128K context, at {tps}", "16\N{EN DASH}128K context"),
        ("A multi-user app, {tps} tokens/s", "A multi-user app"),
        ("Sees&nbsp;well {tps}&nbsp;tokens/s, kind", "Kind"),
        # Of two separators one is left, without the space that belonged to the other.
        ("Gemma 4 \N{EM DASH} {tps} tok/s, {context} context", "Gemma 4, 128K context"),
        ("vLLM \N{EN DASH} {tps} tok/s, tools", "vLLM, tools"),
        ("vLLM · {tps} tok/s; tools", "vLLM; tools"),
        ("vLLM - {tps} tok/s, {acceptance}, tools", "vLLM, tools"),
        ("vLLM | {tps} tok/s | tools, {tps}", "vLLM | tools"),
        ("vLLM, {tps} tok/s · tools", "vLLM · tools"),
        # The last part of a list takes the others along only where they are its half.
        ("Vision, tools and {tps} tokens/s.", "Vision, tools."),
        ("Vision, tools and **{tps} tokens/s**.", "Vision, tools."),
        ("Sicht, Werkzeuge und {tps} Token/s.", "Sicht, Werkzeuge."),
        ("视觉、工具和 {tps} 词元/秒", "视觉、工具"),
        ("Vision, between 100 and {tps} tokens/s.", "Vision."),
        ("Vision, 100 and {tps} tokens/s.", "Vision."),
        # What only leads over to a clause goes with it.
        ("It sees; however, {tps} tokens/s needs a warm cache.", "It sees."),
        ("Sees, for example, {tps} tokens/s", "Sees"),
    ],
)
def test_a_clause_goes(text: str, left: str) -> None:
    assert filled(text, KNOWN) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Gemma 4: {tps} tokens/s, {context} context, tools", "Gemma 4: 128K context, tools"),
        ("**Gemma 4:** {tps} tokens/s, {context} context", "**Gemma 4:** 128K context"),
        ("**Gemma 4**: {tps} tokens/s, {context} context", "**Gemma 4**: 128K context"),
        ("Gemma 4：{tps} 词元/秒，{context} 上下文", "Gemma 4：128K 上下文"),
        ("Gemma 4 (26B-A4B) with DFlash: {tps} tokens/s", "Gemma 4 (26B-A4B) with DFlash"),
        ("**Gemma 4 (26B-A4B) with DFlash:** {tps}", "**Gemma 4 (26B-A4B) with DFlash**"),
        ("Gemma 4 (26B) on vLLM: {tps} tokens/s. Sees.", "Gemma 4 (26B) on vLLM. Sees."),
        ("Gemma 4 (26B) on vLLM: {tps}; sees", "Gemma 4 (26B) on vLLM; sees"),
        ("Features: vision, {tps} tokens/s, tools", "Features: vision, tools"),
        # A label alone says nothing, and one of a speed nothing of the rest.
        ("Speed: {tps} tokens/s", ""),
        ("**Decode speed:** {tps} tokens/s", ""),
        ("RTX 5090: {tps} tokens/s", ""),
        ("Speed: {tps} tokens/s, {context} context", "128K context"),
        ("Sees, speed: {tps} tokens/s, tools", "Sees, tools"),
        ("Measured on one Olares One (24 GB): {tps} tokens/s. Sees.", "Sees."),
        ("At {tps} tokens/s: fast, kind", "Kind"),
        # Other colons divide nothing.
        ("See http://a.b/c:d, {tps} tokens/s", "See http://a.b/c:d"),
        ("From 10:30 on, {tps} tokens/s", "From 10:30 on"),
    ],
)
def test_a_name_before_a_colon_stays(text: str, left: str) -> None:
    assert filled(text, KNOWN) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Fast. It runs at {tps} tokens/s. It has vision.", "Fast. It has vision."),
        ("Is it fast? It runs at {tps} tokens/s! Yes.", "Is it fast? Yes."),
        ("很快。速度为 {tps} 词元/秒。很好。", "很快。很好。"),
        ("{tps} tokens/s. {acceptance} accepted. It sees.", "It sees."),
        ("At {tps} tokens/s, it leads. It sees.", "It leads. It sees."),
        ("At {tps} tokens/s, llama.cpp leads.", "llama.cpp leads."),
        ("At {tps} tokens/s, vLLM leads.", "vLLM leads."),
        ("Fast, at approx. {tps} tokens/s. It sees.", "Fast. It sees."),
        ("Qwen3.6 runs at {tps}. It sees.", "It sees."),
        ("**Fast.** It runs at {tps} tokens/s. It sees.", "**Fast.** It sees."),
        ("However, {tps} tokens/s needs a warm cache. It sees.", "It sees."),
        ("No. 1 with {tps} tokens/s. Sees.", "Sees."),
        ("Nr. 1 mit {tps} Token/s. Sieht.", "Sieht."),
        ("Made by Dr. Who at {tps} tokens/s. Sees.", "Sees."),
        ("Does it crash? No. It runs at {tps} tokens/s.", "Does it crash? No."),
    ],
)
def test_a_sentence_of_one_clause_goes_whole(text: str, left: str) -> None:
    assert filled(text, KNOWN) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Gemma ({tps} tokens/s) sees, kind", "Gemma sees, kind"),
        ("Sees (measured: {context}, {tps} tokens/s), tools", "Sees (measured: 128K), tools"),
        ("Sees ({tps} tokens/s, {acceptance} of drafts), tools", "Sees, tools"),
        ("速度很快（{tps} 词元/秒）。支持图像。", "速度很快。支持图像。"),
        ("a (b (c, {tps}), d), e", "a (b (c), d), e"),
        ("({tps} tokens/s), kind", "kind"),
        ("**Fast, {tps} tokens/s**, kind", "**Fast**, kind"),
        ("_Fast, {tps} tokens/s_, kind", "_Fast_, kind"),
        ("runs at **{tps} tokens/s**, kind", "kind"),
        ("“Fast, {tps} tokens/s”, kind", "“Fast”, kind"),
        ("„Schnell, {tps} Token/s“, gut", "„Schnell“, gut"),
        ("「快，{tps} 词元/秒」，好", "「快」，好"),
        ('"Fast, {tps} tokens/s", kind', '"Fast", kind'),
        ("[fast, {tps} tokens/s](http://x/a,b), kind", "[fast](http://x/a,b), kind"),
        ("![plot, {tps}](a.png), kind", "![plot](a.png), kind"),
        ("see [{tps} tokens/s](http://x/a,b), kind", "kind"),
        ("`a, {tps}`, kind", "kind"),
        ("A sum of `{tps}, b`; kind", "Kind"),
        ('{"a": 1, "b": {tps}}, kind', "kind"),
        ("<b title='a, {tps}'>x</b>, kind", "kind"),
        ("<b>Fast, {tps} tokens/s</b>, sees", "<b>Fast</b>, sees"),
        ('<a href="http://x">Fast, {tps}</a>; sees', '<a href="http://x">Fast</a>; sees'),
        ("<b>{tps} tokens/s</b>, sees", "sees"),
        ("<b><i>Fast, {tps}</i>, kind</b>, sees", "<b><i>Fast</i>, kind</b>, sees"),
        ("Fast<br>and kind, {tps} tokens/s, sees", "Fast<br>and kind, sees"),
        # What has no other half is text.
        ("<b>Fast, {tps} tokens/s, sees", "<b>Fast, sees"),
        ("Sees :( , {tps} tokens/s, kind", "Sees :(, kind"),
        ("2 * 3, {tps} * 4, snake_case, b", "2 * 3, snake_case, b"),
    ],
)
def test_what_stands_in_pairs_stays_in_pairs(text: str, left: str) -> None:
    assert filled(text, KNOWN) == left


def test_a_bracket_of_which_one_number_is_known_keeps_its_end() -> None:
    text = "Sees ({tps} tokens/s, {acceptance} of drafts), tool calling"
    assert filled(text, KNOWN | {"tps": "250.5"}) == "Sees (250.5 tokens/s), tool calling"


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        # A wrapped paragraph is one text.
        (
            ["One goes on", "over lines, at {tps} tokens/s,", "to here. And on."],
            ["One goes on", "over lines,", "to here. And on."],
        ),
        (["One. It runs", "at {tps} tokens/s. It", "sees."], ["One. It", "sees."]),
        (["> One. It runs", "> at {tps} tokens/s. It", "> sees."], ["> One. It", "> sees."]),
        (["One.", "", "At {tps} tokens/s", "it runs.", "", "Two.", ""], ["One.", "", "Two.", ""]),
        (["At {tps} tokens/s.", "", "Two."], ["Two."]),
        (["One.", "", "At {tps} tokens/s."], ["One."]),
        # Labels and hard breaks end a line.
        (["Speed: {tps}", "Context: {context}", "Kind"], ["Context: 128K", "Kind"]),
        (["**Speed**: {tps}", "**Context**: {context}"], ["**Context**: 128K"]),
        (["速度：{tps}", "上下文：{context}"], ["上下文：128K"]),
        (["Sees  ", "{tps} tokens/s  ", "Kind"], ["Sees  ", "Kind"]),
        (["⚡ {tps} tokens/s", "🦙 llama.cpp"], ["🦙 llama.cpp"]),
        # Lists.
        (["- **Speed**: {tps} tokens/s, {context} context"], ["- 128K context"]),
        (["1. Sees", "2. {tps} tokens/s", "3. {context}"], ["1. Sees", "3. 128K"]),
        (
            ["- Sees", "- at {tps}, kind", "  and quick", "* x"],
            ["- Sees", "- kind", "  and quick", "* x"],
        ),
        (["- Sees", "", "- {tps} tokens/s", "", "- Kind"], ["- Sees", "", "- Kind"]),
        (["- a", "  - nested, {tps}", "  - {tps}"], ["- a", "  - nested"]),
        # Headings and words that lead to nothing.
        (["## Speed: {tps} tokens/s", "", "Text"], ["Text"]),
        (["# A", "", "## Speed", "", "{tps} t/s", "", "## B"], ["# A", "", "## B"]),
        (["## Speed", "", "{tps} t/s", "", "Text"], ["## Speed", "", "Text"]),
        (["Measured:", "", "- {tps} t/s", "- {acceptance}", "", "Text"], ["Text"]),
        (["It is fast. Measured:", "", "- {tps} t/s", "", "Text"], ["It is fast.", "", "Text"]),
        (["Measured:", "", "- {tps} t/s", "- {context}"], ["Measured:", "", "- 128K"]),
        (["- Speed:", "  - {tps} tokens/s", "- Kind"], ["- Kind"]),
        (["Speed", "-----", "", "{tps} t/s", "", "Kind", "----"], ["Kind", "----"]),
        (["Speed", "=====", "{tps} t/s", "", "Text"], ["Speed", "=====", "", "Text"]),
        (["Fast, {tps} t/s", "----", "Text"], ["Fast", "----", "Text"]),
        (["{tps} t/s", "----", "Text"], ["Text"]),
        (["**Speed**", "", "{tps} t/s", "", "**Kind**", "", "Yes"], ["**Kind**", "", "Yes"]),
        (["A", "", "__Speed__", "", "{tps} t/s", "", "# B"], ["A", "", "# B"]),
        (["**It is fast.**", "", "{tps} t/s"], ["**It is fast.**"]),
        # What is below an item goes with it, and a label with all that was below it.
        (["1. {tps}", "", "   more", "2. x"], ["2. x"]),
        (["- a", "- {tps}", "  - {context}", "- x"], ["- a", "- x"]),
        (["- {tps}", "", "More"], ["More"]),
        (["- Speed", "  - {tps} tokens/s", "- Kind"], ["- Kind"]),
        (["- Speed", "", "  {tps} tokens/s", "", "- Kind"], ["- Kind"]),
        (["- Speed", "  - {tps}", "  - fast"], ["- Speed", "  - fast"]),
        (["- It sees more than text", "  - {tps}"], ["- It sees more than text"]),
        # Elements of HTML.
        (
            ["<ul>", "<li>{tps} tokens/s</li>", "<li>sees</li>", "</ul>"],
            ["<ul>", "<li>sees</li>", "</ul>"],
        ),
        (["A", "", "<ul>", "  <li>{tps} tokens/s</li>", "</ul>", "", "B"], ["A", "", "B"]),
        (["<div>", "<p>", "At {tps}", "it runs.", "</p>", "</div>", "B"], ["B"]),
        (["<p>Fast,", "{tps} t/s,", "kind</p>", "B"], ["<p>Fast,", "kind</p>", "B"]),
        (["<div>", "<hr>", "{tps}", "</div>"], ["<div>", "<hr>", "</div>"]),
        (
            ["<table>", "<tr><td>A</td><td>{tps}</td></tr>", "<tr><td>B</td></tr>", "</table>"],
            ["<table>", "<tr><td>B</td></tr>", "</table>"],
        ),
        (
            ["<table>", "<tr>", "<td>A.</td>", "<td>{tps}</td>", "</tr>", "</table>", "B"],
            ["B"],
        ),
        # Code loses whole lines.
        (["```", "{tps}, x", "b, c", "```"], ["```", "b, c", "```"]),
        (["A.", "", "~~~", "{tps}, x", "~~~"], ["A."]),
        # Tables.
        (
            ["| Is | So |", "|---|:-:|", "| Speed | {tps} |", "| Context | {context} |"],
            ["| Is | So |", "|---|:-:|", "| Context | 128K |"],
        ),
        (
            ["| Speed | {tps} |", "|---|---|", "| Context | {context} |"],
            ["| Speed | |", "|---|---|", "| Context | 128K |"],
        ),
        (
            ["App | Speed | Context", "--|--|--", "A | {tps} | 8K", "B ({tps}) | 1 | 2"],
            ["App | Speed | Context", "--|--|--", "A | | 8K", "B | 1 | 2"],
        ),
        (["A.", "", "| Is | So |", "|--|--|", "| Speed | {tps} |", "", "B."], ["A.", "", "B."]),
    ],
)
def test_the_lines_around_it_stay_what_they_were(lines: list[str], left: list[str]) -> None:
    assert filled("\n".join(lines), KNOWN).split("\n") == left


@pytest.mark.parametrize(
    "text",
    [
        "a , b ",
        "{{tps}} and {{ .Values.tps }}",
        "${tps} of a shell",
        "{ tps }, {TPS}",
        '{"a": 1}, {}',
        "## A\n\n## B\n\n\n- \n\n| a |\n|---|\n",
    ],
)
def test_texts_without_a_placeholder_arrive_as_they_were_written(text: str) -> None:
    assert filled(text, KNOWN) == text


def test_a_placeholder_is_filled_wherever_it_stands() -> None:
    text = '`{served_name}`, {"max": {context}}\n```\ncurl :{port}\n```\n| {tps} |'
    values = {"served_name": "gemma", "context": "4K", "port": "80", "tps": "1.0", "acceptance": ""}
    expected = '`gemma`, {"max": 4K}\n```\ncurl :80\n```\n| 1.0 |'
    assert filled(text, values) == expected


def documented() -> list[tuple[str, str]]:
    """The examples of the page: a text, and what is left of it."""
    page = (Path(__file__).parent.parent / "docs/how-to/translate-texts.md").read_text()
    table = page.partition("## Where a number is not known")[2].partition("\n\nA wrapped")[0]
    rows = re.findall(r"\| `([^`]*)` \| (?:`([^`]*)`|nothing) \|$", table, re.MULTILINE)
    return [(text.replace("\\|", "|"), left) for text, left in rows]


def test_the_documented_examples_are_so() -> None:
    assert len(documented()) == 8
    for text, left in documented():
        head = "| a | b |\n|---|---|\n" if text.startswith("|") else ""
        assert filled(f"{head}{text}", KNOWN) == left


def pieces() -> st.SearchStrategy[str]:
    """Texts whose brackets and marks are in pairs, with numbers that nobody measured."""
    words = st.sampled_from(["one", "Two", "{tps}", "{tps} tokens/s", "{context}", "1,5", "三"])
    between = st.sampled_from([" ", ", ", ". ", "; ", " \N{EN DASH} ", "，", "。", "\n", ": "])
    around = st.sampled_from(
        [("(", ")"), ("[", "]"), ("**", "**"), ("“", "”"), ("（", "）"), ("<b>", "</b>")]
    )

    def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        joined = st.lists(st.tuples(inner, between), min_size=1, max_size=5).map(
            lambda found: "".join(word + gap for word, gap in found[:-1]) + found[-1][0]
        )
        return joined | st.tuples(around, joined).map(lambda a: f"{a[0][0]}{a[1]}{a[0][1]}")

    return st.recursive(words, nested, max_leaves=25)


def are_paired(text: str) -> bool:
    """Tell whether each bracket has its other half, and `**` comes twice."""
    closers = {")": "(", "]": "[", "”": "“", "）": "（"}
    stack: list[str] = []
    for letter in text:
        if letter in closers.values():
            stack.append(letter)
        elif letter in closers and (not stack or stack.pop() != closers[letter]):
            return False
    elements = text.count("<b>") == text.count("</b>")
    return not stack and elements and text.count("**") % 2 == 0


@given(pieces())
def test_whatever_goes_pairs_stay_pairs_and_words_stay_in_order(text: str) -> None:
    left = filled(text, {"context": "{context}"})
    assert "{tps}" not in left
    assert are_paired(text)
    assert are_paired(left)
    # What is left was there before, in this order; only a sentence may have got a capital.
    rest = iter(text.lower())
    assert all(letter in rest for letter in left.lower())


@given(st.text('({[*_`"“”|#>-.,:;!? \n{tps}xX1', max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    left = filled(text, {})
    # Between two braces or behind a dollar it is none of ours.
    assert "{tps}" not in left.replace("{{tps}", "")
    if "{tps}" not in text:
        assert left == text


@pytest.mark.parametrize(
    "part",
    [
        "(",
        "(a ",
        "**a ",
        "`a ``b ",
        "a, ",
        "A. ",
        "[a](",
        "> ",
        "- {tps}\n",
        "|{tps}|a|\n",
        "({tps}) ",
        "<b>a ",
        "<li>{tps}\n",
        "<tr>\n",
        "a: ",
        "**a:** ",
        ": {tps}",
        " and {tps}, a",
        "- a\n  - {tps}\n",
        "a {tps}\n---\n",
    ],
)
def test_the_time_grows_with_the_length_alone(part: str) -> None:
    assert "{tps}" not in filled(f"{part * LONG}, {{tps}} tokens/s", {})


@pytest.mark.parametrize("marks", ["()", "**", "(*", "“”", "[]", "_*"])
def test_deep_nesting_is_no_fault(marks: str) -> None:
    deep = f"{marks[0] * LONG}a, {{tps}}{marks[1] * LONG}"
    assert "{tps}" not in filled(f"Sees {deep}; kind", {})


SUMMARY = "Gemma at {tps} tokens/s with vision and tools."


def test_a_text_may_be_emptied() -> None:
    assert is_emptied(SUMMARY, KNOWN)
    assert not is_emptied(f"Sees, {SUMMARY}", KNOWN)
    assert not is_emptied(" ", KNOWN)


def test_other_texts_stand_in_for_what_is_emptied(tmp_path: Path) -> None:
    changes = {
        "summary": SUMMARY,
        "about": "It runs at {tps} tokens/s.",
        "i18n": {
            "de-DE": {"title": "Kleine App", "summary": "Läuft mit {tps} Token/s"},
            "zh-CN": {"about": "速度为 {tps} 词元/秒"},
        },
    }
    app = loaded(tmp_path, changes)
    assert english(app).summary == "Small App"
    assert english(app).about.startswith("Small App\n\n- **Engine**")
    assert translated(app, "de-DE").summary == "Kleine App"
    assert translated(app, "zh-CN").summary == "Small App"
    assert translated(app, "zh-CN").about.startswith("Small App\n\n- **Engine**")
