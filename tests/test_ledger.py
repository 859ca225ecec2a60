"""The ledger: chained, append-only, and never half-written, whatever happens."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.release.ledger import (
    LEDGER,
    RELEASES,
    Ledger,
    LedgerError,
    append,
    chained,
    parse_ledger,
    read_ledger,
    verify_packages,
)
from chartgen.release.record import PackageRecord, Release, parse_line, release_line

ROOT = Path(__file__).resolve().parent.parent
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def release(name: str = "smallapp", version: str = "1.0.0") -> tuple[Release, dict[str, bytes]]:
    data = f"{name} {version}".encode()
    picture = f"icon of {name}".encode()
    path = f"packages/{name}-{version}.tgz"
    icon = f"{name}-{hashlib.sha256(picture).hexdigest()[:8]}.png"
    digest = hashlib.sha256(data).hexdigest()
    package = PackageRecord("modern", path, digest, digest, len(data))
    date = "2026-11-21T18:00:00Z"
    line = Release(0, "", "release", name, version, date, ("First",), (package,), icon, {"a": 1})
    return line, {path: data, f"icons/{icon}": picture}


def publish(folder: Path, *pairs: tuple[str, str]) -> Ledger:
    lines, files = [], {}
    for name, version in pairs:
        line, made = release(name, version)
        lines.append(line)
        files |= made
    return append(folder, read_ledger(folder), lines, files)


def test_a_market_without_a_ledger_has_published_nothing(tmp_path: Path) -> None:
    assert read_ledger(tmp_path) == Ledger()


def test_what_was_published_is_read_again(tmp_path: Path) -> None:
    grown = publish(tmp_path, ("one", "1.0.0"), ("two", "0.1.0"))
    grown = publish(tmp_path, ("one", "1.0.1"))
    assert read_ledger(tmp_path) == grown
    assert [(line.serial, line.name, line.version) for line in grown.releases] == [
        (1, "one", "1.0.0"),
        (2, "two", "0.1.0"),
        (3, "one", "1.0.1"),
    ]
    assert grown.latest("one") == grown.releases[2]
    assert verify_packages(tmp_path, grown) == ()


@given(name=st.from_regex(r"[a-z][a-z0-9]{0,29}", fullmatch=True), notes=st.lists(WORDS))
def test_a_line_keeps_what_it_was_given(name: str, notes: list[str]) -> None:
    line = Release(
        3, "f" * 64, "release", name, "1.2.3", "2026-01-01T00:00:00Z", tuple(notes), (), "", {}
    )
    assert parse_line(release_line(line)) == line
    assert release_line(line).count(b"\n") == 1


def three_lines(tmp_path: Path) -> list[bytes]:
    publish(tmp_path, ("one", "1.0.0"), ("two", "1.0.0"), ("three", "1.0.0"))
    return (tmp_path / LEDGER).read_bytes().splitlines(keepends=True)


def test_a_workload_is_kept_and_lines_from_before_it_are_read() -> None:
    line, _ = release()
    known = replace(line, workload="0" * 64)
    assert parse_line(release_line(known)) == known
    assert b"workload" not in release_line(line)
    assert parse_line(release_line(line)) == line


def test_any_change_of_a_line_is_noticed(tmp_path: Path) -> None:
    first, second, third = three_lines(tmp_path)
    conflict = b"<<<<<<< HEAD\n" + second + b"=======\n" + third + b">>>>>>> other\n"
    for data, word in [
        (first + third, "does not follow"),
        (second + first + third, "does not follow"),
        (first + second.replace(b"First", b"Other") + third, "was changed"),
        (first + first + second, "does not follow"),
        (first + second + third.replace(b"First", b"Other"), "was changed"),
        (first + second + third[:-10], "cut off"),
        (first + b"\n" + second, "no JSON"),
        (first + b"{}\n", "not the fields"),
        (first + conflict, "published at the same time"),
        (first + second.replace(b'"1.0.0"', b'"1.0"'), "another type|was changed"),
        (b"[" * 100_000 + b"\n", "no JSON"),
    ]:
        with pytest.raises(LedgerError, match=word):
            parse_ledger(data)


def test_every_fault_names_its_line(tmp_path: Path) -> None:
    first, second, third = three_lines(tmp_path)
    with pytest.raises(LedgerError, match=rf"{LEDGER}:3"):
        parse_ledger(first + second + third.replace(b"three", b"threx") + third)


@pytest.mark.parametrize(("first", "second"), [("1.0.0", "1.0.0"), ("1.0.10", "1.0.9")])
def test_versions_only_rise(first: str, second: str, tmp_path: Path) -> None:
    publish(tmp_path, ("one", first))
    with pytest.raises(LedgerError, match="does not rise"):
        publish(tmp_path, ("one", second))


def test_a_retired_name_is_reserved_for_ever(tmp_path: Path) -> None:
    ledger = publish(tmp_path, ("one", "1.0.0"))
    line = Release(0, "", "retired", "one", "1.0.0", "2026-11-22T00:00:00Z", reason="unused")
    append(tmp_path, ledger, [line], {})
    with pytest.raises(LedgerError, match="reserved for ever"):
        publish(tmp_path, ("one", "1.0.1"))


def test_two_clones_that_publish_do_not_merge(tmp_path: Path) -> None:
    ledger = publish(tmp_path, ("one", "1.0.0"))
    publish(tmp_path, ("two", "1.0.0"))
    line, files = release("three")
    with pytest.raises(LedgerError, match="somebody else published"):
        append(tmp_path, ledger, [line], files)
    assert [item.name for item in read_ledger(tmp_path).releases] == ["one", "two"]


def test_a_published_file_never_gets_other_bytes(tmp_path: Path) -> None:
    ledger = publish(tmp_path, ("one", "1.0.0"))
    line, _ = release("one", "1.0.1")
    with pytest.raises(LedgerError, match="was published with other bytes"):
        append(tmp_path, ledger, [line], {"packages/one-1.0.0.tgz": b"other"})


def test_a_leftover_of_a_crash_is_taken_up(tmp_path: Path) -> None:
    target = tmp_path / RELEASES / "packages" / "one-1.0.0.tgz"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"left by a publish that was killed")
    (tmp_path / LEDGER).write_bytes(b"")
    ledger = publish(tmp_path, ("one", "1.0.0"))
    assert verify_packages(tmp_path, ledger) == ()
    (kept,) = target.parent.glob("*.unreleased-*")
    assert kept.read_bytes() == b"left by a publish that was killed"


def test_a_lost_ledger_is_not_begun_anew(tmp_path: Path) -> None:
    publish(tmp_path, ("one", "1.0.0"))
    (tmp_path / LEDGER).unlink()
    with pytest.raises(LedgerError, match="is missing"):
        publish(tmp_path, ("one", "1.0.0"))


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    ledger = publish(tmp_path, ("one", "1.0.0"), ("two", "1.0.0"))
    root = tmp_path / RELEASES
    (root / "packages" / "one-1.0.0.tgz").write_bytes(b"damaged")
    (root / ledger.releases[1].packages[0].file).unlink()
    (root / "icons" / ledger.releases[0].icon).write_bytes(b"")
    found = {(item.rule, item.place.file) for item in verify_packages(tmp_path, ledger)}
    assert found == {
        ("release-file-damaged", f"{RELEASES}/packages/one-1.0.0.tgz"),
        ("release-file-missing", f"{RELEASES}/packages/two-1.0.0.tgz"),
        ("release-file-damaged", f"{RELEASES}/icons/{ledger.releases[0].icon}"),
    }


def test_the_chain_does_not_depend_on_what_a_caller_put_in() -> None:
    line, _ = release()
    (linked,) = chained(Ledger(), [line])
    assert (linked.serial, linked.previous) == (1, "")


# Dies at the n-th step of a publish that changes the disk; prints the steps when it gets through.
_DYING = """
import os, signal, sys
from pathlib import Path
import chartgen.files
from tests.test_ledger import publish

steps = int(sys.argv[2])
done = 0

def counted(function):
    def call(*args, **kwargs):
        global done
        done += 1
        if done == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

for name in ("replace", "fsync", "open", "mkdir"):
    setattr(os, name, counted(getattr(os, name)))
publish(Path(sys.argv[1]), ("one", "1.0.1"), ("new", "0.0.1"))
print(done)
"""


def test_a_kill_at_any_step_leaves_the_old_or_the_new_state(tmp_path: Path) -> None:
    old = publish(tmp_path / "old", ("one", "1.0.0")).data
    new = publish(tmp_path / "new", ("one", "1.0.0")).data
    new = publish(tmp_path / "new", ("one", "1.0.1"), ("new", "0.0.1")).data
    survived = 0
    for step in range(1, 200):
        folder = tmp_path / f"market{step}"
        publish(folder, ("one", "1.0.0"))
        run = subprocess.run(
            [sys.executable, "-c", _DYING, str(folder), str(step)],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        ledger = read_ledger(folder)
        assert ledger.data in {old, new}, step
        assert verify_packages(folder, ledger) == (), step
        if run.returncode == 0:
            survived = step
            assert ledger.data == new
            break
        assert run.returncode == -signal.SIGKILL, run.stderr
        if ledger.data == old:
            publish(folder, ("one", "1.0.1"), ("new", "0.0.1"))
        assert read_ledger(folder).data == new
        leftovers = [path.name for path in (folder / RELEASES).rglob("*.tgz")]
        assert sorted(leftovers) == ["new-0.0.1.tgz", "one-1.0.0.tgz", "one-1.0.1.tgz"]
    assert survived > 10
