import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capi.currencies import REFUSED_BY_META
from shared.domain.submission_fields import EVENT_NAMES
from shared.domain.submission_forms import MAX_ITEMS, Malformed, UnreadableBody, check_key, parse_items
from shared.domain.submissions import (
    KINDS,
    Item,
    Person,
    SubmittedConsent,
    SubmittedConversion,
    SubmittedStage,
    SubmittedTags,
    SubmittedTouchpoint,
)

NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
TIME = "2026-11-24T18:00:00+01:00"
AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
JANE = {"phone": "+1 (555) 010-0123"}


def parse(kind: str, body: object, *, key: str | None = None) -> list[Item | Malformed]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_items(kind, raw, received_at=NOW, idempotency_key=key)


def sale(**fields: Any) -> dict[str, Any]:
    given = {"contact": JANE, "event_name": "Purchase", "occurred_at": TIME, "order_id": "A-1"} | fields
    return {name: value for name, value in given.items() if value is not ...}


def only(kind: str, body: object, *, key: str | None = None) -> Any:
    (item,) = parse(kind, body, key=key)
    return item


def problems(kind: str, body: object) -> dict[str, str]:
    item = only(kind, body)
    assert isinstance(item, Malformed)
    return {problem.field: problem.problem for problem in item.problems}


def test_each_kind_becomes_its_item() -> None:
    wanted: dict[str, tuple[dict[str, Any], Item]] = {
        "conversions": (
            sale(value="129.90", currency="eur", contents=[{"id": 7, "quantity": 2, "item_price": "9.99"}]),
            SubmittedConversion(
                person=Person(phone="15550100123"),
                event_name="Purchase",
                occurred_at=AT,
                value=Decimal("129.90"),
                currency="EUR",
                order_id="A-1",
                contents=({"id": "7", "quantity": 2, "item_price": Decimal("9.99")},),
            ),
        ),
        "contacts/stage": (
            {"contact": {"id": 5}, "stage": "won"},
            SubmittedStage(person=Person(contact_id=5), stage="won", occurred_at=NOW),
        ),
        "contacts/tags": (
            {"contact": JANE, "add": ["a", "b", "a"], "remove": ["c"], "occurred_at": TIME},
            SubmittedTags(person=Person(phone="15550100123"), occurred_at=AT, add=("a", "b"), remove=("c",)),
        ),
        "contacts/consent": (
            {"contact": {"email": "jane@example.com"}, "given": False, "origin": "checkout"},
            SubmittedConsent(person=Person(email="jane@example.com"), given=False, occurred_at=NOW, origin="checkout"),
        ),
        "touchpoints": (
            {"contact": JANE, "channel": "sales", "occurred_at": TIME, "external_id": 4711, "ad_id": "120"},
            SubmittedTouchpoint(
                person=Person(phone="15550100123"), channel="sales", occurred_at=AT, external_id="4711", ad_id="120"
            ),
        ),
    }
    assert wanted.keys() == KINDS.keys()
    for kind, (body, item) in wanted.items():
        assert parse(kind, body) == [item]
        assert parse(kind, {"data": [body, body]}) == [item, item]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"contact": ...}, "contact", "must be there"),
        ({"contact": {}}, "contact", "phone, bsuid, email, click_id or id"),
        ({"contact": {"phone": "030 1234567"}}, "contact.phone", "country code"),
        ({"contact": {"phone": "12"}}, "contact.phone", "country code"),
        ({"contact": {"email": "jane"}}, "contact.email", "e-mail"),
        ({"contact": {"click_id": "click id é"}}, "contact.click_id", "ASCII"),
        ({"contact": {"id": 2**63}}, "contact.id", "whole number"),
        ({"contact": {"id": True}}, "contact.id", "whole number"),
        ({"event_name": "purchase"}, "event_name", "LeadSubmitted"),
        ({"event_name": ["Purchase"]}, "event_name", "LeadSubmitted"),
        ({"occurred_at": ...}, "occurred_at", "must be there"),
        ({"occurred_at": "2026-11-24T18:00:00"}, "occurred_at", "with its zone"),
        ({"occurred_at": 1763971200000}, "occurred_at", "milliseconds"),
        ({"occurred_at": "2026-11-24T18:06:00Z"}, "occurred_at", "future"),
        ({"value": "1,50"}, "value", "19.99"),
        ({"value": -5}, "value", "OrderReturned"),
        ({"value": "-5"}, "value", "OrderReturned"),
        ({"value": True}, "value", "19.99"),
        ({"value": 10**15}, "value", "19.99"),
        ({"currency": "EURO"}, "currency", "ISO 4217"),
        ({"order_id": ...}, "order_id", "Idempotency-Key"),
        ({"order_id": "a\x00b"}, "order_id", "must be text"),
        ({"order_id": None}, "order_id", "leave it out"),
        ({"order_id": "x" * 201}, "order_id", "200"),
        ({"contents": [{"id": "a", "quantity": 0}]}, "contents[0].quantity", "whole number"),
        ({"contents": [{"id": "a"}] * 101}, "contents", "at most 100"),
        ({"contents": {}}, "contents", "list"),
        ({"custom_data": {"value": 3}}, "custom_data.value", "field of the conversion"),
        ({"custom_data": {"fbc": "x"}}, "custom_data.fbc", "Meta"),
        ({"custom_data": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, "custom_data", "deeper"),
        ({"custom_data": {"a": "\ud800"}}, "custom_data", "can't be stored"),
        ({"custom_data": {"a\x00": 1}}, "custom_data", "can't be stored"),
        ({"custom_data": {str(n): n for n in range(51)}}, "custom_data", "at most 50"),
        ({"amends": "true"}, "amends", "true or false"),
        ({"curency": "EUR"}, "curency", "no field here"),
    ],
)
def test_what_is_wrong_names_the_field_and_the_fix(fields: dict[str, Any], field: str, words: str) -> None:
    found = problems("conversions", sale(**fields))
    assert set(found) == {field}
    assert words in found[field]


def test_every_name_of_meta_and_our_own_is_taken() -> None:
    names = {name: only("conversions", sale(event_name=name)).event_name for name in EVENT_NAMES}
    assert names.pop("LeadSubmitted") == "Lead"
    assert len(names) == 14
    assert all(name == inside for name, inside in names.items())


def test_a_currency_that_meta_refuses_is_still_the_currency_of_a_sale() -> None:
    assert {only("conversions", sale(value=1, currency=code)).currency for code in REFUSED_BY_META} == REFUSED_BY_META


def test_times_with_a_zone_and_unix_seconds_are_the_same() -> None:
    for written in (TIME, "2026-11-24T17:00:00Z", int(AT.timestamp()), str(int(AT.timestamp()))):
        assert only("conversions", sale(occurred_at=written)).occurred_at == AT


@given(st.decimals(min_value=0, max_value=10**15 - 1, places=6))
def test_money_keeps_every_digit(value: Decimal) -> None:
    as_text = only("conversions", sale(value=f"{value:f}", currency="EUR"))
    body = json.dumps(sale(value=0, currency="EUR")).replace('"value": 0', f'"value": {value:f}')
    as_number = only("conversions", body.encode())
    assert as_text.value == as_number.value == value
    assert isinstance(as_number.value, Decimal)


def test_a_purchase_is_counted_once_by_any_of_its_keys() -> None:
    nameless = sale(order_id=...)
    assert only("conversions", nameless, key="k").idempotency_key == "k"
    assert only("conversions", nameless | {"event_id": "e"}).event_id == "e"
    assert only("conversions", nameless | {"idempotency_key": "own"}, key="k").idempotency_key == "own"


def test_the_key_of_a_request_is_another_one_for_each_of_its_items() -> None:
    items = parse("conversions", {"data": [sale(order_id=...), sale(idempotency_key="own"), sale()]}, key="k")
    assert [item.idempotency_key for item in items if isinstance(item, SubmittedConversion)] == ["k:0", "own", "k:2"]


def test_one_bad_item_spares_the_others() -> None:
    good, bad, last = parse("conversions", {"data": [sale(), 5, sale(order_id="A-2")]})
    assert isinstance(good, SubmittedConversion)
    assert str(bad) == "must be an object"
    assert isinstance(last, SubmittedConversion)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"\xff\xfe\x00",
        b'{"data": []}',
        b'{"data": {}}',
        b'{"data": [{}], "more": 1}',
        b'{"value": NaN}',
        b'{"a":' * 100 + b"1" + b"}" * 100,
        json.dumps({"data": [{}] * (MAX_ITEMS + 1)}).encode(),
    ],
)
def test_a_body_without_items_says_so(body: bytes) -> None:
    with pytest.raises(UnreadableBody, match=r"^[A-Z\"].*\.$"):
        parse("conversions", body)


def test_tags_say_something_and_nothing_twice() -> None:
    assert set(problems("contacts/tags", {"contact": JANE})) == {"add"}
    assert set(problems("contacts/tags", {"contact": JANE, "add": ["a"], "remove": ["a"]})) == {"remove"}


def test_nothing_of_a_value_or_of_an_odd_name_is_repeated() -> None:
    body = sale(contact={"phone": "secret-1"}, currency="secret-2", value="secret-3", **{"15550100199": 1, "\ud800": 1})
    item = only("conversions", body)
    assert isinstance(item, Malformed)
    assert "secret" not in str(item)
    assert "15550100199" not in str(item)
    str(item).encode()


def test_the_key_of_a_request_may_stand_in_quotes() -> None:
    assert check_key('"abc"') == check_key(" abc ") == "abc"
    for wrong in ("", '""', "é", "a\nb", "x" * 197):
        with pytest.raises(ValueError, match="printable ASCII"):
            check_key(wrong)


TEXT = st.text("aé1+@\x00 ", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-60000, 60000, width=16) | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT, below, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["contact", "event_name", "occurred_at", "value", "currency", "order_id", "contents", "custom_data", "stage", "add"]
)


@given(kind=st.sampled_from(sorted(KINDS)), body=st.dictionaries(FIELDS, JSON, max_size=5))
def test_whatever_comes_is_an_item_or_says_what_is_wrong(kind: str, body: dict[str, Any]) -> None:
    items = parse(kind, body)
    assert items == parse(kind, body)
    for item in items:
        assert not isinstance(item, Malformed) or all(problem.problem for problem in item.problems)


def test_a_clock_may_run_ahead_a_little() -> None:
    ahead = (NOW + timedelta(minutes=4)).isoformat()
    assert isinstance(only("conversions", sale(occurred_at=ahead)), SubmittedConversion)
