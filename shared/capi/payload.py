"""The body of a Conversions API request: built, checked and redacted, without any I/O.

Facts: https://developers.facebook.com/documentation/ads-commerce/conversions-api/business-messaging and
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters. One invalid event makes Meta
refuse the whole request, hence the checks here.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from marshmallow import INCLUDE, Schema, fields, validate

from shared.capi.currencies import CURRENCIES
from shared.capi.event_names import META_NAMES, NEEDS_CURRENCY, NEEDS_VALUE

OLDEST = timedelta(days=7)
LONGEST_FUTURE = timedelta(minutes=5)
# No limit of Meta's is known. YCloud, a Meta partner, takes up to 1024 bytes.
LONGEST_CLICK_ID = 1024
LONGEST_EVENT_ID = 512
# Refused in messaging events with 100/2804064; they are taken out of free custom data as well.
FORBIDDEN = frozenset({"fbc", "fbp", "client_ip_address", "client_user_agent", "event_source_url"})
_OURS = frozenset({"value", "currency", "order_id", "contents"})
NOT_KEPT = "[sent as SHA-256, not kept]"
_USER_DATA_SHOWN = frozenset({"whatsapp_business_account_id", "page_id"})


class PayloadError(ValueError):
    """An event was built that has not the shape Meta wants. The text names fields, never their values."""


@dataclass(frozen=True, kw_only=True)
class OutgoingEvent:
    """One conversion as it is to be reported, under its inside name; `event_time` is aware."""

    event_name: str
    event_id: str
    event_time: datetime
    click_id: str | None
    value: Decimal | None
    currency: str | None
    order_id: str | None
    contents: tuple[Mapping[str, Any], ...] | None = None
    custom_data: Mapping[str, Any] | None = None
    #: Meta detected it itself (https://developers.facebook.com/documentation/business-messaging/whatsapp/embedded-signup/automatic-events-api).
    automatic: bool = False
    #: Hashes to match the person by (`shared.capi.matching`); none unless the dataset says so.
    phone_hashes: tuple[str, ...] = ()
    email_hashes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"OutgoingEvent(event_name={self.event_name!r}, event_id={self.event_id!r})"


@dataclass(frozen=True, kw_only=True)
class DatasetProfile:
    """Which contract a dataset speaks: `whatsapp` is today's, `guide` is the guide's recipe to the letter."""

    profile: Literal["whatsapp", "guide"]
    waba_id: str | None
    page_id: str | None
    #: Meta's Limited Data Use with these codes of country and state; None: not asked for.
    #: https://developers.facebook.com/docs/marketing-apis/data-processing-options
    limited_data_use: Mapping[str, int] | None = None


class _Item(Schema):
    id = fields.String(required=True, validate=validate.Length(min=1))
    quantity = fields.Integer(strict=True, validate=validate.Range(min=1))
    item_price = fields.Decimal(validate=validate.Range(min=0))
    delivery_category = fields.String(validate=validate.OneOf(["in_store", "curbside", "home_delivery"]))


class _CustomData(Schema):
    class Meta:
        unknown = INCLUDE

    value = fields.Decimal(validate=validate.Range(min=0))
    currency = fields.String(validate=validate.Length(equal=3))
    order_id = fields.String(validate=validate.Length(min=1))
    contents = fields.List(fields.Nested(_Item))


def _hashes() -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.Regexp(r"[0-9a-f]{64}\Z")), validate=validate.Length(min=1, max=4)
    )


class _UserData(Schema):
    ctwa_clid = fields.String(required=True, validate=validate.Length(min=1, max=LONGEST_CLICK_ID))
    whatsapp_business_account_id = fields.String(validate=validate.Regexp(r"[0-9]+\Z"))
    page_id = fields.String(validate=validate.Regexp(r"[0-9]+\Z"))
    ph = _hashes()
    em = _hashes()


class _OutcomeData(Schema):
    outcome_type = fields.String(required=True, validate=validate.Equal("automatic_events"))


class _Event(Schema):
    """What may go out. marshmallow refuses every field that is not named here."""

    event_name = fields.String(required=True)
    event_time = fields.Integer(strict=True, required=True)
    event_id = fields.String(required=True, validate=validate.Length(min=1, max=LONGEST_EVENT_ID))
    action_source = fields.String(required=True, validate=validate.Equal("business_messaging"))
    messaging_channel = fields.String(validate=validate.Equal("whatsapp"))
    user_data = fields.Nested(_UserData, required=True)
    custom_data = fields.Nested(_CustomData)
    messaging_outcome_data = fields.Nested(_OutcomeData)
    data_processing_options = fields.List(fields.String(validate=validate.Equal("LDU")))
    data_processing_options_country = fields.Integer(strict=True)
    data_processing_options_state = fields.Integer(strict=True)


_EVENT = _Event()
_ITEM = _Item()


def build_event(event: OutgoingEvent, dataset: DatasetProfile) -> dict[str, Any]:
    """One event as Meta wants it, numbers exact (`Decimal`). PayloadError when it has not the right shape."""
    built: dict[str, Any] = {
        "event_name": event.event_name,
        "event_time": int(event.event_time.timestamp()),
        "event_id": event.event_id,
        "action_source": "business_messaging",
        "user_data": {"ctwa_clid": event.click_id},
    }
    if dataset.profile == "whatsapp":
        built["event_name"] = META_NAMES.get(event.event_name, event.event_name)
        built["messaging_channel"] = "whatsapp"
        # Never both ids: Meta then compares each with the dataset, and one does not fit.
        if dataset.waba_id:
            built["user_data"]["whatsapp_business_account_id"] = dataset.waba_id
        else:
            built["user_data"]["page_id"] = dataset.page_id
    if event.phone_hashes:
        built["user_data"]["ph"] = list(event.phone_hashes)
    if event.email_hashes:
        built["user_data"]["em"] = list(event.email_hashes)
    if dataset.limited_data_use is not None:
        built["data_processing_options"] = ["LDU"]
        built["data_processing_options_country"] = dataset.limited_data_use["country"]
        built["data_processing_options_state"] = dataset.limited_data_use["state"]
    if event.automatic:
        built["messaging_outcome_data"] = {"outcome_type": "automatic_events"}
    if custom_data := _custom_data(event):
        built["custom_data"] = custom_data
    if faults := _EVENT.validate(built):
        raise PayloadError(f"The event does not fit Meta's form in: {', '.join(sorted(map(str, faults)))}")
    return built


def _custom_data(event: OutgoingEvent) -> dict[str, Any]:
    """Value, currency, order and items, with what else the conversion carries."""
    dropped = FORBIDDEN | _OURS
    custom = {key: item for key, item in (event.custom_data or {}).items() if key not in dropped}
    if event.value is not None:
        custom["value"] = event.value
    if event.currency and (event.value is not None or event.event_name in NEEDS_CURRENCY):
        custom["currency"] = event.currency.upper()
    if event.order_id:
        custom["order_id"] = event.order_id
    if event.contents:
        custom["contents"] = [dict(item) for item in event.contents]
    return custom


def dataset_problem(dataset: DatasetProfile) -> str | None:
    """The detail code of a link pause when the dataset cannot send at all, else None.

    A dataset speaks for a WhatsApp Business Account or for a Page; the `guide` profile names neither.
    """
    if dataset.profile == "guide":
        return None
    if not dataset.waba_id and not dataset.page_id:
        return "waba_id_missing"
    if not re.fullmatch(r"[0-9]{1,32}", dataset.waba_id or dataset.page_id or ""):
        return "waba_id_malformed" if dataset.waba_id else "page_id_malformed"
    return None


def validate_event(event: OutgoingEvent, dataset: DatasetProfile, *, now: datetime) -> str | None:
    """The reason code why Meta would surely refuse the event, or None. The dataset has its own check."""
    del dataset  # both profiles have the same rules for the event itself
    return next((reason for reason, fails in _CHECKS if fails(event, now)), None)


def _is_printable_ascii(text: str, longest: int) -> bool:
    return 1 <= len(text) <= longest and text.isascii() and text.isprintable()


def _value_is_bad(event: OutgoingEvent, _now: datetime) -> bool:
    value = event.value
    return value is not None and (not value.is_finite() or value < 0 or value.adjusted() > 15)


def _needs_currency(event: OutgoingEvent) -> bool:
    return event.value is not None or event.event_name in NEEDS_CURRENCY


def _contents_are_bad(event: OutgoingEvent, _now: datetime) -> bool:
    return any(not isinstance(item, Mapping) or _ITEM.validate(dict(item)) for item in event.contents or ())


def _cannot_be_encoded(event: OutgoingEvent, _now: datetime) -> bool:
    try:
        exact_json(_custom_data(event))
    except (TypeError, ValueError, RecursionError):
        return True
    return False


_CHECKS: tuple[tuple[str, Callable[[OutgoingEvent, datetime], bool]], ...] = (
    ("event_name_not_allowed", lambda event, _now: event.event_name not in META_NAMES),
    (
        "event_id_invalid",
        lambda event, _now: not _is_printable_ascii(event.event_id, LONGEST_EVENT_ID),
    ),
    ("click_id_missing", lambda event, _now: not (event.click_id or "").strip()),
    (
        "click_id_too_long",
        lambda event, _now: len(event.click_id or "") > LONGEST_CLICK_ID,
    ),
    (
        "click_id_malformed",
        lambda event, _now: not _is_printable_ascii(event.click_id or "", LONGEST_CLICK_ID),
    ),
    ("event_time_too_old", lambda event, now: now - event.event_time > OLDEST),
    (
        "event_time_in_future",
        lambda event, now: event.event_time - now > LONGEST_FUTURE,
    ),
    (
        "value_missing",
        lambda event, _now: event.value is None and event.event_name in NEEDS_VALUE,
    ),
    ("value_invalid", _value_is_bad),
    (
        "currency_missing",
        lambda event, _now: _needs_currency(event) and not event.currency,
    ),
    (
        "currency_not_accepted",
        lambda event, _now: _needs_currency(event) and (event.currency or "").upper() not in CURRENCIES,
    ),
    ("contents_invalid", _contents_are_bad),
    ("custom_data_invalid", _cannot_be_encoded),
)


def build_body(events: list[dict[str, Any]], test_event_code: str | None = None) -> bytes:
    """The request body, compact JSON in ASCII: `{"data":[…]}`.

    Events with a test code still count at Meta, so it has no place in production.
    """
    body: dict[str, Any] = {"data": events}
    if test_event_code:
        body["test_event_code"] = test_event_code
    return exact_json(body).encode("ascii")


def exact_json(value: object) -> str:
    """JSON in which a Decimal is the number it is (19.99; 1E+2 is 100), which the json module cannot do.

    ValueError or TypeError for what has no JSON form.
    """
    try:
        return _ENCODER.encode(value)
    except TypeError:
        return _piece_by_piece(value)


#: Encodes in C, whatever holds no Decimal; making one takes as long as encoding a small event with it.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _piece_by_piece(value: object) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("NaN and Infinity are not JSON numbers")
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_ENCODER.encode(str(key))}:{_piece_by_piece(it)}" for key, it in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_piece_by_piece, value)) + "]"
    return _ENCODER.encode(value)


def redact_body(body: bytes | Mapping[str, Any]) -> dict[str, Any]:
    """A body to keep and show: click ids shortened to a start and a hash, other people's data taken out.

    ValueError when the bytes are not one of our bodies.
    """
    content = json.loads(body if isinstance(body, bytes) else exact_json(body))
    shown = {key: content[key] for key in ("data", "test_event_code") if key in content}
    shown["data"] = [_redact_event(event) for event in shown.get("data", [])]
    return shown


def _redact_event(event: dict[str, Any]) -> dict[str, Any]:
    user_data = event.get("user_data", {})
    kept = {key: item for key, item in user_data.items() if key in _USER_DATA_SHOWN}
    if click_id := user_data.get("ctwa_clid"):
        kept["ctwa_clid"] = shorten_click_id(click_id)
    # That they were sent is worth knowing; the hashes lead back to a number, since there are few numbers.
    kept |= {key: NOT_KEPT for key in ("ph", "em") if key in user_data}
    return {**event, "user_data": kept}


def shorten_click_id(click_id: str) -> str:
    """Enough of a click id to recognise it by, and too little to use it."""
    digest = hashlib.sha256(click_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{click_id[: min(6, len(click_id) // 4)]}… (sha256 {digest}…)"
