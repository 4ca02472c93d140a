"""By what a conversion is the same one, however it is reported."""

from datetime import UTC, datetime

import pytest

from shared.domain.business_keys import Once, belongs_to_order, business_key
from shared.domain.submissions import Person, SubmittedConversion


def item(event_name="Purchase", **facts):
    return SubmittedConversion(
        person=Person(phone="1"), event_name=event_name, occurred_at=datetime(2026, 11, 22, tzinfo=UTC), **facts
    )


@pytest.mark.parametrize(
    ("said", "how", "key", "click"),
    [
        (item(order_id="7"), {}, "order:default:7", None),
        (item(order_id="7", order_source="shop", idempotency_key="k"), {}, "order:shop:7", None),
        (item(idempotency_key="k", event_id="e"), {}, "idem:k", None),
        (item(event_id="e"), {}, "event:e", None),
        (item("QualifiedLead"), {"click_hash": "h"}, "click:h", "h"),
        (item("QualifiedLead"), {}, "contact:3", None),
        (item("QualifiedLead"), {"click_hash": "h", "once": Once.CONTACT}, "contact:3", None),
        (item(order_id="7"), {"once": Once.MESSAGE, "message_id": "5:wamid"}, "msg:5:wamid", None),
        (item("OrderReturned", order_id="7"), {}, "order:default:7", None),
        (item("OrderReturned", order_id="7", idempotency_key="k"), {}, "order:default:7:by:idem:k", None),
    ],
)
def test_the_key_is_the_strongest_thing_that_was_said(said, how, key, click):
    found = business_key(said, contact_ids=(3, 9), **{"click_hash": None, **how})
    assert (found.key, found.click_hash) == (key, click)


def test_a_contact_that_was_merged_is_known_by_its_former_keys_too():
    assert business_key(item("Lead"), contact_ids=(3, 9), click_hash=None).known_as == ("contact:9",)


@pytest.mark.parametrize(
    ("key", "own"),
    [("order:default:7", True), ("order:default:7:by:idem:k", True), ("order:shop:7", False), ("idem:7", False)],
)
def test_what_is_of_an_order_is_told_by_its_key(key, own):
    assert belongs_to_order(key, "default", "7") is own
