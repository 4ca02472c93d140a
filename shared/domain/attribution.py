"""Which conversion a message makes, and by which key it can only ever be counted once. Everything is pure."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.messages import MessageClass, Referral

#: The inside name of the event a new click makes. What Meta's live API calls it is `shared.capi.payload`'s business.
LEAD = "Lead"

#: How far ahead of us a provider's clock may be before its time of a message is not believed.
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class AutomaticLead:
    """The Lead that an ad message makes by itself.

    `business_key` is fixed at birth. `attribution` says why it belongs to the touchpoint.
    """

    business_key: str
    click_hash: str | None
    attribution: str


def automatic_lead(
    message_class: MessageClass,
    referral: Referral | None,
    *,
    contact_id: int,
    occurred_at: datetime,
    post_policy: str = "ignore",
) -> AutomaticLead | None:
    """The Lead of this message, or None: organic messages make none, nor do a post's buttons unless sent on purpose.

    One click id is one Lead, whichever message or channel of the workspace brings it. Without a click id, one contact
    is one Lead for an ad and a day (UTC), so that the cost per lead stays true.
    """
    if referral is None or message_class is MessageClass.ORGANIC:
        return None
    if message_class is MessageClass.POST and post_policy != "send":
        return None
    if referral.click_id is not None:
        click_hash = hash_click_id(referral.click_id)
        return AutomaticLead(business_key=f"click:{click_hash}", click_hash=click_hash, attribution="click_id")
    ad = referral.source_id or hashlib.sha256((referral.source_url or "").encode()).hexdigest()[:16]
    day = occurred_at.astimezone(UTC).date().isoformat()
    return AutomaticLead(business_key=f"ad:{contact_id}:{ad}:{day}", click_hash=None, attribution="ad_message")


def hash_click_id(click_id: str) -> str:
    """The SHA-256 of a click id, in hex: what keys and look-ups use, so that the id itself can be purged."""
    return hashlib.sha256(click_id.encode("utf-8", "surrogatepass")).hexdigest()


def message_time(sent_at: datetime | None, received_at: datetime) -> datetime:
    """When a message counts as sent: the provider's time, unless it has none or lies in our future.

    Old times are kept: a message that was held back is a late touchpoint, not a new one.
    """
    if sent_at is None or sent_at > received_at + CLOCK_TOLERANCE:
        return received_at
    return min(sent_at, received_at)
