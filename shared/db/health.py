"""Reading what a channel's traffic says of its set-up: how much came, of what kind, and what was left out or known.

Nothing here writes. Webhooks that `ctwa reconcile` stored are left out: the provider didn't post them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import class_row

#: The user agent of webhooks that we fetched ourselves.
RECONCILED = "ctwa-reconcile"
_POSTED = "w.source = 'channel' and w.source_id = any(%(ids)s) and w.headers ->> 'user-agent' is distinct from %(ours)s"


@dataclass(frozen=True, kw_only=True)
class ChannelTraffic:
    """What is stored of one channel's traffic. Rows of test channels count like any others.

    A day's worth: `webhooks` that came, `read` of them by intake, `with_messages` of those that held any, `messages` in
    them, `duplicates` of these that were known already, `ignored` reason -> count (webhooks without messages are kept
    for some hours only).
    A week's worth: `rejected` webhooks by reason; and of the newest 10,000 messages and touchpoints `classes` of
    messages, `blank` messages whose content never came (kind `unknown`), `flags` of touchpoints. `seconds_ago` is the
    age of the last webhook, or if none of 3 days is kept of the last message, None without any; `had_messages` and
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


_EVER = """
select c.id as channel_id,
       -- Further back the newest message has to do: all other channels' webhooks would have to be read.
       coalesce(
           (select extract(epoch from now() - w.received_at)::float8 from webhooks w
            where w.source = 'channel' and w.source_id = c.id and w.headers ->> 'user-agent' is distinct from %(ours)s
              and w.received_at > now() - interval '3 days'
            order by w.received_at desc limit 1),
           (select extract(epoch from now() - m.received_at)::float8 from messages m
            where m.channel_id = c.id and m.direction = 'in' order by m.received_at desc limit 1)) as seconds_ago,
       exists (select from messages m where m.channel_id = c.id) as had_messages,
       exists (select from touchpoints t where t.channel_id = c.id) as had_ads
from channels c where c.id = any(%(ids)s)
"""

_DAY = f"""
select w.source_id as channel_id, count(*) as webhooks, count(*) filter (where w.state = 'done') as read,
       count(*) filter (where w.messages > 0) as with_messages,
       coalesce(sum(w.messages), 0)::bigint as messages, coalesce(sum(w.duplicates), 0)::bigint as duplicates
from webhooks w where {_POSTED} and w.received_at > now() - interval '1 day' group by w.source_id
"""

_IGNORED = f"""
select w.source_id, i.key, sum(i.value::bigint)::bigint
from webhooks w cross join lateral jsonb_each_text(w.ignored) i
where {_POSTED} and w.received_at > now() - interval '1 day' and w.ignored <> '{{}}' group by 1, 2 order by 1, 2
"""

_REJECTED = f"""
select w.source_id, w.reason, count(*) from webhooks w
where {_POSTED} and w.state = 'rejected' and w.received_at > now() - interval '7 days' group by 1, 2 order by 1, 2
"""

_CLASSES = """
select m.channel_id, m.class, count(*), count(*) filter (where m.class = 'organic' and m.kind = 'unknown')
from unnest(%(ids)s::bigint[]) c (id)
cross join lateral (
    select channel_id, class, kind from messages
    where channel_id = c.id and direction = 'in' and received_at > now() - interval '7 days'
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
    asked = {"ids": list(ids), "ours": RECONCILED}
    with conn.cursor(row_factory=class_row(ChannelTraffic)) as cursor:
        ever = {row.channel_id: row for row in cursor.execute(_EVER, asked).fetchall()}
        days = {row.channel_id: row for row in cursor.execute(_DAY, asked).fetchall()}
    ignored, rejected, flags = (_by_channel(conn, query, asked) for query in (_IGNORED, _REJECTED, _FLAGS))
    classes: dict[int, dict[str, int]] = {}
    blank: dict[int, int] = {}
    for channel_id, message_class, count, without_content in conn.execute(_CLASSES, asked).fetchall():
        classes.setdefault(channel_id, {})[message_class] = count
        blank[channel_id] = blank.get(channel_id, 0) + without_content
    return {
        channel_id: ChannelTraffic(
            channel_id=channel_id,
            seconds_ago=one.seconds_ago,
            had_messages=one.had_messages,
            had_ads=one.had_ads,
            webhooks=day.webhooks,
            read=day.read,
            with_messages=day.with_messages,
            messages=day.messages,
            duplicates=day.duplicates,
            ignored=ignored.get(channel_id, {}),
            rejected=rejected.get(channel_id, {}),
            classes=classes.get(channel_id, {}),
            blank=blank.get(channel_id, 0),
            flags=flags.get(channel_id, {}),
        )
        for channel_id, one in ever.items()
        for day in [days.get(channel_id, ChannelTraffic(channel_id=channel_id))]
    }


def _by_channel(conn: psycopg.Connection[Any], query: str, asked: Mapping[str, Any]) -> dict[int, dict[str, int]]:
    """Counts of (channel, code) rows, by channel and code."""
    found: dict[int, dict[str, int]] = {}
    for channel_id, code, count in conn.execute(query, asked).fetchall():
        found.setdefault(channel_id, {})[code] = count
    return found
