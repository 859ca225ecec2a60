"""What ships with chartgen: templates, the Worker (in a checkout both above the package), data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any


@cache
def template_folder() -> Path:
    """Return the folder of the shipped templates."""
    package = Path(__file__).resolve().parent
    for folder in (package / "templates", package.parent / "templates"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("the templates are missing from this installation of chartgen")


@cache
def template_text(name: str) -> str:
    """Return the text of a shipped file, by its path below the template folder."""
    return (template_folder() / name).read_text(encoding="utf-8")


@cache
def worker_source() -> bytes:
    """Return the script of the market's Worker."""
    package = Path(__file__).resolve().parent
    for folder in (package / "market" / "worker", package.parent / "market" / "worker"):
        if (folder / "worker.js").is_file():
            return (folder / "worker.js").read_bytes()
    raise FileNotFoundError("the Worker is missing from this installation of chartgen")


def yaml_loader(source: bytes | str) -> Any:
    """Return a safe PyYAML loader, libyaml's where that is there: it is twenty times faster."""
    import yaml  # An unchanged build reads no YAML, and is a tenth faster without it.

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)(source)


def shipped_data(package: str, name: str) -> Any:
    """Return the content of a YAML file that ships with a package of chartgen."""
    loader = yaml_loader(files(package).joinpath(name).read_bytes())
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
