"""The form of each kind of submission, as schemas that the OpenAPI document is made of as well. Pure.

What takes a look at the database (whether a contact, a channel or an order is known) is not looked at here.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from shared.capi.payload import FORBIDDEN, LONGEST_CLICK_ID
from shared.domain.submission_fields import (
    MAX_ID,
    MAX_LABEL,
    Amount,
    Currency,
    Email,
    EventName,
    Flag,
    FreeData,
    Moment,
    Number,
    Phone,
    Text,
)

MAX_CONTENTS = 100
MAX_TAGS = 50
_OWN = "is a field of the conversion itself: give it there, not in custom_data"
_NOT_CUSTOM: Mapping[str, str] = {
    **dict.fromkeys(("value", "currency", "order_id", "contents"), _OWN),
    **dict.fromkeys(sorted(FORBIDDEN), "is refused by Meta in messaging events: leave it out"),
}


def _about(words: str, example: Any = None) -> dict[str, Any]:
    return {"description": words} | ({} if example is None else {"examples": [example]})


class _Form(Schema):
    class Meta:
        unknown = RAISE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages |= {"unknown": "is no field here", "type": "must be an object"}

    def on_bind_field(self, field_name: str, field_obj: Any) -> None:
        field_obj.error_messages |= {"required": "must be there", "null": "must not be null: leave it out"}


class PersonSchema(_Form):
    """Whom it is about, by at least one name. The first that is known decides, in the order of these fields."""

    id = Number(metadata=_about("Our own id of the contact.", 4711))
    phone = Phone(metadata=_about("An international number, with its country code.", "+15550100123"))
    bsuid = Text(longest=MAX_ID, metadata=_about("WhatsApp's business-scoped user id.", "US.13491208655302741918"))
    email = Email(metadata=_about("An e-mail address.", "jane@example.com"))
    click_id = Text(
        longest=LONGEST_CLICK_ID,
        ascii_only=True,
        metadata=_about("The click id (Meta's ctwa_clid) of the ad message that brought them."),
    )

    @validates_schema
    def has_a_name(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if not data:
            raise ValidationError("must have a phone, bsuid, email, click_id or id")


class ContentSchema(_Form):
    """One thing that was sold (https://developers.facebook.com/docs/marketing-api/conversions-api/parameters)."""

    id = Text(longest=MAX_ID, numbers=True, required=True, metadata=_about("The product's id.", "SKU-1"))
    quantity = Number(most=1_000_000, metadata=_about("How many.", 2))
    item_price = Amount(metadata=_about("The price of one, in the conversion's currency.", "9.99"))
    delivery_category = fields.String(
        validate=validate.OneOf(["in_store", "curbside", "home_delivery"], error="must be one of {choices}"),
        metadata=_about("How it is delivered."),
    )


class _Item(_Form):
    contact = fields.Nested(PersonSchema, required=True)


class ConversionSchema(_Item):
    """One conversion that the business saw: a lead, a qualified lead, a sale, or what became of one."""

    event_name = EventName(required=True, metadata=_about("One of Meta's events.", "Purchase"))
    occurred_at = Moment(
        required=True, metadata=_about("When it happened, never when it is reported.", "2026-11-24T18:00:00+01:00")
    )
    value = Amount(
        metadata=_about("What it is worth. A Purchase may come without one, and waits for it.", "129.90"),
    )
    currency = Currency(metadata=_about("ISO 4217. Without it, a value is in the currency of the channel.", "EUR"))
    order_id = Text(longest=MAX_ID, numbers=True, metadata=_about("The shop's id of the order.", "A-1001"))
    order_source = Text(longest=64, metadata=_about("Tells the orders of two shops apart; default: default.", "shop"))
    event_id = Text(longest=MAX_ID, numbers=True, metadata=_about("The business's own id of this event.", "evt-81"))
    idempotency_key = Text(
        longest=MAX_ID, metadata=_about("What makes it the same one when it is reported again.", "crm-81")
    )
    contents = fields.List(
        fields.Nested(ContentSchema),
        validate=validate.Length(max=MAX_CONTENTS, error="must have at most {max} entries"),
        error_messages={"invalid": "must be a list"},
        metadata=_about("What was sold."),
    )
    custom_data = FreeData(not_here=_NOT_CUSTOM, metadata=_about("What else Meta is to get.", {"plan": "yearly"}))
    cost = Amount(metadata=_about("What it cost the business, for the profit; never sent.", "40.00"))
    channel = Text(longest=MAX_LABEL, metadata=_about("The channel's name; default: that of the click.", "sales"))
    amends = Flag(metadata=_about("Gives a conversion that is known a new value, where it would be a duplicate."))


class StageSchema(_Item):
    """A contact has come to a stage of the business's own funnel."""

    stage = Text(longest=MAX_LABEL, required=True, metadata=_about("The stage's name.", "qualified"))
    occurred_at = Moment(metadata=_about("When; default: now.", "2026-11-24T18:00:00+01:00"))


def _tags(words: str, example: str) -> fields.List[str]:
    return fields.List(
        Text(longest=MAX_LABEL),
        validate=validate.Length(max=MAX_TAGS, error="must have at most {max} entries"),
        error_messages={"invalid": "must be a list"},
        metadata=_about(words, [example]),
    )


class TagsSchema(_Item):
    """Tags put on a contact and taken off it."""

    add = _tags("Tags to put on.", "vip")
    remove = _tags("Tags to take off.", "cold")
    occurred_at = Moment(metadata=_about("When; default: now.", "2026-11-24T18:00:00+01:00"))

    @validates_schema
    def says_something(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        added, removed = data.get("add") or [], data.get("remove") or []
        if not added and not removed:
            raise ValidationError("must name a tag to add or to remove", "add")
        if set(added) & set(removed):
            raise ValidationError("must not name a tag that is added as well", "remove")


class ConsentSchema(_Item):
    """A contact agrees, or no longer agrees, to the use of their data for ads."""

    given = Flag(required=True, metadata=_about("true: they agree; false: they don't, or no longer.", True))
    origin = Text(longest=MAX_LABEL, metadata=_about("Where they said so.", "checkout"))
    occurred_at = Moment(metadata=_about("When; default: now.", "2026-11-24T18:00:00+01:00"))


class TouchpointSchema(_Item):
    """A click on an ad from before this service, taken over from another system. It is never reported to Meta."""

    channel = Text(longest=MAX_LABEL, required=True, metadata=_about("The channel's name.", "sales"))
    occurred_at = Moment(required=True, metadata=_about("When they wrote.", "2026-05-02T09:30:00Z"))
    external_id = Text(
        longest=MAX_ID, numbers=True, required=True, metadata=_about("Its id in the other system.", "hubspot-4711")
    )
    ad_id = Text(longest=64, numbers=True, metadata=_about("Meta's id of the ad.", "120210000000000001"))
    source_url = Text(longest=2000, metadata=_about("The ad's address.", "https://fb.me/abc"))
    headline = Text(longest=500, metadata=_about("The ad's headline.", "Free delivery"))
    source_app = Text(longest=32, metadata=_about("Where the ad was shown.", "instagram"))


SCHEMAS: Mapping[str, type[Schema]] = {
    "conversions": ConversionSchema,
    "contacts/stage": StageSchema,
    "contacts/tags": TagsSchema,
    "contacts/consent": ConsentSchema,
    "touchpoints": TouchpointSchema,
}
"""By the kinds' paths, as in `shared.domain.submissions.KINDS`."""
