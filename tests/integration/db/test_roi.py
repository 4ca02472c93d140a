"""The cells that figures are made of: what counting by hand gives, whether days are kept or added up afresh."""

from collections import defaultdict
from datetime import timedelta
from itertools import product

import pytest
from psycopg.rows import dict_row

from shared.db import roi
from shared.db.roi import Question, look_at_days, read_cells, read_speeds
from shared.db.rollups import Span, add_zone, refresh_all
from tests.integration.db.roi_rows import FIRST, KEY, LAST, Rows, by_hand

ZONE = "America/Sao_Paulo"
SUMS = ("events", "gross", "refunds", "cost", "costed")
PARTS = ("day", "channel_id", "ad_id")


def expected(conn, question, by):
    """The cells of by_hand that the question asks for, added up by its parts, margins applied."""
    margins = dict(conn.execute("select id, margin_percent from channels where margin_percent is not null").fetchall())
    found = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    for key, sums in by_hand(conn, ZONE).items():
        cell = dict(zip(KEY, key, strict=True))
        if not (
            question.span.first <= cell["day"] <= question.span.last
            and (
                cell["event_name"] == "conversation"
                or (cell["basis"], cell["model"]) == (question.basis, question.model)
            )
            and (not question.channel_ids or cell["channel_id"] in question.channel_ids)
            and (not question.placements or cell["placement"] in question.placements)
            and (question.test or not cell["is_test"])
        ):
            continue
        margin = margins.get(cell["channel_id"])
        group = (
            *(cell[part] if part in by else None for part in PARTS),
            cell["class"],
            cell["event_name"],
            cell["currency"],
        )
        for name in ("events", "gross", "refunds"):
            found[group][name] += sums[name]
        found[group]["cost"] += sums["cost"] + (0 if margin is None else sums["uncosted"] * (100 - margin) / 100)
        found[group]["costed"] += sums["costed"] if margin is None else sums["events"]
    return dict(found)


def cells(conn, question, by):
    rows = read_cells(conn, question, look_at_days(conn, question, ZONE), by=by)
    made = {
        (row.day, row.channel_id, row.ad_id, row.message_class, row.event_name, row.currency): {
            name: getattr(row, name) for name in SUMS
        }
        for row in rows
    }
    assert len(made) == len(rows)
    return made


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kept", ["nothing", "everything", "what was there before"])
def test_cells_are_what_counting_by_hand_gives(conn, seed, kept):
    rows = Rows(conn, seed)
    conn.execute("update channels set margin_percent = 40 where id = %s", [rows.channels[0]])
    if kept != "nothing":
        add_zone(conn, "default", ZONE)
    rows.happen(150)
    refresh_all(conn)
    if kept == "what was there before":
        rows.happen(20)
    spans = (Span(first=FIRST, last=LAST), Span(first=FIRST + timedelta(days=5), last=FIRST + timedelta(days=11)))
    for span, basis, model, channels, placements, test, by in product(
        spans, ("click", "conversion"), ("last", "first"), ((), rows.channels[1:]), ((), ("facebook",)), (False, True),
        ((), ("day",), ("channel_id", "ad_id")),
    ):  # fmt: skip
        question = Question(
            workspace="default", span=span, basis=basis, model=model, channel_ids=channels, placements=placements,
            test=test,
        )  # fmt: skip
        assert cells(conn, question, by) == expected(conn, question, by)


def test_some_ads_and_the_rest_are_together_all(conn):
    Rows(conn, 3).happen(120)
    question = Question(workspace="default", span=Span(first=FIRST, last=LAST), test=True)
    days = look_at_days(conn, question, ZONE)

    def events(**ads):
        return sum(cell.events for cell in read_cells(conn, question, days, by=(), **ads))

    assert events(only_ads=["1"]) > 0
    assert events(only_ads=["1"]) + events(without_ads=["1"]) == events()
    assert events(only_ads=[]) == 0


def test_days_with_too_much_to_add_up_at_once_are_as_of_their_last_time(conn, monkeypatch):
    add_zone(conn, "default", "UTC")
    rows = Rows(conn, 4)
    rows.happen(60)
    refresh_all(conn)
    conn.execute("update conversions set cost = null")
    question = Question(workspace="default", span=Span(first=FIRST, last=LAST), test=True)
    assert look_at_days(conn, question, "UTC").as_of is None
    monkeypatch.setattr(roi, "MOST_EVENTS_AT_ONCE", 3)
    days = look_at_days(conn, question, "UTC")
    assert days.touched == []
    assert days.as_of is not None
    assert read_cells(conn, question, days, by=()) != []
    # Those of a zone that is new are not added up at once either.
    add_zone(conn, "default", ZONE)
    assert look_at_days(conn, question, ZONE).as_of is not None


def test_medians_are_those_of_the_clicks_asked_for(conn):
    rows = Rows(conn, 5)
    rows.happen(150)
    conn.execute("update touchpoints set first_reply_at = occurred_at + id * interval '1 minute' where id % 2 = 0")
    question = Question(workspace="default", span=Span(first=FIRST, last=LAST), test=True)
    found = {speeds.name: speeds for speeds in read_speeds(conn, question, ZONE)}
    grouped = {speeds.name: speeds for speeds in read_speeds(conn, question, ZONE, {"1": "both", "2": "both"})}
    assert set(grouped) == {"both", "", None}
    assert grouped["both"].replies == found["1"].replies + found["2"].replies
    assert grouped[None] == found[None]
    with conn.cursor(row_factory=dict_row) as cursor:
        clicks = cursor.execute("select * from touchpoints where class <> 'post'").fetchall()
        sales = cursor.execute(
            "select * from conversions where event_name = 'Purchase' and source <> 'meta_automatic'"
        ).fetchall()
    for ad_id, speeds in found.items():
        mine = {one["id"]: one for one in clicks if ad_id is None or (one["ad_id"] or "") == ad_id}
        replies = sorted(
            (one["first_reply_at"] - one["occurred_at"]).total_seconds()
            for one in mine.values()
            if one["first_reply_at"]
        )
        bought = sorted(
            (one["occurred_at"] - mine[one["touchpoint_id"]]["occurred_at"]).total_seconds()
            for one in sales
            if one["touchpoint_id"] in mine
        )
        assert (speeds.replies, speeds.purchases) == (len(replies), len(bought))
        assert speeds.reply_seconds == (pytest.approx(median(replies)) if replies else None)
        assert speeds.purchase_seconds == (pytest.approx(median(bought)) if bought else None)
    assert None in found


def median(values):
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
