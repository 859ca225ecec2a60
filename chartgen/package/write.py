"""Deterministic packages: one chart, one sequence of bytes, on every machine and for good.

The gzip stream holds its content as it is, in blocks of the kind "stored" (RFC 1951 §3.2.4),
and is written here rather than by zlib. Compressed bytes depend on the library that makes them:
zlib-ng, which Fedora and CPython 3.14 for Windows link, gives others than zlib at every level.
The release ledger compares digests that were made on different machines and in different years,
and refuses to publish when a digest differs; it must not refuse because of a library update.

The price is size: a chart of 60 KB stays 60 KB instead of about 12 KB, for a device that then
loads gigabytes of weights. It is repaid where archives are kept: git compresses them itself, and
finds the few lines in which two versions differ, which compressed streams hide from it.

No clock, environment, locale or file system takes part. `SOURCE_DATE_EPOCH` is not read either:
it would make one chart into several packages.
"""

from __future__ import annotations

import struct
import zlib

from chartgen.chart import Chart
from chartgen.errors import RefusedError
from chartgen.package import tar
from chartgen.package.paths import (
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    MAX_PACKED_BYTES,
    clash,
    name_problem,
    path_problem,
)

# RFC 1952 §2.3: magic, method deflate, no flags, no time, no hint, an unknown operating system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
# The length of a stored block is written in 16 bits.
_MAX_STORED = 0xFFFF


def package_name(name: str, version: str) -> str:
    """Return the file name of a package; devices ask for exactly this one."""
    return f"{name}-{version}.tgz"


def pack(chart: Chart) -> bytes:
    """Return the chart as a `.tgz` with the single top folder `chart.name`.

    `chartgen.package.read.read_package` gives the same chart back. Raises RefusedError for a
    chart that no such package can hold: unsound or clashing paths, no file, or more than
    the limits in `chartgen.package.paths`.
    """
    package = _gzip(_tar(chart))
    if len(package) > MAX_PACKED_BYTES:
        raise RefusedError(
            f"chart {chart.name!r} cannot be packed: its {len(package):,} bytes are more than the "
            f"{MAX_PACKED_BYTES:,} that are read back; let the app download what is large"
        )
    return package


def _tar(chart: Chart) -> bytes:
    problem = _problem(chart)
    if problem:
        raise RefusedError(f"chart {chart.name!r} cannot be packed: {problem}")
    return tar.encode({f"{chart.name}/{path}": data for path, data in chart.files.items()})


def _problem(chart: Chart) -> str:
    if problem := name_problem(chart.name):
        return f"its name {problem}; use lower-case letters and digits"
    if not chart.files:
        return "it has no files"
    if len(chart.files) > MAX_MEMBERS:
        return f"it has {len(chart.files):,} files, and at most {MAX_MEMBERS:,} are read back"
    for path, data in chart.files.items():
        if problem := path_problem(path) or path_problem(f"{chart.name}/{path}"):
            return f"the path {path[:200]!r} {problem}; rename the file"
        if len(data) > MAX_FILE_BYTES:
            return (
                f"{path!r} has {len(data):,} bytes, and Helm reads at most {MAX_FILE_BYTES:,} "
                "of a file; let the app download it"
            )
    if problem := clash(chart.files):
        return f"{problem}; rename one of them"
    return ""


def _gzip(data: bytes) -> bytes:
    pieces = [_GZIP_HEADER]
    for start in range(0, len(data), _MAX_STORED):
        block = data[start : start + _MAX_STORED]
        last = start + _MAX_STORED >= len(data)
        pieces.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF))
        pieces.append(block)
    pieces.append(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(pieces)
