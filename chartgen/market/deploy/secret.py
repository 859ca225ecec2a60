"""Bearer tokens that never show themselves."""

from __future__ import annotations

import re
from typing import NoReturn

from chartgen.errors import RefusedError

# What a header can carry without being encoded or folded (RFC 9110 §5.5: VCHAR).
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_SHOWN = "[secret]"


class Secret:
    """A token. Printing, formatting and pickling it shows nothing of it."""

    __slots__ = ("_text",)

    def __init__(self, text: str, name: str = "a token") -> None:
        """Hold a token; `name` says where it came from.

        White space around it is taken off: it comes along when tokens are copied. Raises
        RefusedError for what no header can carry, so that no library ever complains with the
        token in its message.
        """
        text = text.strip()
        if not _VISIBLE.fullmatch(text):
            fault = "has characters that no token has" if text else "is empty"
            raise RefusedError(f"{name} {fault}; copy it again, whole and on one line")
        self._text = text

    def reveal(self) -> str:
        """Return the token, to be put into a request and nowhere else."""
        return self._text

    def redact(self, text: str) -> str:
        """Return text without the token, for what a remote side says."""
        return text.replace(self._text, _SHOWN)

    def __repr__(self) -> str:
        return _SHOWN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")
