"""An end to every wait: how long an answer may be silent, and how long it may last."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from chartgen.measure.events import Piece, last_said
from chartgen.measure.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an answer may be silent, how long it may last (both in seconds), and its size."""

    silence_seconds: float
    total_seconds: float
    size_bytes: int


class Watch:
    """Ends a connection under its reader when an answer is silent or lasts for too long.

    A timeout of each read would begin anew with whatever drips in: heads, comments, empty events.
    So the reader waits without any, and this looks from a thread of its own at what has come, once
    in the time that may be silent. With `says` only events that it takes for more than a sign of
    life end a silence, without it any byte. Where time is over, `trouble` says so.
    """

    def __init__(
        self,
        plug: socket.socket,
        limits: Limits,
        clock: Callable[[], float],
        says: Callable[[bytes], bool] | None,
    ) -> None:
        self.pieces: list[Piece] = []
        self.trouble: Trouble | None = None
        self._plug, self._limits, self._clock, self._says = plug, limits, clock, says
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._began = self._heard = self._said = clock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Under the lock: nothing is shut once its number may be another socket's.
        with self._lock:
            self._over.set()

    def hear(self) -> None:
        """Take note that the other side has done something: taken a request, begun an answer."""
        self._heard = self._clock()

    def _look(self) -> None:
        while not self._over.wait(max(0.0, self._next_end() - self._clock())):
            now = self._clock()
            try:
                self._said = self._last_said()
            except Exception as error:  # noqa: BLE001 - without its watch a reader waits for ever
                self._end(Trouble("foreign", f"what came is not readable ({type(error).__name__})"))
                return
            if self._next_end() <= now:
                self._end(self._why())
                return

    def _silent_since(self) -> float:
        return max(self._heard, self._said)

    def _next_end(self) -> float:
        silent = self._silent_since() + self._limits.silence_seconds
        return min(silent, self._began + self._limits.total_seconds)

    def _last_said(self) -> float:
        if self._says is not None:
            return last_said(self.pieces, self._says) or self._began
        return self.pieces[-1][0] if self.pieces else self._began

    def _why(self) -> Trouble:
        silence, total = self._limits.silence_seconds, self._limits.total_seconds
        if self._silent_since() + silence > self._began + total:
            if not self.pieces:
                return Trouble("stalled", f"nothing came for {total:g} s")
            return Trouble("endless", f"the answer had not ended after {total:g} s")
        dripped = bool(self.pieces) and self.pieces[-1][0] > self._silent_since()
        what = "nothing but signs of life" if dripped else "nothing"
        return Trouble("stalled", f"{what} came for {silence:g} s")

    def _end(self, trouble: Trouble) -> None:
        with self._lock:
            if not self._over.is_set():
                self.trouble = trouble
                shut(self._plug)


def shut(plug: socket.socket) -> None:
    """End a connection under whoever waits for it, be it for an answer or to come about."""
    with suppress(OSError):
        # Not the method of a TLS socket, which must not be used from two threads.
        socket.socket.shutdown(plug, socket.SHUT_RDWR)
