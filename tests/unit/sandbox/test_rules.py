from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rules import GUIDE_EVENTS, MESSAGING_EVENTS, Context, check, first_refusal
from sandbox.world import Click, Clicks, Dataset, digest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WABA, PAGE, INSTAGRAM = "100000000000001", "200000000000001", "300000000000001"
CLICK = "ARAkSyntheticClickId_0001"
WABA_DATASET = Dataset("1000000000000001", "shop", waba_id=WABA)
PAGE_DATASET = Dataset("1000000000000002", "page", page_id=PAGE)
PIXEL = Dataset("1000000000000003", "pixel")
GUIDE = Dataset("1000000000000004", "guide", era="guide")
INSTAGRAM_DATASET = Dataset("1000000000000005", "instagram", ig_account_id=INSTAGRAM)


def seconds(**ago: float) -> int:
    return int((NOW - timedelta(**ago)).timestamp())


def messaging(user_data: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    event = {
        "event_name": "LeadSubmitted",
        "event_time": seconds(minutes=5),
        "event_id": "lead-1",
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {"whatsapp_business_account_id": WABA, "ctwa_clid": CLICK} | (user_data or {}),
    } | changes
    event["user_data"] = {key: value for key, value in event["user_data"].items() if value is not None}
    return {key: value for key, value in event.items() if value is not None}


def website(user_data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    base = {"event_name": "Lead", "event_time": seconds(minutes=5), "action_source": "website"}
    return {**base, "user_data": user_data, **changes}


def purchase(**custom: Any) -> dict[str, Any]:
    return messaging(event_name="Purchase", custom_data=custom)


def context(dataset: Dataset = WABA_DATASET, clicks: Clicks | None = None) -> Context:
    return Context(dataset, clicks or Clicks(), NOW)


def strict(**click: Any) -> Clicks:
    return Clicks(strict=True, registered={digest(CLICK): Click(digest(CLICK), **click)})


NO_WABA = {"whatsapp_business_account_id": None}
BY_PAGE = {"whatsapp_business_account_id": None, "page_id": PAGE}
EMAIL = {"em": "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"}
MESSENGER = {"ctwa_clid": None, **BY_PAGE, "page_scoped_user_id": "9"}
IG = {"ctwa_clid": None, **NO_WABA, "ig_account_id": INSTAGRAM, "ig_sid": "8"}

REFUSED: list[tuple[str, dict[str, Any], int, Context]] = [
    ("no event_name", messaging(event_name=None), 2804019, context()),
    ("no event_time", messaging(event_time=None), 2804019, context()),
    ("no action_source", messaging(action_source=None), 2804019, context()),
    ("empty event", {}, 2804019, context()),
    ("event_name is a number", messaging(event_name=7), 2804001, context()),
    ("user_data is a list", {**messaging(), "user_data": [1]}, 2804001, context()),
    ("event_id is a number", messaging(event_id=7), 2804001, context()),
    ("custom_data is text", messaging(custom_data="x"), 2804001, context()),
    ("unknown action_source", messaging(action_source="chatting"), 2804001, context()),
    ("action_source is a list", messaging(action_source=["website"]), 2804001, context()),
    ("no channel", messaging(messaging_channel=None), 2804063, context()),
    ("unknown channel", messaging(messaging_channel="telegram"), 2804063, context()),
    ("Lead today", messaging(event_name="Lead"), 2804066, context()),
    ("a name in the wrong case", messaging(event_name="purchase"), 2804066, context()),
    ("a name of the web only", messaging(event_name="Schedule"), 2804066, context()),
    ("an unknown name under the guide", messaging(event_name="Contact"), 2804066, context(GUIDE)),
    ("no account id", messaging(NO_WABA), 2804116, context()),
    (
        "another account",
        messaging({"whatsapp_business_account_id": "100000000000009"}),
        2804132,
        context(),
    ),
    ("an account on a website pixel", messaging(), 2804132, context(PIXEL)),
    ("a page on a WhatsApp dataset", messaging(BY_PAGE), 2804131, context()),
    ("both ids on a WhatsApp dataset", messaging({"page_id": PAGE}), 2804131, context()),
    ("a page on a website pixel", messaging(BY_PAGE), 2804131, context(PIXEL)),
    ("another page", messaging({**BY_PAGE, "page_id": "200000000000009"}), 2804065, context(PAGE_DATASET)),
    ("no click id", messaging({"ctwa_clid": None}), 2804071, context()),
    ("no click id under the guide", messaging({"ctwa_clid": None}), 2804071, context(GUIDE)),
    ("a short click id", messaging({"ctwa_clid": "ARAk"}), 2804087, context()),
    ("a click id with a space", messaging({"ctwa_clid": CLICK + " x"}), 2804087, context()),
    ("a click id that is a number", messaging({"ctwa_clid": 12345678901234567890}), 2804087, context()),
    ("a bad click id", messaging(), 2804087, context(clicks=Clicks(bad=frozenset({digest(CLICK)})))),
    ("strict: unregistered", messaging(), 2804087, context(clicks=Clicks(strict=True))),
    ("strict: another account's click", messaging(), 2804087, context(clicks=strict(waba_id="1"))),
    ("strict: a click after the event", messaging(), 2804087, context(clicks=strict(clicked_at=NOW))),
    (
        "strict: another page's click",
        messaging(BY_PAGE),
        2804072,
        context(PAGE_DATASET, strict(page_id="1")),
    ),
    ("fbc", messaging({"fbc": "fb.1.1.x"}), 2804064, context()),
    ("fbp", messaging({"fbp": "fb.1.1.x"}), 2804064, context()),
    ("an IP address", messaging({"client_ip_address": "192.0.2.1"}), 2804064, context()),
    ("a user agent", messaging({"client_user_agent": "x"}), 2804064, context()),
    ("a source URL", messaging(event_source_url="https://shop.example"), 2804064, context()),
    ("eight days old", messaging(event_time=seconds(days=8)), 2804003, context()),
    ("a second over seven days", messaging(event_time=seconds(days=7, seconds=1)), 2804003, context()),
    ("in an hour", messaging(event_time=seconds(hours=-1)), 2804004, context()),
    ("milliseconds", messaging(event_time=seconds() * 1000), 2804004, context()),
    ("a fraction of a second", messaging(event_time=seconds() + 0.5), 2804001, context()),
    ("a time that is True", messaging(event_time=True), 2804001, context()),
    ("a time as a date", messaging(event_time="2026-11-22"), 2804001, context()),
    (
        "bad LDU state",
        messaging(
            data_processing_options=["LDU"],
            data_processing_options_country=1,
            data_processing_options_state=9,
        ),
        2804030,
        context(),
    ),
    ("bad processing option", messaging(data_processing_options=["X"]), 2804030, context()),
    ("contents is an object", messaging(custom_data={"contents": {"id": "1"}}), 2804008, context()),
    ("an item without id", messaging(custom_data={"contents": [{"quantity": 1}]}), 2804008, context()),
    ("a purchase without anything", messaging(event_name="Purchase"), 2804010, context()),
    ("a purchase without currency", purchase(value=5), 2804010, context()),
    ("a purchase without value", purchase(currency="BRL"), 2804009, context()),
    ("a purchase in no currency", purchase(value=5, currency="XXQ"), 2804011, context()),
    ("a purchase in MRU", purchase(value=5, currency="MRU"), 2804011, context()),
    ("a value as text", purchase(value="5.00", currency="BRL"), 2804001, context()),
    ("a negative value", purchase(value=-5, currency="BRL"), 2804001, context()),
    ("an order without currency", messaging(event_name="OrderCreated"), 2804081, context()),
    ("a value without currency", messaging(custom_data={"value": 5}), 2804023, context()),
    ("messenger without page", messaging(NO_WABA, messaging_channel="messenger"), 2804069, context()),
    (
        "messenger without user",
        messaging(BY_PAGE, messaging_channel="messenger"),
        2804019,
        context(PAGE_DATASET),
    ),
    ("messenger on a pixel", messaging(MESSENGER, messaging_channel="messenger"), 2804131, context(PIXEL)),
    ("instagram without account", messaging(messaging_channel="instagram"), 2804079, context()),
    (
        "instagram without user",
        messaging({**IG, "ig_sid": None}, messaging_channel="instagram"),
        2804075,
        context(INSTAGRAM_DATASET),
    ),
    ("instagram on a pixel", messaging(IG, messaging_channel="instagram"), 2804133, context(PIXEL)),
    ("a website event of nobody", website({}), 2804050, context(PIXEL)),
    ("a website event of a city", website({"ct": "x", "country": "y"}), 2804050, context(PIXEL)),
    ("a bad lead id", website({"lead_id": "12"}), 2804036, context(PIXEL)),
    ("a website purchase without value", website(EMAIL, event_name="Purchase"), 2804010, context(PIXEL)),
    ("an old store event", website(EMAIL, event_time=seconds(days=63)), 2804003, context(PIXEL)),
]

ACCEPTED: list[tuple[str, dict[str, Any], Context]] = [
    ("today's lead", messaging(), context()),
    ("an account id as a number", messaging({"whatsapp_business_account_id": int(WABA)}), context()),
    ("a page's event", messaging(BY_PAGE), context(PAGE_DATASET)),
    ("a purchase", purchase(value=1500.5, currency="BRL"), context()),
    ("a purchase of nothing, in lower case", purchase(value=0, currency="brl"), context()),
    ("an order without value", messaging(event_name="OrderCreated", custom_data={"currency": "EUR"}), context()),
    ("keys that nobody knows", messaging(custom_data={"lead_stage": "hot"}), context()),
    ("no event_id", messaging(event_id=None), context()),
    ("a time as digits", messaging(event_time=str(seconds())), context()),
    ("almost seven days old", messaging(event_time=seconds(days=7)), context()),
    ("clocks that differ a little", messaging(event_time=seconds(seconds=-30)), context()),
    ("hashed contact data", messaging(EMAIL), context()),
    ("no LDU", messaging(data_processing_options=[]), context()),
    (
        "LDU in California",
        messaging(
            data_processing_options=["LDU"],
            data_processing_options_country=1,
            data_processing_options_state=1000,
        ),
        context(),
    ),
    ("an item", messaging(custom_data={"contents": [{"id": "1", "quantity": 2}]}), context()),
    (
        "the guide's recipe",
        messaging(NO_WABA, event_name="Lead", messaging_channel=None),
        context(GUIDE),
    ),
    (
        "strict: a registered click",
        messaging(),
        context(clicks=strict(waba_id=WABA, clicked_at=NOW - timedelta(days=1))),
    ),
    ("messenger", messaging(MESSENGER, messaging_channel="messenger"), context(PAGE_DATASET)),
    ("instagram", messaging(IG, messaging_channel="instagram"), context(INSTAGRAM_DATASET)),
    ("a website event", website(EMAIL), context(PIXEL)),
    (
        "a store event of last month",
        website(EMAIL, action_source="physical_store", event_time=seconds(days=40)),
        context(PIXEL),
    ),
    ("a lead ad's lead", website({"lead_id": "123456789012345"}), context(PIXEL)),
]


@pytest.mark.parametrize(("event", "subcode", "around"), [pytest.param(*r[1:], id=r[0]) for r in REFUSED])
def test_an_invalid_event_is_refused_with_its_subcode(event: dict[str, Any], subcode: int, around: Context) -> None:
    error = check(event, around)
    assert error is not None
    assert (error.status, error.code, error.subcode) == (400, 100, subcode)
    assert error.title
    assert CLICK not in repr(error)


@pytest.mark.parametrize(("event", "around"), [pytest.param(*r[1:], id=r[0]) for r in ACCEPTED])
def test_a_valid_event_is_taken(event: dict[str, Any], around: Context) -> None:
    assert check(event, around) is None


@pytest.mark.parametrize("name", sorted(MESSAGING_EVENTS))
def test_every_documented_messaging_event_is_taken(name: str) -> None:
    assert check(messaging(event_name=name, custom_data={"currency": "BRL", "value": 1}), context()) is None


def test_the_guide_adds_lead_and_nothing_else() -> None:
    assert set(GUIDE_EVENTS - MESSAGING_EVENTS) == {"Lead"}


def test_the_first_bad_event_of_a_batch_is_told_in_the_hint_only() -> None:
    error = first_refusal([messaging(), messaging(event_name="Lead"), messaging(event_time=1)], context())
    assert error is not None
    assert error.subcode == 2804066
    assert error.hint is not None
    assert error.hint.startswith("Event 2 of 3: ")
    assert "Event 2" not in str(error.body("A"))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    field=st.sampled_from([*messaging(), "custom_data", "data_processing_options", "event_source_url"]),
    value=anything,
)
def test_no_value_of_any_field_breaks_the_rules(field: str, value: Any) -> None:
    for event in ({**messaging(), field: value}, {**website(EMAIL), field: value}):
        error = check(event, context())
        assert error is None or error.code == 100


@given(
    field=st.sampled_from(["ctwa_clid", "whatsapp_business_account_id", "page_id", "lead_id", "em"]),
    value=anything,
)
def test_no_user_data_breaks_the_rules(field: str, value: Any) -> None:
    for event in (messaging({field: value}), website({field: value})):
        for around in (context(), context(PIXEL), context(clicks=strict())):
            error = check(event, around)
            assert error is None or error.code == 100


@given(field=st.sampled_from(["value", "currency", "contents"]), value=anything)
def test_no_custom_data_breaks_the_rules(field: str, value: Any) -> None:
    error = check(purchase(**{"value": 5, "currency": "BRL", field: value}), context())
    assert error is None or error.code == 100
