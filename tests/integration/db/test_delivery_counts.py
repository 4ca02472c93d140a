"""The counts of deliveries that ended: always what the rows say, whatever became of these, and added up or not."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.rows import dict_row

from shared.db.delivery_counts import add_up
from shared.db.delivery_figures import read_delivery_figures
from shared.db.quality import Which, duplicates_of
from tests.integration.db.makers import add_channel, add_dataset, add_deliveries, one

ENDED = ("accepted", "rejected", "skipped", "expired")
TIMES = {
    "pending": "next_attempt_at", "unknown": "unknown_since", "accepted": "accepted_at", "waiting": None,
    "rejected": "finished_at", "skipped": "finished_at", "expired": "finished_at",
}  # fmt: skip
NOW = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
#: Days of some zones end within an hour.
UNTIL = datetime(2026, 11, 20, 11, 15, tzinfo=UTC)


def change(conn, rng, states):
    """Brings a random part of the deliveries, all in one statement, to a random state."""
    state = rng.choice(states)
    times = {column: None for column in TIMES.values() if column}
    if column := TIMES[state]:
        times[column] = NOW
    if state == "accepted":
        times["finished_at"] = NOW
    settings = ", ".join(f"{column} = %({column})s" for column in times)
    conn.execute(
        f"update deliveries set state = %(state)s, reason = %(reason)s, {settings} where id %% %(n)s = %(rest)s",
        {
            "state": state, "reason": rng.choice(["no_click_id", "duplicate"]) if state != "pending" else None,
            "n": (n := rng.randint(2, 5)), "rest": rng.randrange(n), **times,
        },
    )  # fmt: skip


def by_hand(conn, workspace, since, test):
    """(state, reason or None) -> how many, of the rows themselves."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "select d.*, c.workspace from deliveries d join conversions c on c.id = d.conversion_id"
        ).fetchall()
    found = {}
    for row in rows:
        if row["workspace"] == workspace and row["created_at"] >= since and (test or not row["is_test"]):
            key = (row["state"], None if row["state"] in ("accepted", "pending", "waiting") else row["reason"])
            found[key] = found.get(key, 0) + 1
    return found


def read(conn, workspace, since, test):
    figures = read_delivery_figures(conn, workspace, since=since, test=test, under_way_since=since)
    found = {}
    for count in figures.counts:
        found[count.state, count.reason] = found.get((count.state, count.reason), 0) + count.count
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_counts_are_what_the_rows_say_through_every_change(conn, seed):
    rng = random.Random(seed)
    dataset = add_dataset(conn)
    conn.execute("insert into workspaces (name) values ('other')")
    channel, other = add_channel(conn, dataset_id=dataset), add_channel(conn, "other", dataset_id=dataset)
    conn.execute("update channels set workspace = 'other' where id = %s", [other])
    for number in range(12):
        made = NOW - timedelta(minutes=rng.randrange(9 * 60))
        test = rng.random() < 0.2
        add_deliveries(conn, dataset, channel, 12, prefix=str(number), created_at=made, is_test=test)
        add_deliveries(
            conn, dataset, other, 3, prefix=f"other {number}", created_at=made, state="skipped", reason="consent",
            finished_at=NOW, next_attempt_at=None,
        )  # fmt: skip
        conn.execute("update conversions set workspace = 'other' where channel_id = %s", [other])
        conn.execute(
            "update delivery_counts set workspace = 'other' where reason = 'consent'"
        )  # the maker knows one workspace only
        for _ in range(rng.randrange(5)):
            change(conn, rng, list(TIMES))
        if rng.random() < 0.5:
            conn.execute("delete from deliveries where id % 17 = 3")
        if rng.random() < 0.5:
            add_up(conn)
        for since in (NOW - timedelta(hours=3, minutes=10), NOW - timedelta(days=2)):
            for workspace in ("default", "other"):
                assert read(conn, workspace, since, True) == by_hand(conn, workspace, since, True)
                assert read(conn, workspace, since, False) == by_hand(conn, workspace, since, False)
                duplicates = duplicates_of(conn, Which(workspace=workspace, since=since, until=UNTIL)).events
                everything, later = (by_hand(conn, workspace, moment, False) for moment in (since, UNTIL))
                key = ("skipped", "duplicate")
                assert duplicates == everything.get(key, 0) - later.get(key, 0)


def test_adding_up_makes_one_row_of_many_and_forgets_nothing(conn):
    dataset = add_dataset(conn)
    add_deliveries(conn, dataset, add_channel(conn, dataset_id=dataset), 80, created_at=NOW)
    for number in range(40):
        conn.execute(
            "update deliveries set state = 'accepted', next_attempt_at = null, accepted_at = %s, finished_at = %s"
            " where id in (select id from deliveries where state = 'pending' order by id limit 2)",
            [NOW + timedelta(seconds=number), NOW + timedelta(seconds=number)],
        )
    assert one(conn, "select count(*) from delivery_counts") == 40
    assert add_up(conn) == 40
    assert conn.execute("select state, count from delivery_counts").fetchall() == [("accepted", 80)]
    assert add_up(conn) == 0
    figures = read_delivery_figures(conn, "default", since=None, test=False)
    assert figures.of("accepted") == 80
    assert figures.last_accepted == {"main": NOW + timedelta(seconds=39)}
    assert (figures.pace.median_seconds, figures.acceptance) == (19.5, 1.0)
