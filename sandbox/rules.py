"""What Meta refuses in an event, in the order in which its live answers were seen to check. Pure.

Each check takes an event and what surrounds it, and returns the refusal or None. Sources: recorded live
answers, and https://developers.facebook.com/documentation/ads-commerce/conversions-api/business-messaging.
Which of two simultaneous faults wins is known for few pairs: do not build on it.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.errors import GraphError, event_error
from sandbox.world import Clicks, Dataset, digest

Event = dict[str, Any]

ACTION_SOURCES = frozenset(
    {
        "app",
        "business_messaging",
        "chat",
        "email",
        "other",
        "phone_call",
        "physical_store",
        "system_generated",
        "website",
    }
)
CHANNELS = frozenset({"whatsapp", "messenger", "instagram"})
MESSAGING_EVENTS = frozenset(
    {
        "AddToCart",
        "CartAbandoned",
        "InitiateCheckout",
        "LeadSubmitted",
        "OrderCanceled",
        "OrderCreated",
        "OrderDelivered",
        "OrderReturned",
        "OrderShipped",
        "Purchase",
        "QualifiedLead",
        "RatingProvided",
        "ReviewProvided",
        "ViewContent",
    }
)
GUIDE_EVENTS = MESSAGING_EVENTS | {"Lead"}
FORBIDDEN_USER_DATA = ("fbc", "fbp", "client_ip_address", "client_user_agent")

# Combinations too broad to match anyone, alone or in part (the customer information parameters page).
WEAK_USER_DATA = (
    {"ct", "country", "st", "zp", "ge", "client_user_agent"},
    {"db", "client_user_agent"},
    {"fn", "ge"},
    {"ln", "ge"},
)

MAX_AGE = timedelta(days=7)
MAX_AGE_IN_STORE = timedelta(days=62)
# Meta documents no tolerance for the future; this much lets the clocks of two machines differ.
FUTURE_TOLERANCE = timedelta(seconds=60)

PLAUSIBLE_CLICK_ID = re.compile(r"[A-Za-z0-9_-]{16,}")
LEAD_ID = re.compile(r"[0-9]{15,17}")

# ISO 4217, without MRU, which live answers refuse.
_ISO_4217 = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF
YER ZAR ZMW ZWL
"""
CURRENCIES = frozenset(_ISO_4217.split())


@dataclass(frozen=True)
class Context:
    """What an event is checked against."""

    dataset: Dataset
    clicks: Clicks
    now: datetime

    @property
    def guide(self) -> bool:
        return self.dataset.era == "guide"


Check = Callable[[Event, Context], GraphError | None]


def first_refusal(events: Sequence[Event], context: Context) -> GraphError | None:
    """The refusal of the first event that has one, else None: one bad event refuses the whole request.

    Its `hint` names the event, which Meta's own answer does not.
    """
    for number, event in enumerate(events, start=1):
        error = check(event, context)
        if error is not None:
            return error.with_hint(f"Event {number} of {len(events)}: {error.in_words()}")
    return None


def check(event: Event, context: Context) -> GraphError | None:
    """The first refusal of one event."""
    checks = MESSAGING_CHECKS if event.get("action_source") == "business_messaging" else WEB_CHECKS
    return next((error for rule in checks if (error := rule(event, context)) is not None), None)


def required(event: Event, _: Context) -> GraphError | None:
    for name in ("event_name", "event_time", "action_source", "user_data"):
        if event.get(name) in (None, ""):
            return event_error(2804019, name)
    for name, kind in (("event_name", str), ("user_data", dict)):
        if not isinstance(event[name], kind):
            return event_error(2804001, f"{name} has the wrong type")
    if not isinstance(event.get("event_id", ""), str):
        return event_error(2804001, "event_id must be a string")
    if not isinstance(event.get("custom_data") or {}, dict):
        return event_error(2804001, "custom_data must be an object")
    return None


def source(event: Event, _: Context) -> GraphError | None:
    known = isinstance(event["action_source"], str) and event["action_source"] in ACTION_SOURCES
    return None if known else event_error(2804001, "action_source is not one of the known values")


def channel(event: Event, context: Context) -> GraphError | None:
    given = event.get("messaging_channel")
    if given is None and context.guide:
        return None
    return None if isinstance(given, str) and given in CHANNELS else event_error(2804063)


def name(event: Event, context: Context) -> GraphError | None:
    allowed = GUIDE_EVENTS if context.guide else MESSAGING_EVENTS
    return None if event["event_name"] in allowed else event_error(2804066, event["event_name"])


def link(event: Event, context: Context) -> GraphError | None:
    """The event's account or Page is the one that the dataset is linked to."""
    if context.guide:
        return None
    return _LINKS[event["messaging_channel"]](event, event["user_data"], context.dataset)


def _whatsapp_link(event: Event, user: Event, dataset: Dataset) -> GraphError | None:
    if not user.get("page_id") and not user.get("whatsapp_business_account_id"):
        return event_error(2804116, event["event_name"])
    if user.get("page_id"):
        return _page_link(user, dataset)
    same = str(user["whatsapp_business_account_id"]) == dataset.waba_id
    return None if same else event_error(2804132)


def _messenger_link(_: Event, user: Event, dataset: Dataset) -> GraphError | None:
    if not user.get("page_id"):
        return event_error(2804069)
    if not user.get("page_scoped_user_id"):
        return event_error(2804019, "page_scoped_user_id")
    return _page_link(user, dataset)


def _instagram_link(_: Event, user: Event, dataset: Dataset) -> GraphError | None:
    if not user.get("ig_account_id"):
        return event_error(2804079)
    if not user.get("ig_sid"):
        return event_error(2804075)
    return None if str(user["ig_account_id"]) == dataset.ig_account_id else event_error(2804133)


def _page_link(user: Event, dataset: Dataset) -> GraphError | None:
    if dataset.page_id is None:
        return event_error(2804131)
    return None if str(user["page_id"]) == dataset.page_id else event_error(2804065)


_LINKS: dict[str, Callable[[Event, Event, Dataset], GraphError | None]] = {
    "whatsapp": _whatsapp_link,
    "messenger": _messenger_link,
    "instagram": _instagram_link,
}


def click_id(event: Event, context: Context) -> GraphError | None:
    if event.get("messaging_channel", "whatsapp") != "whatsapp":
        return None
    value = event["user_data"].get("ctwa_clid")
    if value in (None, ""):
        return event_error(2804071)
    if not isinstance(value, str) or not PLAUSIBLE_CLICK_ID.fullmatch(value):
        return event_error(2804087)
    if digest(value) in context.clicks.bad:
        return event_error(2804087)
    return _registered(value, event, context) if context.clicks.strict else None


def _registered(value: str, event: Event, context: Context) -> GraphError | None:
    """Strict mode: the click happened, on an ad of this account or Page, and before the event."""
    click = context.clicks.registered.get(digest(value))
    if click is None:
        return event_error(2804087)
    if click.page_id and context.dataset.page_id and click.page_id != context.dataset.page_id:
        return event_error(2804072)
    if click.waba_id and context.dataset.waba_id and click.waba_id != context.dataset.waba_id:
        return event_error(2804087)
    seconds = _seconds(event)
    if click.clicked_at and seconds is not None and seconds < math.floor(click.clicked_at.timestamp()):
        return event_error(2804087)
    return None


def forbidden(event: Event, _: Context) -> GraphError | None:
    found = [f"user_data.{key}" for key in FORBIDDEN_USER_DATA if key in event["user_data"]]
    found += ["event_source_url"] if "event_source_url" in event else []
    return event_error(2804064, ", ".join(found)) if found else None


def time(event: Event, context: Context) -> GraphError | None:
    seconds = _seconds(event)
    if seconds is None:
        return event_error(2804001, "event_time must be an integer, in seconds")
    age = context.now.timestamp() - seconds
    if age < -FUTURE_TOLERANCE.total_seconds():
        return event_error(2804004)
    limit = MAX_AGE_IN_STORE if event["action_source"] == "physical_store" else MAX_AGE
    return event_error(2804003) if age > limit.total_seconds() else None


def _seconds(event: Event) -> int | None:
    """`event_time` as a number; a string of digits counts, as Graph casts it."""
    given = event["event_time"]
    if isinstance(given, str) and given.isascii() and given.isdigit():
        return int(given[:20])
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def customer(event: Event, _: Context) -> GraphError | None:
    given = {key for key, value in event["user_data"].items() if value not in (None, "", [])}
    if any(given <= weak for weak in WEAK_USER_DATA):
        return event_error(2804050)
    lead_id = event["user_data"].get("lead_id")
    return None if lead_id is None or LEAD_ID.fullmatch(str(lead_id)) else event_error(2804036)


def processing_options(event: Event, _: Context) -> GraphError | None:
    options = event.get("data_processing_options")
    if options is None or options == []:
        return None
    country, state = (event.get(f"data_processing_options_{part}", 0) for part in ("country", "state"))
    if options != ["LDU"]:
        return event_error(2804030, 'data_processing_options must be [] or ["LDU"]')
    if country not in (0, 1) or not (state == 0 or (country == 1 and state in range(1000, 1014))):
        return event_error(2804030, "country and state do not belong together")
    return None


def contents(event: Event, _: Context) -> GraphError | None:
    items = (event.get("custom_data") or {}).get("contents")
    if items is None:
        return None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return event_error(2804008)
    return None if all(item.get("id") for item in items) else event_error(2804008, "An item has no id.")


def money(event: Event, _: Context) -> GraphError | None:
    """Value and currency, the last thing that is checked."""
    custom = event.get("custom_data") or {}
    currency, value = custom.get("currency"), custom.get("value")
    if currency in (None, ""):
        if event["event_name"] == "Purchase":
            return event_error(2804010)
        if event["event_name"] == "OrderCreated" and event["action_source"] == "business_messaging":
            return event_error(2804081)
        return None if value is None else event_error(2804023)
    if not isinstance(currency, str) or currency.upper() not in CURRENCIES:
        return event_error(2804011, str(currency)[:20])
    if value is None:
        return event_error(2804009) if event["event_name"] == "Purchase" else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return event_error(2804001, "value must be a number that is not negative")
    return None


MESSAGING_CHECKS: tuple[Check, ...] = (
    required,
    channel,
    name,
    link,
    click_id,
    forbidden,
    time,
    processing_options,
    contents,
    money,
)
WEB_CHECKS: tuple[Check, ...] = (required, source, customer, time, processing_options, contents, money)
