"""A wait ends whatever comes, and its end says what did not come."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from chartgen.measure.trouble import Trouble
from chartgen.measure.watch import Limits, Watch

pytestmark = pytest.mark.loopback


def failing(_: bytes) -> bool:
    """Fail as a reader does that is given what nobody can read."""
    raise RecursionError("maximum recursion depth exceeded")


def ended(
    pieces: list[bytes],
    *,
    silence: float = 0.2,
    total: float = 0.2,
    says: Callable[[bytes], bool] | None = None,
) -> tuple[Trouble | None, float]:
    """Return why a watch ends a connection on which this came, and after how many seconds."""
    near, far = socket.socketpair()
    began = time.monotonic()
    with near, far:
        near.settimeout(5)
        with Watch(near, Limits(silence, total, 1000), time.perf_counter, says) as watch:
            time.sleep(0.01)
            watch.hear()
            watch.pieces += [(time.perf_counter(), piece) for piece in pieces]
            assert near.recv(1) == b""
    return watch.trouble, time.monotonic() - began


def test_watch_that_fails_ends_the_connection() -> None:
    trouble, seconds = ended([b"data: x\n"], total=9, says=failing)
    assert trouble == Trouble("foreign", "what came is not readable (RecursionError)")
    assert seconds < 2


def test_answer_that_never_began_had_nothing_to_end() -> None:
    assert ended([])[0] == Trouble("stalled", "nothing came for 0.2 s")


def test_answer_that_began_had_not_ended() -> None:
    assert ended([b"x"])[0] == Trouble("endless", "the answer had not ended after 0.2 s")
