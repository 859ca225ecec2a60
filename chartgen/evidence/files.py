"""Where evidence stands: a folder for each app beside the specs, a file for each measurement."""

from __future__ import annotations

import re
from pathlib import Path

# Below the folder of the specs.
FOLDER = "evidence"
# A bench of a thousand runs has about 300 kB.
MAX_BYTES = 1_000_000
# In the place of a version, where none was measured or none is known.
NO_VERSION = "unversioned"
# What six digits hold; of each kind and version.
MAX_NUMBER = 999_999
_NAME = re.compile(r"([0-9.]{5,16}|unversioned)-(bench|smoke)-([1-9][0-9]{0,5})\.json")


def evidence_folder(app: str) -> str:
    """Return the folder of an app's evidence, relative to the folder of the specs."""
    return f"{FOLDER}/{app}"


def evidence_name(version: str, kind: str, number: int) -> str:
    """Return the name of the file of a measurement; numbers count from 1."""
    return f"{version or NO_VERSION}-{kind}-{number}.json"


def name_parts(name: str) -> tuple[str, str, int] | None:
    """Return the version, kind and number that a file's name tells; None for another file."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    version = "" if found[1] == NO_VERSION else found[1]
    return version, found[2], int(found[3])


def evidence_data(path: Path) -> bytes | None:
    """Return the bytes of a file of evidence; None for what is no file or cannot be read.

    Of a file with more than MAX_BYTES one byte more is returned, by which it is known.
    """
    try:
        # A named pipe would never end.
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError:
        return None
