"""How the deliveries of a workspace stand now: what waits, what became of the last days', how fast they went.

A workspace's deliveries are those to the datasets that its channels report to. So nothing has to be looked up by
delivery, except where a dataset is another workspace's as well. Every query has its index.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from shared.domain.deliveries import EXPIRES_AFTER

_WARNED_BEFORE = timedelta(hours=24)
#: Speeds are those of the newest so many accepted ones.
_NEWEST = 1000


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many deliveries to a dataset are in a state for a reason. `retried`: they were tried before."""

    dataset: str
    state: str
    reason: str | None
    retried: bool
    count: int
    last_accepted_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DeliveryCard:
    """What is under way at all, and what ended of those made within `within`.

    `p50_seconds` and `p95_seconds` are from the event's arrival here to Meta's acceptance; None without any.
    """

    within: timedelta
    counts: Sequence[Count] = field(default_factory=list)
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    oldest_waiting: datetime | None = None
    #: How many that are not settled will be too old for Meta within a day.
    expiring: int = 0

    def of(self, *states: str, retried: bool | None = None) -> int:
        """How many are in these states."""
        return sum(one.count for one in self.counts if one.state in states and retried in (None, one.retried))

    @property
    def acceptance(self) -> float | None:
        """The share that Meta accepted of what came to an end and was to be sent; None of none."""
        ended = self.of("accepted", "rejected", "expired")
        return self.of("accepted") / ended if ended else None

    @property
    def last_accepted(self) -> dict[str, datetime | None]:
        """When each dataset's newest acceptance was, by the dataset's name; None: none of late."""
        found: dict[str, datetime | None] = {}
        for one in self.counts:
            times = [at for at in (found.get(one.dataset), one.last_accepted_at) if at]
            found[one.dataset] = max(times, default=None)
        return found

    @property
    def reasons(self) -> list[tuple[str, str, int]]:
        """(state, reason, how many) of what was not sent or refused, the most frequent first."""
        counts: dict[tuple[str, str], int] = {}
        for one in self.counts:
            if one.reason and one.state in ("skipped", "rejected", "expired"):
                counts[one.state, one.reason] = counts.get((one.state, one.reason), 0) + one.count
        return sorted(((*key, count) for key, count in counts.items()), key=lambda row: (-row[2], row))


_OURS = """
    d.dataset_id = any(%(datasets)s) and (%(test)s or not d.is_test)
    and (d.dataset_id <> all(%(shared)s) or exists (
        select from conversions c where c.id = d.conversion_id and c.workspace = %(workspace)s))
"""
_COUNTS = f"""
select s.name as dataset, x.state, x.reason, x.retried, x.count, x.last_accepted_at
from (
    select dataset_id, state, reason, false as retried, count(*) as count, max(accepted_at) as last_accepted_at
    from deliveries d
    where created_at > now() - %(within)s and state in ('accepted', 'rejected', 'skipped', 'expired') and {_OURS}
    group by 1, 2, 3
    union all
    select dataset_id, state, null, attempts > 0, count(*), null from deliveries d
    where state = 'pending' and {_OURS} group by 1, 2, 4
    union all
    select dataset_id, state, reason, false, count(*), null from deliveries d
    where state = 'unknown' and {_OURS} group by 1, 2, 3
    union all
    select dataset_id, state, null, false, count(*), null from deliveries d
    where state = 'sending' and {_OURS} group by 1, 2
    union all
    select dataset_id, state, null, false, count(*), null from deliveries d
    where state = 'waiting' and {_OURS} group by 1, 2
) x join datasets s on s.id = x.dataset_id
order by 1, 2, 3 nulls first
"""
_SPEED = f"""
select percentile_cont(0.5) within group (order by took)::float8,
       percentile_cont(0.95) within group (order by took)::float8
from (
    select extract(epoch from accepted_at - created_at)::float8 as took from deliveries d
    where created_at > now() - %(within)s and state = 'accepted' and {_OURS}
    order by created_at desc, id desc limit {_NEWEST}
) x
"""
_OLDEST = f"""
select created_at from deliveries d where state in ('pending', 'waiting') and {_OURS} order by event_time limit 1
"""

_EXPIRING = f"""
select count(*) from deliveries d
where state in ('pending', 'waiting') and event_time < now() - %(aging)s and {_OURS}
"""


def read_delivery_card(conn: psycopg.Connection[Any], workspace: str, *, within: timedelta, test: bool) -> DeliveryCard:
    """The deliveries of a workspace, as they stand."""
    datasets, shared = _datasets(conn, workspace)
    asked = {"workspace": workspace, "within": within, "test": test, "datasets": datasets, "shared": shared}
    asked["aging"] = EXPIRES_AFTER - _WARNED_BEFORE
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        counts = cursor.execute(_COUNTS.encode(), asked).fetchall()
    speed = conn.execute(_SPEED.encode(), asked).fetchone() or (None, None)
    oldest = conn.execute(_OLDEST.encode(), asked).fetchone()
    expiring = conn.execute(_EXPIRING.encode(), asked).fetchone()
    return DeliveryCard(
        within=within,
        counts=counts,
        p50_seconds=speed[0],
        p95_seconds=speed[1],
        oldest_waiting=oldest[0] if oldest else None,
        expiring=expiring[0] if expiring else 0,
    )


def _datasets(conn: psycopg.Connection[Any], workspace: str) -> tuple[list[int], list[int]]:
    """The ids of a workspace's datasets, and of those of them that channels of another workspace report to as well."""
    rows = conn.execute(
        """
        select dataset_id, bool_or(workspace <> %(it)s) from channels where dataset_id is not null
        group by 1 having bool_or(workspace = %(it)s)
        """,
        {"it": workspace},
    ).fetchall()
    return [row[0] for row in rows], [row[0] for row in rows if row[1]]
