"""Keeps tests to themselves: no network, no writes at home, one width, no colours."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A busy machine is no bug: how long an example takes is for the benchmark to say.
hypothesis.settings.register_profile("calm", deadline=None)
hypothesis.settings.load_profile("calm")
ROOT = Path(__file__).resolve().parent.parent
HOME = Path.home().resolve()
# Pytest's and hypothesis' own records lie in the checkout, which may itself lie at home.
ALLOWED = (str(ROOT), str(Path(tempfile.gettempdir()).resolve()))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
# Events of sys.audit, each with the arguments that are paths.
CHANGES = {
    "os.mkdir": (0,),
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.link": (1,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.chmod": (0,),
}
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname")
CONTACTS = ("socket.connect", "socket.sendto", "socket.bind")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the address of a live market for the conformance suite."""
    parser.addoption("--base-url", default="", help="run the conformance suite against this market")


class OutsideWorldError(RuntimeError):
    """A unit test reached for the network or for the home folder."""


class Guard:
    """What the running test may do; the hook itself can never be removed from the process."""

    active = False
    loopback = False


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if not Guard.active:
        return
    if event in CONTACTS or event in LOOKUPS:
        address = arguments[1] if event in CONTACTS else arguments[0]
        host = address[0] if isinstance(address, tuple) else address
        if not (Guard.loopback and host in LOOPBACK):
            raise OutsideWorldError(f"{event} {host!r}: tests have no network")
    elif event == "open":
        path, _, flags = arguments
        if flags & WRITES:
            _check_path(event, path)
    elif event in CHANGES:
        for index in CHANGES[event]:
            _check_path(event, arguments[index])


def _check_path(event: str, path: Any) -> None:
    if isinstance(path, int) or path is None:
        return
    full = os.path.normpath(Path(os.fsdecode(path)).absolute())
    at_home = Path("/") != HOME and full.startswith(f"{HOME}{os.sep}")
    if at_home and not full.startswith(ALLOWED) and "__pycache__" not in full:
        raise OutsideWorldError(f"{event} {full}: tests write nothing at home")


sys.addaudithook(_check)


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder that nobody lives in."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def closed_world(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, empty_home: Path
) -> Iterator[None]:
    """Guard every test; one marked `loopback` may talk to a server on this machine."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(empty_home))
    for name in ("CI", "GITHUB_ACTIONS", "FORCE_COLOR", "CLICOLOR_FORCE", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    # A market that was named on the command line may be asked, wherever it is.
    Guard.active = not request.config.getoption("--base-url")
    Guard.loopback = request.node.get_closest_marker("loopback") is not None
    yield
    Guard.active = False
