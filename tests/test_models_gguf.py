"""Headers of GGUF files: read exactly where they are sound, with one error where they are not."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartgen.models import gguf as reader
from chartgen.models.gguf import Bytes, GgufError, read_gguf, read_header
from tests.gguf_files import ARRAY, GEMMA, TEXT, UINT32, WEIGHTS, Made, entry, gguf, text

SOUND = gguf(GEMMA, WEIGHTS)
# Without the padding before the weights, and the weights.
HEAD = len(gguf(GEMMA, WEIGHTS, pad=1)) - 448 - 1024
# Written by the package gguf 0.19 itself.
RECORDED = Path(__file__).parent / "recordings" / "tiny.gguf"


@dataclass
class Watched:
    """A source that notes what is asked of it. Of a remote one the size may be unknown."""

    data: bytes
    size: int | None = None
    asked: list[tuple[int, int]] = field(default_factory=list)

    def read(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return self.data[offset : offset + length]


def test_a_header_is_read() -> None:
    header = read_header(Bytes(SOUND), "a.gguf")

    assert header.version == 3
    assert header.values["gemma4.attention.head_count_kv"] == (8, 8, 8, 8, 8, 2)
    assert header.values["gemma4.context_length"] == 262144
    assert header.lengths["tokenizer.ggml.tokens"] == 3
    assert [one.name for one in header.tensors] == ["token_embd.weight", "output_norm.weight"]
    assert header.weight_types == {"F32": 1024, "Q4_K": 432}
    assert header.weight_bytes == 1456
    assert header.data_start % 32 == 0
    assert header.data_start + 448 + 1024 == len(SOUND)


def test_a_file_of_the_reference_writer_is_read() -> None:
    header = read_gguf(RECORDED)

    assert header.values["general.architecture"] == "gemma4"
    assert header.values["gemma4.block_count"] == 3
    assert header.values["gemma4.attention.head_count_kv"] == (2, 2, 1)
    assert header.values["gemma4.attention.sliding_window_pattern"] == (True, True, False)
    assert header.lengths["tokenizer.ggml.tokens"] == 5
    # 5 rows of 64 in F16, 2 rows of 32 in F32.
    assert header.weight_types == {"F16": 640, "F32": 256}
    assert header.size == RECORDED.stat().st_size


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_is_cut_off_anywhere_in_its_header_is_refused(known: bool) -> None:
    for length in range(HEAD):
        data = SOUND[:length]
        with pytest.raises(GgufError, match=r"a\.gguf: "):
            read_header(Watched(data, len(data) if known else None), "a.gguf")


def test_a_file_that_is_cut_off_within_its_weights_is_refused_where_its_size_is_known() -> None:
    cut = SOUND[:-1]

    with pytest.raises(GgufError, match=r"'output_norm\.weight' ends at byte"):
        read_header(Bytes(cut), "a.gguf")
    assert read_header(Watched(cut), "a.gguf").weight_bytes == 1456


def header_of(tensors: int, keys: int, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + rest


MANY = 1 << 62
LIES = {
    "no GGUF": b"PK\x03\x04" + bytes(100),
    "version 1": b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
    "version 4": b"GGUF" + struct.pack("<IQQ", 4, 0, 0),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "keys": header_of(0, MANY),
    "tensors": header_of(MANY, 0),
    "length of a key": header_of(0, 1, struct.pack("<Q", MANY)),
    "length of a text": header_of(0, 1, text("a") + struct.pack("<IQ", TEXT, MANY)),
    "texts in an array": header_of(0, 1, text("a") + struct.pack("<IIQ", ARRAY, TEXT, MANY)),
    "numbers in an array": header_of(0, 1, text("a") + struct.pack("<IIQ", ARRAY, UINT32, MANY)),
    "an array in an array": header_of(0, 1, text("a") + struct.pack("<IIQ", ARRAY, ARRAY, 1)),
    "type of a value": header_of(0, 1, text("a") + struct.pack("<I", 99)),
    "type of items": header_of(0, 1, text("a") + struct.pack("<IIQ", ARRAY, 99, 1)),
    "a key twice": header_of(0, 2, entry("a", 1) + entry("a", 2)),
    "an array twice": header_of(0, 2, entry("a", 1) + entry("a", [1] * 5000)),
    "a key that is no text": header_of(0, 1, text(b"\xff\xfe") + bytes(20)),
    "dimensions": header_of(1, 0, text("w") + struct.pack("<I", 5) + bytes(60)),
    "no dimensions": header_of(1, 0, text("w") + struct.pack("<I", 0) + bytes(60)),
    "values": gguf({}, [Made("w", (1 << 40, 1 << 40), 0, 0, 0)]),
    "offset": header_of(1, 0, text("w") + struct.pack("<IQIQ", 1, 4, 0, 2 * MANY)),
    "rows": gguf({}, [Made("w", (100,), 12, 0, 1000)]),
    "a tensor twice": gguf({}, [Made("w", (4,), 0, 0, 16), Made("w", (4,), 0, 0, 16)]),
    "alignment": gguf({"general.alignment": 24}),
    "no alignment": gguf({"general.alignment": 0}),
    "alignment that is text": gguf({"general.alignment": "32"}),
}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_without_being_believed(lie: str, known: bool) -> None:
    data = LIES[lie]
    source = Watched(data, len(data) if known else None)

    with pytest.raises(GgufError):
        read_header(source, "a.gguf")
    assert all(length <= reader.NEXT_READ for _, length in source.asked)


def test_what_the_errors_say() -> None:
    said = {}
    for lie in ("no GGUF", "version 4", "big-endian", "keys"):
        with pytest.raises(GgufError) as caught:
            read_header(Bytes(LIES[lie]), "a.gguf")
        said[lie] = str(caught.value)

    assert said["no GGUF"].startswith("a.gguf: it does not begin with GGUF")
    assert "version 4" in said["version 4"]
    assert "big-endian" in said["big-endian"]
    assert "4,611,686,018,427,387,904 keys" in said["keys"]


def test_long_arrays_are_counted_and_skipped() -> None:
    tokens = [f"token {number}" * (number % 50) for number in range(20_000)]
    values = {"a.tokens": tokens, "a.scores": [0.5] * 20_000, "a.block_count": 7}

    header = read_header(Watched(gguf(values)), "a.gguf")

    assert header.lengths == {"a.tokens": 20_000, "a.scores": 20_000}
    assert header.values == {"a.block_count": 7}


def test_a_remote_file_is_read_in_few_and_large_parts() -> None:
    values = {"a.tokens": [f"token {number}" for number in range(200_000)]}
    data = gguf(values) + bytes(10 << 20)
    source = Watched(data, len(data))

    read_header(source, "a.gguf")

    head = sum(len(text(token)) for token in values["a.tokens"])
    assert len(source.asked) <= 2 + head // reader.NEXT_READ + 1
    assert max(offset for offset, _ in source.asked) < head + 100


def test_numbers_that_are_skipped_are_not_read() -> None:
    values = {"a.scores": [0.5] * 1_000_000, "a.block_count": 7}
    source = Watched(gguf(values))

    assert read_header(source, "a.gguf").values == {"a.block_count": 7}
    assert sum(length for _, length in source.asked) <= reader.FIRST_READ + reader.NEXT_READ


def test_nothing_is_read_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "HEADER_LIMIT", 200_000)
    source = Watched(gguf({"a.tokens": ["x" * 100] * 5000}))

    with pytest.raises(GgufError, match="more than 200,000 bytes"):
        read_header(source, "a.gguf")
    assert max(offset + length for offset, length in source.asked) <= 200_000


def test_a_type_of_a_fork_has_no_size_of_its_own() -> None:
    header = read_header(Bytes(gguf({}, [Made("w", (32,), 200, 0, 77)])), "a.gguf")

    assert header.tensors[0].type == "type 200"
    assert header.weight_types == {}
    assert header.weight_bytes == 77
    unknown = read_header(Watched(gguf({}, [Made("w", (32,), 200, 0, 77)])), "a.gguf")
    assert unknown.weight_bytes is None


@pytest.mark.parametrize("problem", ["missing.gguf", "."])
def test_a_file_that_cannot_be_opened_is_said(problem: str, tmp_path: Path) -> None:
    with pytest.raises(GgufError, match="cannot be read"):
        read_gguf(tmp_path / problem)


@given(data=st.data())
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    """Bytes are changed, cut out or put in anywhere in the header."""
    at = data.draw(st.integers(0, HEAD))
    gone = data.draw(st.integers(0, 12))
    put = data.draw(st.binary(max_size=12))
    damaged = SOUND[:at] + put + SOUND[at + gone :]
    source = Watched(damaged, data.draw(st.sampled_from([None, len(damaged)])))

    check_one_error_only(source)


@given(st.binary(max_size=200))
def test_no_bytes_behind_the_magic_raise_anything_else(rest: bytes) -> None:
    check_one_error_only(Watched(b"GGUF" + rest))


def check_one_error_only(source: Watched) -> None:
    try:
        header: Any = read_header(source, "a.gguf")
    except GgufError:
        header = None
    assert all(offset + length <= reader.HEADER_LIMIT for offset, length in source.asked)
    assert all(length <= reader.NEXT_READ for _, length in source.asked)
    assert header is None or len(header.tensors) <= reader.MAX_TENSORS
