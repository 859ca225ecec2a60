"""Keeping measurements: files that are only ever added."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chartgen.errors import ChartgenError
from chartgen.evidence.files import evidence_data, evidence_folder, evidence_name, name_parts
from chartgen.evidence.folder import newest_seals
from chartgen.evidence.record import Measurement, measurement_json, parse_measurement
from chartgen.files import names_in, write_new


def keep(folder: Path, measurement: Measurement) -> Path:
    """Write a measurement into a new file below `folder`, that of the specs; return its path.

    No file that is there is ever replaced: two that measure at the same time get two numbers. The
    file tells its number and what it comes after, unless it is imported: such a file is the same
    whenever it is written. Raises ChartgenError where it cannot be written or says what no
    measurement can.
    """
    target = folder / evidence_folder(measurement.app)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ChartgenError(
            f"{target}: cannot be made ({reason}); check that {folder} is a folder and writable"
        ) from error
    while True:
        number = _next_number(target, measurement)
        if not measurement.imported:
            measurement = replace(measurement, number=number, after=_newest(target))
        try:
            data = measurement_json(measurement)
        except ValueError as error:
            raise ChartgenError(
                f"{target}: the measurement is not kept, because nobody could believe it ({error})"
            ) from error
        path = target / evidence_name(measurement.version, measurement.kind, number)
        try:
            write_new(path, data)
        except FileExistsError:
            # Somebody else was quicker, and is now what this one comes after.
            continue
        return path


def _next_number(target: Path, measurement: Measurement) -> int:
    taken = [
        parts[2]
        for parts in map(name_parts, names_in(target))
        if parts is not None and parts[:2] == (measurement.version, measurement.kind)
    ]
    return 1 + max(taken, default=0)


def _newest(target: Path) -> tuple[str, ...]:
    files = [evidence_data(target / name) for name in names_in(target) if name_parts(name)]
    found = [parse_measurement(data) for data in files if data is not None]
    return newest_seals([one for one in found if isinstance(one, Measurement)])
