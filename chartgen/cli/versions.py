"""Versions of chartgen, of Python and of the libraries, without importing any of them."""

from __future__ import annotations

import sys

from chartgen import __version__

# What pyproject.toml asks for, extras included; an extra need not be installed.
LIBRARIES = (
    "click",
    "helm-python-sdk",
    "httpx2",
    "jinja2",
    "kubernetes-validate",
    "markdown-it-py",
    "pydantic",
    "pyyaml",
    "semver",
    "starlette",
    "uvicorn",
)


def version_lines() -> tuple[str, ...]:
    """Return `chartgen X.Y.Z` and a line per library."""
    from importlib.metadata import PackageNotFoundError, version

    lines = [f"chartgen {__version__}"]
    for library in LIBRARIES:
        try:
            lines.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            lines.append(f"{library} is not installed")
    return tuple(lines)


def platform_text() -> str:
    """Return Python's version and the operating system."""
    import platform

    number = ".".join(str(part) for part in sys.version_info[:3])
    return f"Python {number} on {platform.system()} {platform.release()} ({platform.machine()})"


def version_text() -> str:
    """Return what `--version` prints: chartgen first, then what it stands on."""
    first, *libraries = version_lines()
    return "\n".join([first, *(f"  {line}" for line in libraries), f"  {platform_text()}"]) + "\n"
