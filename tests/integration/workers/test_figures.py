"""From a webhook to a figure: what intake reads and what is reported is in the figures once the sweeper was there."""

import dataclasses
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg

from shared.db import roi, rollups
from shared.db.roi import Question, look_at_days, read_cells
from shared.db.rollups import Span
from tests.integration.receiver.harness import wait_until
from tests.integration.workers.reports import PHONE, hours_ago, report, sale
from workers import sweeper
from workers.sweeper import Sweeper

EUR = {"currency": "EUR"}


def figures(world):
    """As a page has them: the time they are of, None when they are up to date; and (events, net revenue) by event."""
    today = datetime.now(UTC).date()
    span = Span(first=today - timedelta(days=2), last=today + timedelta(days=1))
    with psycopg.connect(world.url) as conn:
        question = Question(workspace="default", span=span)
        days = look_at_days(conn, question, "UTC")
        cells = read_cells(conn, question, days, by=())
    found = {}
    for cell in cells:
        events, net = found.get(cell.event_name, (0, 0))
        found[cell.event_name] = events + cell.events, net + cell.gross - cell.refunds
    return days.as_of, found


def test_what_comes_stands_in_the_figures_after_a_sweep_and_their_time_is_gone(world, monkeypatch):
    channel = world.add_channel(dataset_id=world.add_dataset(), currency="EUR")
    # No page adds days up itself that have something in them, and no sweep adds a whole day up.
    monkeypatch.setattr(roi, "MOST_EVENTS_AT_ONCE", 0)
    monkeypatch.setattr(sweeper, "ADD_UP_RESTS", 0)
    stopping = threading.Event()
    settings = dataclasses.replace(world.runtime.settings, sweep_seconds=0.05)
    one = Sweeper(dataclasses.replace(world.runtime, stopping=stopping, settings=settings))
    one.sweep()
    wait_until(lambda: world.rows("select from roi_zones where zone = 'UTC'"))
    monkeypatch.setattr(rollups, "_add_touched", lambda *_: 0)

    def comes_to(expected):
        as_of, before = figures(world)
        assert as_of is not None
        assert before != expected
        wait_until(lambda: one.sweep() or figures(world) == (None, expected))

    world.receive_sample(channel, phone=PHONE, now=hours_ago(5))
    world.receive_ads(channel, 2)
    world.receive_sample(channel, "organic", phone="15550100777")
    world.intake()
    wait_until(lambda: one.sweep() or not world.rows("select 1 from roi_changes"))
    assert figures(world) == (None, {"conversation": (4, 0), "Lead": (3, 0)})

    report(world, sale(order="A1", value=Decimal("49.90"), **EUR), sale(order="A2", value=Decimal(10), **EUR))
    comes_to({"conversation": (4, 0), "Lead": (3, 0), "Purchase": (2, Decimal("59.90"))})

    report(world, sale(order="A1", event_name="OrderReturned", value=Decimal("9.90"), **EUR))
    returned = {"OrderReturned": (1, Decimal("9.90"))}
    comes_to({"conversation": (4, 0), "Lead": (3, 0), "Purchase": (2, Decimal("50.00")), **returned})
    assert world.rows("select * from roi_changes") == []
