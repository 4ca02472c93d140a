"""From bytes to values whose type is known, bounded and pure.

The format is told by the bytes, for content types lie: gzip by its magic, the encoding by its byte-order mark
or its NUL pattern, form or JSON by the text. The typed readers below return None (or an empty mapping) for
anything of the wrong type, so that no field of a payload is used before its type is known.
"""

import json
import re
import threading
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from shared.providers.base import Collector, Json, Request, UnparsableError

MAX_DECOMPRESSED = 32 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_FORM_FIELDS = 1_000
#: Longer numbers don't fit any column, and converting them takes quadratic time.
MAX_NUMBER = 40
MAX_ID = 512
MAX_WHOLE = 4_096
MAX_TEXT = 8_192

#: 2100-01-01: beyond it a "unix time in seconds" is in another unit, or nonsense.
_LATEST = 4_102_444_800

_GZIP = b"\x1f\x8b"
_FORM = re.compile(r"[A-Za-z0-9_.%+*~\[\]-]+=[^\s\"<>{}]*")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_EMPTY: Mapping[str, Json] = MappingProxyType({})


def read_body(request: Request, collector: Collector | None = None) -> Json:
    """Return the request's body as a JSON value; a form gives a dict of strings.

    Numbers with a fraction come back as Decimal. Of duplicate keys the last wins, and `collector` counts
    them. Raises UnparsableError.
    """
    text = _decode(_decompress(request.body))
    stripped = text.strip()
    if not stripped:
        raise UnparsableError("empty_body")
    if _FORM.fullmatch(stripped):
        return _form(stripped)
    return read_json(text, collector)


def read_object(request: Request, collector: Collector | None = None) -> Mapping[str, Json]:
    """Return the body as `read_body` does, when it is an object; raises UnparsableError otherwise."""
    value = read_body(request, collector)
    if not isinstance(value, dict):
        raise UnparsableError("not_an_object")
    return value


def read_json(text: str, collector: Collector | None = None) -> Json:
    """Return the value of a JSON text, bounded in depth, size and numbers. Raises UnparsableError."""
    reason = ""
    value: Json = None
    try:
        value = _reader.read(text)
    except RecursionError:
        reason = "too_deep"
    except (ValueError, OverflowError, MemoryError):
        reason = "not_json"
    # Raised here and not in the handler: the handled error holds the whole payload, and would travel as
    # context.
    if reason:
        raise UnparsableError(reason)
    # So short a text with so few brackets can't be beyond any bound: most webhooks are.
    if len(text) > MAX_NODES or text.count("{") + text.count("[") > MAX_DEPTH:
        _check_bounds(value)
    if _reader.duplicates and collector is not None:
        collector.ignore("duplicate_key", _reader.duplicates)
    return value


def mapping(value: Json) -> Mapping[str, Json]:
    """Return an object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else _EMPTY


def raw_text(value: Json) -> str | None:
    """Return a string as it is, nothing taken out (for click ids), or None."""
    return value if isinstance(value, str) else None


def text(value: Json, limit: int = MAX_TEXT) -> str | None:
    """Return a string without NUL and lone surrogates (no database takes them), trimmed and cut to `limit`.

    None when it is blank or no string.
    """
    if not isinstance(value, str):
        return None
    if not value.isascii() or "\0" in value:
        value = _UNSTORABLE.sub("", value)
    return value.strip()[:limit] or None


def identifier(value: Json) -> str | None:
    """Return an id as text: a string, or a positive whole number (some senders drop the quotes).

    None when it is blank, longer than `MAX_ID`, or holds characters that no id has (control characters, NUL).
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value > 0 else None
    if not isinstance(value, str):
        return None
    stripped = value.strip()
    return stripped if stripped and len(stripped) <= MAX_ID and stripped.isprintable() else None


def whole_text(value: Json) -> str | None:
    """Return a text that is worth nothing when cut (a URL, a token), or None when it is blank or too long."""
    found = text(value, MAX_WHOLE + 1)
    return found if found and len(found) <= MAX_WHOLE else None


def boolean(value: Json) -> bool | None:
    """Return a boolean, also when it was written as 0, 1, "true" or "false"; None for everything else."""
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int) and value in (0, 1) else None


def unix_seconds(value: Json) -> datetime | None:
    """Return the moment of a unix time in seconds (number or digits) in UTC; None when it can't be one."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,12}\s*", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return datetime.fromtimestamp(float(value), UTC) if 0 < value < _LATEST else None


def unix_milliseconds(value: Json) -> datetime | None:
    """Return the moment of a unix time in milliseconds (number or digits) in UTC; None when it can't be one."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}\s*", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return unix_seconds(Decimal(value) / 1000)


def iso_time(value: Json) -> datetime | None:
    """Return the moment of an ISO 8601 time in UTC; None when it is none, or says nothing of its zone."""
    if not isinstance(value, str) or not 16 <= len(value.strip()) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        known = moment.tzinfo is not None and 0 < moment.timestamp() < _LATEST
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC) if known else None


def amount(value: Json) -> Decimal | None:
    """Return a number or a plain decimal string, not negative, as Decimal; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    written = value.strip() if isinstance(value, str) else format(Decimal(value), "f")
    return Decimal(written) if _AMOUNT.fullmatch(written) else None


def _decompress(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        return body
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, MAX_DECOMPRESSED + 1)
    except zlib.error:
        inflated = None
    if inflated is not None and len(inflated) > MAX_DECOMPRESSED:
        raise UnparsableError("too_large")
    if inflated is None or not inflater.eof or inflater.unused_data:
        raise UnparsableError("bad_gzip")
    return inflated


def _decode(body: bytes) -> str:
    # surrogatepass: some Java senders write emoji as two three-byte surrogates; the readers drop what is left
    # alone.
    try:
        return body.decode(json.detect_encoding(body), "surrogatepass")
    except UnicodeError:
        pass
    raise UnparsableError("bad_encoding")


def _form(written: str) -> dict[str, str]:
    reason = ""
    pairs: list[tuple[str, str]] = []
    try:
        pairs = parse_qsl(
            written,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except UnicodeError:
        reason = "bad_encoding"
    except ValueError:
        reason = "too_complex"
    if reason:
        raise UnparsableError(reason)
    return dict(pairs)


def _refuse_constant(_: str) -> NoReturn:
    raise UnparsableError("bad_number")


def _integer(written: str) -> int:
    if len(written) > MAX_NUMBER:
        raise UnparsableError("bad_number")
    return int(written)


def _decimal(written: str) -> Decimal:
    try:
        number = Decimal(written) if len(written) <= MAX_NUMBER else None
    except InvalidOperation:
        number = None
    if number is None or (number and abs(number.adjusted()) > MAX_NUMBER):
        raise UnparsableError("bad_number")
    return number


class _Reader(threading.local):
    """The JSON decoder of a thread. It is kept, since making one takes longer than reading a small body with it."""

    def __init__(self) -> None:
        #: Of the text that was read last.
        self.duplicates = 0
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_decimal,
        )

    def read(self, text: str) -> Json:
        """The value of a JSON text. Raises what json.loads raises."""
        self.duplicates = 0
        value: Json = self._decoder.decode(text)
        return value

    def _object(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        self.duplicates += len(items) - len(found)
        return found


_reader = _Reader()


def _check_bounds(value: Json) -> None:
    """Walk the value level by level, so that the walk itself cannot overflow the stack."""
    level = [value]
    nodes = 0
    depth = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH:
            raise UnparsableError("too_deep")
        if nodes > MAX_NODES:
            raise UnparsableError("too_complex")
        below: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
