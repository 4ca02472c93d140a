"""What a batch costs Postgres: statements by the batch, and not by the webhook."""

import math
from dataclasses import replace

import psycopg
import pytest

from shared.domain.submissions import Person
from tests.integration.workers.reports import EUR, hours_ago, report, sale
from workers.rule_book import RuleBook


@pytest.fixture
def statements(monkeypatch):
    """Every statement that cursors of this process execute, in order."""
    seen = []
    for name in ("execute", "executemany"):
        whole = getattr(psycopg.Cursor, name)

        def counted(self, query, params=None, *rest, _whole=whole, _name=name, **named):
            if query:  # an empty one is the pool's, which sees whether a connection still stands
                seen.extend([" ".join(str(query).split())[:80]] * (len(params) if _name == "executemany" else 1))
            return _whole(self, query, params, *rest, **named)

        monkeypatch.setattr(psycopg.Cursor, name, counted)
    return seen


def test_many_webhooks_cost_as_many_statements_as_one(world, statements):
    channel = world.add_channel(dataset_id=world.add_dataset())
    # Read once: on a slow machine a later batch would read them again, for their age.
    world.runtime = replace(world.runtime, rules=RuleBook(seconds=math.inf))
    costs = []
    # The first batch reads the rules, too.
    for count, first in ((1, 0), (1, 1), (48, 2)):
        for number in range(first, first + count):
            world.receive_sample(channel, phone=f"1555010{number:04d}")
        statements.clear()
        assert world.intake() == count
        read = len(statements)
        world.send()
        costs.append((read, len(statements) - read))
        assert set(world.states()) == {"accepted"}
    _, one, many = costs
    # Each with a new person, a new click and a new Lead: the dearest webhooks there are.
    assert one == many, "\n".join(statements)
    assert many[0] <= 30
    assert many[1] <= 15


def test_many_reported_items_cost_as_many_statements_as_one(world, statements):
    world.add_channel(dataset_id=world.add_dataset())
    costs = {}

    def cost(name, *items):
        statements.clear()
        told = report(world, *items, guarded=True)
        costs[name] = len(statements), "\n".join(statements)
        return {(row["state"], row["reason"]) for row in told}

    def sales(first, count, **said):
        return [
            sale(f"1555010{number:04d}", order=f"A{number}", **EUR | said) for number in range(first, first + count)
        ]

    # Of people and orders that nobody knows yet; then again; then with what takes them back.
    for name, first, count in (("one", 0, 1), ("many", 1, 50)):
        assert cost(name, *sales(first, count)) == {("stored", None)}
    assert cost("many again", *sales(1, 50)) == {("duplicate", "same_order")}
    assert cost("many returned", *sales(1, 50, event_name="OrderReturned")) == {("stored", None)}
    both = [*sales(100, 50), *sales(100, 50, event_name="OrderReturned", occurred_at=hours_ago(0.5))]
    assert cost("many with their returns", *both) == {("stored", None)}
    named = [
        sale(person=Person(click_id=f"Afnobody-knows-{number}"), order=f"B{number}", **EUR) for number in range(50)
    ]
    assert cost("many that name clicks", *named) == {("stored", None)}
    one, listed = costs["one"]
    assert one <= 30, listed
    for name in ("many", "many again", "many returned", "many that name clicks"):
        assert costs[name][0] <= one + 1, costs[name][1]  # the returns change their purchases, too
    assert costs["many with their returns"][0] <= 2 * one, costs["many with their returns"][1]


def test_one_bad_item_among_many_is_refused_alone_and_costs_few_statements(world, statements):
    world.add_channel(dataset_id=world.add_dataset())
    items = [sale(f"1555010{number:04d}", order=f"A{number}", **EUR) for number in range(64)]
    items[40] = sale("15550100040", order="A\x00", **EUR)
    statements.clear()
    told = report(world, *items, guarded=True)
    assert [row["reason"] for row in told if row["state"] == "refused"] == ["cannot_be_stored"]
    assert sum(row["state"] == "stored" for row in told) == 63
    # Halves of halves, and not one by one.
    assert len(statements) <= 64 * 4
