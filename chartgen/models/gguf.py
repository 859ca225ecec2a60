"""The header of a GGUF file, read by ranges and with limits on everything that it claims.

A GGUF begins with counts and lengths that a reader has to believe in order to go on. Here none of
them is believed further than the bytes reach: nothing is allocated for a length that has not
arrived, and a file that is cut off, lies or is no GGUF gives one GgufError.

Format: ggml-org/ggml docs/gguf.md, versions 2 and 3. What llama.cpp refuses (ggml/src/gguf.cpp at
b11434) is refused: arrays in arrays, keys and tensors that stand there twice, more than four
dimensions.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Protocol

from chartgen.errors import UnreadableError

# The longest headers known (a vocabulary of 262,144 tokens and 515,000 merges) have 16 MB.
HEADER_LIMIT = 64 << 20
# The first request: architecture keys lie in the first few kilobytes.
FIRST_READ = 64 << 10
NEXT_READ = 1 << 20
# Files known have some 60 keys and, the largest, 2,200 tensors.
MAX_KEYS = 4096
MAX_TENSORS = 65_536
# gguf.md: a key has at most 65,535 bytes. Chat templates, the longest texts, have 20,000.
MAX_KEY_BYTES = 65_535
MAX_TEXT_BYTES = 1 << 20
MAX_DIMENSIONS = 4
# Longer arrays (vocabularies) are counted and skipped.
MAX_KEPT_ITEMS = 4096

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# Types of values (gguf.md, enum gguf_metadata_value_type) and how they are packed.
_TEXT, _ARRAY = 8, 9
_SCALARS: Mapping[int, str] = MappingProxyType(
    {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }
)
# Types of tensors: name, values per block, bytes per block (ggml/src/ggml.c type_traits, as
# gguf-py 0.19 constants.py GGML_QUANT_SIZES has them).
TENSOR_TYPES: Mapping[int, tuple[str, int, int]] = MappingProxyType(
    {
        0: ("F32", 1, 4),
        1: ("F16", 1, 2),
        2: ("Q4_0", 32, 18),
        3: ("Q4_1", 32, 20),
        6: ("Q5_0", 32, 22),
        7: ("Q5_1", 32, 24),
        8: ("Q8_0", 32, 34),
        9: ("Q8_1", 32, 40),
        10: ("Q2_K", 256, 84),
        11: ("Q3_K", 256, 110),
        12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176),
        14: ("Q6_K", 256, 210),
        15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66),
        17: ("IQ2_XS", 256, 74),
        18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50),
        20: ("IQ4_NL", 32, 18),
        21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82),
        23: ("IQ4_XS", 256, 136),
        24: ("I8", 1, 1),
        25: ("I16", 1, 2),
        26: ("I32", 1, 4),
        27: ("I64", 1, 8),
        28: ("F64", 1, 8),
        29: ("IQ1_M", 256, 56),
        30: ("BF16", 1, 2),
        34: ("TQ1_0", 256, 54),
        35: ("TQ2_0", 256, 66),
        39: ("MXFP4", 32, 17),
        40: ("NVFP4", 64, 36),
        41: ("Q1_0", 128, 18),
    }
)

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]


class GgufError(UnreadableError):
    """A file that is no GGUF, is cut off, or says of itself what cannot be."""


class ByteSource(Protocol):
    """Bytes that can be read in parts. `size` is the length of the whole, None where unknown."""

    @property
    def size(self) -> int | None:
        """Length of the whole in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes; fewer only where the source ends."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A source that is in memory."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """Return a part."""
        return self.data[offset : offset + length]


class FileSource:
    """An open file on disk."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size: int | None = stream.seek(0, 2)

    def read(self, offset: int, length: int) -> bytes:
        """Return a part."""
        self._stream.seek(offset)
        return self._stream.read(length)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. `bytes` is None where its type is not known (forks have types of their own)."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF says before its weights.

    `values` holds all keys but arrays longer than MAX_KEPT_ITEMS; `lengths` has the number of
    items of every array. `data_start` is where the weights begin, `size` the size of the file in
    bytes where it is known.
    """

    version: int
    values: Mapping[str, Value]
    lengths: Mapping[str, int]
    tensors: tuple[Tensor, ...]
    data_start: int
    size: int | None

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of all tensors: their sum, else what the file has behind its header."""
        known = [tensor.bytes for tensor in self.tensors if tensor.bytes is not None]
        if len(known) == len(self.tensors):
            return sum(known)
        return None if self.size is None else self.size - self.data_start

    @property
    def weight_types(self) -> dict[str, int]:
        """Bytes of the tensors by type, in the order of the names; only of types with a size."""
        sums: dict[str, int] = {}
        for tensor in self.tensors:
            if tensor.bytes is not None:
                sums[tensor.type] = sums.get(tensor.type, 0) + tensor.bytes
        return dict(sorted(sums.items()))


def read_gguf(path: Path) -> Header:
    """Read the header of a file on disk. Raises GgufError, also where it cannot be opened."""
    try:
        with path.open("rb") as stream:
            return read_header(FileSource(stream), str(path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise GgufError(f"{path}: cannot be read ({reason}); check the path") from error


def read_header(source: ByteSource, name: str) -> Header:
    """Read the header of a GGUF; `name` is how errors call it. Raises GgufError."""
    reader = _Reader(source, name)
    version = reader.version()
    tensor_count, key_count = reader.unsigned(), reader.unsigned()
    reader.limit("tensors", tensor_count, MAX_TENSORS)
    reader.limit("keys", key_count, MAX_KEYS)
    values: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(key_count):
        reader.entry(values, lengths)
    tensors: dict[str, Tensor] = {}
    for _ in range(tensor_count):
        tensor = reader.tensor()
        if tensor.name in tensors:
            raise reader.fault(f"tensor {tensor.name!r} stands there twice")
        tensors[tensor.name] = tensor
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise reader.fault(f"general.alignment is {alignment!r}, no power of two")
    start = -(-reader.position // alignment) * alignment
    for tensor in tensors.values():
        end = start + tensor.offset + (tensor.bytes or 0)
        if source.size is not None and end > source.size:
            raise reader.fault(
                f"tensor {tensor.name!r} ends at byte {end:,}, the file at {source.size:,}"
            )
    return Header(version, values, lengths, tuple(tensors.values()), start, source.size)


class _Reader:
    """Reads forward through a header, in large parts, and never beyond HEADER_LIMIT."""

    def __init__(self, source: ByteSource, name: str) -> None:
        self._source = source
        self._name = name
        self._buffer = b""
        self._start = 0
        self.position = 0

    def fault(self, problem: str) -> GgufError:
        return GgufError(f"{self._name}: {problem}; the file is damaged or no GGUF, fetch it again")

    def limit(self, things: str, count: int, most: int) -> None:
        if count > most:
            raise self.fault(f"it claims {count:,} {things}, and at most {most:,} are read")

    def version(self) -> int:
        if self._take(4) != _MAGIC:
            raise self.fault("it does not begin with GGUF")
        (version,) = struct.unpack("<I", self._take(4))
        if version in _VERSIONS:
            return int(version)
        if int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
            raise GgufError(
                f"{self._name}: is a big-endian GGUF, which no GPU server reads; "
                "use the little-endian file"
            )
        raise GgufError(
            f"{self._name}: has GGUF version {version}; versions 2 and 3 are read, "
            "newer ones by a newer chartgen"
        )

    def unsigned(self) -> int:
        (number,) = struct.unpack("<Q", self._take(8))
        return int(number)

    def entry(self, values: dict[str, Value], lengths: dict[str, int]) -> None:
        """Read one key with its value."""
        key = self._key()
        if key in values or key in lengths:
            raise self.fault(f"key {key!r} stands there twice")
        kind = self._kind()
        if kind == _ARRAY:
            item, count = self._kind(), self.unsigned()
            lengths[key] = count
            kept = self._array(key, item, count)
            if kept is not None:
                values[key] = kept
        else:
            values[key] = self._value(key, kind)

    def tensor(self) -> Tensor:
        """Read the description of one tensor."""
        name = self._key()
        dimensions = self._kind()
        if not 0 < dimensions <= MAX_DIMENSIONS:
            raise self.fault(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self.unsigned() for _ in range(dimensions))
        code, offset = self._kind(), self.unsigned()
        count = 1
        for length in shape:
            count *= length
        # Tensors of a terabyte and more do not exist; llama.cpp counts in signed 64 bits.
        if count >= 1 << 63 or offset >= 1 << 63:
            raise self.fault(f"tensor {name!r} claims {count:,} values")
        if code not in TENSOR_TYPES:
            return Tensor(name, shape, f"type {code}", offset, None)
        kind, block, size = TENSOR_TYPES[code]
        if shape[0] % block:
            raise self.fault(f"tensor {name!r} has rows of {shape[0]:,}, no multiple of {block}")
        return Tensor(name, shape, kind, offset, count // block * size)

    def _kind(self) -> int:
        (number,) = struct.unpack("<I", self._take(4))
        return int(number)

    def _key(self) -> str:
        data = self._text(MAX_KEY_BYTES, "a name")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise self.fault(f"the name {data[:40]!r} is not UTF-8") from None

    def _text(self, most: int, what: str) -> bytes:
        length = self.unsigned()
        if length > most:
            raise self.fault(f"{what} claims {length:,} bytes")
        return self._take(length)

    def _value(self, key: str, kind: int) -> Scalar:
        if kind == _TEXT:
            return self._text(MAX_TEXT_BYTES, f"key {key!r}").decode("utf-8", "replace")
        if kind not in _SCALARS:
            raise self.fault(f"key {key!r} has a value of the unknown type {kind}")
        packed = struct.Struct(f"<{_SCALARS[kind]}")
        (value,) = packed.unpack(self._take(packed.size))
        scalar: Scalar = value
        return scalar

    def _array(self, key: str, kind: int, count: int) -> Value | None:
        """Read an array, or pass over one that is too long to be kept."""
        if kind == _ARRAY:
            raise self.fault(f"key {key!r} holds arrays in an array")
        if kind != _TEXT and kind not in _SCALARS:
            raise self.fault(f"key {key!r} has items of the unknown type {kind}")
        if count <= MAX_KEPT_ITEMS:
            return tuple(self._value(key, kind) for _ in range(count))
        if kind == _TEXT:
            # A text has a length of eight bytes at least: a count that lies ends here.
            self._within(8 * count)
            self._skip_texts(count)
        else:
            self._skip(struct.calcsize(f"<{_SCALARS[kind]}") * count)
        return None

    def _skip_texts(self, count: int) -> None:
        # Vocabularies have hundreds of thousands of texts: what follows is `_skip(unsigned())`
        # for each of them, without a call for those that lie in the buffer as a whole.
        unpack, done = struct.Struct("<Q").unpack_from, 0
        while done < count:
            at, end = self.position - self._start, len(self._buffer) - 8
            while done < count and 0 <= at <= end:
                at += 8 + unpack(self._buffer, at)[0]
                done += 1
            self._skip(at + self._start - self.position)
            if done < count:
                self._skip(self.unsigned())
                done += 1

    def _within(self, length: int) -> None:
        """Refuse to go beyond the limit, or beyond the end that is known."""
        end = self.position + length
        if self._source.size is not None and end > self._source.size:
            raise self.fault(f"it ends within its header, at byte {self._source.size:,}")
        if end > HEADER_LIMIT:
            raise self.fault(f"its header has more than {HEADER_LIMIT:,} bytes")

    def _skip(self, length: int) -> None:
        self._within(length)
        self.position += length

    def _take(self, length: int) -> bytes:
        self._within(length)
        first = self.position - self._start
        if first < 0 or first + length > len(self._buffer):
            self._fill(length)
            first = 0
        data = self._buffer[first : first + length]
        if len(data) < length:
            raise self.fault(f"it ends within its header, at byte {self._start + len(data):,}")
        self.position += length
        return data

    def _fill(self, length: int) -> None:
        """Have the next bytes in the buffer, in parts that suit a remote source."""
        part = FIRST_READ if self.position == 0 else NEXT_READ
        room = HEADER_LIMIT - self.position
        self._buffer = self._source.read(self.position, min(max(part, length), room))
        self._start = self.position
