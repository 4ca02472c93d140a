"""What a value that came later does to a conversion and its deliveries. What Meta has, it keeps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from shared.db.conversion_changes import NewChange
from shared.db.conversions import StoredConversion, set_value
from shared.db.deliveries import give_value, lock_deliveries
from shared.domain.deliveries import HOLD_BATCH, is_aged


def amend(
    conn: psycopg.Connection[Any],
    known: StoredConversion,
    change: NewChange,
    *,
    flags: Sequence[str] = (),
    now: datetime,
) -> int:
    """Takes a new value over where nothing has been sent yet, and releases what waited for it; how many can be sent.

    Where something has, the conversion keeps the value that Meta was told, and the change stands beside it.
    """
    assert change.value is not None
    assert change.currency is not None
    deliveries = lock_deliveries(conn, known.id)
    if not all(delivery.is_unsent for delivery in deliveries):
        return 0
    set_value(conn, known.id, change.value, change.currency, flags)
    due_at = None if known.due_after is None else known.occurred_at + known.due_after
    return give_value(
        conn,
        known.id,
        batch_cap=HOLD_BATCH,
        due_at=due_at,
        # What is too old stays waiting for the sweeper, which ends it with its reason.
        release=not is_aged(known.occurred_at, now),
    )
