"""The days that figures are added up by: always what the rows say, whoever changed these, and whenever."""

from collections import Counter
from datetime import date

import psycopg
import pytest
from psycopg.rows import dict_row

from shared.db import rollups
from shared.db.rollups import DAYS, Span, add_zone, day_parameters, refresh, refresh_all, spans, touched_days
from tests.bench.plans import watched
from tests.integration.db.makers import one
from tests.integration.db.roi_rows import FIRST, KEY, SUMS, WHOLE, ZONES, Rows, by_hand


def added_up(conn, query, **parameters):
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, parameters).fetchall()
    keys = Counter(tuple(row[name] for name in KEY) for row in rows)
    assert max(keys.values(), default=1) == 1
    return {tuple(row[name] for name in KEY): {name: row[name] for name in SUMS} for row in rows}


def add_new(conn):
    """Adds what is new, and leaves what changed."""
    more = True
    while more:
        conn.commit()
        more = refresh(conn, again=False, most_single=7).more
    conn.commit()


def without(days, sums):
    return {key: values for key, values in sums.items() if key[0] not in days}


@pytest.mark.parametrize("seed", range(3))
def test_days_added_up_in_sql_are_what_counting_by_hand_gives(conn, seed):
    Rows(conn, seed).happen(250)
    for zone in ZONES:
        assert added_up(conn, DAYS, **day_parameters(conn, "default", zone, WHOLE)) == by_hand(conn, zone)
        assert added_up(conn, DAYS, **day_parameters(conn, "other", zone, WHOLE)) == {}


@pytest.mark.parametrize("seed", range(3))
def test_days_that_are_kept_stay_what_the_rows_say_while_these_change(conn, seed):
    rows = Rows(conn, seed)
    stored = "select * from roi_daily where zone = %(zone)s"
    for zone in ZONES[:3]:
        add_zone(conn, "default", zone)
    for step in range(12):
        (rows.happen if step % 3 == 0 else rows.arrive)(17)
        conn.commit()
        add_new(conn)
        for zone in ZONES[:3]:
            touched = set(touched_days(conn, "default", zone, WHOLE))
            assert without(touched, added_up(conn, stored, zone=zone)) == without(touched, by_hand(conn, zone))
        if step % 3 == 1:
            continue
        refresh_all(conn)
        for zone in ZONES[:3]:
            assert touched_days(conn, "default", zone, WHOLE) == []
            assert added_up(conn, stored, zone=zone) == by_hand(conn, zone)


def test_days_are_added_up_in_runs_without_a_gap():
    days = [date(2026, 11, n) for n in (3, 1, 2, 7, 9, 8, 3)]
    assert [(span.first.day, span.last.day) for span in spans(days)] == [(1, 3), (7, 9)]
    assert list(spans([])) == []


def test_a_day_that_was_touched_since_is_told_in_every_zone_it_may_lie_in(conn):
    for zone in ZONES[:3]:
        add_zone(conn, "default", zone)
    contact = one(conn, "insert into contacts (workspace) values ('default') returning id")
    conn.execute(
        "insert into conversions (id, workspace, contact_id, event_name, occurred_at, source, attribution,"
        " business_key) values (gen_random_uuid(), 'default', %s, 'Lead', '2026-11-01 17:20Z', 'api', 'x', 'k')",
        [contact],
    )
    assert touched_days(conn, "default", "UTC", WHOLE) == [date(2026, 11, 1)]
    assert touched_days(conn, "default", "America/Sao_Paulo", WHOLE) == [date(2026, 11, 1)]
    # 18:15 in UTC is midnight there; what is noted by the hour may lie on either side.
    assert touched_days(conn, "default", "Asia/Kathmandu", WHOLE) == [date(2026, 11, 1), date(2026, 11, 2)]
    day = Span(first=FIRST, last=FIRST)
    assert touched_days(conn, "other", "UTC", day) == [FIRST]
    assert touched_days(conn, "default", "Europe/Paris", day) == [FIRST]


def test_what_is_written_while_a_day_is_added_up_is_noted_for_the_next_time(conn, database_url):
    add_zone(conn, "default", "UTC")
    rows = Rows(conn, 9)
    rows.happen(30)
    conn.commit()
    with psycopg.connect(database_url) as other:
        rows.conn = other
        rows.conversion()
        refresh_all(conn)
        other.commit()
    assert touched_days(conn, "default", "UTC", WHOLE) != []
    refresh_all(conn)
    assert added_up(conn, "select * from roi_daily") == by_hand(conn, "UTC")


def test_what_is_new_is_added_without_adding_its_day_up_again(conn, monkeypatch):
    add_zone(conn, "default", "UTC")
    rows = Rows(conn, 5)
    for _ in range(4):
        rows.contacts = []
        for step in (rows.touchpoint, rows.conversion, rows.conversion):
            step()
        rows.contacts = []
        rows.organic()
        conn.commit()
        monkeypatch.setattr(rollups, "_add_up", lambda *_: pytest.fail("a day was read again"))
        refresh_all(conn)
        assert touched_days(conn, "default", "UTC", WHOLE) == []
        assert added_up(conn, "select * from roi_daily") == by_hand(conn, "UTC")


def test_what_is_written_between_the_steps_of_a_refresh_counts_once(conn, database_url, monkeypatch):
    add_zone(conn, "default", "UTC")
    rows = Rows(conn, 6)
    rows.happen(30)
    conn.commit()
    add_up = rollups._add_up

    def written_meanwhile(*parts):
        with psycopg.connect(database_url) as other:
            rows.conn = other
            rows.arrive(6)
            rows.reattribute()
        add_up(*parts)

    monkeypatch.setattr(rollups, "_add_up", written_meanwhile)
    refresh(conn)
    conn.commit()
    monkeypatch.undo()
    refresh_all(conn)
    assert added_up(conn, "select * from roi_daily") == by_hand(conn, "UTC")


def test_a_changed_conversion_is_worked_in_without_adding_its_day_up_again(conn, monkeypatch):
    add_zone(conn, "default", "UTC")
    rows = Rows(conn, 7)
    rows.happen(60)
    refresh_all(conn)
    monkeypatch.setattr(rollups, "_add_up", lambda *_: pytest.fail("a day was read again"))
    for _ in range(4):
        for step in (rows.change, rows.change, rows.reattribute, rows.change):
            step()
        conn.execute("update conversions set value = value + 1, cost = 3 where id = (select min(id::text)::uuid from"
                     " conversions where value is not null)")  # fmt: skip
        conn.execute("update conversion_changes set detail = '{}'")
        refresh_all(conn)
        assert touched_days(conn, "default", "UTC", WHOLE) == []
        assert added_up(conn, "select * from roi_daily") == by_hand(conn, "UTC")


def test_the_first_click_of_an_old_customer_touches_no_day_of_theirs(conn, monkeypatch):
    add_zone(conn, "default", "UTC")
    rows = Rows(conn, 8)
    rows.contacts = [one(conn, "insert into contacts (workspace) values ('default') returning id")]
    monkeypatch.setattr(rows.random, "random", lambda: 0.5)  # No other contact comes.
    for _ in range(3):
        rows.conversion()
    refresh_all(conn)
    monkeypatch.setattr(rollups, "_add_up", lambda *_: pytest.fail("a day was read again"))
    contact = rows.contacts[0]
    rows.touchpoint()
    conn.execute("insert into contacts (workspace, merged_into) values ('default', %s)", [contact])
    rows.reattribute()
    refresh_all(conn)
    assert added_up(conn, "select * from roi_daily") == by_hand(conn, "UTC")


def test_what_a_changed_conversion_costs_does_not_grow_with_its_day(conn):
    add_zone(conn, "default", "UTC")
    contact = one(conn, "insert into contacts (workspace) values ('default') returning id")
    conn.execute(
        "insert into conversions (id, workspace, contact_id, event_name, occurred_at, value, currency, source,"
        " attribution, business_key) select md5('c' || n)::uuid, 'default', %s, 'Purchase', '2026-11-01 17:20Z', 5,"
        " 'BRL', 'api', 'x', n from generate_series(1, 2000) n",
        [contact],
    )
    refresh_all(conn)
    conn.autocommit = True
    for table in ("conversions", "conversion_changes", "roi_daily", "roi_changes"):
        conn.execute(f"vacuum (analyze) {table}")
    conn.autocommit = False
    conn.execute(
        "insert into conversion_changes (id, conversion_id, kind, value, currency, occurred_at, source, business_key)"
        " values (gen_random_uuid(), md5('c1')::uuid, 'refund', 2, 'BRL', now(), 'api', 'r')"
    )
    with watched(conn) as plans:
        conn.commit()
        refresh(conn)
        conn.commit()
    assert one(conn, "select sum(refunds) from roi_daily where basis = 'conversion' and model = 'last'") == 2
    # The whole day would be 100,000. What other tests left behind in these tables was vacuumed.
    assert 10 < plans.blocks < 1000
