"""What a click that comes late changes: conversions of which nothing was sent may become its own.

Late is a click whose message comes after the report of the sale, or that came to belong to the contact by a merge.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from shared.db import audit
from shared.db.channels import intake_channels
from shared.db.contact_changes import consents, refresh_contact
from shared.db.contacts import family_of, is_nameless, merge_into
from shared.db.conversion_changes import NewChange, insert_changes
from shared.db.conversions import (
    Reattributable,
    attribute_anew,
    conversion_by_id,
    conversions_of_orders,
    conversions_that_name,
    reattributable_conversions,
)
from shared.db.deliveries import insert_deliveries, lock_deliveries, rebear
from shared.db.touchpoints import TouchRow, contacts_of_clicks, touches_of
from shared.domain.attribution import OLD_CLICK, Attribution, attribute
from shared.domain.deliveries import State
from workers.births import new_delivery

_LATE = {"named_click": "named_click_came", "order": "order"}


def clicks_came(
    conn: psycopg.Connection[Any],
    clicks: Sequence[tuple[str, str]],
    contact_ids: Sequence[int],
    *,
    now: datetime,
) -> int:
    """Clicks (workspace, hash) have come of these contacts: completes what named them, and attributes anew what may
    be theirs. How many deliveries can be sent now."""
    concerned = set(contact_ids)
    naming = conversions_that_name(conn, clicks)
    owners = contacts_of_clicks(conn, [(workspace, click_hash) for workspace, click_hash, _ in naming])
    for workspace, click_hash, waiting in naming:
        owner = owners.get((workspace, click_hash))
        if owner is not None and owner != waiting and is_nameless(conn, waiting):
            merge_into(conn, owner, waiting)
            refresh_contact(conn, owner)
            detail = {"to": owner, "proven_by": ["click_id"]}
            audit.record(conn, actor="intake", action="contact.merge", subject=f"contact:{waiting}", detail=detail)
            concerned.add(owner)
        else:
            concerned.add(waiting)
    return reattribute(conn, sorted(concerned), now=now)


def contacts_merged(conn: psycopg.Connection[Any], contact_ids: Sequence[int], *, now: datetime) -> int:
    """Others turned out to be these contacts: what is known of them and their sales is known of one person now."""
    for contact_id in contact_ids:
        refresh_contact(conn, contact_id)
    return reattribute(conn, contact_ids, now=now)


def reattribute(conn: psycopg.Connection[Any], contact_ids: Sequence[int], *, now: datetime) -> int:
    """Looks again whose click each unsent conversion of these contacts is; how many deliveries can be sent now."""
    if not contact_ids:
        return 0
    return sum(_look_again(conn, one, now=now) for one in reattributable_conversions(conn, contact_ids))


def _look_again(conn: psycopg.Connection[Any], one: Reattributable, *, now: datetime) -> int:
    contacts = family_of(conn, one.contact_id)
    named = [one.given_click_hash] if one.given_click_hash else []
    touches = {row.id: row for row in touches_of(conn, one.workspace, contacts[:1], click_hashes=named)}
    found = _attribution(conn, one, touches)
    deliveries = lock_deliveries(conn, one.id)
    touch = touches.get(found.touchpoint_id or 0)
    if any(delivery.state in ("sending", "accepted", "unknown", "rejected") for delivery in deliveries):
        return 0
    if found.touchpoint_id != one.touchpoint_id:
        _write(conn, one, found)
    elif not any(delivery.reason == "no_click_id" for delivery in deliveries):
        return 0
    target = intake_channels(conn, [touch.channel_id]).get(touch.channel_id) if touch else None
    if target is None or target.dataset_id is None:
        return 0
    conversion = conversion_by_id(conn, one.id)
    born = new_delivery(
        conversion,
        target,
        now=now,
        has_click_id=touch is not None and touch.has_click_id,
        consent=consents(conn, contacts[:1]).get(contacts[0]),
    )
    if not deliveries:
        insert_deliveries(conn, [born])
        return int(born.state == State.PENDING)
    return sum(rebear(conn, delivery.id, born) == State.PENDING for delivery in deliveries[:1])


def _attribution(conn: psycopg.Connection[Any], one: Reattributable, touches: Mapping[int, TouchRow]) -> Attribution:
    if one.order_id is not None and one.event_name != "Purchase":
        for other in conversions_of_orders(conn, one.workspace, [one.order_id]):
            is_purchase = other.event_name == "Purchase" and one.business_key.startswith(other.business_key)
            if is_purchase and other.touchpoint_id in touches:
                return Attribution(touchpoint_id=other.touchpoint_id, reason="order")
    return attribute(
        [row.touch(named=one.given_click_hash) for row in touches.values()],
        occurred_at=one.occurred_at,
        click_named=one.given_click_hash is not None,
    )


def _write(conn: psycopg.Connection[Any], one: Reattributable, found: Attribution) -> None:
    """The new attribution, and a change that says what it was before."""
    reason = _LATE.get(found.reason, "late_click") if found.touchpoint_id is not None else found.reason
    flags = sorted({flag for flag in one.flags if flag != OLD_CLICK} | set(found.flags))
    attribute_anew(conn, one.id, touchpoint_id=found.touchpoint_id, reason=reason, flags=flags)
    change = NewChange(
        conversion_id=one.id,
        kind="attribution",
        value=None,
        currency=None,
        occurred_at=one.occurred_at,
        source="message",
        business_key=f"touchpoint:{one.touchpoint_id}>{found.touchpoint_id}",
        submission_id=None,
        is_test=one.is_test,
        detail={
            "before": {"touchpoint": one.touchpoint_id, "attribution": one.attribution},
            "after": {"touchpoint": found.touchpoint_id, "attribution": reason},
        },
    )
    insert_changes(conn, [change])
