"""Where evidence stands: a folder for each app beside the specs, a file for each measurement."""

from __future__ import annotations

import re

# Below the folder of the specs.
FOLDER = "evidence"
# A bench of a thousand runs has about 300 kB.
MAX_BYTES = 1_000_000
# In the place of a version, where none was measured or none is known.
NO_VERSION = "unversioned"
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
