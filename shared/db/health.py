"""Reading what a channel's traffic says of its set-up: how much came, of what kind, and what was left out or known.

Nothing here writes. Webhooks that `ctwa reconcile` stored are left out: the provider didn't post them. What intake has
read was counted then (`shared/db/webhook_counts.py`); what waits is counted from its rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from shared.db.webhook_counts import RECONCILED


@dataclass(frozen=True, kw_only=True)
class ChannelTraffic:
    """What is stored of one channel's traffic. Rows of test channels count like any others.

    A day's worth, from the full hour on: `webhooks` that came (of those that wait the newest 10,000), `read` of them by
    intake, `with_messages` of those that held any, `messages` in them, `duplicates` of these that were known already,
    `ignored` reason -> count.
    A week's worth: `rejected` webhooks by reason; and of the newest 10,000 messages and touchpoints `classes` of
    messages, `blank` messages whose content never came (kind `unknown`), `flags` of touchpoints. `seconds_ago` is the
    age of the last webhook, or if none came in 8 days of the last message, None without any; `had_messages` and
    `had_ads` go back as far as messages and touchpoints are kept.
    """

    channel_id: int
    seconds_ago: float | None = None
    had_messages: bool = False
    had_ads: bool = False
    webhooks: int = 0
    read: int = 0
    with_messages: int = 0
    messages: int = 0
    duplicates: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    blank: int = 0
    flags: Mapping[str, int] = field(default_factory=dict)


#: So far back webhooks that wait are looked for.
_RECENT = timedelta(days=3)

# Each condition of those that wait is one partial index's, word for word: anything looser reads every webhook there is.
# How far back is a value: planning for each of forty days would cost more than reading does.
_EVER = """
with waiting as (
    select w.source_id, w.received_at, w.headers
    from unnest(%(ids)s::bigint[]) c (id)
    cross join lateral (
        select source_id, received_at, headers from webhooks
        where source = 'channel' and source_id = c.id and state = 'new' and crashes = 0
          and received_at > %(recent)s
        order by received_at desc limit 10000
    ) w
    union all
    select source_id, received_at, headers from webhooks
    where state = 'new' and crashes > 0 and source = 'channel' and source_id = any(%(ids)s)
      and received_at > %(recent)s
    union all
    select source_id, received_at, headers from webhooks
    where state = 'claimed' and source = 'channel' and source_id = any(%(ids)s) and received_at > %(recent)s
)
select c.id as channel_id, w.webhooks,
       coalesce(
           extract(epoch from now() - greatest(w.last_at,
               (select max(k.last_at) from webhook_counts k where k.channel_id = c.id)))::float8,
           extract(epoch from now() - greatest(
               (select m.received_at from messages m
                where m.channel_id = c.id and m.class <> 'organic'
                order by m.received_at desc limit 1),
               (select m.received_at from messages m
                where m.channel_id = c.id and m.direction = 'in' and m.class = 'organic'
                order by least(coalesce(m.sent_at, m.received_at), m.received_at) desc limit 1)))::float8
       ) as seconds_ago,
       -- In order, since for a mere `exists` the planner reads a whole table to find that a silent channel has none.
       (select 1 from messages m where m.channel_id = c.id order by m.message_id limit 1) is not null as had_messages,
       (select 1 from touchpoints t where t.channel_id = c.id order by t.occurred_at limit 1) is not null as had_ads
from channels c
cross join lateral (
    select count(*) filter (where received_at > now() - interval '1 day') as webhooks, max(received_at) as last_at
    from waiting where source_id = c.id and headers ->> 'user-agent' is distinct from %(ours)s
) w
where c.id = any(%(ids)s)
"""

_READ = """
select channel_id, kind, code, sum(count)::bigint as week,
       coalesce(sum(count) filter (where hour >= date_trunc('hour', now() - interval '1 day', 'UTC')), 0)::bigint as day
from webhook_counts
where channel_id = any(%(ids)s) and hour >= date_trunc('hour', now() - interval '7 days', 'UTC')
group by 1, 2, 3 having sum(count) > 0 order by 1, 2, 3
"""

# Each half has an index, that of ad messages for no more columns than these: with any other the planner may go by the
# time of arrival alone, and read the messages of all channels. What the business sent is organic.
_CLASSES = """
select m.channel_id, m.class, count(*), count(*) filter (where m.class = 'organic' and m.kind = 'unknown')
from unnest(%(ids)s::bigint[]) c (id)
cross join lateral (
    select * from (
        (select channel_id, class, kind, received_at from messages
         where channel_id = c.id and direction = 'in' and class = 'organic'
           and least(coalesce(sent_at, received_at), received_at) > now() - interval '7 days'
         order by least(coalesce(sent_at, received_at), received_at) desc limit 10000)
        union all
        (select channel_id, class, null, received_at from messages
         where channel_id = c.id and class <> 'organic' and received_at > now() - interval '7 days'
         order by received_at desc limit 10000)
    ) halves
    order by received_at desc limit 10000
) m
group by 1, 2 order by 1, 2
"""

_FLAGS = """
select t.channel_id, f.flag, count(*)
from unnest(%(ids)s::bigint[]) c (id)
cross join lateral (
    select channel_id, flags from touchpoints
    where channel_id = c.id and occurred_at > now() - interval '7 days'
    order by occurred_at desc limit 10000
) t
cross join lateral unnest(t.flags) f (flag) group by 1, 2 order by 1, 2
"""


def channel_traffic(conn: psycopg.Connection[Any], ids: Sequence[int]) -> dict[int, ChannelTraffic]:
    """The traffic of each of these channels, by the channel's id. Ages are by Postgres's clock."""
    asked = {"ids": list(ids), "ours": RECONCILED, "recent": datetime.now(UTC) - _RECENT}
    with conn.cursor(row_factory=class_row(ChannelTraffic)) as cursor:
        ever = {row.channel_id: row for row in cursor.execute(_EVER, asked).fetchall()}
    with conn.cursor(row_factory=dict_row) as cursor:
        counts: dict[int, list[dict[str, Any]]] = {}
        for row in cursor.execute(_READ, asked).fetchall():
            counts.setdefault(row["channel_id"], []).append(row)
    flags = _by_channel(conn, _FLAGS, asked)
    classes: dict[int, dict[str, int]] = {}
    blank: dict[int, int] = {}
    for channel_id, message_class, count, without_content in conn.execute(_CLASSES, asked).fetchall():
        classes.setdefault(channel_id, {})[message_class] = count
        blank[channel_id] = blank.get(channel_id, 0) + without_content
    return {
        channel_id: replace(
            _with_counts(one, counts.get(channel_id, [])),
            classes=classes.get(channel_id, {}),
            blank=blank.get(channel_id, 0),
            flags=flags.get(channel_id, {}),
        )
        for channel_id, one in ever.items()
    }


def _with_counts(waiting: ChannelTraffic, counts: Sequence[Mapping[str, Any]]) -> ChannelTraffic:
    """With what intake found in the webhooks that it has read."""

    def of_day(kind: str) -> int:
        return sum(row["day"] for row in counts if row["kind"] == kind)

    return replace(
        waiting,
        webhooks=waiting.webhooks + of_day("read") + of_day("rejected"),
        read=of_day("read"),
        with_messages=of_day("with_messages"),
        messages=of_day("messages"),
        duplicates=of_day("duplicates"),
        ignored={row["code"]: row["day"] for row in counts if row["kind"] == "ignored" and row["day"] > 0},
        rejected={row["code"]: row["week"] for row in counts if row["kind"] == "rejected"},
    )


def _by_channel(conn: psycopg.Connection[Any], query: str, asked: Mapping[str, Any]) -> dict[int, dict[str, int]]:
    """Counts of (channel, code) rows, by channel and code."""
    found: dict[int, dict[str, int]] = {}
    for channel_id, code, count in conn.execute(query, asked).fetchall():
        found.setdefault(channel_id, {})[code] = count
    return found
