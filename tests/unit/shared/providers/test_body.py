"""Bodies in every encoding, and those made to break a reader."""

import gzip
import json
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.providers.base import Collector, Request, UnparsableError
from shared.providers.body import (
    MAX_DECOMPRESSED,
    MAX_DEPTH,
    MAX_ID,
    MAX_NODES,
    MAX_TEXT,
    MAX_WHOLE,
    amount,
    boolean,
    identifier,
    iso_time,
    raw_text,
    read_body,
    text,
    unix_milliseconds,
    unix_seconds,
    whole_text,
)

VALUE = {"messages": [{"text": "olá 😀", "id": 120200000000000001}]}
WRITTEN = json.dumps(VALUE, ensure_ascii=False)


def read(body: bytes) -> Any:
    return read_body(Request(body=body))


@pytest.mark.parametrize(
    "body",
    [
        WRITTEN.encode(),
        json.dumps(VALUE).encode(),
        WRITTEN.encode("utf-8-sig"),
        WRITTEN.encode("utf-16"),
        WRITTEN.encode("utf-16-be"),
        WRITTEN.encode("utf-32"),
        b"\n  " + WRITTEN.encode() + b"\r\n",
        gzip.compress(WRITTEN.encode()),
        gzip.compress(WRITTEN.encode("utf-16")),
    ],
)
def test_json_is_read_in_every_encoding(body: bytes) -> None:
    assert read(body) == VALUE


def test_a_form_is_told_by_its_bytes() -> None:
    assert read(b"From=whatsapp%3A%2B15550100126&Body=Hi+there%0A&ReferralCtwaClid=\n") == {
        "From": "whatsapp:+15550100126",
        "Body": "Hi there\n",
        "ReferralCtwaClid": "",
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b" \n", "empty_body"),
        (gzip.compress(b""), "empty_body"),
        (b"hello", "not_json"),
        (b"<xml a='b'/>", "not_json"),
        (b'{"a": 1', "not_json"),
        (b'{"a": 1} {"b": 2}', "not_json"),
        (b'{"a": "\xff"}', "bad_encoding"),
        (b"a=%ff", "bad_encoding"),
        (b"\xff\xfe{", "bad_encoding"),
        (b'{"a": NaN}', "bad_number"),
        (b'{"a": -Infinity}', "bad_number"),
        (b'{"a": 1e999}', "bad_number"),
        (b'{"a": 1e-999999999999999999999}', "bad_number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "bad_number"),
        (b'{"a": 0.' + b"1" * 5000 + b"}", "bad_number"),
        (b"[" * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "too_deep"),
        (b"[" + b"{}," * MAX_NODES + b"{}]", "too_complex"),
        (b"&".join(b"a=%d" % n for n in range(1_001)), "too_complex"),
        (gzip.compress(WRITTEN.encode())[:-9], "bad_gzip"),
        (gzip.compress(WRITTEN.encode()) + b"more", "bad_gzip"),
        (b"\x1f\x8bnonsense", "bad_gzip"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UnparsableError) as raised:
        read(body)
    assert raised.value.reason == reason


def test_a_decompression_bomb_is_refused_before_it_unfolds() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(MAX_DECOMPRESSED // (1024 * 1024) + 2))
    with pytest.raises(UnparsableError) as raised:
        read(bomb + packer.flush())
    assert raised.value.reason == "too_large"


def test_a_body_of_the_greatest_depth_and_a_chunk_of_history_pass() -> None:
    read(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    message = {
        "from": "1",
        "id": "wamid.1",
        "timestamp": "1",
        "type": "text",
        "text": {"body": "hi"},
        "context": {},
    }
    assert len(read(json.dumps([message] * 8_000).encode())) == 8_000


def test_the_last_of_duplicate_keys_wins_and_is_counted() -> None:
    collector = Collector()
    value = read_body(Request(body=b'{"a": {"id": 1, "id": 2, "id": 3}, "a": {"id": 4}}'), collector)
    assert value == {"a": {"id": 4}}
    assert collector.parsed().ignored == {"duplicate_key": 3}


def test_numbers_keep_every_digit() -> None:
    assert read(b'{"a": 120200000000000000000001, "b": 25000.10}') == {
        "a": 120200000000000000000001,
        "b": Decimal("25000.10"),
    }


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        (text, "a\x00b\ud800c", "abc"),
        (text, "  ", None),
        (text, "\x00", None),
        (text, 5, None),
        (text, ["x"], None),
        (text, "x" * (MAX_TEXT + 1), "x" * MAX_TEXT),
        (raw_text, " a\x00", " a\x00"),
        (raw_text, 5, None),
        (whole_text, "x" * MAX_WHOLE, "x" * MAX_WHOLE),
        (whole_text, "x" * (MAX_WHOLE + 1), None),
        (whole_text, {}, None),
        (identifier, " 1202 ", "1202"),
        (identifier, 120200000000000001, "120200000000000001"),
        (identifier, 0, None),
        (identifier, -1, None),
        (identifier, True, None),
        (identifier, Decimal("1.5"), None),
        (identifier, "a\x00b", None),
        (identifier, "a\nb", None),
        (identifier, "x" * (MAX_ID + 1), None),
        (identifier, None, None),
        (boolean, True, True),
        (boolean, "FALSE", False),
        (boolean, 1, True),
        (boolean, 0, False),
        (boolean, 2, None),
        (boolean, "maybe", None),
        (boolean, [], None),
        (unix_seconds, 1790000000, datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)),
        (unix_seconds, "1790000000", datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)),
        (unix_seconds, Decimal("1790000000.5"), datetime(2026, 9, 21, 14, 13, 20, 500_000, tzinfo=UTC)),
        (unix_seconds, 1790000000123, None),
        (unix_seconds, 10**30, None),
        (unix_seconds, "1" * 5000, None),
        (unix_seconds, 0, None),
        (unix_seconds, -1, None),
        (unix_seconds, True, None),
        (unix_seconds, "2026-09-21", None),
        (unix_milliseconds, 1790000000123, datetime(2026, 9, 21, 14, 13, 20, 123_000, tzinfo=UTC)),
        (unix_milliseconds, "1790000000123", datetime(2026, 9, 21, 14, 13, 20, 123_000, tzinfo=UTC)),
        (unix_milliseconds, 10**30, None),
        (unix_milliseconds, "1" * 5000, None),
        (unix_milliseconds, 0, None),
        (unix_milliseconds, True, None),
        (unix_milliseconds, "2026-09-21", None),
        (iso_time, "2026-09-20T10:00:00.000+0000", datetime(2026, 9, 20, 10, tzinfo=UTC)),
        (iso_time, "2026-09-20T07:00:00-03:00", datetime(2026, 9, 20, 10, tzinfo=UTC)),
        (iso_time, " 2026-09-20T10:00:00Z ", datetime(2026, 9, 20, 10, tzinfo=UTC)),
        (iso_time, "2026-09-20T10:00:00.123456789Z", datetime(2026, 9, 20, 10, 0, 0, 123_456, tzinfo=UTC)),
        (iso_time, "2026-09-20T10:00:00", None),
        (iso_time, "2026-09-20", None),
        (iso_time, "0001-01-01T00:00:00+14:00", None),
        (iso_time, "9999-12-31T23:59:59-14:00", None),
        (iso_time, "١٩٩٩-01-01T00:00:00Z", None),
        (iso_time, 1790000000, None),
        (amount, 25000, Decimal(25000)),
        (amount, "25000.5", Decimal("25000.5")),
        (amount, Decimal("25000.10"), Decimal("25000.10")),
        (amount, "-1", None),
        (amount, -1, None),
        (amount, "NaN", None),
        (amount, "1e5", None),
        (amount, True, None),
        (amount, None, None),
    ],
)
def test_a_typed_reader_takes_only_its_type(reader: Any, value: Any, expected: Any) -> None:
    assert reader(value) == expected
