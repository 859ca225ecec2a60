"""Files of a person's disk: written whole or not at all, read with a limit."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from chartgen.errors import ChartgenError, UnreadableError


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path`, so that every reader sees the old file or the new one, never a part.

    The bytes go to a temporary name in the same folder, reach the disk, and are then renamed over
    `path`. The mode is set exactly, whatever the umask. A symbolic link stays a link: the file
    that it points at is replaced. The folder must exist.

    Raises ChartgenError where the file cannot be written; an old file is then left as it was.
    """
    target = Path(os.path.realpath(path))
    _put(path, target, data, mode, lambda temporary: temporary.replace(target))


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path`, where nothing is yet: all of it under its name, or nothing.

    The folder must exist. Raises FileExistsError where something is there already, which then
    stays as it is, and ChartgenError where the file cannot be written.
    """
    _put(path, path, data, mode, lambda temporary: _claim(temporary, path))


def _put(
    named: Path, target: Path, data: bytes, mode: int, place: Callable[[Path], object]
) -> None:
    """Write a temporary file beside the target, and have `place` give it its name."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:64]}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                temporary.chmod(mode)
                os.fsync(stream.fileno())
            place(temporary)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        _sync_folder(target.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise ChartgenError(
            f"{named}: cannot be written ({_reason(error)}); "
            "check that its folder exists, is writable and has free space"
        ) from error


def read_limited(path: Path, limit: int) -> bytes:
    """Return the content of a file of at most `limit` bytes.

    Never holds more than `limit` + 1 bytes, also where the file grows while it is read or never
    ends. Raises UnreadableError for a file that is absent, unreadable or larger.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except FileNotFoundError as error:
        raise UnreadableError(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise UnreadableError(f"{path}: is a folder; name the file in it") from error
    except ValueError as error:
        raise UnreadableError(f"{str(path)!r}: is no path; take the NUL out of it") from error
    except OSError as error:
        raise UnreadableError(
            f"{path}: cannot be read ({_reason(error)}); check the path and its permissions"
        ) from error
    if len(data) > limit:
        raise UnreadableError(
            f"{path}: is larger than the {limit:,} bytes that chartgen reads of such a file; "
            "check that this is the file you mean"
        )
    return data


def names_in(folder: Path) -> tuple[str, ...]:
    """Return the names in a folder, sorted, without hidden ones; none where it is not there."""
    try:
        return tuple(sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")))
    except OSError:
        return ()


def _claim(temporary: Path, path: Path) -> None:
    """Give a finished file its name, unless the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # File systems without hard links: reserve the name first, then rename over it.
        path.open("xb").close()
        temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut, where the file system can do so."""
    if os.name == "nt":  # Windows opens no folders and needs no such step.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems refuse to sync a folder; the rename itself has happened.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
