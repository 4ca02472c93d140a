"""Which conversion a message makes, by which key it can only ever be counted once, and to which click others belong.

Everything is pure.
"""

import hashlib
from collections.abc import Iterable
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


#: An event whose click is older than this is taken by Meta, and probably attributed to nothing. Meta documents no limit
#: for the click id; those who send many see none attributed later (https://docs.zernio.com).
META_WINDOW = timedelta(days=7)
#: The window of channels whose dataset says no other.
DEFAULT_WINDOW = timedelta(days=28)
OLD_CLICK = "click_older_than_7_days"


@dataclass(frozen=True, kw_only=True)
class Touch:
    """A touchpoint of a contact, as far as attribution looks at it.

    `window` is that of the dataset it is reported to, `sends_posts` whether its channel reports posts. `named`: it is
    the one whose click id the report of the conversion gave.
    """

    id: int
    message_class: MessageClass
    occurred_at: datetime
    window: timedelta = DEFAULT_WINDOW
    sends_posts: bool = False
    named: bool = False


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Which touchpoint a conversion belongs to (None: to no ad), why, and what is worth knowing about it."""

    touchpoint_id: int | None
    reason: str
    flags: tuple[str, ...] = ()


def attribute(touches: Iterable[Touch], *, occurred_at: datetime, click_named: bool = False) -> Attribution:
    """The last ad click before the conversion, within the window; a click that the report names goes before it.

    What came after the conversion never counts, so that a later click steals no earlier sale; for clocks that differ, a
    named click may seem to come a little later. `click_named`: the report gave a click id, perhaps of a click that is
    not among `touches`.
    """
    counted = sorted(
        (one for one in touches if one.message_class is not MessageClass.POST or one.sends_posts),
        key=lambda one: (one.occurred_at, one.message_class.rank, one.id),
        reverse=True,
    )
    named = [one for one in counted if one.named and one.occurred_at <= occurred_at + CLOCK_TOLERANCE]
    before = [one for one in counted if one.occurred_at <= occurred_at]
    for reason, found in (("named_click", named), (None, before)):
        for touch in found:
            if occurred_at - touch.occurred_at <= touch.window:
                old = occurred_at - touch.occurred_at > META_WINDOW
                return Attribution(
                    touchpoint_id=touch.id,
                    reason=reason or _LAST[touch.message_class],
                    flags=(OLD_CLICK,) if old else (),
                )
    if before:
        return Attribution(touchpoint_id=None, reason="clicks_too_old")
    if click_named and not any(one.named for one in counted):
        return Attribution(touchpoint_id=None, reason="click_id_unknown")
    return Attribution(touchpoint_id=None, reason="clicks_came_after" if counted else "no_ad")


_LAST = {
    MessageClass.AD: "last_click",
    MessageClass.AD_WITHOUT_CLICK_ID: "last_ad_message",
    MessageClass.POST: "last_post",
}
