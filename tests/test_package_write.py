"""Packages: the same bytes everywhere, and readable by everything that reads tar and gzip."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest

import chartgen
from chartgen.chart import Chart
from chartgen.errors import RefusedError
from chartgen.files import write_atomically
from chartgen.package.paths import MAX_FILE_BYTES, MAX_MEMBERS, MAX_PACKED_BYTES
from chartgen.package.write import pack, package_name

CHART_YAML = b"apiVersion: v2\nname: demo\nversion: 1.0.0\n"
DEMO = Chart(
    name="demo",
    files={
        "values.yaml": b"",
        "templates/deployment.yaml": b"kind: Deployment\n",
        "Chart.yaml": CHART_YAML,
    },
)
NON_ASCII = "i18n/zh-CN/Überblick 概要.yaml"
LONG = "/".join(["a" * 60, "b" * 60, "c" * 60 + ".yaml"])


def chart_with(files: dict[str, bytes]) -> Chart:
    return Chart(name="demo", files={"Chart.yaml": CHART_YAML, **files})


def members(package: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        return archive.getmembers()


def contents(package: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        found = {}
        for member in archive:
            stream = archive.extractfile(member)
            assert stream is not None
            found[member.name] = stream.read()
        return found


def test_python_reads_every_file_under_the_chart_name() -> None:
    chart = chart_with({NON_ASCII: b"a", LONG: b"b", "empty": b"", "block": bytes(512)})
    assert contents(pack(chart)) == {f"demo/{path}": data for path, data in chart.files.items()}


def test_members_carry_nothing_of_the_machine() -> None:
    for member in members(pack(chart_with({NON_ASCII: b"a", LONG: b"b"}))):
        assert member.isreg()
        assert member.mode == 0o644
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mtime == 315532800  # date -u -d 1980-01-01 +%s


def test_members_stand_in_the_order_of_their_paths() -> None:
    paths = [member.name for member in members(pack(DEMO))]
    assert paths == ["demo/Chart.yaml", "demo/templates/deployment.yaml", "demo/values.yaml"]


def test_first_header_follows_posix_field_by_field() -> None:
    header = gzip.decompress(pack(DEMO))[:512]
    assert header[0:100] == b"demo/Chart.yaml".ljust(100, b"\0")
    assert header[100:108] == b"0000644\0"
    assert header[108:124] == b"0000000\0" * 2
    assert header[124:136] == f"{len(CHART_YAML):011o}\0".encode()
    assert header[156:157] == b"0"
    assert header[257:265] == b"ustar\x0000"
    summed = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    assert header[148:156] == f"{summed:06o}\0 ".encode()


def test_tar_is_what_gnu_tar_writes() -> None:
    # sha256sum of: tar --format=ustar -b1 --owner=0 --group=0 --numeric-owner --mode=0644
    #   --mtime=@315532800 -cf - demo/Chart.yaml demo/templates/deployment.yaml demo/values.yaml
    # with GNU tar 1.34.
    gnu_tar = "57e7ab6e8c6008668cc5ba96c5638f3058162f54b9b9b5e9bf2fe75af2b56980"
    assert hashlib.sha256(gzip.decompress(pack(DEMO))).hexdigest() == gnu_tar


@pytest.mark.parametrize("size", [1, 0xFFFF - 2048, 0xFFFF, 200_000])
def test_gzip_stream_holds_stored_blocks_and_no_time(size: int) -> None:
    package = pack(chart_with({"data": random.Random(size).randbytes(size)}))
    assert package[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    content, position, last = b"", 10, 0
    while not last:
        last, length, complement = struct.unpack_from("<BHH", package, position)
        assert last in (0, 1)  # bits 1 and 2 are the kind of block: 00 is "stored"
        assert complement == length ^ 0xFFFF
        content += package[position + 5 : position + 5 + length]
        position += 5 + length
    assert package[position:] == struct.pack("<II", zlib.crc32(content), len(content))
    assert content == gzip.decompress(package)


BUILD = """
import hashlib, random, sys
from pathlib import Path
from chartgen.chart import Chart
from chartgen.package.read import read_chart
from chartgen.package.write import pack
chart = read_chart(Path(sys.argv[1]))
files = list(chart.files.items())
random.shuffle(files)
again = Chart(chart.name, dict(files))
assert pack(chart) == pack(again)
print(hashlib.sha256(pack(again)).hexdigest())
"""


def interpreters() -> list[str]:
    """Return this Python and every other one on the path that chartgen supports and that runs."""
    found = {sys.executable: sys.executable}
    for minor in range(11, 16):
        program = shutil.which(f"python3.{minor}")
        # A shim may be there without the version behind it.
        if program and subprocess.run([program, "-c", ""], capture_output=True).returncode == 0:
            found[program] = program
    return list(found)


def folder_with(root: Path, chart: Chart, *, mode: int, mtime: int, backwards: bool) -> Path:
    folder = root / chart.name
    for path, data in sorted(chart.files.items(), reverse=backwards):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(mode)
        os.utime(file, (mtime, mtime))
    return folder


@pytest.mark.parametrize("python", interpreters())
def test_bytes_do_not_depend_on_the_machine(python: str, tmp_path: Path) -> None:
    chart = chart_with({NON_ASCII: b"a", LONG: b"b", "icon.png": bytes(range(256)) * 400})
    plain = folder_with(tmp_path / "one", chart, mode=0o644, mtime=0, backwards=False)
    other = folder_with(tmp_path / "two", chart, mode=0o700, mtime=1_900_000_000, backwards=True)
    source = str(Path(chartgen.__file__).parents[1])
    settings: list[tuple[Path, dict[str, str], Path, int]] = [
        (plain, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}, tmp_path, 0o022),
        (other, {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "2"}, plain, 0o077),
        (other, {"SOURCE_DATE_EPOCH": "1234567890", "PYTHONUTF8": "1"}, Path("/"), 0o000),
    ]
    expected = hashlib.sha256(pack(chart)).hexdigest()
    for folder, environment, cwd, umask in settings:
        run = subprocess.run(
            [python, "-c", BUILD, str(folder)],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": source,
                "PYTHONDONTWRITEBYTECODE": "1",
                **environment,
            },
            cwd=cwd,
            umask=umask,
            capture_output=True,
            text=True,
        )
        assert run.stdout.strip() == expected, run.stderr


@pytest.mark.parametrize("command", [["gzip", "-t"], ["tar", "-tzf", "-"]], ids=["gzip", "tar"])
def test_system_tools_accept_a_package_without_a_word(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    package = pack(chart_with({NON_ASCII: b"a", LONG: b"b"}))
    run = subprocess.run(command, input=package, capture_output=True)
    assert (run.returncode, run.stderr) == (0, b"")


def test_helm_reads_every_file() -> None:
    helm = pytest.importorskip("helm_python")
    chart = chart_with({NON_ASCII: b"a", LONG: b"b", "templates/x.yaml": b"kind: ConfigMap\n"})
    with helm.Chart.load_archive(pack(chart)) as loaded:
        assert loaded.name == "demo"
        names = {file["name"] for file in (*loaded.files, *loaded.templates)}
    assert names == {NON_ASCII, LONG, "templates/x.yaml"}


@pytest.mark.parametrize(
    ("chart", "complaint"),
    [
        (Chart("", {"a": b""}), "its name is empty"),
        (Chart(".", {"a": b""}), "its name has a part '.'"),
        (Chart("a/b", {"a": b""}), "its name is several folders deep"),
        (Chart("demo", {}), "no files"),
        (Chart("demo", {"../a": b""}), "begins with '..'"),
        (Chart("demo", {"/a": b""}), "is absolute"),
        (Chart("demo", {"a//b": b""}), "has an empty part"),
        (Chart("demo", {"a\\b": b""}), "backslash"),
        (Chart("demo", {"a\nb": b""}), "control character"),
        (Chart("demo", {"\udc80": b""}), "is not UTF-8"),
        (Chart("demo", {"c:/a": b""}), "drive letter"),
        (Chart("demo", {"é" * 128: b""}), "longer than 255 bytes"),
        (Chart("demo", {"/".join(["a" * 200] * 5) + "/" + "b" * 15: b""}), "than 1024 bytes"),
        (Chart("demo", {"README": b"", "readme": b""}), "the same name on macOS"),
        (Chart("demo", {"a/x": b"", "A/y": b""}), "the same name on macOS"),
        (Chart("demo", {"\u00e9": b"", "e\u0301": b""}), "the same name on macOS"),
        (Chart("demo", {"a": b"", "a/b": b""}), "both a file and a folder"),
        (Chart("demo", {"a": bytes(MAX_FILE_BYTES + 1)}), "let the app download it"),
        (Chart("demo", {str(n): b"" for n in range(MAX_MEMBERS + 1)}), "10,001 files"),
    ],
)
def test_a_chart_that_is_no_sound_package_is_refused(chart: Chart, complaint: str) -> None:
    with pytest.raises(RefusedError, match="cannot be packed") as refusal:
        pack(chart)
    assert complaint in str(refusal.value)


def test_a_chart_too_large_to_be_read_back_is_refused() -> None:
    large = bytes(MAX_PACKED_BYTES // 4)
    with pytest.raises(RefusedError, match="more than the 20,000,000"):
        pack(Chart("demo", {str(n): large for n in range(4)}))


def test_package_is_written_readable_for_all_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / package_name("demo", "1.0.0")
    before = os.umask(0o077)
    try:
        write_atomically(path, b"new")
    finally:
        os.umask(before)
    assert path.name == "demo-1.0.0.tgz"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
