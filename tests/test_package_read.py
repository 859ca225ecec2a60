"""Reading charts: what is sound comes back whole, every trick in the book is refused."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.chart import Chart
from chartgen.errors import UnreadableError
from chartgen.package.paths import MAX_CHART_BYTES, MAX_FILE_BYTES, MAX_MEMBERS, MAX_PACKED_BYTES
from chartgen.package.read import read_chart, read_package
from chartgen.package.write import pack

CHART_YAML = b"apiVersion: v2\nname: demo\nversion: 1.0.0\n"


def entry(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: str
) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member, data in entries:
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def package_of(*paths: str) -> bytes:
    return gzip.compress(tar_of(*(entry(path) for path in paths)))


def with_checksum(archive: bytearray) -> bytes:
    """Return the archive with the checksum that its changed first header asks for."""
    archive[148:156] = b" " * 8
    archive[148:156] = f"{sum(archive[:512]):06o}\0 ".encode()
    return bytes(archive)


SOUND = tar_of(entry("demo/Chart.yaml", CHART_YAML), entry("demo/values.yaml", b"a: 1\n" * 200))


# Any text may follow the number, which keeps two names apart on every file system.
FILE_NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\"), max_size=60
)
FOLDERS = st.sampled_from(["", "templates/", "i18n/zh-CN/", "files/模型/é/", "a" * 100 + "/"])


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    parts = draw(st.lists(st.tuples(FOLDERS, FILE_NAMES, st.binary(max_size=2000)), min_size=1))
    files = {f"{folder}{number}-{name}": data for number, (folder, name, data) in enumerate(parts)}
    name = draw(st.from_regex(r"[a-z0-9]{1,63}", fullmatch=True))
    return Chart(name, files, origin=draw(st.text()))


@given(charts())
def test_what_was_packed_comes_back(chart: Chart) -> None:
    assert read_package(pack(chart), chart.origin) == chart


@given(charts())
def test_other_programs_packages_of_the_same_files_come_back(chart: Chart) -> None:
    entries = [entry(f"{chart.name}/{path}", data) for path, data in chart.files.items()]
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        package = gzip.compress(tar_of(*entries, form=form))
        assert read_package(package, chart.origin) == chart


@given(st.data())
def test_damage_is_never_taken_for_a_chart_or_a_crash(data: st.DataObject) -> None:
    archive = bytearray(SOUND)
    # A checksum may be spelt in several ways, so a change in its own field may say the same.
    position = data.draw(st.integers(0, 2047).filter(lambda at: at % 1024 not in range(148, 156)))
    archive[position] ^= data.draw(st.integers(1, 255))
    try:
        chart = read_package(gzip.compress(bytes(archive)), "p.tgz")
    except UnreadableError:
        return
    # What can change unnoticed is the content of a file, or padding after it: tar sums only
    # its headers, and the checksum of gzip was made anew above.
    assert 512 <= position < 1024 or position >= 1536
    assert set(chart.files) == {"Chart.yaml", "values.yaml"}


def test_folders_long_paths_and_global_headers_of_other_programs_are_understood() -> None:
    long = "demo/" + "a" * 120 + "/" + "b" * 90
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        entries = [
            entry("demo", kind=tarfile.DIRTYPE),
            entry("demo/templates/", kind=tarfile.DIRTYPE),
            entry("demo/templates/", kind=tarfile.DIRTYPE),
            entry("demo/Chart.yaml", CHART_YAML),
            entry(long, b"x"),
        ]
        chart = read_package(gzip.compress(tar_of(*entries, form=form)), "p.tgz")
        assert dict(chart.files) == {"Chart.yaml": CHART_YAML, long.removeprefix("demo/"): b"x"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", pax_headers={"comment": "0123abcd"}) as archive:
        archive.addfile(entry("demo/a")[0])
    assert set(read_package(gzip.compress(buffer.getvalue()), "p.tgz").files) == {"a"}


def test_origin_is_what_findings_will_name() -> None:
    assert read_package(gzip.compress(SOUND), "some/p.tgz").origin == "some/p.tgz"


@pytest.mark.parametrize(
    ("paths", "complaint"),
    [
        (["/etc/passwd"], "is absolute"),
        (["demo/../../etc/passwd"], "begins with '..'"),
        (["../demo/a"], "begins with '..'"),
        (["./demo/a"], "has a part '.'"),
        (["demo//a"], "has an empty part"),
        (["demo/a/"], "has an empty part"),
        (["demo\\a"], "backslash"),
        (["demo/a\x1b[31m"], "control character"),
        (["demo/c:/a"], "drive letter"),
        (["demo/" + "a" * 256], "longer than 255 bytes"),
        (["demo/" + "a/" * 600 + "b"], "longer than 1024 bytes"),
        (["demo/a", "demo/a"], "'demo/a' occurs twice"),
        (["demo/README.md", "demo/Readme.md"], "are the same name on macOS and Windows"),
        (["demo/straße", "demo/STRASSE"], "are the same name on macOS and Windows"),
        (["demo/a/x", "demo/A/y"], "are the same name on macOS and Windows"),
        (["demo/a", "demo/a/b"], "both a file and a folder"),
        (["demo/a", "other/b"], "more than one top-level entry: 'demo', 'other'"),
        (["demo/a", "OlaresManifest.yaml"], "more than one top-level entry"),
        (["._demo", "demo/a"], "macOS added '._demo'"),
        (["__MACOSX/demo/._a", "demo/a"], "macOS added '__MACOSX'"),
        (["Chart.yaml"], "no file in a top-level folder"),
        ([], "no file in a top-level folder"),
    ],
)
def test_unsound_paths_are_refused(paths: list[str], complaint: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        read_package(package_of(*paths), "p.tgz")
    assert str(refusal.value).startswith("p.tgz: ")
    assert complaint in str(refusal.value)


def test_macos_is_told_how_to_pack_without_its_files() -> None:
    with pytest.raises(UnreadableError, match="COPYFILE_DISABLE=1"):
        read_package(package_of("._demo", "demo/Chart.yaml"), "p.tgz")


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a named pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"7", "of the unknown type b'7'"),
        (b"V", "of the unknown type b'V'"),
    ],
)
def test_what_is_no_plain_file_is_refused(kind: bytes, what: str) -> None:
    archive = tar_of(entry("demo/a", kind=kind, linkname="/etc/passwd"))
    with pytest.raises(UnreadableError, match=what):
        read_package(gzip.compress(archive), "p.tgz")


def test_a_file_whose_mode_says_that_it_is_a_folder_is_refused() -> None:
    member, data = entry("demo/a", b"hidden from Helm")
    header = bytearray(tar_of((member, data), form=tarfile.USTAR_FORMAT))
    header[100:108] = b"0040644\0"
    with pytest.raises(UnreadableError, match="a file whose mode says that it is none"):
        read_package(gzip.compress(with_checksum(header)), "p.tgz")


def test_a_link_with_a_long_target_is_refused() -> None:
    link = entry("demo/a", kind=tarfile.SYMTYPE, linkname="/x" * 200)
    with pytest.raises(UnreadableError, match="link"):
        read_package(gzip.compress(tar_of(link, form=tarfile.GNU_FORMAT)), "p.tgz")


def with_headers(kind: bytes, *records: bytes) -> bytes:
    """Return a package whose one file follows an extended header with the given body."""
    header = entry("extended", b"".join(records), kind=kind)
    return gzip.compress(tar_of(header, entry("demo/a"), form=tarfile.USTAR_FORMAT))


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    return b"%d" % (len(body) + 2) + body  # right for lengths of two digits


@pytest.mark.parametrize(
    ("kind", "body", "complaint"),
    [
        (b"x", record(b"path", b"/etc/passwd"), "is absolute"),
        (b"x", record(b"path", b"demo/../../a"), "begins with '..'"),
        (b"x", record(b"path", b"demo/\xff"), "is not UTF-8"),
        (b"x", record(b"path", b"demo/a\0b"), "control character"),
        (b"L", b"/etc/passwd\0", "is absolute"),
        (b"L", b"demo/\xff\0", "is not UTF-8"),
        (b"g", record(b"path", b"demo/b"), "b'path', on which readers disagree"),
        (b"x", record(b"size", b"0000000001"), "b'size', on which readers disagree"),
        (b"x", record(b"GNU.sparse.major", b"1"), "b'GNU.sparse.major', on which"),
        (b"x", b"99 path=d/a\n", "extended header is damaged"),
        (b"x", b"0 path=d/a\n", "extended header is damaged"),
        (b"x", b"7 path\n", "extended header is damaged"),
        (b"x", b"path=d/a\n", "extended header is damaged"),
        (b"x", b"10 path=d/ab\n", "extended header is damaged"),
        (b"x", b" " * 70_000, "is too large"),
    ],
)
def test_extended_headers_cannot_smuggle(kind: bytes, body: bytes, complaint: str) -> None:
    header = entry("extended", body, kind=kind)
    archive = tar_of(header, entry("demo/a"), form=tarfile.USTAR_FORMAT)
    with pytest.raises(UnreadableError) as refusal:
        read_package(gzip.compress(archive), "p.tgz")
    assert complaint in str(refusal.value)


@pytest.mark.parametrize("second", [record(b"path", b"demo/bcd"), b""])
def test_two_extended_headers_for_one_member_are_refused(second: bytes) -> None:
    first = entry("extended", record(b"path", b"demo/bcd"), kind=b"x")
    archive = tar_of(
        first, entry("extended", second, kind=b"x"), entry("demo/a"), form=tarfile.USTAR_FORMAT
    )
    with pytest.raises(UnreadableError, match="extends another extended header"):
        read_package(gzip.compress(archive), "p.tgz")


def resized(archive: bytes, size: bytes) -> bytes:
    """Return an archive whose first header claims another size."""
    changed = bytearray(archive)
    changed[124:136] = size
    return with_checksum(changed)


@pytest.mark.parametrize(
    ("archive", "complaint"),
    [
        (b"", "has no end mark"),
        (SOUND[:512], "is cut short"),
        (SOUND[:700], "is cut short"),
        (SOUND[:1024], "has no end mark"),
        (SOUND[:2560].ljust(2560 + 512, b"\0"), "half an end mark"),
        (SOUND + b"x", "data follows the end"),
        (resized(SOUND, b"77777777777\0"), "is cut short"),
        (resized(SOUND, b"-0000000001\0"), "is no number"),
        (resized(SOUND, b"\x80" + bytes(10) + b"\x01"), "is no number"),
        (resized(SOUND, b" " * 12), "is no number"),
        (SOUND[:200] + b"x" + SOUND[201:], "header at byte 0 is damaged"),
        (SOUND[:1024] + b"x" + SOUND[1025:], "header at byte 1024 is damaged"),
        (b"not a tar at all" * 64, "is no number"),
    ],
)
def test_a_damaged_tar_is_refused(archive: bytes, complaint: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        read_package(gzip.compress(archive), "p.tgz")
    assert complaint in str(refusal.value)


def flipped(package: bytes, position: int) -> bytes:
    changed = bytearray(package)
    changed[position] ^= 0x01
    return bytes(changed)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda package: package[:0], "is not a package"),
        (lambda package: b"<!doctype html>" + package, "is not a package"),
        (lambda package: package[:1], "is not a package"),
        (lambda package: package[:5], "is cut short"),
        (lambda package: package[: len(package) // 2], "is cut short"),
        (lambda package: package[:-1], "is cut short"),
        (lambda package: flipped(package, -6), "is damaged"),
        (lambda package: flipped(package, -1), "is damaged"),
        (lambda package: flipped(package, 2), "is damaged"),
        (lambda package: package + b"\0" * 8, "8 bytes follow the gzip stream"),
        (lambda package: package + package, "several gzip streams"),
        (gzip.compress, "has no end mark"),
    ],
)
def test_a_damaged_gzip_stream_is_refused(damage: Callable[[bytes], bytes], complaint: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        read_package(damage(gzip.compress(SOUND)), "p.tgz")
    assert complaint in str(refusal.value)


def test_a_large_package_is_refused_unread() -> None:
    with pytest.raises(UnreadableError, match="larger than 20,000,000 bytes"):
        read_package(bytes(MAX_PACKED_BYTES + 1), "p.tgz")


def test_a_bomb_is_refused() -> None:
    bomb = gzip.compress(bytes(MAX_CHART_BYTES), compresslevel=1)
    with pytest.raises(UnreadableError, match="inflates to more than"):
        read_package(bomb, "p.tgz")


def test_more_than_a_hundred_megabytes_are_refused() -> None:
    noise = random.Random(0).randbytes(1_000_000)
    package = gzip.compress(noise + bytes(MAX_CHART_BYTES), compresslevel=1)
    with pytest.raises(UnreadableError, match="inflates to more than 104,857,600"):
        read_package(package, "p.tgz")


def test_a_large_file_is_refused() -> None:
    noise = random.Random(0).randbytes(MAX_FILE_BYTES + 1)
    archive = tar_of(entry("demo/model.bin", noise))
    with pytest.raises(UnreadableError, match=r"'demo/model.bin' has 5,242,881 bytes"):
        read_package(gzip.compress(archive), "p.tgz")


def test_too_many_members_are_refused() -> None:
    archive = tar_of(*(entry(f"demo/{number}") for number in range(MAX_MEMBERS + 1)))
    with pytest.raises(UnreadableError, match="more than 10,000 members"):
        read_package(gzip.compress(archive), "p.tgz")


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_a_folder_and_its_package_are_the_same_chart(tmp_path: Path) -> None:
    files = {"Chart.yaml": CHART_YAML, "templates/a.yaml": b"a", "i18n/en-US/b": b"", ".x": b"x"}
    folder = write(tmp_path / "demo", files)
    chart = read_chart(folder)
    assert (chart.name, dict(chart.files), chart.origin) == ("demo", files, str(folder))
    package = tmp_path / "demo-1.0.0.tgz"
    package.write_bytes(pack(chart))
    again = read_chart(package)
    assert (again.name, dict(again.files), again.origin) == ("demo", files, str(package))


def test_the_current_folder_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path / "demo", {"Chart.yaml": CHART_YAML}))
    assert read_chart(Path()).name == "demo"
    (tmp_path / "demo" / "templates").mkdir()
    assert read_chart(Path("templates/..")).name == "demo"


def test_git_and_what_helmignore_lists_stay_out(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "demo",
        {
            "Chart.yaml": CHART_YAML,
            ".git/config": b"",
            ".gitignore": b"",
            ".helmignore": b"*.bak\nnotes/\n",
            "templates/a.yaml": b"",
            "templates/a.yaml.bak": b"",
            "templates/.a.yaml.swp": b"",
            "notes/todo": b"",
        },
    )
    kept = {"Chart.yaml", ".gitignore", ".helmignore", "templates/a.yaml"}
    assert set(read_chart(folder).files) == kept


@pytest.mark.parametrize("content", [b"**/*.bak", b"[a-", b"\xff"])
def test_a_helmignore_that_helm_refuses_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = write(tmp_path / "demo", {"Chart.yaml": CHART_YAML, ".helmignore": content})
    with pytest.raises(UnreadableError, match=r"\.helmignore: "):
        read_chart(folder)


def test_a_link_to_a_file_of_the_chart_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "demo", {"Chart.yaml": CHART_YAML, "a": b"data"})
    (folder / "b").symlink_to("a")
    assert read_chart(folder).files["b"] == b"data"


@pytest.mark.parametrize(
    "target",
    ["../secret", "../other", "/etc/passwd", "missing", "templates", ".", "loop", ".git/config"],
)
@pytest.mark.parametrize("name", ["loop", ".helmignore"])
def test_a_link_elsewhere_is_refused(tmp_path: Path, name: str, target: str) -> None:
    write(tmp_path, {"secret": b"s", "other/file": b"o"})
    files = {"Chart.yaml": CHART_YAML, "templates/a.yaml": b"", ".git/config": b"token"}
    folder = write(tmp_path / "demo", files)
    (folder / name).symlink_to(target)
    with pytest.raises(UnreadableError, match="is a link to a folder, to nothing, or out of"):
        read_chart(folder)


def test_a_folder_beside_the_chart_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    write(tmp_path / "demo-secret", {"key": b"s"})
    folder = write(tmp_path / "demo", {"Chart.yaml": CHART_YAML})
    (folder / "key").symlink_to("../demo-secret/key")
    with pytest.raises(UnreadableError, match="out of the chart"):
        read_chart(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "demo", {"Chart.yaml": CHART_YAML})
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnreadableError, match="neither a file nor a folder"):
        read_chart(folder)


def test_a_large_file_in_a_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "demo", {"model.bin": bytes(MAX_FILE_BYTES + 1)})
    with pytest.raises(UnreadableError, match=r"model\.bin: is larger than the 5,242,880 bytes"):
        read_chart(folder)


def test_a_folder_that_is_no_chart_is_not_read_to_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    large = folder / "large"
    large.write_bytes(bytes(MAX_FILE_BYTES))
    for number in range(MAX_CHART_BYTES // MAX_FILE_BYTES):
        os.link(large, folder / str(number))
    with pytest.raises(UnreadableError, match="so it is no chart"):
        read_chart(folder)


@pytest.mark.parametrize("name", ["a\nb", "a\\b"])
def test_a_path_that_cannot_be_packed_is_refused_in_a_folder(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "demo", {"Chart.yaml": CHART_YAML, name: b""})
    with pytest.raises(UnreadableError, match="rename it"):
        read_chart(folder)


def test_a_folder_that_fails_while_it_is_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    folder = write(tmp_path / "demo", {"Chart.yaml": CHART_YAML})
    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(UnreadableError, match=r"demo: cannot be read \(Permission denied\)"):
        read_chart(folder)


def test_a_path_that_is_absent_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="there is no such file"):
        read_chart(tmp_path / "absent")
