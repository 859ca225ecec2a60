"""`.helmignore` means to chartgen what it means to Helm."""

from __future__ import annotations

from pathlib import Path

import pytest

from chartgen.package.helmignore import ignored, parse_helmignore
from chartgen.package.read import read_chart


@pytest.mark.parametrize(
    ("pattern", "path", "is_folder", "expected"),
    [
        # A pattern without a slash matches the last part, wherever it stands.
        ("*.bak", "a.bak", False, True),
        ("*.bak", "docs/a.bak", False, True),
        ("*.bak", "a.bak.yaml", False, False),
        ("docs", "docs", True, True),
        ("docs", "docs", False, True),
        # A pattern with a slash matches the whole path; a leading slash only says so.
        ("docs/*.md", "docs/a.md", False, True),
        ("docs/*.md", "deep/docs/a.md", False, False),
        ("docs/*", "docs/deep/a", False, False),
        ("/a", "a", False, True),
        ("/a", "docs/a", False, False),
        # A trailing slash asks for a folder.
        ("docs/", "docs", True, True),
        ("docs/", "docs", False, False),
        ("docs/", "deep/docs", True, True),
        # Wildcards stop at a slash; a backslash takes the next character as it is.
        ("a?c", "abc", False, True),
        ("a?c", "ac", False, False),
        ("docs?a", "docs/a", False, False),
        (r"a\*", "a*", False, True),
        (r"a\*", "ab", False, False),
        ("[a-c]x", "bx", False, True),
        ("[a-c]x", "dx", False, False),
        ("[^a-c]x", "dx", False, True),
        ("[z-a]x", "bx", False, False),
        ("[^z-a]x", "bx", False, True),
        (r"[\]]", "]", False, True),
        ("*a*b*", "xaybz", False, True),
        ("*a*b*", "xbyaz", False, False),
        ("a+(b)", "a+(b)", False, True),
        # Helm's negation leaves out whatever does not match.
        ("!a", "a", False, False),
        ("!a", "b", False, True),
        ("!docs/", "a", False, True),
        # Comments and blanks.
        ("# a", "# a", False, False),
        ("  a  ", "a", False, True),
        ("\ufeffa", "a", False, True),
    ],
)
def test_a_pattern_matches_as_in_helm(
    pattern: str, path: str, is_folder: bool, expected: bool
) -> None:
    assert ignored(parse_helmignore(pattern), path, is_folder) is expected


def test_dot_files_among_templates_are_always_left_out() -> None:
    patterns = parse_helmignore("")
    assert ignored(patterns, "templates/.a.swp", False)
    assert not ignored(patterns, "templates/a", False)
    assert not ignored(patterns, ".a", False)


@pytest.mark.parametrize("pattern", ["**", "a/**/b", "[", "[]", "[a-", "[-a]", "a\\", "[^]"])
def test_what_helm_refuses_names_its_line(pattern: str) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        parse_helmignore(f"# first\n{pattern}\n")


def test_many_stars_take_no_time() -> None:
    # One step for each of the C(250, 20) ways to share out the letters would never end.
    assert not ignored(parse_helmignore("*a" * 20 + "b"), "a" * 250, False)


def test_helm_reads_the_same_files_from_a_folder(tmp_path: Path) -> None:
    helm = pytest.importorskip("helm_python")
    folder = tmp_path / "demo"
    lines = ["*.bak", "docs/*.md", "/top", "notes/", "x[0-9]"]
    files = ["a.bak", "docs/a.md", "docs/a.txt", "deep/docs/a.md", "top", "deep/top", "x1", "xy"]
    files += ["notes/a", "deep/notes/a", "templates/.a", "templates/a.yaml", ".hidden"]
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("a: 1\n")
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 1.0.0\n")
    (folder / ".helmignore").write_text("\n".join(lines))
    with helm.Chart.load(folder) as chart:
        theirs = {file["name"] for file in (*chart.files, *chart.templates)}
    assert set(read_chart(folder).files) == theirs | {"Chart.yaml"}
    assert "deep/docs/a.md" in theirs
