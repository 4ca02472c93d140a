"""How the deliveries of a workspace stand: what is under way, what came to which end, how fast they went.

What came to an end is read from `delivery_counts`, whole hours at a time. What is under way is counted from the rows: a
workspace's are those to the datasets that its channels report to, so that nothing has to be looked up by delivery,
except where a dataset is another workspace's as well. Every query has its index.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from shared.domain.deliveries import EXPIRES_AFTER

_WARNED_BEFORE = timedelta(hours=24)
#: Speeds are those of the newest so many accepted ones of each dataset.
NEWEST = 1000


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many deliveries to a dataset are in a state for a reason. `retried`: they were tried before."""

    dataset: str
    state: str
    reason: str | None
    retried: bool
    count: int


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Of what Meta accepted: seconds from the conversion's arrival here to Meta's answer, half of them below `median`,
    95 % below `p95`; how many tries it took on average; when the last one was accepted. None without any."""

    median_seconds: float | None = None
    p95_seconds: float | None = None
    attempts: float | None = None
    last_accepted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryFigures:
    """`last_accepted` is by the name of each dataset that the workspace uses; None: none of late."""

    counts: Sequence[Count] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    last_accepted: dict[str, datetime | None] = field(default_factory=dict)
    oldest_waiting: datetime | None = None
    #: How many that are not settled will be too old for Meta within a day.
    expiring: int = 0

    def of(self, *states: str, retried: bool | None = None) -> int:
        """How many are in these states."""
        return sum(one.count for one in self.counts if one.state in states and retried in (None, one.retried))

    @property
    def states(self) -> Counter[str]:
        """How many are in each state."""
        found: Counter[str] = Counter()
        for one in self.counts:
            found[one.state] += one.count
        return found

    @property
    def acceptance(self) -> float | None:
        """The share that Meta accepted of what came to an end and was to be sent; None of none."""
        ended = self.of("accepted", "rejected", "expired")
        return self.of("accepted") / ended if ended else None

    @property
    def reasons(self) -> list[tuple[str, str, int]]:
        """(state, reason, how many) of what was not sent or refused, the most frequent first."""
        counts: Counter[tuple[str, str]] = Counter()
        for one in self.counts:
            if one.reason and one.state in ("skipped", "rejected", "expired"):
                counts[one.state, one.reason] += one.count
        return sorted(((*key, count) for key, count in counts.items()), key=lambda row: (-row[2], row))


_OURS = """
    d.dataset_id = any(%(datasets)s) and (%(test)s or not d.is_test)
    and (d.dataset_id <> all(%(shared)s) or exists (
        select from conversions c where c.id = d.conversion_id and c.workspace = %(workspace)s))
"""
#: The hour in which `since` lies is counted row by row: only a part of it is asked for.
_ENDED = """
select s.name as dataset, x.state, x.reason, false as retried, sum(x.count)::bigint as count
from (
    select dataset_id, state, reason, count from delivery_counts
    where workspace = %(workspace)s and hour >= %(whole_hours)s and (%(test)s or not is_test)
    union all
    select d.dataset_id, d.state, case when d.state <> 'accepted' then d.reason end, 1
    from deliveries d join conversions c on c.id = d.conversion_id
    where d.created_at >= %(since)s and d.created_at < %(whole_hours)s
      and d.state in ('accepted', 'rejected', 'skipped', 'expired')
      and c.workspace = %(workspace)s and (%(test)s or not d.is_test)
) x join datasets s on s.id = x.dataset_id
group by 1, 2, 3 having sum(x.count) > 0
order by 1, 2, 3 nulls first
"""
_UNDER_WAY = f"""
select s.name as dataset, x.state, x.reason, x.retried, x.count
from (
    select dataset_id, state, null as reason, attempts > 0 as retried, count(*) from deliveries d
    where state = 'pending' and created_at >= %(under_way)s and {_OURS} group by 1, 2, 4
    union all
    select dataset_id, state, reason, false, count(*) from deliveries d
    where state = 'unknown' and created_at >= %(under_way)s and {_OURS} group by 1, 2, 3
    union all
    select dataset_id, state, null, false, count(*) from deliveries d
    where state = 'sending' and created_at >= %(under_way)s and {_OURS} group by 1, 2
    union all
    select dataset_id, state, null, false, count(*) from deliveries d
    where state = 'waiting' and created_at >= %(under_way)s and {_OURS} group by 1, 2
) x join datasets s on s.id = x.dataset_id
order by 1, 2, 3 nulls first
"""
_PACE = f"""
select percentile_cont(0.5) within group (order by took)::float8 as median_seconds,
       percentile_cont(0.95) within group (order by took)::float8 as p95_seconds,
       avg(attempts)::float8 as attempts, max(accepted_at) as last_accepted_at
from unnest(%(datasets)s::bigint[]) s (id)
cross join lateral (
    select extract(epoch from accepted_at - created_at)::float8 as took, attempts, accepted_at from deliveries d
    where d.dataset_id = s.id and state = 'accepted' and accepted_at >= %(since)s and {_OURS}
    order by accepted_at desc limit {NEWEST}
) d
"""
_LAST = f"""
select s.name, (select accepted_at from deliveries d
                where d.dataset_id = s.id and state = 'accepted' and accepted_at >= %(since)s and {_OURS}
                order by accepted_at desc limit 1)
from datasets s where s.id = any(%(datasets)s) order by 1
"""
_OLDEST = f"""
select created_at from deliveries d where state in ('pending', 'waiting') and {_OURS} order by event_time limit 1
"""
_EXPIRING = f"""
select count(*) from deliveries d
where state in ('pending', 'waiting') and event_time < now() - %(aging)s and {_OURS}
"""


def read_delivery_figures(
    conn: psycopg.Connection[Any],
    workspace: str,
    *,
    since: datetime | None,
    test: bool,
    under_way_since: datetime | None = None,
) -> DeliveryFigures:
    """The deliveries of a workspace: what ended of those made since then, and what is under way.

    Of what is under way all is counted, or with `under_way_since` what was made since then.
    """
    datasets, shared = _datasets(conn, workspace)
    since = since or datetime.min.replace(tzinfo=UTC)
    asked = {
        "workspace": workspace,
        "since": since,
        "whole_hours": _next_hour(since),
        "under_way": under_way_since or datetime.min.replace(tzinfo=UTC),
        "test": test,
        "datasets": datasets,
        "shared": shared,
        "aging": EXPIRES_AFTER - _WARNED_BEFORE,
    }
    with conn.cursor(row_factory=class_row(Count)) as cursor:
        counts = cursor.execute(_ENDED, asked).fetchall()
        if datasets:
            counts += cursor.execute(_UNDER_WAY.encode(), asked).fetchall()
    if not datasets:
        return DeliveryFigures(counts=counts)
    with conn.cursor(row_factory=class_row(Pace)) as cursor:
        pace = cursor.execute(_PACE.encode(), asked).fetchone()
    oldest = conn.execute(_OLDEST.encode(), asked).fetchone()
    expiring = conn.execute(_EXPIRING.encode(), asked).fetchone()
    return DeliveryFigures(
        counts=counts,
        pace=pace or Pace(),
        last_accepted=dict(conn.execute(_LAST.encode(), asked).fetchall()),
        oldest_waiting=oldest[0] if oldest else None,
        expiring=expiring[0] if expiring else 0,
    )


def _next_hour(moment: datetime) -> datetime:
    """The first whole hour at or after it, of UTC."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + timedelta(hours=1)


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
