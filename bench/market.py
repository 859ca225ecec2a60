"""Markets of any size, made from the specs in apps/ with other names, versions and titles."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_NAME = re.compile(r"^name:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
_VERSION = re.compile(r"^version:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
_TITLE = re.compile(r"^title:.*$", re.MULTILINE)
# Names have at most 30 characters (olares-manifest 2.1), of which four are the number.
_NAME_STEM = 26


def numbered_spec(text: str, number: int) -> tuple[str, str]:
    """Return the name and the text of a spec like this one for an app of its own.

    The version becomes one that no spec has, in the change notes too. Raises ValueError for a
    spec that does not state name, version and title in a line each.
    """
    name, version = _NAME.search(text), _VERSION.search(text)
    if name is None or version is None or not _TITLE.search(text):
        raise ValueError("the spec does not state name, version and title in a line each")
    new_name = f"{name[1][:_NAME_STEM]}{number:04d}"
    new_version = f"9.{number}.0"
    text = _NAME.sub(f"name: {new_name}", text, count=1)
    text = _VERSION.sub(f"version: {new_version}", text, count=1)
    text = _TITLE.sub(f"title: Number {number}", text, count=1)
    note = re.compile(rf"^([ \t]+){re.escape(version[1])}:", re.MULTILINE)
    return new_name, note.sub(rf"\g<1>{new_version}:", text)


def write_market(root: Path, folder: Path, count: int) -> None:
    """Write a market with `count` apps, made in turn from the specs of the market in `root`."""
    specs = sorted((root / "apps").glob("*.yaml"))
    apps = folder / "apps"
    shutil.copytree(root / "apps", apps, ignore=lambda *_: [path.name for path in specs])
    (folder / "market").mkdir()
    shutil.copy(root / "market" / "market.yaml", folder / "market")
    for number in range(count):
        source = specs[number % len(specs)]
        text = source.read_text(encoding="utf-8")
        name, changed = numbered_spec(text, number)
        (apps / f"{name}.yaml").write_text(changed, encoding="utf-8")
        match = _NAME.search(text)
        icon = apps / "icons" / f"{match[1] if match else ''}.png"
        if icon.is_file():
            shutil.copy(icon, icon.with_name(f"{name}.png"))
