"""What a smoke test takes for red and for a tool call, and what it shows of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.scripted_engine import Script
from tests.smoking import answering, call, engine, run, said

pytestmark = pytest.mark.loopback
KEY = "sekret-key-0123456789abcdef"


@pytest.mark.parametrize(
    "answer",
    [
        "Red.",
        "red",
        "**Red**",
        "The colour is red",
        "It's red, not blue.",
        "It is not blue but red.",
        "Not blue. Red!",
        "Crimson",
        "I see a bright-red square.",
        "Red. I don't see anything else in it.",
        "The image is red; I cannot identify any objects.",
        "It is red, I can't view any text",
        "Red. I can't see any other image.",
        "Red. I can\u2019t see the picture\u2019s frame.",
        "<think>Is it red? It is not blue.</think>\nRed",
    ],
)
def test_red_picture_is_called_red(answer: str) -> None:
    with engine(answer=answering(vision=said(answer))) as server:
        assert run(server.url)["vision"].check.outcome == "passed"


@pytest.mark.parametrize(
    "answer",
    [
        "It is not red",
        "It isn't red.",
        "It isn\u2019t red.",
        "No red here",
        "Neither red nor blue",
        "I can't see",
        "I cannot see pictures, so I guess red",
        "I am unable to view images. Red?",
        "I can't see the image, but I guess red",
        "Red. I could not see or process the attached image.",
        "I can't see, so red",
        "No image is there: red",
        "Red?",
        "reddish",
        "infrared",
        "Rot",
        "红色",
        "Blue, not red",
    ],
)
def test_what_is_no_red_is_shown(answer: str) -> None:
    with engine(answer=answering(vision=said(answer))) as server:
        check = run(server.url)["vision"].check
    assert check.outcome == "failed"
    assert f'"{answer}"' in check.detail


def calling(arguments: Any) -> Script:
    """Return the script of an answer that calls the tool with some arguments."""
    return Script(tokens=9, message=call(arguments=arguments), finish="tool_calls")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"door": "west"}', 'neither "north" nor "south": "{"door": "west"}"'),
        ('{"door": "north"', "no JSON"),
        ("[1]", "no object"),
        ("{}", 'neither "north" nor "south"'),
        ('{"door": ["north"]}', 'neither "north" nor "south"'),
        ("", 'no JSON: ""'),
        (
            {"door": "north"},
            'came as an object, where clients of OpenAI\'s API read text: "{"door": "north"}"',
        ),
        (None, "came as null"),
        ([], "came as a list"),
    ],
)
def test_arguments_of_a_call_are_as_the_tool_wants_them(arguments: Any, words: str) -> None:
    with engine(answer=answering(tools=calling(arguments))) as server:
        check = run(server.url)["tools"].check
    assert check.outcome == "failed"
    assert check.detail.startswith("the arguments of the call ")
    assert words in check.detail


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"door": "south"}', "read_code(door='south')"),
        (r'{"door": "north", "\ud800\u001b[31m\nx": 1}', "read_code(door='north', x=1)"),
        (
            '{"door": "north", "big": "%s"}' % ("n" * 100_000),
            "read_code(big='" + "n" * 400,
        ),
    ],
)
def test_arguments_are_shown_on_one_line(arguments: str, shown: str) -> None:
    with engine(answer=answering(tools=calling(arguments))) as server:
        check = run(server.url)["tools"].check
    assert check.outcome == "passed"
    assert check.detail.startswith(shown)
    assert len(check.detail) <= 500
    assert check.detail.isprintable()
    check.detail.encode()


def spelt(text: str) -> str:
    """Return JSON for a text that names none of its characters as they are."""
    return '"' + "".join(f"\\u{ord(character):04x}" for character in text) + '"'


# Of all lengths that bring the key to where a text is cut (60, 120, 200 or 500 characters).
@pytest.mark.parametrize("before", [0, 45, 110, 190, 490])
@pytest.mark.parametrize(
    "where", ["said", "called", "arguments", "refused", "spelt", "whole", "listed"]
)
def test_key_that_a_server_repeats_is_not_shown(where: str, before: int) -> None:
    text = "p" * before + KEY
    scripts: dict[str, dict[str, Script]] = {
        "said": {name: said(text) for name in ("text", "vision", "tools", "tool_result")},
        "called": {"tools": Script(message=call(text))},
        "arguments": {"tools": calling(f'{{"door": "north", {spelt(text)}: {spelt(text)}}}')},
        "refused": {"text": Script(status=400, body=json.dumps({"error": {"message": text}}))},
        "whole": {"text": Script(status=400, body=f'["{"p" * before}{spelt(KEY)[1:-1]}"]')},
        "spelt": {"text": Script(status=400, body=f'{{"error": {{"message": {spelt(text)}}}}}')},
    }
    more: dict[str, Any] = {"models": (text,)} if where == "listed" else {}
    with engine(answer=answering(**scripts.get(where, {})), api_key=KEY, **more) as server:
        done = run(server.url, key=KEY)
    shown = " ".join(one.check.detail for one in done.values())
    assert KEY[:6] not in shown
    assert spelt(KEY[0])[1:-1] not in shown
    assert "ppp" in shown or not before
