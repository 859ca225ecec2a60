"""Takes the API key out of what an endpoint sends: servers echo it, in refusals above all."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from chartgen.market.deploy.secret import Secret
from chartgen.measure.events import Piece
from chartgen.terminal import one_line

_SHOWN = b"[secret]"
# A shorter key is a word such as `none`, `token` or `EMPTY`, without which neither a document nor
# a sentence may be readable.
_LEAST_LETTERS = 8
# These may have a backslash before them in JSON (RFC 8259 §7), any letter may be a \u and its code.
_ESCAPED = '"\\/'


class KeyFilter:
    """Knows a key, or that there is none, and shows nothing of it.

    A key of less than eight letters is shown as the word that it is.
    """

    __slots__ = ("_forms", "_key")

    def __init__(self, key: Secret | None) -> None:
        secret = key is not None and len(key.reveal()) >= _LEAST_LETTERS
        self._key = key if secret else None
        self._forms: re.Pattern[bytes] | None = None
        if self._key is not None:
            forms = "".join(_forms(letter) for letter in self._key.reveal())
            self._forms = re.compile(forms.encode())

    def text(self, text: str) -> str:
        """Return what a remote side says on one line, without the key."""
        clean = one_line(text)
        return self._key.redact(clean) if self._key is not None else clean

    def header(self, text: str) -> str:
        """Return a header in lower case, as it is read, without the key in whatever case."""
        clean = one_line(text).lower()
        if self._key is None:
            return clean
        return clean.replace(self._key.reveal().lower(), _SHOWN.decode())

    def pieces(self, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
        """Return pieces without the key, also where it is split between them or escaped."""
        whole = b"".join(data for _, data in pieces) if self._forms is not None else b""
        found = deque(one.span() for one in self._forms.finditer(whole)) if self._forms else None
        if not found:
            return tuple(pieces)
        clean: list[Piece] = []
        begin = 0
        for at, data in pieces:
            position, end, kept = begin, begin + len(data), b""
            while found and found[0][0] < end:
                start, stop = found[0]
                if start >= begin:
                    kept += whole[position:start] + _SHOWN
                position = stop
                if stop > end:
                    break
                found.popleft()
            clean.append((at, kept + whole[position:end]))
            begin = end
        return tuple(clean)


def _forms(letter: str) -> str:
    code = "".join(f"[{digit}{digit.upper()}]" for digit in f"{ord(letter):04x}")
    plain = re.escape(letter)
    forms = [plain, rf"\\u{code}"]
    if letter in _ESCAPED:
        forms.insert(0, rf"\\{plain}")
    return f"(?:{'|'.join(forms)})"
