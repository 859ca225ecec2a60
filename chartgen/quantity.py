"""Kubernetes resource quantities, exactly.

Grammar and suffixes: k8s.io/apimachinery pkg/api/resource/quantity.go (v0.34). Arithmetic is
decimal, so that `1.5Gi` and `100m` compare without rounding.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_SUFFIX: dict[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:(?P<exponent>[eE][+-]?[0-9]{1,3})|(?P<suffix>[KMGTPE]i|[numkMGTPE]))?"
)
_FILE_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kKMGT]?i?)B?")
MIB = Decimal(2) ** 20


def parse_quantity(text: str) -> Decimal:
    """Return the value of a quantity in its base unit (bytes, cores).

    Raises ValueError for anything that Kubernetes does not read as a quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity")
    number = Decimal(match["number"])
    if match["exponent"]:
        return number * Decimal(10) ** int(match["exponent"][1:])
    return number * _SUFFIX[match["suffix"] or ""]


def parse_file_size(text: str) -> int:
    """Return a file size in bytes from `17GB`, `840 MB`, `16.2GiB`, `17Gi` or plain bytes.

    Decimal units count 1000, binary ones 1024. Raises ValueError for anything else.
    """
    match = _FILE_SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a file size")
    unit = match["unit"]
    factor = _SUFFIX["k" if unit == "K" else unit] if unit != "i" else None
    if factor is None:
        raise ValueError(f"{text!r} is not a file size")
    return int((Decimal(match["number"]) * factor).to_integral_value(ROUND_CEILING))


def format_bytes(value: Decimal | int) -> str:
    """Write a byte count as a quantity with the largest binary suffix that keeps it whole."""
    count = int(Decimal(value).to_integral_value(ROUND_CEILING))
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        unit = int(_SUFFIX[suffix])
        if count and count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)


def format_cores(value: Decimal) -> str:
    """Write a number of CPU cores as a quantity: whole cores plainly, the rest in millicores."""
    if value == value.to_integral_value():
        return str(int(value))
    return f"{int((value * 1000).to_integral_value(ROUND_CEILING))}m"


def mebibytes(value: Decimal) -> int:
    """Return bytes as whole MiB, rounded up."""
    return int((value / MIB).to_integral_value(ROUND_CEILING))
