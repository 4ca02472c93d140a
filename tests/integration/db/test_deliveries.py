"""Births of deliveries over a real database."""

import dataclasses
from datetime import UTC, datetime

import pytest

from shared.db.deliveries import NewDelivery, insert_deliveries
from tests.integration.db.makers import add_channel, add_dataset, one


@pytest.fixture
def born(conn):
    """Makes a delivery of a new conversion; `business_key` is the delivery's, and never the conversion's."""
    dataset = add_dataset(conn)
    channel = add_channel(conn, dataset_id=dataset)
    contact = one(conn, "insert into contacts (workspace) values ('default') returning id")

    def make(business_key, **changes):
        conversion = one(
            conn,
            "insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source,"
            " attribution, business_key) values (gen_random_uuid(), 'default', %s, %s, 'Lead', now(), 'message',"
            " 'click_id', gen_random_uuid()::text) returning id",
            contact,
            channel,
        )
        values = {
            "conversion_id": conversion, "dataset_id": dataset, "event_name": "Lead", "business_key": business_key,
            "event_id": business_key, "event_time": datetime.now(UTC), "has_value": False, "state": "pending",
            "reason": None, "batch_cap": 50, "is_test": False,
        }  # fmt: skip
        return NewDelivery(**{**values, **changes})

    return make


def rows(conn):
    query = "select id, business_key, state, reason from deliveries order by id"
    return conn.execute(query).fetchall()


def test_deliveries_are_numbered_without_gaps(conn, born):
    assert insert_deliveries(conn, [born("a"), born("b"), born("c", state="skipped", reason="scope")]) == 3
    assert [row[0] for row in rows(conn)] == [1, 2, 3]


def test_a_twin_of_another_conversion_is_kept_as_a_skipped_duplicate(conn, born):
    first, twin = born("a"), born("a")
    assert insert_deliveries(conn, [first]) == 1
    assert insert_deliveries(conn, [twin, born("b")]) == 2
    assert sorted(row[1:] for row in rows(conn)) == [
        ("a", "pending", None),
        ("a", "skipped", "duplicate"),
        ("b", "pending", None),
    ]


def test_a_conversion_that_has_its_delivery_gets_no_second_one_in_whatever_state(conn, born):
    first = born("a")
    insert_deliveries(conn, [first])
    again = [first, dataclasses.replace(first, state="skipped", reason="scope")]
    assert insert_deliveries(conn, again) == 0
    assert len(rows(conn)) == 1
