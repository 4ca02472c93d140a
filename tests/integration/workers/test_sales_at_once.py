"""Sales and clicks that are stored at the same moment, by threads over a real database: none is lost or doubled."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.attribution import hash_click_id
from shared.domain.submissions import Person
from tests.integration.workers.reports import EUR, PHONE, conversion, hours_ago, report, sale

CLICK = "Afat-the-same-moment-0123456789"


def at_once(*tasks):
    """Runs all of them from the same moment on."""
    gate = threading.Barrier(len(tasks))

    def run(task):
        gate.wait(timeout=30)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(run, task) for task in tasks]]


def test_an_order_that_is_reported_at_once_by_many_is_one(world):
    world.add_channel(dataset_id=world.add_dataset())
    ends = at_once(*[lambda: report(world, sale(order="A1", **EUR)) for _ in range(4)])
    assert sorted(rows[0]["state"] for rows in ends) == ["duplicate"] * 3 + ["stored"]
    assert conversion(world)["order_id"] == "A1"


def test_a_sale_and_its_click_at_the_same_moment_find_each_other(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    report(world, sale(event_name="QualifiedLead"))
    for number in range(6):
        phone = f"1555010020{number}"
        report(world, sale(phone, event_name="QualifiedLead"))
        world.receive_sample(channel, phone=phone, click_id=f"{CLICK}{number}", now=hours_ago(2))
        named = Person(click_id=f"{CLICK}{number}")
        at_once(
            world.intake,
            lambda phone=phone, number=number: report(world, sale(phone, order=f"A{number}", **EUR)),
            lambda named=named, number=number: report(world, sale(person=named, order=f"B{number}", **EUR)),
        )
        world.intake()
    rows = world.rows(
        "select c.order_id, t.click_hash, d.state from conversions c join deliveries d on d.conversion_id = c.id"
        " left join touchpoints t on t.id = c.touchpoint_id where c.event_name = 'Purchase' order by c.order_id"
    )
    wanted = [hash_click_id(f"{CLICK}{number}") for number in range(6)] * 2
    assert [(row["click_hash"], row["state"]) for row in rows] == [(click, "pending") for click in wanted]


def test_the_first_touch_is_set_once_however_many_messages_come_at_once(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    report(world, sale(event_name="QualifiedLead"))
    for number in range(8):
        world.receive_sample(channel, phone=PHONE, click_id=f"{CLICK}{number}", now=hours_ago(number + 1))
    at_once(*[world.intake for _ in range(4)])
    world.intake()
    assert len(world.rows("select from first_touches")) == 1
    assert len(world.rows("select from touchpoints")) == 8


STEPS = st.permutations(
    [("click", 50.0), ("click", 30.0), ("click", 2.0), ("sale", 40.0), ("sale", 20.0), ("sale", 1.0), ("back", 0.5)]
)


@settings(max_examples=12, deadline=timedelta(seconds=60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_comes_first_each_sale_ends_with_the_click_before_it(world, steps):
    """Nothing is sent meanwhile, so the end may not depend on the order in which things became known."""
    world.execute("truncate conversions, contacts, webhooks, submissions, datasets, channels cascade")
    channel = world.add_channel(dataset_id=world.add_dataset(sending="dry-run"))
    for kind, hours in steps:
        if kind == "click":
            world.receive_sample(channel, phone=PHONE, click_id=f"{CLICK}{hours}", now=hours_ago(hours))
            world.intake()
        elif kind == "sale":
            report(world, sale(order=f"A{hours}", occurred_at=hours_ago(hours), **EUR))
        else:
            report(world, sale(order="A20.0", event_name="OrderCanceled", occurred_at=hours_ago(hours)))
    rows = world.rows(
        "select c.event_name, c.order_id, t.click_id, d.state from conversions c"
        " join deliveries d on d.conversion_id = c.id left join touchpoints t on t.id = c.touchpoint_id"
        " where c.event_name <> 'Lead' order by c.occurred_at"
    )
    assert [(row["order_id"], row["click_id"], row["state"]) for row in rows] == [
        ("A40.0", f"{CLICK}50.0", "pending"),
        ("A20.0", f"{CLICK}30.0", "pending"),
        ("A1.0", f"{CLICK}2.0", "pending"),
        ("A20.0", f"{CLICK}30.0", "pending"),
    ]
    changes = world.rows("select kind from conversion_changes where kind <> 'attribution'")
    assert changes == [{"kind": "cancellation"}]
