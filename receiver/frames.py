"""The form of a spool file: frames of marker, length, checksum and bytes. Pure.

Any damage costs the frames it touches and no others: a reader that finds a frame damaged goes on at the next marker.
A marker cannot occur inside a frame, because frames hold sealed records, which are ASCII.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MARKER = b"\xc7\xb1WH"
_LENGTH = struct.Struct(">I")
_HEAD_BYTES = len(MARKER) + 2 * _LENGTH.size
#: No record is longer; a larger length is a damaged one.
MAX_RECORD_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """A whole record. `end` is the offset behind it."""

    record: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no frame. `torn` if they run to the end of the file, as after a crash while writing."""

    start: int
    end: int
    torn: bool


def encode_frame(record: bytes) -> bytes:
    """The frame of one sealed record."""
    length = _LENGTH.pack(len(record))
    return MARKER + length + _LENGTH.pack(zlib.crc32(length + record)) + record


def decode_frames(data: bytes) -> Iterator[Frame | Damage]:
    """The frames of a file in order, and the damage between and behind them."""
    position = damaged_from = 0
    while position < len(data):
        record = _record_at(data, position)
        if record is None:
            following = data.find(MARKER, position + 1)
            position = following if following >= 0 else len(data)
            continue
        if damaged_from < position:
            yield Damage(damaged_from, position, torn=False)
        position += _HEAD_BYTES + len(record)
        damaged_from = position
        yield Frame(record, position)
    if damaged_from < len(data):
        yield Damage(damaged_from, len(data), torn=True)


def _record_at(data: bytes, position: int) -> bytes | None:
    """The record of the frame that starts here, None if none whole does."""
    start = position + _HEAD_BYTES
    if data[position : position + len(MARKER)] != MARKER or start > len(data):
        return None
    length_bytes = data[position + len(MARKER) : position + len(MARKER) + _LENGTH.size]
    (length,) = _LENGTH.unpack(length_bytes)
    if length > MAX_RECORD_BYTES or start + length > len(data):
        return None
    record = data[start : start + length]
    (checksum,) = _LENGTH.unpack(data[start - _LENGTH.size : start])
    return record if checksum == zlib.crc32(length_bytes + record) else None
