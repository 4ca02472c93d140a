"""Judging alerts: gather the facts, let the rules find, keep what they found, and say what is to be told.

The sweeper does it, so that it works with Redis gone. Sending is `workers.notices`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg

from shared.db.alert_facts import gather
from shared.db.alert_notices import News, insert_notice, mark_told, rounds_of_late, untold
from shared.db.alert_routes import Route, all_routes
from shared.db.alerts import end_unseen, rule_settings, see
from shared.domain.alerts import find_all
from shared.ids import uuid7
from shared.logs import get_logger
from workers.runtime import Runtime

log = get_logger(__name__)

#: A number that swings about its threshold makes one alert, not one each half minute.
QUIET_BEFORE_END = timedelta(minutes=5)
REMIND_AFTER = timedelta(days=1)
#: More news than this at once is told in one message.
SINGLY_AT_MOST = 3
#: After so many rounds of messages in an hour, what comes is gathered until the hour allows another.
ROUNDS_AN_HOUR = 10


def evaluate(runtime: Runtime) -> None:
    """One look at everything: opens, renews and ends alerts, and makes the notices about them. In one transaction."""
    with runtime.pool.connection() as conn:
        findings = find_all(gather(conn), rule_settings(conn))
        opened = see(conn, findings)
        ended = end_unseen(conn, after=QUIET_BEFORE_END)
        made = make_notices(conn)
    if opened or ended:
        log.warning("alerts changed", opened=opened, ended=ended, notices=made)


def make_notices(conn: psycopg.Connection[Any]) -> int:
    """Writes the messages about what nobody was told yet; how many. None without a route, or when it has been a lot."""
    news = untold(conn, remind_after=REMIND_AFTER)
    routes = all_routes(conn, enabled_only=True) if news else []
    if not routes or rounds_of_late(conn, within=timedelta(hours=1)) >= ROUNDS_AN_HOUR:
        return 0
    made = 0
    told: set[int] = set()
    for route in routes:
        for message in messages_for(route, news):
            insert_notice(
                conn,
                uuid7(),
                route.id,
                **{what: [one.alert_id for one in message if one.what == what] for what in _WHATS},
            )
            told |= {one.alert_id for one in message}
            made += 1
    mark_told(conn, told)
    return made


_WHATS = ("opened", "resolved", "reminded")


def messages_for(route: Route, news: Sequence[News]) -> list[list[News]]:
    """The news that concern a route, one a message, or all in one when they are many. Pure."""
    concern = [one for one in news if route.workspace in (None, one.workspace)]
    return [[one] for one in concern] if len(concern) <= SINGLY_AT_MOST else [concern]
