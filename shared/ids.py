"""Identifiers made on our side."""

import os
import time
import uuid


def uuid7() -> uuid.UUID:
    """A version 7 UUID: 48 bits of Unix milliseconds, then random bits, so that ids sort by the time they were made.

    Source: RFC 9562, section 5.7. The standard library has it from Python 3.14 on.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


def item_id(request_id: uuid.UUID, place: int) -> uuid.UUID:
    """The id of one item of a request with several, `place` counting from 0.

    Both the door that promises it and the worker that reads the request can tell it, and the request is found by it.
    """
    return uuid.UUID(int=request_id.int + place)
