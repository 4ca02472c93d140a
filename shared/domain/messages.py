"""What an inbound message says: who wrote, when, and which ad (if any) brought them.

Providers' words end here: every adapter in `shared/providers` turns its own payload into these types, and the
rest of the product knows nothing else. Everything is pure.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import phonenumbers

from shared.domain.signals import Order

#: The longest click id that is taken for one. Real ones have 103 to 139 characters; a strict parser in
#: production allows 2,048, and nothing longer could be a click id.
MAX_CLICK_ID = 2048

#: Values that bot frameworks put where a click id belongs, to decorate a message with a fake ad preview.
FORGED_CLICK_IDS = frozenset({"ctwa_clid_example"})

#: Values that stand for a click id in documentation and test fixtures, compared without regard to case:
#: `CTWA_CLID` in pywa's test fixtures, `<AD_CLICK_ID>` and `ADID`, `MEDIA-ID` on Meta's pages
#: (https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/text/),
#: the others are the same idea in other spellings, and words that log scrubbers leave behind.
PLACEHOLDER_CLICK_IDS = frozenset(
    {
        "ctwa_clid",
        "ctwaclid",
        "ctwa_click_id",
        "your_ctwa_clid",
        "ad_click_id",
        "click_id",
        "adid",
        "ad_id",
        "ad-id",
        "media-id",
        "redacted",
        "redigido",
        "removed",
        "masked",
        "hidden",
    }
)

#: How an absent value looks after somebody's string conversion.
_ABSENT = frozenset({"", "null", "undefined", "none", "nil"})

# `Af…(redigido)`, `Af***`, `<AD_CLICK_ID>`, `{{ctwa_clid}}`: an ellipsis, asterisks, bullets or brackets.
# None of these characters was ever seen in a real click id, whose alphabet is A-Z a-z 0-9 _ -.
_REDACTED = re.compile(r"…|\.\.\.|\*{3}|•|[<>{}()\[\]]")


class MessageClass(StrEnum):
    """What a message means for attribution; the rules are in `classify`."""

    ORGANIC = "organic"
    AD = "ad"
    AD_WITHOUT_CLICK_ID = "ad_without_click_id"
    POST = "post"

    @property
    def rank(self) -> int:
        """How much the class says of an ad: a message that is announced twice keeps the higher one."""
        return LEAST_TO_MOST.index(self)


LEAST_TO_MOST = (MessageClass.ORGANIC, MessageClass.POST, MessageClass.AD_WITHOUT_CLICK_ID, MessageClass.AD)


@dataclass(frozen=True, kw_only=True)
class Referral:
    """What the message says of the ad or post that was tapped.

    `click_id` is usable as it stands (see `clean_click_id`); `source_id` is the ad's id as text;
    `source_type` is the provider's word in lower case; `flags` says what was wrong, e.g.
    `placeholder_click_id`.
    """

    click_id: str | None = field(default=None, repr=False)
    source_id: str | None = None
    source_type: str | None = None
    source_url: str | None = None
    headline: str | None = None
    body: str | None = None
    media_type: str | None = None
    media_url: str | None = None
    source_app: str | None = None
    conversion_data: str | None = field(default=None, repr=False)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Message:
    """One live message that a person sent to the business; echoes, statuses and edits never get here.

    `phone` is the digits the provider gave, which may be no valid number; `lid` is `<digits>@lid`;
    `provider_id` is set only when the sender has none of the other names; `sent_at` is aware UTC;
    `channel_ref` is the business number as the provider names it (phone number id, channel id). `referral` is
    None exactly when the class is organic. `text` and `order` are for the rules: they are read in memory, and are no
    part of the row.
    """

    message_id: str
    message_class: MessageClass
    referral: Referral | None = None
    phone: str | None = field(default=None, repr=False)
    bsuid: str | None = field(default=None, repr=False)
    parent_bsuid: str | None = field(default=None, repr=False)
    lid: str | None = field(default=None, repr=False)
    provider_id: str | None = field(default=None, repr=False)
    kind: str | None = None
    sent_at: datetime | None = None
    channel_ref: str | None = None
    text: str | None = field(default=None, repr=False)
    order: Order | None = field(default=None, repr=False)

    def as_row(self) -> dict[str, object]:
        """Return the message as JSON-ready values, every key always present, in a fixed order.

        `phone` is in E.164 (`+` and digits), or None if no such number can exist; `phone_digits` is what came.
        """
        referral = self.referral or Referral()
        return {
            "message_id": self.message_id,
            "class": self.message_class.value,
            "click_id": referral.click_id,
            "source_id": referral.source_id,
            "source_type": referral.source_type,
            "source_url": referral.source_url,
            "headline": referral.headline,
            "body": referral.body,
            "media_type": referral.media_type,
            "media_url": referral.media_url,
            "source_app": referral.source_app,
            "conversion_data": referral.conversion_data,
            "phone": phone_e164(self.phone),
            "phone_digits": self.phone,
            "bsuid": self.bsuid,
            "parent_bsuid": self.parent_bsuid,
            "lid": self.lid,
            "provider_id": self.provider_id,
            "sent_at": _iso(self.sent_at),
            "channel_ref": self.channel_ref,
            "kind": self.kind,
            "flags": list(referral.flags),
        }


@dataclass(frozen=True, kw_only=True)
class AutomaticEvent:
    """A conversion that Meta detected itself and tells us of; `message_id` is the message it was seen in.

    `value` is in whole units of `currency` (the wire carries price x 1000).
    """

    message_id: str
    event_name: str
    click_id: str | None = field(default=None, repr=False)
    value: Decimal | None = None
    currency: str | None = None
    at: datetime | None = None

    def as_row(self) -> dict[str, object]:
        """Return the event as JSON-ready values; `value` is text, so that no float touches money."""
        return {
            "message_id": self.message_id,
            "event_name": self.event_name,
            "click_id": self.click_id,
            "value": None if self.value is None else format(self.value, "f"),
            "currency": self.currency,
            "at": _iso(self.at),
        }


def classify(referral: Referral | None) -> MessageClass:
    """Return what a message with this referral is.

    A referral must name something: a click id (also one we refuse to use), an ad id or an ad URL. One that
    names nothing is organic. A post's button is `post` even with a click id, for posts aren't paid.
    """
    if referral is None:
        return MessageClass.ORGANIC
    if not (referral.click_id or referral.source_id or referral.source_url or referral.flags):
        return MessageClass.ORGANIC
    if (referral.source_type or "").strip().lower() == "post":
        return MessageClass.POST
    return MessageClass.AD if referral.click_id else MessageClass.AD_WITHOUT_CLICK_ID


def clean_click_id(text: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the click id to use, or None, and what is wrong with the text that was given.

    Blank text and `null` give `(None, ())`. A usable id comes back as it was but for blanks around it: it is
    opaque and case-sensitive.
    """
    if text is None:
        return None, ()
    click_id = text.strip()
    if click_id.lower() in _ABSENT:
        return None, ()
    if len(click_id) > MAX_CLICK_ID:
        return None, ("overlong_click_id",)
    if click_id.lower() in FORGED_CLICK_IDS:
        return None, ("forged_click_id",)
    if click_id.lower() in PLACEHOLDER_CLICK_IDS or _REDACTED.search(click_id):
        return None, ("placeholder_click_id",)
    # isprintable is False for control and format characters, lone surrogates and every blank but the plain
    # space.
    if " " in click_id or not click_id.isprintable():
        return None, ("malformed_click_id",)
    return click_id, ()


def phone_e164(digits: str | None) -> str | None:
    """Return `+<digits>` in E.164, or None when there are no digits or no such number can exist."""
    if not digits:
        return None
    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
