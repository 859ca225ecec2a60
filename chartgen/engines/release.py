"""Which release of an engine an image holds, and which table its arguments are judged by.

Tags: vLLM's release script (`.buildkite/scripts/publish-release-images.sh`), llama.cpp's
docs/docker.md, SGLang's tags on Docker Hub. Forks and images that keep the release to themselves:
forks.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chartgen.engines.forks import Fork, fork_of_spec, shipped_fork
from chartgen.engines.table import engine_table, table_releases
from chartgen.spec.app import AppSpec

# v0.21.0, v0.11.0.post1, 0.20.2rc1, v0.5.3rc0, 0.20.0.dev12: at the start of a tag.
_NUMBER = re.compile(
    r"v?(\d{1,4}(?:\.\d{1,6}){1,3}(?:\.post\d{1,4})?(?:\.?(?:rc|dev|a|b)\d{1,9})?)"
)
# What may stand behind the number in a tag of the project itself: architecture, CUDA or ROCm
# version, distribution. Anything else tells of a build of somebody's own.
_SUFFIX = re.compile(
    r"(?:-(?:x86_64|aarch64|amd64|arm64|cu\d{2,3}|rocm\d[\d.]*|ubuntu\d{4}|runtime|slim|"
    r"blackwell|b200|gb200|mi3\d{2}|xeon))*"
)
# server-cuda13-b8740, full-b9101: a build number as the last part of a tag.
_BUILD = re.compile(r"(?:.*[-_])?b(\d{3,6})")
_GIVEN_BUILD = re.compile(r"b?(\d{3,6})")
_PRE = re.compile(r"\.?(rc|dev|a|b)(\d+)$")
# Numbers behind the parts of a version, so that 0.11.0.dev1 < 0.11.0rc1 < 0.11.0 < 0.11.0.post1.
_STAGE: Mapping[str, int] = {"dev": -4, "a": -3, "b": -2, "rc": -1}
_Version = tuple[tuple[int, ...], int, int]


@dataclass(frozen=True, slots=True)
class EngineRelease:
    """The release of an engine in an image.

    `number` is the release as far as it is known (`0.21.0`, a build number of llama.cpp), for a
    fork the release it is based on, empty where nothing tells. `table` is the release whose table
    is nearest, empty for an engine without tables. `exact` tells that this table holds for the
    image; else its findings are warnings. `told_by` is a phrase for messages that names the
    origin. `fork` is what the fork adds.
    """

    kind: str
    number: str
    table: str
    exact: bool
    told_by: str
    fork: Fork | None = None


def engine_release(
    kind: str, image: str, release: str | None = None, fork: Fork | None = None
) -> EngineRelease:
    """Return the release of an engine by its image, or by what the spec says of it.

    `release` is `engine.release` of a spec, `fork` its `engine.fork` (forks.fork_of_spec).
    """
    tag = _tag(image)
    if fork is not None:
        told_by = "engine.fork"
        return _known(kind, _given(kind, fork.base), told_by, fork, certain=not fork.inferred)
    if release is not None:
        number = _given(kind, release)
        if not number:
            return _unknown(kind, f"engine.release {release!r}")
        shipped = shipped_fork(kind, image)
        return _known(kind, number, f"engine.release {release}", shipped, certain=True)
    shipped = shipped_fork(kind, image)
    if shipped is not None:
        told_by = f"the image {shipped.title}" if shipped.title else f"the image tag {tag}"
        base = _given(kind, shipped.base) or _told(kind, tag)[0]
        return _known(kind, base, told_by, shipped, certain=not shipped.inferred)
    if not tag:
        return _unknown(kind, "an image without a tag")
    number, plain = _told(kind, tag)
    if not number:
        return _unknown(kind, f"the image tag {tag}")
    return _known(kind, number, f"the image tag {tag}", None, certain=plain)


def spec_release(spec: AppSpec, release: str | None = None) -> EngineRelease:
    """Return the engine release of a spec's image, or `release` as if the spec stated it."""
    engine = spec.engine
    described = engine.fork if release is None else None
    fork = fork_of_spec(described) if described is not None else None
    return engine_release(engine.kind, engine.image, release or engine.release, fork)


def shown_release(kind: str, number: str) -> str:
    """Return a release as its engine writes it: llama.cpp's builds are `b8740`."""
    return f"b{number}" if kind == "llamacpp" and number.isdecimal() else number


def nearest_table(kind: str, number: str) -> str:
    """Return the table release nearest to a release, empty for an engine without tables.

    A pre-release belongs to the release it becomes. A build of llama.cpp belongs to the build
    closest to it; any other release to the one before it, the oldest table at least.
    """
    releases = table_releases(kind)
    if not releases or number in releases:
        return number if releases else ""
    if kind == "llamacpp" and number.isdecimal():
        return min(releases, key=lambda known: (abs(int(known) - int(number)), int(known)))
    wanted = _version(number)
    final = _PRE.sub("", number)
    if wanted is None or final in releases:
        return final if final in releases else releases[-1]
    before = [known for known in releases if (_version(known) or wanted) < wanted]
    return before[-1] if before else releases[0]


def _known(
    kind: str, number: str, told_by: str, fork: Fork | None, *, certain: bool
) -> EngineRelease:
    if not number:
        return _unknown(kind, told_by, fork)
    table = nearest_table(kind, number)
    exact = certain and bool(table) and (table == number or _between_equals(kind, number))
    return EngineRelease(kind, number, table, exact, told_by, fork)


def _unknown(kind: str, told_by: str, fork: Fork | None = None) -> EngineRelease:
    """Return the newest table for an image that tells nothing: nightlies, previews, latest."""
    releases = table_releases(kind)
    return EngineRelease(kind, "", releases[-1] if releases else "", False, told_by, fork)


def _between_equals(kind: str, number: str) -> bool:
    """Tell whether a build of llama.cpp lies between two whose options are the same."""
    if kind != "llamacpp" or not number.isdecimal():
        return False
    releases = table_releases(kind)
    below = [known for known in releases if int(known) < int(number)]
    above = [known for known in releases if int(known) > int(number)]
    if not below or not above:
        return False
    first, second = engine_table(kind, below[-1]), engine_table(kind, above[0])
    return first.options == second.options and first.names == second.names


def _told(kind: str, tag: str) -> tuple[str, bool]:
    """Return the release that a tag names, and whether the tag is of the project's own form."""
    if kind == "llamacpp":
        build = _BUILD.fullmatch(tag)
        return (str(int(build[1])), True) if build else ("", False)
    match = _NUMBER.match(tag)
    if match is None or kind not in ("vllm", "sglang"):
        return "", False
    return match[1], _SUFFIX.fullmatch(tag[match.end() :]) is not None


def _given(kind: str, release: str) -> str:
    """Return the release of a text such as `0.20.2rc1`, `v0.21.0` or `b9101`."""
    text = release.strip()
    if kind == "llamacpp":
        build = _GIVEN_BUILD.fullmatch(text)
        return str(int(build[1])) if build else ""
    match = _NUMBER.fullmatch(text)
    return match[1] if match else ""


def _version(number: str) -> _Version | None:
    """Return a release as something to compare, None where it is no number."""
    base, _, post = number.partition(".post")
    pre = _PRE.search(base)
    stage, count = (_STAGE[pre[1]], int(pre[2])) if pre else (0, 0)
    if post:
        stage, count = 1, int(post) if post.isdecimal() else 0
    numbers = _PRE.sub("", base).split(".")
    if not all(part.isdecimal() for part in numbers):
        return None
    parts = [int(part) for part in numbers]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts), stage, count


def _tag(image: str) -> str:
    """Return the tag of an image reference, empty where it has none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]
