"""The tar format, as little of it as charts need: regular files, in and out of memory.

The standard library's `tarfile` is not used, for three reasons. It takes a damaged header after
the first member for the end of the archive, so that a chart would lose files without a word
(`TarFile.next`, CPython 3.11 to 3.13). Its parser can be made to hang by a crafted archive
in releases that chartgen runs on (CVE-2024-6232, CVE-2025-8194). And its output changed between
CPython 3.8 and 3.9, while a digest in a release ledger has to hold for good.

Format: POSIX.1-2001, `pax` utility, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BLOCK = 512
# 1980-01-01T00:00:00Z. A fixed time in the past, so that no reader finds a file from the future;
# not 1970-01-01, which GNU tar calls implausibly old and zip cannot express.
MTIME = 315_532_800

_END = bytes(2 * BLOCK)
_NAME_BYTES = 100
_FOLDER = b"5"
_PAX = b"x"
_PAX_GLOBAL = b"g"
_GNU_LONG_NAME = b"L"
_SPECIAL = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
    b"K": "a link with a long target",
    b"S": "a sparse file",
}
# Far more than a path of paths.MAX_PATH_BYTES and the times that some writers add need.
_MAX_EXTENSION_BYTES = 64 * 1024
# S_IFMT and S_IFREG of POSIX <sys/stat.h>.
_MODE_TYPE = 0o170000
_MODE_FILE = 0o100000
_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,9}) ")
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")


class TarError(ValueError):
    """An archive that is damaged or holds what a chart may not; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: a folder (`data` is None) or a regular file. `path` is not checked."""

    path: str
    data: bytes | None


def encode(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of the files, in the order given, with paths that are valid UTF-8.

    Every header is the same but for path, size and checksum: mode 0644, owner 0 without a name,
    the time MTIME. There are no entries for folders, as in Helm's own packages. A path that is
    not ASCII or exceeds 100 bytes gets a pax header; all others are plain ustar.
    """
    pieces: list[bytes] = []
    for path, data in files.items():
        name = path.encode("utf-8")
        if len(name) > _NAME_BYTES or not name.isascii():
            record = _pax_record(b"path", name)
            pieces += [_header(b"pax_header", len(record), _PAX), _padded(record)]
            # Only a reader that does not know pax (2001) sees this name.
            name = path.encode("ascii", "replace")[:_NAME_BYTES]
        pieces += [_header(name, len(data), b"0"), _padded(data)]
    pieces.append(_END)
    return b"".join(pieces)


def decode(archive: bytes) -> Iterator[Member]:
    """Yield the folders and files of an archive in its order.

    Raises TarError for links, devices, sparse files and whatever else is neither folder nor
    file, and for anything damaged: a checksum, a size, an end that is missing or not the end.
    """
    offset = 0
    given: str | None = None
    while (header := archive[offset : offset + BLOCK]) != bytes(BLOCK):
        size = _checked_size(header, offset)
        data = archive[offset + BLOCK : offset + BLOCK + size]
        if len(data) < size:
            raise TarError(f"the member at byte {offset} is cut short")
        kind = header[156:157]
        if kind == _PAX_GLOBAL:
            _extension(kind, data)
        elif kind in (_PAX, _GNU_LONG_NAME):
            if given is not None:  # The last one wins for some readers, for others all count.
                raise TarError(f"the header at byte {offset} extends another extended header")
            given = _extension(kind, data)
        else:
            yield _member(header, given or _path(header), data, offset)
            given = None
        offset += BLOCK + size + -size % BLOCK
    if archive[offset : offset + 2 * BLOCK] != _END:
        raise TarError("the archive has half an end mark, so it is cut short")
    if archive.count(0, offset) != len(archive) - offset:
        raise TarError(f"data follows the end of the archive at byte {offset}")


def _checked_size(header: bytes, offset: int) -> int:
    """Return the size of what follows a header that is whole and undamaged."""
    if len(header) < BLOCK:
        raise TarError("the archive has no end mark, so it is cut short")
    if _number(header[148:156], "checksum", offset) != _checksum(header):
        raise TarError(f"the header at byte {offset} is damaged")
    return _number(header[124:136], "size", offset)


def _member(header: bytes, path: str, data: bytes, offset: int) -> Member:
    kind = header[156:157]
    # Before POSIX a folder was a file whose name ends in a slash.
    if kind == _FOLDER or (kind == b"\0" and path.endswith("/")):
        return Member(path.rstrip("/"), None)
    if kind not in (b"0", b"\0"):
        what = _SPECIAL.get(kind, f"of the unknown type {kind!r}")
        raise TarError(f"{path[:200]!r} is {what}; a chart holds only plain files")
    # Some tars repeat the type in the mode. Helm leaves out, without a word, what is a file by
    # its type and a folder by its mode.
    if _number(header[100:108], "mode", offset) & _MODE_TYPE not in (0, _MODE_FILE):
        raise TarError(f"{path[:200]!r} is a file whose mode says that it is none")
    return Member(path, data)


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    fields = (
        name.ljust(_NAME_BYTES, b"\0"),
        b"0000644\0",  # mode
        b"0000000\0",  # user id
        b"0000000\0",  # group id
        b"%011o\0" % size,
        b"%011o\0" % MTIME,
        b" " * 8,  # the checksum counts itself as spaces
        kind,
        bytes(100),  # link target
        b"ustar\x0000",  # magic and version
        bytes(32 + 32),  # names of user and group
        b"0000000\0" * 2,  # device numbers
        bytes(155 + 12),  # path prefix, unused, and padding to a block
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % _checksum(block) + block[156:]


def _checksum(header: bytes) -> int:
    return sum(header) - sum(header[148:156]) + 8 * ord(" ")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _pax_record(key: bytes, value: bytes) -> bytes:
    """Return `<length> key=value\\n`, where the length counts its own digits too."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


def _number(field: bytes, what: str, offset: int) -> int:
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise TarError(f"the {what} in the header at byte {offset} is no number")
    return int(match[1], 8)


def _path(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    # GNU headers keep other things where ustar keeps the beginning of a long path.
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:265] == b"ustar\x0000" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _extension(kind: bytes, data: bytes) -> str:
    """Return the path that an extended header gives to the next member, or nothing."""
    if len(data) > _MAX_EXTENSION_BYTES:
        raise TarError("an extended header is too large")
    if kind == _GNU_LONG_NAME:
        return _text(data.split(b"\0", 1)[0])
    path = ""
    position = 0
    while position < len(data):
        match = _PAX_LENGTH.match(data, position)
        end = position + int(match[1]) if match else 0
        record = data[match.end() : end] if match else b""
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or not record.endswith(b"\n") or end > len(data):
            raise TarError("an extended header is damaged")
        contested = key == b"size" or key.startswith(b"GNU.sparse.")
        if contested or (key == b"path" and kind == _PAX_GLOBAL):
            raise TarError(f"an extended header sets {key!r}, on which readers disagree")
        if key == b"path":
            path = _text(value)
        position = end
    return path


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TarError(f"the path {raw[:200]!r} is not UTF-8") from error
