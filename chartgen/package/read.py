"""Charts read from a folder or a package, without trusting either.

A package is inflated and parsed in memory, with limits, and never extracted: what is not a plain
file under one top folder is refused. A folder is read as Helm reads it, `.helmignore` included
(helm v4.2.4, pkg/chart/v2/loader/directory.go), but for links that lead out of it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from chartgen.chart import Chart
from chartgen.errors import UnreadableError
from chartgen.files import read_limited
from chartgen.package import helmignore, tar
from chartgen.package.paths import (
    MAX_CHART_BYTES,
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    MAX_PACKED_BYTES,
    clash,
    path_problem,
)

# Text deflates to a tenth, padding to a thousandth. A tar of many tiny files is mostly padding,
# so the ratio says something only where there is much of it.
MAX_RATIO = 200
_ALWAYS_INFLATED = 10 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_PACK_AGAIN = "pack the chart's folder again, with chartgen or `helm package`"


def read_chart(path: Path) -> Chart:
    """Return the chart in a folder or in a `.tgz` file; `origin` is the path as given.

    Raises UnreadableError where the path is neither, cannot be read, or holds what a chart may
    not hold.
    """
    origin = str(path)
    try:
        if path.is_dir():
            return _read_folder(path, origin)
    except OSError as error:
        raise UnreadableError(
            f"{error.filename or origin}: cannot be read ({error.strerror}); check its permissions"
        ) from error
    return read_package(read_limited(path, MAX_PACKED_BYTES), origin)


def read_package(data: bytes, origin: str) -> Chart:
    """Return the chart in the bytes of a package; `origin` is what messages and findings name.

    Raises UnreadableError for bytes that are no gzipped tar, damaged or oversized, and for
    members that are links, devices, unsound or clashing paths, or not under one top folder.
    """
    archive = _inflate(data, origin)
    members: list[tar.Member] = []
    try:
        for member in tar.decode(archive):
            if len(members) == MAX_MEMBERS:
                raise _unreadable(origin, f"the package has more than {MAX_MEMBERS:,} members")
            if problem := path_problem(member.path):
                raise _unreadable(origin, f"the path {member.path[:200]!r} {problem}")
            _check_size(origin, member.path, len(member.data or b""))
            members.append(member)
    except tar.TarError as error:
        raise _unreadable(origin, str(error)) from error
    files = [(member.path, member.data) for member in members if member.data is not None]
    folders = [member.path for member in members if member.data is None]
    if problem := clash([path for path, _ in files], folders):
        raise _unreadable(origin, problem)
    name = _top_folder([path for path, _ in files], folders, origin)
    inside = {path.removeprefix(f"{name}/"): data for path, data in files}
    return Chart(name=name, files=inside, origin=origin)


def _inflate(data: bytes, origin: str) -> bytes:
    """Return the content of a gzip stream that is whole, alone and within the limits."""
    if len(data) > MAX_PACKED_BYTES:
        raise _unreadable(origin, f"the package is larger than {MAX_PACKED_BYTES:,} bytes")
    if not data.startswith(_GZIP_MAGIC):
        raise UnreadableError(
            f"{origin}: is not a package (a gzipped tar); name a chart's folder or its .tgz"
        )
    limit = min(MAX_CHART_BYTES, max(_ALWAYS_INFLATED, MAX_RATIO * len(data)))
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise _unreadable(
            origin, f"the package is damaged ({error})", "download or pack it again"
        ) from error
    if len(content) > limit:
        raise _unreadable(
            origin,
            f"the package of {len(data):,} bytes inflates to more than {limit:,}",
        )
    if not inflater.eof:
        raise _unreadable(origin, "the package is cut short", "download or pack it again")
    # gzip allows several streams in a row; Helm and others disagree on where such a tar ends.
    if inflater.unused_data.startswith(_GZIP_MAGIC):
        raise _unreadable(origin, "the package consists of several gzip streams")
    if inflater.unused_data:
        raise _unreadable(origin, f"{len(inflater.unused_data):,} bytes follow the gzip stream")
    return content


def _top_folder(files: Sequence[str], folders: Sequence[str], origin: str) -> str:
    """Return the one folder that holds everything."""
    tops = sorted({path.split("/", 1)[0] for path in (*files, *folders)})
    apple = [top for top in tops if top.startswith("._") or top == "__MACOSX"]
    if len(tops) > 1 and len(tops) - len(apple) == 1:
        raise _unreadable(
            origin,
            f"macOS added {', '.join(map(repr, apple))} beside the chart's folder",
            "pack it again with chartgen, or with COPYFILE_DISABLE=1 set for tar",
        )
    if len(tops) > 1:
        listed = ", ".join(map(repr, tops[:5])) + (", …" if len(tops) > 5 else "")
        raise _unreadable(origin, f"the package has more than one top-level entry: {listed}")
    if not any("/" in path for path in files):
        raise _unreadable(origin, "the package holds no file in a top-level folder")
    return tops[0]


def _read_folder(folder: Path, origin: str) -> Chart:
    patterns = _ignore_patterns(folder)
    files: dict[str, bytes] = {}
    total = 0
    for relative, path in _walk(folder, patterns, origin):
        data = read_limited(path, MAX_FILE_BYTES)
        total += len(data)
        if len(files) == MAX_MEMBERS or total > MAX_CHART_BYTES:
            raise UnreadableError(
                f"{origin}: holds more than {MAX_MEMBERS:,} files or {MAX_CHART_BYTES:,} bytes, "
                f"so it is no chart; name the chart's own folder, or list files in "
                f"{helmignore.FILE_NAME}"
            )
        files[relative] = data
    if problem := clash(files):
        raise UnreadableError(f"{origin}: {problem}; rename one of them")
    # A link to a folder keeps its own name; `.` and `..` have none.
    name = folder.name if folder.name not in ("", "..") else folder.resolve().name
    return Chart(name=name, files=files, origin=origin)


def _walk(
    folder: Path, patterns: Sequence[helmignore.Pattern], origin: str
) -> Iterator[tuple[str, Path]]:
    """Yield the path in the chart and the path on disk of each file, folder by folder."""
    pending = [""]
    while pending:
        inside = pending.pop()
        for path in sorted((folder / inside).iterdir()):
            relative = f"{inside}/{path.name}" if inside else path.name
            is_folder = path.is_dir()
            if path.name == ".git" or helmignore.ignored(patterns, relative, is_folder):
                continue
            if problem := path_problem(relative):
                raise UnreadableError(f"{origin}: the path {relative!r} {problem}; rename it")
            if is_folder and not path.is_symlink():
                pending.append(relative)
            else:
                _check_plain(path, folder)
                yield relative, path


def _check_plain(path: Path, folder: Path) -> None:
    """Refuse what is no file; a link may lead to a file of the same chart."""
    if path.is_symlink():
        root, target = Path(os.path.realpath(folder)), Path(os.path.realpath(path))
        # What git keeps may hold credentials, and is no part of the chart.
        inside = target.is_relative_to(root) and ".git" not in target.relative_to(root).parts
        if not inside or not target.is_file():
            raise UnreadableError(
                f"{path}: is a link to a folder, to nothing, or out of the chart; "
                "put a copy in its place"
            )
    elif not path.is_file():
        raise UnreadableError(
            f"{path}: is neither a file nor a folder; remove it, or list it in "
            f"{helmignore.FILE_NAME}"
        )


def _ignore_patterns(folder: Path) -> tuple[helmignore.Pattern, ...]:
    path = folder / helmignore.FILE_NAME
    if not path.is_file():
        return helmignore.parse_helmignore("")
    _check_plain(path, folder)
    try:
        return helmignore.parse_helmignore(read_limited(path, MAX_FILE_BYTES).decode("utf-8"))
    except ValueError as error:
        raise UnreadableError(f"{path}: {error}; correct the line or remove it") from error


def _check_size(origin: str, path: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise _unreadable(
            origin,
            f"{path!r} has {size:,} bytes, and Helm reads at most {MAX_FILE_BYTES:,} of a file",
            "let the app download what is large",
        )


def _unreadable(origin: str, what: str, remedy: str = _PACK_AGAIN) -> UnreadableError:
    return UnreadableError(f"{origin}: {what}; {remedy}")
