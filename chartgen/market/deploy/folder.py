"""Publishing a market into a folder, from which any web server can offer it.

    FOLDER/current         the market: a link to one of the trees, replaced in one step
    FOLDER/site-…/         trees, the present one and the one before it
    FOLDER/spare-…/        an older tree, out of which the next one is made
    FOLDER/nginx.conf      a server that answers as devices expect, and an image of it: written
    FOLDER/Containerfile   once, then left to the person

A tree is made whole under another name first, so a reader of `current` sees the old market or the
new one. The tree before is kept for whoever is still reading it. The spare one holds most of what
the next market needs, which then is compared and not written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chartgen.check_record import file_digest
from chartgen.errors import ChartgenError, RefusedError
from chartgen.files import write_atomically
from chartgen.market.routes import answer, content
from chartgen.market.site import CATALOG_PATH, DETAILS_PATH, Base, Site
from chartgen.resources import template_text

CURRENT = "current"
_HOSTING = "/_hosting"
# Says which tree it is, and that the tree is whole: it is written last.
_DIGEST = "_hosting/digest"
_TREE, _SPARE, _UNFINISHED = "site-", "spare-", ".unfinished-"
_OURS = ("nginx.conf", "Containerfile")
# Replaced by what a device calls its source, in nginx.conf.
_ANY_SOURCE = "@source_id@"


@dataclass(frozen=True, slots=True)
class Written:
    """Where the market is now. `changed` is False where it was there already."""

    root: Path
    changed: bool
    files: int
    bytes: int


def write_site(site: Site, folder: Path) -> Written:
    """Publish a site into a folder, which is empty, absent, or was published into before.

    Raises RefusedError for a folder with anything else in it and for a path that no file can
    have, ChartgenError where something cannot be written; what was there then stays as it was.
    """
    extra = hosting_files(site)
    _check_paths((*site.files, *extra))
    digest = _digest(site, extra)
    size = sum(file.size for file in site.files.values())
    with _explained(folder):
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        changed = not _is_whole(folder / CURRENT, digest, site)
        if changed:
            _put(folder, digest, site, extra)
        _remove_unfinished(folder)
    for name in _OURS:
        if not (folder / name).exists():
            write_atomically(folder / name, template_text(f"deploy/{name}").encode())
    return Written(folder / CURRENT, changed, len(site.files), size)


def hosting_files(site: Site) -> dict[str, bytes]:
    """Return what a server without code answers from, where the Worker's code would answer.

    For each base the details of all apps, and the v2 catalog for its own source and for any.
    """
    files = {}
    for base in site.bases:
        at = f"{_HOSTING}{base.prefix}"
        files[f"{at}/details.json"] = _all_details(site, base)
        for name, query in (
            ("catalog.json", ""),
            ("catalog-of-any-source.json", f"source_id={_ANY_SOURCE}"),
        ):
            found = answer(site, "GET", f"{base.prefix}{CATALOG_PATH}", query)
            files[f"{at}/{name}"] = found.body
    return files


def _all_details(site: Site, base: Base) -> bytes:
    wanted = json.dumps({"app_ids": sorted(base.details)}).encode()
    return content(site, answer(site, "POST", f"{base.prefix}{DETAILS_PATH}", "", wanted))


def _check_paths(paths: tuple[str, ...]) -> None:
    """Refuse paths that would leave the tree, or that a file system cannot hold side by side."""
    known = set(paths)
    for path in paths:
        steps = path.split("/")
        if steps[0] or {"", ".", ".."} & set(steps[1:]) or set(path) & set("\\\0:"):
            raise RefusedError(f"{path!r} cannot be the path of a file; rename it")
        above = next((p for p in _folders_of(path) if p in known), None)
        if above is not None:
            raise RefusedError(f"{above} is a file, and {path} would be a file below it")


def _folders_of(path: str) -> Iterator[str]:
    steps = path.split("/")
    return ("/".join(steps[:count]) for count in range(2, len(steps)))


def _digest(site: Site, extra: Mapping[str, bytes]) -> str:
    digests = {path: file.sha256 for path, file in site.files.items()}
    digests |= {path: hashlib.sha256(data).hexdigest() for path, data in extra.items()}
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def check_folder(folder: Path) -> None:
    """Raise RefusedError for a folder that somebody uses for something else."""
    for above in folder.parents:
        if above.exists() and not above.is_dir():
            raise RefusedError(f"{above}: is a file; name a folder that can be made")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RefusedError(f"{folder}: is a file; name a folder")
    foreign = [path for path in folder.iterdir() if not _is_ours(path)]
    if foreign:
        raise RefusedError(
            f"{min(foreign)}: chartgen did not put this there; name an empty folder, or one that "
            "a market was published into before"
        )


def _is_ours(path: Path) -> bool:
    if path.name == CURRENT and path.is_symlink():
        return path.readlink().name.startswith(_TREE)
    if path.name == CURRENT or path.name.startswith((_TREE, _SPARE)):
        return bool(_digest_in(path))
    return path.name in _OURS or path.name.startswith(_UNFINISHED)


def _is_whole(root: Path, digest: str, site: Site) -> bool:
    """Tell whether a tree is that of a site, and has all its files as they were written."""
    if _digest_in(root) != digest:
        return False
    for path, file in site.files.items():
        try:
            data = (root / path[1:]).read_bytes()
        except OSError:
            return False
        if hashlib.sha256(data).hexdigest() != file.sha256:
            return False
    return True


def _digest_in(root: Path) -> str:
    try:
        return (root / _DIGEST).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _put(folder: Path, digest: str, site: Site, extra: Mapping[str, bytes]) -> None:
    """Write a tree beside the others, and make it the current one."""
    unfinished = _new_name(folder, _UNFINISHED)
    spare = min(_spares(folder), default=None)
    if spare is None:
        unfinished.mkdir()
    else:
        spare.rename(unfinished)
    try:
        (unfinished / _DIGEST).unlink(missing_ok=True)
        kept = _kept_files(unfinished, site, extra)
        for path in site.files:
            if path not in kept:
                _write(unfinished, path, site.content(path))
        for path, data in extra.items():
            if path not in kept:
                _write(unfinished, path, data)
        _write(unfinished, f"/{_DIGEST}", f"{digest}\n".encode())
        for inner, _, _ in os.walk(unfinished):
            Path(inner).chmod(0o755)  # Whatever the umask: the web server is another user.
        if hasattr(os, "sync"):
            # Once for all files: waiting for each of ten thousand takes a minute.
            os.sync()
        tree = _new_name(folder, _TREE)
        unfinished.rename(tree)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    former = _make_current(folder, tree)
    _retire_others(folder, {tree.name, former})


def _spares(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(_SPARE)]


def _kept_files(root: Path, site: Site, extra: Mapping[str, bytes]) -> set[str]:
    """Return the paths of which a tree has the right bytes; all else is removed from it."""
    digests = {path: file.sha256 for path, file in site.files.items()}
    digests |= {path: hashlib.sha256(data).hexdigest() for path, data in extra.items()}
    kept: set[str] = set()
    for name, folders, files in os.walk(root, topdown=False):
        inner = Path(name)
        for file in files:
            target = inner / file
            path = target.as_posix().removeprefix(root.as_posix())
            # A link may lead anywhere, whatever is there now.
            if file_digest(target) == digests.get(path) and not target.is_symlink():
                kept.add(path)
            else:
                target.unlink()
        for folder in folders:
            below = inner / folder
            if below.is_symlink():
                below.unlink()
            elif not any(below.iterdir()):
                below.rmdir()
    return kept


def _new_name(folder: Path, kind: str) -> Path:
    return folder / f"{kind}{secrets.token_hex(6)}"


def _write(root: Path, path: str, data: bytes) -> None:
    target = root / path[1:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(0o644)


def _make_current(folder: Path, tree: Path) -> str:
    """Let `current` be a tree; return the name of the one that was it before, if any."""
    current = folder / CURRENT
    former = current.readlink().name if current.is_symlink() else ""
    link = _new_name(folder, _UNFINISHED)
    try:
        link.symlink_to(tree.name, target_is_directory=True)
    except OSError:
        return _swap(current, tree)
    if current.is_dir() and not current.is_symlink():  # by a run on a system without links
        former = _set_aside(current)
    link.replace(current)
    return former


def _swap(current: Path, tree: Path) -> str:
    """Do without links, as Windows does for most people: two renames, a moment apart."""
    former = _set_aside(current) if current.exists() else ""
    tree.rename(current)
    return former


def _set_aside(current: Path) -> str:
    """Give a tree that has stood under the name of the link a name of its own."""
    aside = _new_name(current.parent, _TREE)
    current.rename(aside)
    return aside.name


def _retire_others(folder: Path, kept: set[str]) -> None:
    """Give up the trees of earlier runs. Half removed, one would be nobody's tree any more."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(_TREE) and path.name not in kept:
            path.rename(_new_name(folder, _UNFINISHED if _spares(folder) else _SPARE))


def _remove_unfinished(folder: Path) -> None:
    """Remove what was given up, and what a run left behind that was killed."""
    for path in folder.iterdir():
        if path.name.startswith(_UNFINISHED) and path.is_symlink():
            path.unlink(missing_ok=True)
        elif path.name.startswith(_UNFINISHED):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ChartgenError(
            f"{folder}: cannot be written ({error.strerror or type(error).__name__}); the market "
            "there is as it was. Check that there is space and that you may write there"
        ) from error
