"""The fields of submissions: what a value of each may be, what is said of one that isn't, and its JSON Schema. Pure.

Values are read by `shared.providers.body`, so that money is never a float and every text can be stored.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from marshmallow import ValidationError, fields

from shared.capi.currencies import CURRENCIES, REFUSED_BY_META
from shared.capi.event_names import META_NAMES, inside_name
from shared.providers.addresses import phone_digits
from shared.providers.body import amount, identifier, iso_time, unix_milliseconds, unix_seconds

#: Ids become part of a key in the database, whose length is limited.
MAX_ID = 200
MAX_LABEL = 100
#: Of ITU-T E.164; shorter ones are no international numbers.
_PHONE_DIGITS = (7, 15)
#: What no text in a database can hold.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: Every currency of ISO 4217: one that Meta refuses is still the currency of a sale.
KNOWN_CURRENCIES = CURRENCIES | REFUSED_BY_META
EVENT_NAMES = (*META_NAMES, "LeadSubmitted")
_TIME_FIX = "must be a time with its zone, such as 2026-11-24T18:00:00+01:00, or unix time in seconds"


class Text(fields.String):
    """A text of `shortest` to `longest` characters, trimmed; control characters and what no database takes is refused.

    `numbers` takes whole numbers as well: many systems' ids lose their quotes on the way.
    """

    def __init__(
        self, *, longest: int, numbers: bool = False, ascii_only: bool = False, fix: str | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("metadata", {})
        kwargs["metadata"] = {"minLength": 1, "maxLength": longest} | kwargs["metadata"]
        super().__init__(**kwargs)
        self._longest = longest
        self._numbers = numbers
        self._ascii_only = ascii_only
        self._fix = fix or f"must be text of 1 to {longest} characters{' in printable ASCII' if ascii_only else ''}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if self._numbers and isinstance(value, int):
            value = identifier(value)
        if not isinstance(value, str):
            raise ValidationError(self._fix)
        text = value.strip()
        wrong = not text or len(text) > self._longest or not text.isprintable()
        if wrong or (self._ascii_only and not text.isascii()) or UNSTORABLE.search(text):
            raise ValidationError(self._fix)
        return text


class Phone(Text):
    """An international phone number, however it is written; comes back as digits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            longest=42,
            numbers=True,
            fix="must be an international phone number with its country code, such as +15550100123",
            **kwargs,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        written = super()._deserialize(value, attr, data, **kwargs)
        digits = (phone_digits(written) or "").removeprefix("00")
        shortest, longest = _PHONE_DIGITS
        if not shortest <= len(digits) <= longest or digits.startswith("0"):
            raise ValidationError(self._fix)
        return digits


class Email(Text):
    """An e-mail address, as far as its form can be told without asking its server."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=254, fix="must be an e-mail address such as jane@example.com", **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        written = super()._deserialize(value, attr, data, **kwargs)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", written):
            raise ValidationError(self._fix)
        return written


class EventName(fields.String):
    """A conversion's name; comes back as ours (`LeadSubmitted` is `Lead`)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["metadata"] = {"enum": list(EVENT_NAMES)} | kwargs.get("metadata", {})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        inside = inside_name(value) if isinstance(value, str) else None
        if inside is None:
            raise ValidationError(f"must be one of {', '.join(EVENT_NAMES)}, in exactly this case")
        return inside


class Moment(fields.Field[datetime]):
    """A point in time: ISO 8601 that names its zone, or unix seconds. Comes back in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        text = {"type": "string", "format": "date-time"}
        number = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 4_102_444_800}
        kwargs["metadata"] = {"anyOf": [text, number]} | kwargs.get("metadata", {})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment = iso_time(value) or unix_seconds(value)
        if moment is None and unix_milliseconds(value) is not None:
            raise ValidationError("looks like milliseconds: give unix time in seconds")
        if moment is None:
            raise ValidationError(_TIME_FIX)
        return moment


class Amount(fields.Field[Decimal]):
    """An amount that is not negative, as a JSON number or as text, which no program on the way rounds."""

    def __init__(self, **kwargs: Any) -> None:
        text = {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,6})?$"}
        number = {"type": "number", "minimum": 0, "exclusiveMaximum": 10**15}
        kwargs["metadata"] = {"anyOf": [text, number]} | kwargs.get("metadata", {})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        found = amount(value)
        if found is not None:
            return found
        negative = isinstance(value, int | Decimal) and value < 0
        if negative or (isinstance(value, str) and amount(value.strip().removeprefix("-")) is not None):
            raise ValidationError("must not be negative: report what is given back as OrderReturned or OrderCanceled")
        raise ValidationError("must be a number or text such as 19.99, below 10^15 and with at most 6 decimals")


class Currency(fields.String):
    """A currency's code in ISO 4217, in capitals or not."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["metadata"] = {"minLength": 3, "maxLength": 3} | kwargs.get("metadata", {})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        code = value.strip().upper() if isinstance(value, str) else ""
        if code not in KNOWN_CURRENCIES:
            raise ValidationError("must be a currency's code of ISO 4217, such as EUR")
        return code


class Flag(fields.Boolean):
    """true or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class Number(fields.Integer):
    """A whole number from `least` to `most`."""

    def __init__(self, *, least: int = 1, most: int = 2**63 - 1, **kwargs: Any) -> None:
        kwargs["metadata"] = {"minimum": least, "maximum": most} | kwargs.get("metadata", {})
        super().__init__(strict=True, **kwargs)
        self._least, self._most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self._least <= value <= self._most:
            raise ValidationError(f"must be a whole number from {self._least} to {self._most}")
        return value


class FreeData(fields.Field[Mapping[str, Any]]):
    """An object of the sender's own: bounded, storable, and without the names of `not_here` (name to what to do)."""

    def __init__(self, *, not_here: Mapping[str, str], most: int = 50, deepest: int = 5, **kwargs: Any) -> None:
        kwargs["metadata"] = {"type": "object", "maxProperties": most} | kwargs.get("metadata", {})
        super().__init__(**kwargs)
        self._not_here = not_here
        self._most = most
        self._deepest = deepest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("must be an object")
        if len(value) > self._most:
            raise ValidationError(f"must have at most {self._most} names")
        problems = {name: [fix] for name, fix in self._not_here.items() if name in value}
        if problems:
            raise ValidationError(problems)
        self._check(value, self._deepest, refuse=_refuse)
        return value

    def _check(self, value: Any, depth: int, *, refuse: Callable[[str], NoReturn]) -> None:
        if isinstance(value, str) and UNSTORABLE.search(value):
            refuse("holds a character that can't be stored (NUL, or half of a surrogate pair)")
        if isinstance(value, str) and len(value) > 1000:
            refuse("must hold no text of more than 1000 characters")
        if isinstance(value, dict | list):
            if depth == 0:
                refuse(f"must not be nested deeper than {self._deepest}")
            if len(value) > 100:
                refuse("must hold no more than 100 values side by side")
            for name in value:
                self._check(name, 0, refuse=refuse) if isinstance(name, str) else None
            for below in value.values() if isinstance(value, dict) else value:
                self._check(below, depth - 1, refuse=refuse)


def _refuse(fix: str) -> NoReturn:
    raise ValidationError(fix)
