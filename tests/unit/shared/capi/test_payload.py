import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capi.event_names import META_NAMES, inside_name
from shared.capi.payload import (
    FORBIDDEN,
    DatasetProfile,
    OutgoingEvent,
    PayloadError,
    build_body,
    build_event,
    dataset_problem,
    redact_body,
    shorten_click_id,
    validate_event,
)
from shared.domain.reasons import OUR_CHECKS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLICK_ID = "ARAkLmZ19xPqRs77uVwXyZ0123456789AbCdEf"
WHATSAPP = DatasetProfile(profile="whatsapp", waba_id="100000000000001", page_id=None)
PAGE = DatasetProfile(profile="whatsapp", waba_id=None, page_id="200000000000002")
GUIDE = DatasetProfile(profile="guide", waba_id=None, page_id=None)


def make_event(**changes: Any) -> OutgoingEvent:
    facts: dict[str, Any] = {
        "event_name": "Lead",
        "event_id": "0123456789abcdef0123456789abcdef",
        "event_time": NOW - timedelta(minutes=1),
        "click_id": CLICK_ID,
        "value": None,
        "currency": None,
        "order_id": None,
    }
    return OutgoingEvent(**{**facts, **changes})


def make_purchase(**changes: Any) -> OutgoingEvent:
    purchase = {"event_name": "Purchase", "value": Decimal("19.99"), "currency": "BRL", "order_id": "A-1042"}
    return make_event(**{**purchase, **changes})


def test_a_lead_under_todays_contract() -> None:
    assert build_event(make_event(), WHATSAPP) == {
        "event_name": "LeadSubmitted",
        "event_time": 1795348740,
        "event_id": "0123456789abcdef0123456789abcdef",
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {"whatsapp_business_account_id": "100000000000001", "ctwa_clid": CLICK_ID},
    }


def test_a_lead_under_the_guides_recipe() -> None:
    assert build_event(make_event(event_id="token-of-the-provider"), GUIDE) == {
        "event_name": "Lead",
        "event_time": 1795348740,
        "event_id": "token-of-the-provider",
        "action_source": "business_messaging",
        "user_data": {"ctwa_clid": CLICK_ID},
    }


def test_a_page_s_dataset_names_the_page_and_never_both() -> None:
    both = DatasetProfile(profile="whatsapp", waba_id="1", page_id="2")
    assert build_event(make_event(), PAGE)["user_data"] == {"page_id": "200000000000002", "ctwa_clid": CLICK_ID}
    assert build_event(make_event(), both)["user_data"] == {"whatsapp_business_account_id": "1", "ctwa_clid": CLICK_ID}


def test_a_purchase_carries_value_currency_order_and_items() -> None:
    items = ({"id": "sku-1", "quantity": 2, "item_price": Decimal("9.50")},)
    built = build_event(make_purchase(currency="brl", contents=items, custom_data={"shop": "north"}), WHATSAPP)
    assert built["custom_data"] == {
        "shop": "north",
        "value": Decimal("19.99"),
        "currency": "BRL",
        "order_id": "A-1042",
        "contents": [{"id": "sku-1", "quantity": 2, "item_price": Decimal("9.50")}],
    }


def test_the_14_names_of_meta_are_what_goes_out() -> None:
    names = {build_event(make_event(event_name=name), WHATSAPP)["event_name"] for name in META_NAMES}
    assert names == set(META_NAMES.values())
    assert len(names) == 14
    assert {build_event(make_event(event_name=name), GUIDE)["event_name"] for name in META_NAMES} == set(META_NAMES)


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("Lead", "Lead"),
        ("LeadSubmitted", "Lead"),
        ("Purchase", "Purchase"),
        ("purchase", None),
        ("Qualified Lead", None),
        ("CompleteRegistration", None),
        ("", None),
    ],
)
def test_a_name_from_outside_becomes_ours(given_name: str, expected: str | None) -> None:
    assert inside_name(given_name) == expected


@given(
    st.dictionaries(st.sampled_from([*FORBIDDEN, "value", "currency", "order_id", "contents", "lead_stage"]), st.text())
)
def test_custom_data_smuggles_in_neither_forbidden_fields_nor_a_value(custom_data: dict[str, str]) -> None:
    for dataset in (WHATSAPP, PAGE, GUIDE):
        built = build_event(make_event(custom_data=custom_data), dataset)
        assert set(built.get("custom_data", {})) <= {"lead_stage"}
        assert not FORBIDDEN & (set(built) | set(built["user_data"]))


def test_an_event_that_does_not_fit_is_an_error_that_names_fields_and_no_values() -> None:
    with pytest.raises(PayloadError, match="user_data") as caught:
        build_event(make_event(click_id=CLICK_ID * 40), WHATSAPP)
    assert CLICK_ID not in str(caught.value)
    assert CLICK_ID not in repr(make_event())


LONG_AGO = NOW - timedelta(days=7, seconds=1)
REFUSALS = [
    ("event_name_not_allowed", make_event(event_name="LeadSubmitted")),
    ("event_name_not_allowed", make_event(event_name="Schedule")),
    ("event_id_invalid", make_event(event_id="")),
    ("event_id_invalid", make_event(event_id="x" * 513)),
    ("event_id_invalid", make_event(event_id="tok\nen")),
    ("event_id_invalid", make_event(event_id="tokén")),
    ("click_id_missing", make_event(click_id=None)),
    ("click_id_missing", make_event(click_id=" ")),
    ("click_id_too_long", make_event(click_id="x" * 1025)),
    ("click_id_malformed", make_event(click_id="ARA\x00k")),
    ("click_id_malformed", make_event(click_id="ARA\ud800k")),
    ("event_time_too_old", make_event(event_time=LONG_AGO)),
    ("event_time_in_future", make_event(event_time=NOW + timedelta(minutes=5, seconds=1))),
    ("value_missing", make_purchase(value=None)),
    ("value_invalid", make_purchase(value=Decimal("-0.01"))),
    ("value_invalid", make_purchase(value=Decimal("NaN"))),
    ("value_invalid", make_purchase(value=Decimal("Infinity"))),
    ("value_invalid", make_purchase(value=Decimal("1e99"))),
    ("currency_missing", make_purchase(currency=None)),
    ("currency_missing", make_event(value=Decimal(5))),
    ("currency_missing", make_event(event_name="OrderCreated")),
    ("currency_not_accepted", make_purchase(currency="MRU")),
    ("currency_not_accepted", make_purchase(currency="R$")),
    ("currency_not_accepted", make_purchase(currency="XXX")),
    ("contents_invalid", make_purchase(contents=({"quantity": 1},))),
    ("contents_invalid", make_purchase(contents=({"id": "1", "quantity": 0},))),
    ("contents_invalid", make_purchase(contents=({"id": "1", "colour": "red"},))),
    ("contents_invalid", make_purchase(contents=("sku-1",))),
    ("custom_data_invalid", make_event(custom_data={"score": float("nan")})),
    ("custom_data_invalid", make_event(custom_data={"score": Decimal("NaN")})),
    ("custom_data_invalid", make_event(custom_data={"when": NOW})),
]


def test_what_meta_would_surely_refuse_is_refused_here() -> None:
    for reason, event in REFUSALS:
        for dataset in (WHATSAPP, GUIDE):
            assert validate_event(event, dataset, now=NOW) == reason, (reason, event.event_name)
    assert {reason for reason, _ in REFUSALS} == set(OUR_CHECKS)


ALLOWED = [
    make_event(),
    make_event(event_time=NOW - timedelta(days=7)),
    make_event(event_time=NOW + timedelta(minutes=5)),
    make_event(event_id="x" * 512),
    make_event(click_id="x" * 1024),
    make_event(currency="nonsense"),
    make_event(value=Decimal(5), currency="usd"),
    make_event(event_name="OrderCreated", currency="EUR"),
    make_purchase(value=Decimal(0)),
    make_purchase(contents=({"id": "1", "item_price": Decimal("0.5"), "delivery_category": "in_store"},)),
    make_purchase(custom_data={"stage": "hot", "nested": {"a": [1, None, True]}}),
]


def test_what_passes_our_checks_can_be_built_and_read_as_json() -> None:
    for event in ALLOWED:
        for dataset in (WHATSAPP, PAGE, GUIDE):
            assert validate_event(event, dataset, now=NOW) is None
            assert json.loads(build_body([build_event(event, dataset)]))["data"][0]["event_id"] == event.event_id


@given(
    event_name=st.sampled_from([*META_NAMES, "Schedule"]),
    click_id=st.none() | st.text(max_size=40),
    event_id=st.text(max_size=40),
    value=st.none() | st.decimals(),
    currency=st.none() | st.sampled_from(["EUR", "usd", "MRU", ""]),
    order_id=st.none() | st.text(),
    custom_data=st.none() | st.dictionaries(st.text(), st.text() | st.decimals() | st.floats()),
    dataset=st.sampled_from([WHATSAPP, PAGE, GUIDE]),
)
def test_an_event_that_passes_our_checks_never_fails_to_be_built(dataset: DatasetProfile, **facts: Any) -> None:
    event = make_event(**facts)
    if validate_event(event, dataset, now=NOW) is None:
        sent = json.loads(build_body([build_event(event, dataset)]))["data"][0]
        assert sent["user_data"]["ctwa_clid"] == event.click_id


@pytest.mark.parametrize(
    ("waba_id", "page_id", "problem"),
    [
        ("123", None, None),
        (None, "456", None),
        (None, None, "waba_id_missing"),
        ("", "", "waba_id_missing"),
        ("+4912345", None, "waba_id_malformed"),
        ("123\n", None, "waba_id_malformed"),
        (None, "my-page", "page_id_malformed"),
    ],
)
def test_a_dataset_of_todays_contract_needs_its_account(
    waba_id: str | None, page_id: str | None, problem: str | None
) -> None:
    assert dataset_problem(DatasetProfile(profile="whatsapp", waba_id=waba_id, page_id=page_id)) == problem
    assert dataset_problem(DatasetProfile(profile="guide", waba_id=waba_id, page_id=page_id)) is None


@pytest.mark.parametrize(
    ("value", "on_the_wire"),
    [
        ("19.99", b'"value":19.99'),
        ("1500.00", b'"value":1500.00'),
        ("0.1", b'"value":0.1'),
        ("1E+3", b'"value":1000'),
        ("123456789012345.67", b'"value":123456789012345.67'),
        ("0.00000001", b'"value":0.00000001'),
    ],
)
def test_money_is_exact_on_the_wire(value: str, on_the_wire: bytes) -> None:
    body = build_body([build_event(make_purchase(value=Decimal(value)), WHATSAPP)])
    assert on_the_wire + b"," in body


@given(st.decimals(min_value=0, max_value=10**12, allow_nan=False, allow_infinity=False))
def test_every_amount_comes_back_as_it_was(value: Decimal) -> None:
    body = build_body([build_event(make_purchase(value=value), WHATSAPP)])
    assert json.loads(body, parse_float=Decimal, parse_int=Decimal)["data"][0]["custom_data"]["value"] == value


@given(st.text(), st.text())
def test_every_text_comes_back_as_it_was(key: str, text: str) -> None:
    assert json.loads(build_body([{key: [text, 1, True, None]}]))["data"] == [{key: [text, 1, True, None]}]


def test_a_body_is_compact_and_has_the_test_code_only_when_given() -> None:
    assert build_body([{"a": 1}, {"b": "é"}]) == b'{"data":[{"a":1},{"b":"\\u00e9"}]}'
    assert build_body([], test_event_code="TEST1") == b'{"data":[],"test_event_code":"TEST1"}'


def test_a_kept_body_shows_no_click_id_and_nobody_s_data() -> None:
    event = build_event(make_purchase(), WHATSAPP)
    event["user_data"]["ph"] = ["a" * 64]
    body = build_body([event], test_event_code="TEST1")
    shown = redact_body(body)
    assert shown == redact_body({"data": [event], "test_event_code": "TEST1", "access_token": "secret"})
    assert shown["test_event_code"] == "TEST1"
    assert shown["data"][0]["custom_data"] == {"value": 19.99, "currency": "BRL", "order_id": "A-1042"}
    assert shown["data"][0]["user_data"] == {
        "whatsapp_business_account_id": "100000000000001",
        "ctwa_clid": shorten_click_id(CLICK_ID),
        "ph": "[sent as SHA-256, not kept]",
    }
    assert CLICK_ID not in json.dumps(shown)


@given(st.text(min_size=1))
def test_a_shortened_click_id_keeps_at_most_6_characters_and_a_quarter(click_id: str) -> None:
    start = shorten_click_id(click_id).split("… (sha256 ")[0]
    assert len(start) <= min(6, len(click_id) // 4)


HASHED = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"


def test_hashes_go_to_meta_and_are_never_kept() -> None:
    built = build_event(make_event(phone_hashes=(HASHED,), email_hashes=(HASHED,)), WHATSAPP)
    assert built["user_data"]["ph"] == built["user_data"]["em"] == [HASHED]
    kept = redact_body(build_body([built]))
    assert HASHED not in json.dumps(kept)
    assert kept["data"][0]["user_data"]["ph"] == "[sent as SHA-256, not kept]"


def test_what_is_not_hashed_never_goes_out() -> None:
    with pytest.raises(PayloadError, match="user_data"):
        build_event(make_event(phone_hashes=("16505551212",)), WHATSAPP)


def test_limited_data_use_stands_beside_the_person_s_data() -> None:
    limited = DatasetProfile(
        profile="whatsapp", waba_id="1", page_id=None, limited_data_use={"country": 1, "state": 1000}
    )
    built = build_event(make_event(), limited)
    assert built["data_processing_options"] == ["LDU"]
    assert (built["data_processing_options_country"], built["data_processing_options_state"]) == (1, 1000)
    assert redact_body(build_body([built]))["data"][0]["data_processing_options"] == ["LDU"]
    assert "data_processing_options" not in build_event(make_event(), WHATSAPP)
