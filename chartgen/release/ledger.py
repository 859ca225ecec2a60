"""The ledger of a market: append-only, chained, and written in one atomic step.

`market/releases/ledger.jsonl` is the one source of what was ever published. Packages and icons
stand beside it under names that never get other bytes. They are written first, and the ledger
last by a rename: a crash at any moment leaves the old market or the new one, at worst with files
that no line names, which the next publish takes up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from chartgen.errors import ChartgenError
from chartgen.files import write_atomically
from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding
from chartgen.release.record import Release, parse_sealed, release_line, seal

RELEASES = "market/releases"
LEDGER = f"{RELEASES}/ledger.jsonl"
ICONS = "icons"
_CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>")


class LedgerError(ChartgenError):
    """The ledger contradicts itself or the disk; nothing is published from it."""

    exit_code = 4


@dataclass(frozen=True)
class Ledger:
    """All releases in the order they were published.

    `head` is the seal of the last line, `data` the bytes of the file.
    """

    releases: tuple[Release, ...] = ()
    head: str = ""
    data: bytes = b""

    def history(self, name: str) -> tuple[Release, ...]:
        """Return the releases of an app, oldest first."""
        return self._histories.get(name, ())

    def latest(self, name: str) -> Release | None:
        """Return the newest line of an app: a release, or its retirement."""
        history = self.history(name)
        return history[-1] if history else None

    def by_name(self) -> Mapping[str, tuple[Release, ...]]:
        """Return the histories of all apps, by name in order."""
        return self._histories

    @cached_property
    def _histories(self) -> Mapping[str, tuple[Release, ...]]:
        # Every app of a market asks for its own: one pass serves them all.
        histories: dict[str, list[Release]] = {}
        for release in self.releases:
            histories.setdefault(release.name, []).append(release)
        return MappingProxyType({name: tuple(histories[name]) for name in sorted(histories)})


def read_ledger(folder: Path) -> Ledger:
    """Read and check the ledger of a market. A market without one has published nothing.

    Raises LedgerError where a line is damaged, the chain is broken, or a version does not rise.
    """
    path = folder / LEDGER
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if any((folder / RELEASES).rglob("*.tgz")):
            raise LedgerError(
                f"{LEDGER}: is missing, and packages are there that it named; restore it from git"
            ) from None
        return Ledger()
    except OSError as error:
        raise LedgerError(f"{LEDGER}: cannot be read ({error.strerror})") from error
    return parse_ledger(data)


def parse_ledger(data: bytes) -> Ledger:
    """Read and check the bytes of a ledger. Raises LedgerError as `read_ledger` does."""
    if data and not data.endswith(b"\n"):
        raise LedgerError(f"{LEDGER}: the last line is cut off; restore the file from git")
    releases: list[Release] = []
    head = ""
    newest: dict[str, Release] = {}
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        where = f"{LEDGER}:{number}"
        if line.startswith(_CONFLICT):
            raise LedgerError(
                f"{where}: two people published at the same time. Keep the side that is live "
                f"(git checkout --theirs or --ours, for {RELEASES} as a whole), then publish "
                "again; your specs are unharmed."
            )
        try:
            release, sealed = parse_sealed(line + b"\n")
        except ValueError as error:
            raise LedgerError(f"{where}: {error}; restore the file from git") from None
        if release.previous != head or release.serial != number:
            raise LedgerError(
                f"{where}: the line does not follow the one before. A line was changed, removed, "
                "or merged from another clone; restore the file from the clone that is live."
            )
        _check_rise(release, newest.get(release.name), where)
        newest[release.name] = release
        releases.append(release)
        # The line was compared with it when it was read.
        head = sealed
    return Ledger(tuple(releases), head, data)


def _check_rise(release: Release, before: Release | None, where: str) -> None:
    if before is None:
        if release.kind == "retired":
            raise LedgerError(f"{where}: {release.name} is retired and was never released")
        return
    if before.kind == "retired":
        raise LedgerError(f"{where}: {release.name} is retired; its name is reserved for ever")
    if release.kind == "release" and release.number <= before.number:
        raise LedgerError(
            f"{where}: {release.name} {release.version} does not rise above {before.version}"
        )


def verify_packages(folder: Path, ledger: Ledger) -> tuple[Finding, ...]:
    """Compare every package and icon on disk with the ledger."""
    findings = []
    for name, digest, release in _named_files(ledger):
        place = Place(f"{RELEASES}/{name}")
        try:
            data = (folder / RELEASES / name).read_bytes()
        except OSError:
            message = f"{release.name} {release.version} was published, and its file is missing"
            findings.append(finding("release-file-missing", place, message))
            continue
        if not hashlib.sha256(data).hexdigest().startswith(digest):
            message = f"the file is not what {release.name} {release.version} was published with"
            findings.append(finding("release-file-damaged", place, message))
    return tuple(findings)


def _named_files(ledger: Ledger) -> Iterator[tuple[str, str, Release]]:
    """Yield (path below the releases, beginning of its SHA-256, release), each path once."""
    seen = set()
    for release in ledger.releases:
        named = [(package.file, package.sha256) for package in release.packages]
        if release.icon:
            named.append((f"{ICONS}/{release.icon}", release.icon.rpartition("-")[2][:8]))
        for path, digest in named:
            if path not in seen:
                seen.add(path)
                yield path, digest, release


def chained(ledger: Ledger, releases: Sequence[Release]) -> tuple[Release, ...]:
    """Return new releases with their serials and the digests of the lines before them."""
    head, serial = ledger.head, len(ledger.releases)
    result = []
    for release in releases:
        serial += 1
        linked = replace(release, serial=serial, previous=head)
        head = seal(linked)
        result.append(linked)
    return tuple(result)


def _put(target: Path, data: bytes) -> None:
    """Write a file; other bytes that a killed publish left there are kept under another name."""
    if target.is_file():
        there = target.read_bytes()
        if there == data:
            return
        digest = hashlib.sha256(there).hexdigest()[:8]
        target.replace(target.with_name(f"{target.name}.unreleased-{digest}"))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, data)


def _refuse_other(folder: Path, ledger: Ledger) -> None:
    """Raise LedgerError where the ledger on disk is not the one that was read."""
    path = folder / LEDGER
    same = path.read_bytes() == ledger.data if path.is_file() else not ledger.data
    if not same and read_ledger(folder).head != ledger.head:
        raise LedgerError(f"{LEDGER}: somebody else published meanwhile; run the command again")


def append(
    folder: Path, ledger: Ledger, releases: Sequence[Release], files: Mapping[str, bytes]
) -> Ledger:
    """Publish releases: write their files (by path below `market/releases`), then the ledger.

    Raises LedgerError where the ledger on disk is not the one given any more, where a release
    does not rise, or where a file of that name has other bytes that a line of the ledger names.
    """
    added = chained(ledger, releases)
    lines = ledger.data + b"".join(release_line(release) for release in added)
    grown = parse_ledger(lines)
    claimed = {path for path, _, _ in _named_files(ledger)}
    _refuse_other(folder, ledger)
    root = folder / RELEASES
    root.mkdir(parents=True, exist_ok=True)
    if not (folder / LEDGER).exists():
        # From now on packages without a ledger mean that the ledger was lost.
        write_atomically(folder / LEDGER, b"")
    for path, data in sorted(files.items()):
        if path in claimed and (root / path).read_bytes() != data:
            raise LedgerError(f"{RELEASES}/{path}: was published with other bytes")
        _put(root / path, data)
    _refuse_other(folder, ledger)
    write_atomically(folder / LEDGER, lines)
    return grown
