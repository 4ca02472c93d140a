"""What another report of a known conversion says of it: nothing new, its first value, or another one."""

from datetime import datetime
from typing import Any

import psycopg

from shared.db.conversion_changes import NewChange, insert_changes
from shared.db.conversions import StoredConversion
from workers.reported import Reported, Stored
from workers.values import amend
from workers.worth import Worth

_SAME = {
    "order": "same_order",
    "idem": "same_key",
    "event": "same_key",
    "click": "same_click",
    "msg": "same_message",
    "contact": "same_contact",
}


def store_repeat(
    conn: psycopg.Connection[Any], known: StoredConversion, reported: Reported, worth: Worth, *, now: datetime
) -> Stored:
    """Stores what changes the known conversion. One that says nothing new costs no statement."""
    if known.id == reported.id:
        return Stored(state="stored", conversion_id=known.id)
    item = reported.item
    if worth.value is None:
        return Stored(state="duplicate", reason=_why_known(known), conversion_id=known.id)
    if known.value is not None and item.currency not in (None, known.currency):
        return Stored(state="refused", reason="currency_differs", detail=known.currency, conversion_id=known.id)
    if known.value is not None and (known.value == worth.value or not item.amends):
        reason = _why_known(known) if known.value == worth.value else "duplicate_other_value"
        return Stored(state="duplicate", reason=reason, conversion_id=known.id)
    change = NewChange(
        conversion_id=known.id,
        kind="value" if known.value is None else "amendment",
        value=worth.value,
        currency=item.currency or known.currency or worth.currency,
        occurred_at=item.occurred_at,
        source=reported.source,
        business_key=(item.order_id and item.idempotency_key) or f"{item.occurred_at.isoformat()}={worth.value:f}",
        submission_id=reported.submission_id,
        is_test=reported.is_test,
        detail={"before": None if known.value is None else f"{known.value:f}"},
    )
    if not insert_changes(conn, [change]):
        return Stored(state="duplicate", reason=_why_known(known), conversion_id=known.id)
    ready = amend(conn, known, change, flags=worth.flags if change.currency == worth.currency else (), now=now)
    return Stored(state="changed", reason=change.kind, conversion_id=known.id, ready=ready)


def _why_known(known: StoredConversion) -> str:
    return _SAME.get(known.business_key.partition(":")[0], "same_conversion")
