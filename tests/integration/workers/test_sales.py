"""What becomes of reported sales, over a real database: whose they are, whether they are new, and when they go."""

from decimal import Decimal

import pytest

from shared.db.contacts import merge_contacts
from shared.db.pool import server_time
from shared.domain.attribution import hash_click_id
from shared.domain.submissions import Person
from shared.ids import uuid7
from tests.integration.workers.reports import EUR, PHONE, conversion, hours_ago, report, sale
from workers.reattribution import contacts_merged
from workers.submitted import Refusal


@pytest.fixture
def channel(world):
    return world.add_channel(dataset_id=world.add_dataset(), currency="BRL")


def click(world, channel, *, hours=2.0, phone=PHONE):
    """An ad message with a click id, so many hours ago; read by intake."""
    world.receive_sample(channel, phone=phone, now=hours_ago(hours))
    world.intake()
    [row] = world.rows("select * from touchpoints order by id desc limit 1")
    return row


def test_a_sale_belongs_to_the_last_click_before_it_and_is_sent_with_its_value(world, channel):
    click(world, channel, hours=30)
    last = click(world, channel, hours=3)
    click(world, channel, hours=0.5)
    [told] = report(world, sale(order="A1", **EUR))
    stored = conversion(world)
    assert (told["state"], told["conversion_id"], stored["id"]) == ("stored", stored["id"], told["id"])
    assert (stored["touchpoint_id"], stored["attribution"], stored["state"]) == (last["id"], "last_click", "pending")
    assert (stored["has_value"], stored["batch_cap"], stored["channel_id"]) == (True, 10, channel)
    world.send()
    [sent] = [event for _, _, body in world.graph.posted for event in body["data"] if event["event_name"] == "Purchase"]
    assert sent["custom_data"] == {"value": 49.9, "currency": "EUR", "order_id": "A1"}
    assert sent["user_data"]["ctwa_clid"] == last["click_id"]


def test_a_sale_of_nobody_known_makes_a_contact_and_is_kept_unsent(world, channel):
    report(world, sale(order="A1", **EUR))
    stored = conversion(world)
    assert (stored["state"], stored["reason"], stored["attribution"]) == ("skipped", "unattributed", "no_ad")
    assert stored["channel_id"] == channel
    assert world.rows("select kind from contact_identities") == [{"kind": "phone"}]


def test_a_click_that_comes_late_takes_over_what_is_not_sent_and_says_so(world, channel):
    report(world, sale(order="A1", **EUR))
    late = click(world, channel, hours=2)
    stored = conversion(world)
    assert (stored["touchpoint_id"], stored["attribution"], stored["state"]) == (late["id"], "late_click", "pending")
    [change] = world.rows("select kind, detail from conversion_changes")
    assert change["kind"] == "attribution"
    assert change["detail"]["before"] == {"touchpoint": None, "attribution": "no_ad"}


def test_what_was_sent_is_left_with_the_click_it_was_sent_with(world, channel):
    first = click(world, channel, hours=5)
    report(world, sale(order="A1", **EUR))
    world.send()
    click(world, channel, hours=2)
    stored = conversion(world)
    assert (stored["touchpoint_id"], stored["state"]) == (first["id"], "accepted")
    assert world.rows("select * from conversion_changes") == []


def test_a_click_after_the_sale_never_steals_it(world, channel):
    first = click(world, channel, hours=5)
    report(world, sale(order="A1", occurred_at=hours_ago(3), **EUR))
    click(world, channel, hours=1)
    assert conversion(world)["touchpoint_id"] == first["id"]


def test_a_named_click_that_is_unknown_waits_for_its_message_and_its_contact_is_merged(world, channel):
    named = Person(click_id="Afunknown0123456789")
    [told] = report(world, sale(person=named, order="A1", **EUR))
    waiting = conversion(world)
    assert (waiting["attribution"], waiting["reason"]) == ("click_id_unknown", "unattributed")
    assert waiting["given_click_hash"] == hash_click_id("Afunknown0123456789")
    world.receive_sample(channel, phone=PHONE, click_id="Afunknown0123456789", now=hours_ago(2))
    world.intake()
    stored = conversion(world)
    assert (stored["attribution"], stored["state"]) == ("named_click_came", "pending")
    [merged] = world.rows("select merged_into from contacts where id = %s", told["contact_id"])
    [writer] = world.rows("select contact_id from messages")
    assert merged["merged_into"] == writer["contact_id"]


def test_a_lead_that_named_its_click_before_the_message_came_is_the_clicks_only_lead(world, channel):
    named = Person(click_id="Afunknown0123456789")
    report(world, sale(person=named, event_name="Lead"))
    world.receive_sample(channel, phone=PHONE, click_id="Afunknown0123456789", now=hours_ago(2))
    world.intake()
    assert conversion(world, "Lead")["state"] == "pending"


@pytest.mark.parametrize(
    ("first", "again", "state", "reason"),
    [
        ({"order": "A1"}, {"order": "A1"}, "duplicate", "same_order"),
        ({"order": "A1"}, {"order": "A2"}, "stored", None),
        ({"order": "A1"}, {"order": "A1", "order_source": "shop2"}, "stored", None),
        ({"order": "A1"}, {"order": "A1", "value": Decimal(7)}, "duplicate", "duplicate_other_value"),
        ({"order": "A1"}, {"order": "A1", "value": Decimal(7), "amends": True}, "changed", "amendment"),
        ({"order": "A1"}, {"order": "A1", "currency": "USD", "amends": True}, "refused", "currency_differs"),
        ({"idempotency_key": "k"}, {"idempotency_key": "k"}, "duplicate", "same_key"),
        ({"event_id": "e"}, {"event_id": "e"}, "duplicate", "same_key"),
        ({"event_name": "QualifiedLead"}, {"event_name": "QualifiedLead"}, "duplicate", "same_click"),
        ({"event_name": "Lead"}, {"event_name": "Lead"}, "duplicate", "same_click"),
    ],
)
def test_the_same_is_one_however_it_is_reported(world, channel, first, again, state, reason):
    click(world, channel)
    report(world, sale(**EUR | first))
    [told] = report(world, sale(**EUR | again), origin="csv")
    assert (told["state"], told["reason"]) == (state, reason)
    assert told["conversion_id"] is not None


def test_without_a_click_an_event_without_a_key_happens_once_per_contact(world, channel):
    report(world, sale(event_name="QualifiedLead"))
    [told] = report(world, sale(event_name="QualifiedLead"))
    assert (told["state"], told["reason"]) == ("duplicate", "same_contact")


def test_an_event_that_got_its_click_late_is_still_known_by_it(world, channel):
    report(world, sale(event_name="QualifiedLead"))
    click(world, channel)
    [told] = report(world, sale(event_name="QualifiedLead"))
    assert told["state"] == "duplicate"
    assert conversion(world, "QualifiedLead")["state"] == "pending"


def test_a_request_that_is_read_again_changes_nothing(world, channel):
    click(world, channel)
    request = uuid7()
    items = (sale(order="A1", **EUR), sale(order="A2"), Refusal("malformed", "value: not a number"))
    first = report(world, *items, webhook_id=request)
    again = report(world, *items, webhook_id=request)
    assert [(row["state"], row["reason"]) for row in first] == [
        ("stored", None), ("stored", None), ("refused", "malformed"),
    ]  # fmt: skip
    assert again == first
    assert len(world.deliveries()) == 3


def test_equal_amounts_from_two_sources_are_flagged_and_both_kept(world, channel):
    report(world, sale(order="A1", **EUR))
    report(world, sale(idempotency_key="k", **EUR), origin="csv")
    flags = world.rows("select source, flags from conversions order by created_at")
    assert flags == [{"source": "api", "flags": []}, {"source": "csv", "flags": ["maybe_twin"]}]


def test_an_old_sale_is_expired_at_once_and_an_old_click_is_flagged(world, channel):
    click(world, channel, hours=24 * 9)
    report(world, sale(order="old", occurred_at=hours_ago(24 * 7), **EUR), sale(order="new", **EUR))
    rows = world.rows(
        "select c.order_id, d.state, c.flags from conversions c join deliveries d on d.conversion_id = c.id"
        " where c.event_name = 'Purchase' order by c.order_id"
    )
    assert rows == [
        {"order_id": "new", "state": "pending", "flags": ["click_older_than_7_days"]},
        {"order_id": "old", "state": "expired", "flags": []},
    ]


def test_a_click_outside_the_window_of_its_dataset_counts_for_nothing(world, channel):
    world.execute("update datasets set attribution_days = 5")
    click(world, channel, hours=24 * 6)
    report(world, sale(order="A1", **EUR))
    stored = conversion(world)
    assert (stored["attribution"], stored["reason"]) == ("clicks_too_old", "unattributed")


def test_a_value_without_a_currency_takes_the_channels_or_is_refused(world, channel):
    report(world, sale(order="A1", value=Decimal(5)))
    stored = conversion(world)
    assert (stored["currency"], stored["flags"]) == ("BRL", ["currency_from_channel"])
    world.execute("update channels set currency = null")
    [told] = report(world, sale(order="A2", value=Decimal(5)))
    assert (told["state"], told["reason"]) == ("refused", "currency_unknown")


def test_a_purchase_of_nothing_is_refused_unless_the_dataset_allows_it(world, channel):
    click(world, channel)
    nothing = {"value": Decimal(0), "currency": "EUR"}
    [told] = report(world, sale(order="A1", **nothing))
    assert (told["state"], told["reason"]) == ("refused", "zero_value")
    world.execute("update datasets set allow_zero_value = true")
    [told] = report(world, sale(order="A1", **nothing))
    assert told["state"] == "stored"


def test_a_purchase_waits_for_its_value_and_goes_in_small_batches_then(world, channel):
    click(world, channel)
    report(world, sale(order="A1"))
    assert (conversion(world)["state"], conversion(world)["reason"]) == ("waiting", "waiting_for_value")
    [told] = report(world, sale(order="A1", **EUR))
    stored = conversion(world)
    assert (told["state"], told["reason"]) == ("changed", "value")
    assert (stored["state"], stored["reason"], stored["has_value"], stored["batch_cap"]) == ("pending", None, True, 10)
    assert (stored["value"], stored["currency"]) == (Decimal("49.90"), "EUR")


def test_an_amendment_changes_what_is_unsent_and_never_what_meta_has(world, channel):
    click(world, channel)
    report(world, sale(order="A1", **EUR))
    report(world, sale(order="A1", value=Decimal(60), currency="EUR", amends=True))
    assert conversion(world)["value"] == Decimal(60)
    world.send()
    report(world, sale(order="A1", value=Decimal(70), currency="EUR", amends=True))
    assert conversion(world)["value"] == Decimal(60)
    assert [row["value"] for row in world.rows("select value from conversion_changes order by created_at")] == [60, 70]


def test_what_takes_an_order_back_changes_its_purchase_whichever_came_first(world, channel):
    bought = click(world, channel, hours=3)
    back = {"event_name": "OrderReturned", "value": Decimal(10), "currency": "EUR"}
    report(world, sale(order="A1", idempotency_key="r1", occurred_at=hours_ago(0.3), **back))
    report(world, sale(order="A1", **EUR))
    click(world, channel, hours=0.5)
    report(world, sale(order="A1", idempotency_key="r2", occurred_at=hours_ago(0.2), **back))
    report(world, sale(order="A1", event_name="OrderCanceled", occurred_at=hours_ago(0.1)))
    changes = world.rows(
        "select kind, value, currency from conversion_changes where kind <> 'attribution' order by occurred_at"
    )
    assert changes == [
        {"kind": "refund", "value": Decimal(10), "currency": "EUR"},
        {"kind": "refund", "value": Decimal(10), "currency": "EUR"},
        {"kind": "cancellation", "value": None, "currency": None},
    ]
    canceled = conversion(world, "OrderCanceled")
    assert (canceled["touchpoint_id"], canceled["attribution"]) == (bought["id"], "order")
    [told] = report(world, sale(order="A1", event_name="OrderReturned", value=Decimal(1), currency="USD"))
    assert (told["state"], told["reason"]) == ("refused", "currency_differs")


def test_people_of_another_workspace_are_nobody(world, channel):
    click(world, channel)
    world.execute("insert into workspaces (name) values ('other')")
    [contact] = world.rows("select id from contacts")
    [told] = report(world, sale(person=Person(contact_id=contact["id"]), order="A1", **EUR), workspace="other")
    assert (told["state"], told["reason"]) == ("refused", "contact_unknown")
    [told] = report(world, sale(order="A1", **EUR), workspace="other")
    assert told["contact_id"] != contact["id"]


def test_a_new_name_joins_the_person_that_a_known_one_names(world, channel):
    click(world, channel)
    report(world, sale(person=Person(phone=PHONE, email="Ann@Example.com"), order="A1", **EUR))
    [told] = report(world, sale(person=Person(email=" ann@example.com"), order="A2", **EUR))
    assert told["state"] == "stored"
    assert len(world.rows("select from contacts")) == 1


def test_two_known_names_of_two_people_merge_nobody(world, channel):
    report(world, sale(person=Person(email="a@example.com"), order="A1", **EUR), sale(order="A2", **EUR))
    report(world, sale(person=Person(phone=PHONE, email="a@example.com"), order="A3", **EUR))
    assert world.rows("select merged_into from contacts") == [{"merged_into": None}] * 2


def test_a_key_without_permission_to_send_keeps_its_sales_unsent_whatever_click_comes(world, channel):
    report(world, sale(order="A1", **EUR), may_send=False)
    click(world, channel)
    assert (conversion(world)["state"], conversion(world)["reason"]) == ("skipped", "no_permission")


def test_an_item_that_the_database_refuses_is_refused_alone(world, channel):
    items = [sale(order="A\x00", **EUR), sale(order="A2", **EUR)]
    rows = report(world, *items, guarded=True)
    assert [(row["state"], row["reason"]) for row in rows] == [("refused", "cannot_be_stored"), ("stored", None)]


def test_the_first_touch_stays_when_an_older_click_comes_to_be_known(world, channel):
    first = click(world, channel, hours=2)
    click(world, channel, hours=50)
    assert [row["touchpoint_id"] for row in world.rows("select touchpoint_id from first_touches")] == [first["id"]]


def test_a_merge_brings_sales_and_clicks_together(world, channel):
    report(world, sale(order="A1", **EUR), sale(person=Person(bsuid="US.1"), event_name="QualifiedLead"))
    click(world, channel, phone="15550100002")
    [writer] = world.rows("select contact_id from messages")
    with world.runtime.pool.connection() as conn:
        merge_contacts(conn, conversion(world)["contact_id"], writer["contact_id"])
        contacts_merged(conn, [conversion(world)["contact_id"]], now=server_time(conn))
    assert (conversion(world)["attribution"], conversion(world)["state"]) == ("late_click", "pending")
    assert conversion(world, "QualifiedLead")["state"] == "skipped"
