"""Pieces of a site that follow from one app alone, kept on disk from one publish to the next.

A piece is plain data: what a package says of itself, an entry of a list, a page. It follows from
the app's lines of the ledger (which hold the digests of its packages), market.yaml and chartgen;
one file per app holds its pieces with a digest of those three. A file that is missing, damaged or
of other inputs costs time and nothing else, so the folder may be deleted at any moment.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from chartgen.market.settings import MarketSettings
from chartgen.release.ledger import Ledger

# Below a market's folder. Safe to delete.
PIECES = "dist/.pieces"


class Recall(Protocol):
    """Returns pieces."""

    def __call__(self, app: str, kind: str, make: Callable[[], Any], given: str = "", /) -> Any:
        """Return a piece of an app by its kind, and make it where it is not known.

        `given` is what it depends on beyond the app, market.yaml and chartgen.
        """


def made_anew(_app: str, _kind: str, make: Callable[[], Any], _given: str = "", /) -> Any:
    """Know no piece."""
    return make()


class KeptPieces:
    """The pieces of the apps of a ledger, on disk."""

    def __init__(
        self, folder: Path, settings: MarketSettings, ledger: Ledger, made_by: str
    ) -> None:
        self._folder = folder
        self._keys = _keys(settings, ledger, made_by)
        self._known: dict[str, dict[str, Any]] = {}
        self._grown: set[str] = set()

    def recall(self, app: str, kind: str, make: Callable[[], Any], given: str = "", /) -> Any:
        """Return a piece as `Recall` says; what is made is kept for `save`."""
        pieces = self._known.get(app)
        if pieces is None:
            pieces = self._known[app] = _read(self._file(app), self._keys[app])
        piece = pieces.get(kind)
        if piece is not None and piece[0] == given:
            return piece[1]
        made = make()
        # What JSON would change is made each time.
        if json.loads(json.dumps(made)) == made:
            pieces[kind] = [given, made]
            self._grown.add(app)
        return made

    def save(self) -> None:
        """Write the pieces that were made, and drop those of apps that are no more.

        A disk that takes none of it is no fault: the pieces are made again.
        """
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            for app in sorted(self._grown):
                _write(self._file(app), self._keys[app], self._known[app])
            wanted = {self._file(app) for app in self._keys}
            for path in self._folder.iterdir():
                if path not in wanted:
                    path.unlink()
        self._grown.clear()

    def _file(self, app: str) -> Path:
        # The name of an app is no file name before it is checked.
        return self._folder / hashlib.sha256(app.encode()).hexdigest()[:32]


def _keys(settings: MarketSettings, ledger: Ledger, made_by: str) -> dict[str, str]:
    shared = f"{made_by}\n{settings.model_dump_json()}\n".encode()
    lines = ledger.data.split(b"\n")
    return {
        name: hashlib.sha256(
            shared + b"\n".join(lines[release.serial - 1] for release in history)
        ).hexdigest()
        for name, history in ledger.by_name().items()
    }


def _read(file: Path, key: str) -> dict[str, Any]:
    """Return an app's pieces; none where the file is not what was written for the key."""
    try:
        head, _, body = file.read_bytes().partition(b"\n")
        if head != _head(key, body):
            return {}
        pieces = json.loads(body)
    except (OSError, ValueError, RecursionError):
        return {}
    return pieces if isinstance(pieces, dict) else {}


def _write(file: Path, key: str, pieces: Mapping[str, Any]) -> None:
    """Replace an app's file. The disk is not waited for: its head tells whether it is whole."""
    body = json.dumps(pieces, ensure_ascii=False, separators=(",", ":")).encode()
    temporary = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    temporary.write_bytes(_head(key, body) + b"\n" + body)
    temporary.replace(file)


def _head(key: str, body: bytes) -> bytes:
    return f"{key} {hashlib.sha256(body).hexdigest()}".encode()
