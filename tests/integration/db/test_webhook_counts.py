"""The counts of what webhooks held: always what the rows say, whatever was read, read again, or added up."""

import random
from collections import Counter
from uuid import uuid4

import pytest
from psycopg.rows import dict_row

from shared.db import webhook_counts
from shared.db.health import channel_traffic
from shared.db.repairs import replay_webhooks
from shared.db.webhooks import IntakeResult, claim_webhooks, finish_webhooks
from tests.integration.db.makers import add_channel, add_webhooks, one

RECONCILED = f'{{"user-agent": "{webhook_counts.RECONCILED}"}}'


def result(rng, webhook):
    """What intake may find in a webhook."""
    if rng.random() < 0.3:
        reason = rng.choice(["not_json", "too_deep"])
        return IntakeResult(id=webhook.id, received_at=webhook.received_at, state="rejected", reason=reason)
    held = rng.choice([0, 0, 1, 3])
    return IntakeResult(
        id=webhook.id, received_at=webhook.received_at, state="done", messages=held, duplicates=rng.randint(0, held),
        ignored=rng.choice([{}, {"statuses": 2}, {"statuses": 1, "group": 4}]),
    )  # fmt: skip


def by_hand(conn, channel):
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "select * from webhooks where source = 'channel' and source_id = %s", [channel]
        ).fetchall()
    rows = [row for row in rows if "user-agent" not in row["headers"]]
    read = [row for row in rows if row["state"] == "done"]
    ignored = Counter()
    for row in read:
        ignored.update(row["ignored"])
    return {
        "webhooks": len(rows),
        "read": len(read),
        "with_messages": sum(row["messages"] > 0 for row in read),
        "messages": sum(row["messages"] for row in read),
        "duplicates": sum(row["duplicates"] for row in read),
        "ignored": dict(ignored),
        "rejected": dict(Counter(row["reason"] for row in rows if row["state"] == "rejected")),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_counts_are_what_the_rows_say_through_every_change(conn, seed):
    rng = random.Random(seed)
    channels = [add_channel(conn), add_channel(conn, "silent"), add_channel(conn, "other")]
    for _ in range(12):
        for channel in (channels[0], channels[2]):
            add_webhooks(conn, channel, rng.randint(1, 6))
        add_webhooks(conn, channels[0], 1, crashes=1)
        conn.execute(
            "update webhooks set headers = %s where id = (select id from webhooks where state = 'new' and crashes = 0"
            " and messages is null limit 1)",
            [RECONCILED],
        )
        token = uuid4()
        claimed = claim_webhooks(conn, token=token, lease_seconds=60, each=5)
        results = [result(rng, webhook) for webhook in claimed if rng.random() < 0.8]
        assert finish_webhooks(conn, token, results) == len(results)
        if rng.random() < 0.5:
            again = [one_result.id for one_result in results[::2]]
            assert replay_webhooks(conn, [*again, uuid4()]) == len(again)
        if rng.random() < 0.5:
            webhook_counts.add_up(conn)
        for channel, traffic in channel_traffic(conn, channels).items():
            expected = by_hand(conn, channel)
            assert {name: getattr(traffic, name) for name in expected} == expected
            assert (traffic.seconds_ago is None) == (not expected["webhooks"])


def test_adding_up_makes_few_rows_of_many_and_old_ones_go(conn):
    channel = add_channel(conn)
    for _ in range(40):
        add_webhooks(conn, channel, 1)
        token = uuid4()
        [webhook] = claim_webhooks(conn, token=token, lease_seconds=60)
        finish_webhooks(
            conn, token, [IntakeResult(id=webhook.id, received_at=webhook.received_at, state="done", messages=2)]
        )
    before = channel_traffic(conn, [channel])[channel]
    assert (before.read, before.with_messages, before.messages) == (40, 40, 80)
    assert webhook_counts.add_up(conn) == 120
    assert one(conn, "select count(*) from webhook_counts") in (3, 6)  # the hour may have ended meanwhile
    assert webhook_counts.add_up(conn) == 0
    assert channel_traffic(conn, [channel])[channel] == before
    conn.execute("update webhook_counts set hour = hour - interval '9 days' where kind = 'read'")
    assert webhook_counts.delete_old_counts(conn, limit=10) in (1, 2)
    assert channel_traffic(conn, [channel])[channel].webhooks == 0
