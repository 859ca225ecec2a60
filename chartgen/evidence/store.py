"""Keeping measurements: files that are only ever added."""

from __future__ import annotations

from pathlib import Path

from chartgen.errors import ChartgenError
from chartgen.evidence.files import evidence_folder, evidence_name, name_parts
from chartgen.evidence.record import Measurement, measurement_json
from chartgen.files import names_in, write_new


def keep(folder: Path, measurement: Measurement) -> Path:
    """Write a measurement into a new file below `folder`, that of the specs; return its path.

    No file that is there is ever replaced: two that measure at the same time get two numbers.
    Raises ChartgenError where it cannot be written, ValueError for what is no measurement.
    """
    data = measurement_json(measurement)
    target = folder / evidence_folder(measurement.app)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ChartgenError(
            f"{target}: cannot be made ({reason}); check that {folder} is a folder and writable"
        ) from error
    number = 1 + max(
        (
            parts[2]
            for parts in map(name_parts, names_in(target))
            if parts is not None and parts[:2] == (measurement.version, measurement.kind)
        ),
        default=0,
    )
    while True:
        path = target / evidence_name(measurement.version, measurement.kind, number)
        try:
            write_new(path, data)
        except FileExistsError:
            number += 1
        else:
            return path
