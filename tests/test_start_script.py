"""The wrapper that an engine's container runs until the weights are there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "templates" / "scripts" / "start.sh"
SHOW = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]
AWKWARD = [
    "two words",
    "",
    " leading and trailing ",
    "single ' and double \"",
    '{"image": 1, "x": ["a b", "*"]}',
    "$HOME `id` $(id) \\n \\",
    "*",
    "--",
    "-",
    "--flag=a b",
    "line\nbreak\n",
    "\N{GREEK SMALL LETTER ALPHA}\N{PARTY POPPER}",
    "!",
    "(",
    "",
]
SHELLS = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash"],
    "bash-posix": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
}


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest) -> list[str]:
    words = SHELLS[request.param]
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]} here")
    return [*words, str(SCRIPT)]


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, str]:
    """An environment in which each sleep is short and leaves a line with its length."""
    folder = tmp_path / "bin"
    folder.mkdir()
    real = shutil.which("sleep")
    (folder / "sleep").write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/slept"\nexec {real} 0.01\n')
    (folder / "sleep").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def run(command: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=20, env=env)


def test_script_can_travel_in_a_chart() -> None:
    text = SCRIPT.read_text()
    assert text.isascii()
    assert "{{" not in text


@pytest.mark.parametrize("markers", [0, 1, 2])
def test_arguments_arrive_unchanged(shell: list[str], tmp_path: Path, markers: int) -> None:
    paths = [tmp_path / f"a marker {number}.complete" for number in range(markers)]
    for path in paths:
        path.touch()
    made = run([*shell, *map(str, paths), "--", *SHOW, *AWKWARD])
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout) == AWKWARD


def test_exit_code_is_the_command_s(shell: list[str]) -> None:
    assert run([*shell, "--", "sh", "-c", "exit 7"]).returncode == 7


def test_environment_gains_nothing(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "m").touch()
    made = run(
        [*shell, str(tmp_path / "m"), "--", "env"], env={"PATH": os.environ["PATH"], "K": "v"}
    )
    found = {line.partition("=")[0] for line in made.stdout.splitlines()}
    # The shells themselves set the last four.
    assert {"PATH", "K"} <= found <= {"PATH", "K", "PWD", "OLDPWD", "SHLVL", "_"}


@pytest.mark.parametrize("words", [[], ["m"], ["--"], ["m", "--"], ["m", "vllm", "serve"]])
def test_wrong_usage(shell: list[str], words: list[str]) -> None:
    made = run([*shell, *words])
    assert (made.returncode, made.stdout) == (2, "")
    assert made.stderr == "usage: start.sh MARKER... -- COMMAND ARG...\n"


def test_folder_is_no_marker(shell: list[str], tmp_path: Path, quick: dict[str, str]) -> None:
    with subprocess.Popen([*shell, str(tmp_path), "--", "echo", "no"], env=quick) as process:
        time.sleep(0.2)
        assert process.poll() is None
        process.terminate()


def test_waits_for_every_marker(shell: list[str], tmp_path: Path, quick: dict[str, str]) -> None:
    markers = [tmp_path / "one", tmp_path / "two words", tmp_path / "three"]
    markers[0].touch()
    command = [*shell, *map(str, markers), "--", *SHOW, "a b", ""]
    slept = tmp_path / "slept"

    def polls(count: int) -> None:
        deadline = time.monotonic() + 20
        while not slept.exists() or len(slept.read_text().splitlines()) < count:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    with subprocess.Popen(command, env=quick, stdout=subprocess.PIPE, text=True) as process:
        polls(1)
        markers[1].touch()
        polls(30)
        assert process.poll() is None
        markers[2].touch()
        output, _ = process.communicate(timeout=20)
    lines = output.splitlines()
    assert process.returncode == 0
    assert json.loads(lines[-1]) == ["a b", ""]
    assert lines[0] == "start: 2 of 3 downloads are missing, waiting"
    assert set(lines[1:-1]) == {"start: 1 of 3 downloads are missing, waiting"}
    naps = slept.read_text().splitlines()
    assert set(naps) == {"5"}
    assert len(lines) - 1 == -(-len(naps) // 12)  # one line per twelve polls, the first at once


@pytest.fixture
def waiting(shell: list[str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The script in its first, real sleep."""
    command = [*shell, str(tmp_path / "never"), "--", "echo", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "1 of 1" in process.stdout.readline()
        time.sleep(0.2)
        yield process
        process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_ends_the_wait_at_once(
    waiting: subprocess.Popen[str], number: signal.Signals, code: int
) -> None:
    begun = time.monotonic()
    waiting.send_signal(number)
    output, _ = waiting.communicate(timeout=20)  # ends when the sleep, too, has let go of stdout
    assert (waiting.returncode, output) == (code, "")
    assert time.monotonic() - begun < 2


def test_command_gets_its_signals_as_if_started_alone(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "m").touch()
    show = "import signal; print(signal.getsignal(15) is signal.SIG_DFL, flush=True); input()"
    command = [*shell, str(tmp_path / "m"), "--", sys.executable, "-c", show]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        process.terminate()
        assert process.wait(5) == -signal.SIGTERM
