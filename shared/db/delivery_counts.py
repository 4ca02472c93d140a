"""The `delivery_counts` table: how many deliveries came to which end, by workspace, dataset and hour.

Triggers add a row for whatever changes, in its own transaction; adding rows up changes no sum.
"""

from typing import Any

import psycopg

_LOCK = 7_226_292_004
#: An hour with more rows than this among the newest is added up.
_MANY = 30
_NEWEST = 5_000


def add_up(conn: psycopg.Connection[Any]) -> int:
    """Makes one row of those that count the same, in the hours that were written most of late; how many it took away.

    The caller commits.
    """
    if conn.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone() != (True,):
        return 0
    return conn.execute(
        """
        with newest as (
            select workspace, hour from (
                select workspace, hour from delivery_counts order by id desc limit %(newest)s
            ) n group by 1, 2 having count(*) > %(many)s
        ), gone as (
            delete from delivery_counts d using newest n
            where d.workspace = n.workspace and d.hour = n.hour returning d.*
        ), kept as (
            insert into delivery_counts (workspace, dataset_id, hour, state, reason, is_test, count)
            select workspace, dataset_id, hour, state, reason, is_test, sum(count) from gone
            group by 1, 2, 3, 4, 5, 6 having sum(count) <> 0
        )
        select from gone
        """,
        {"newest": _NEWEST, "many": _MANY},
    ).rowcount
