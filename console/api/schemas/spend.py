"""Ad accounts, what was spent by day, and what became of spend that a program brings."""

from decimal import Decimal
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from console.api.schemas.parts import Words, money, optional_text, optional_time
from console.setup.ad_accounts import AdAccountSchema
from shared.domain.submission_fields import UNSTORABLE, Currency, Flag, Number, Text

MOST_ITEMS = 500
_LEVELS = {"enum": ["ad", "ad_set", "campaign", "account"]}


class SpendSchema(Schema):
    """What one ad, ad set, campaign or account cost on one day, and what Meta reports it brought; null: not known."""

    date = fields.Date(attribute="day", metadata={"description": "A day of the account's zone."})
    account = fields.String(attribute="account_name", metadata={"examples": ["conta"]})
    zone = fields.String(metadata={"examples": ["America/Sao_Paulo"]})
    level = fields.String(metadata={**_LEVELS, "description": "What object_id names."})
    object_id = fields.String(metadata={"description": "Meta's id, or name:… where a name only is known."})
    ad_id = optional_text(example="120210000000000001")
    ad_name = optional_text()
    ad_set_id = optional_text()
    ad_set_name = optional_text()
    campaign_id = optional_text()
    campaign_name = optional_text()
    currency = fields.String(metadata={"examples": ["BRL"]})
    spend = money()
    impressions = fields.Integer(allow_none=True)
    reach = fields.Integer(allow_none=True, metadata={"description": "People of that day; never to be added up."})
    clicks = fields.Integer(allow_none=True)
    link_clicks = fields.Integer(allow_none=True)
    conversations = fields.Integer(
        attribute="conversations_started",
        allow_none=True,
        metadata={"description": "Messaging conversations started, as Meta reports them."},
    )
    source = fields.String(metadata={"enum": ["meta", "csv", "manual", "api"]})
    is_test = fields.Boolean()


class _Strict(Schema):
    class Meta:
        unknown = RAISE


def _storable(text: str) -> None:
    if UNSTORABLE.search(text):
        raise ValidationError("holds a character that no database takes, such as NUL: leave it out")


def _is_an_amount(value: Decimal) -> None:
    if not 0 <= value < 10**12:
        raise ValidationError("must be a number from 0, and below 10^12")


def _named(words: str, example: str | None = None) -> fields.String:
    about: dict[str, Any] = {"description": words} | ({"examples": [example]} if example else {})
    return fields.String(validate=[validate.Length(1, 490), _storable], metadata=about)


def _count(words: str = "") -> Number:
    return Number(least=0, most=10**15, metadata={"description": words} if words else {})


class SpendItemSchema(_Strict):
    """Spend of one day. What it was spent on is the finest thing it names: ad, ad set, campaign, else the account."""

    date = fields.Date(required=True, metadata={"description": "A day of the account's zone."})
    spend = fields.Decimal(
        required=True,
        validate=_is_an_amount,
        metadata={"type": ["string", "number"], "examples": ["12.50"]},
    )
    currency = Currency(metadata={"description": "Default: the account's.", "examples": ["BRL"]})
    ad_id = _named("Meta's id of the ad.", "120210000000000001")
    ad_name = _named("Kept with its history.", "Summer")
    ad_set_id = _named("Meta's id of the ad set.")
    ad_set_name = _named("Kept with its history.")
    campaign_id = _named("Meta's id of the campaign.")
    campaign_name = _named("Kept with its history.")
    impressions = _count()
    reach = _count()
    clicks = _count()
    link_clicks = _count()
    conversations = _count("Messaging conversations started, as Meta reports them.")


class SpendBodySchema(_Strict):
    """Spend of one ad account. What it names again by account, day and object is replaced; the rest stays."""

    account = Text(
        longest=100, required=True, metadata={"description": "The ad account's name.", "examples": ["conta"]}
    )
    data = fields.List(fields.Nested(SpendItemSchema), required=True, validate=validate.Length(1, MOST_ITEMS))
    dry_run = Flag(load_default=False, metadata={"description": "Only say what each item would do."})


class SpendVerdictSchema(Schema):
    """What became of one item: new, changed or same; any other verdict is why it was not taken."""

    item = fields.Integer(metadata={"description": "Its place in data, from 0."})
    verdict = fields.String(metadata={"examples": ["new"]})
    refused = fields.Boolean()
    words = Words("reason")
    next_step = Words("reason", next_step=True)


class SpendVerdictsSchema(Schema):
    """One verdict for each item, in order. What is refused keeps nothing else from being stored."""

    account = fields.String()
    stored = fields.Integer(metadata={"description": "How many rows are new or changed."})
    dry_run = fields.Boolean()
    verdicts = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata={"examples": [{"new": 2}]})
    data = fields.List(fields.Nested(SpendVerdictSchema))


class AccountSchema(Schema):
    """One ad account, and how fresh its spend is."""

    id = fields.Integer()
    name = fields.String()
    meta_id = optional_text("Without act_. Null: spend comes from files and by the API only.")
    currency = optional_text("Null: not known yet.", "BRL")
    zone = fields.String(metadata={"examples": ["America/Sao_Paulo"], "description": "Whose days its days are."})
    enabled = fields.Boolean(metadata={"description": "Whether its spend is pulled from Meta, where it has a token."})
    is_test = fields.Boolean()
    synced_until = fields.Date(allow_none=True)
    last_synced_at = optional_time()
    last_error = optional_text("Why the last pull failed.")
    last_error_words = Words("last_error")
    last_error_at = optional_time()


class NewAccountSchema(AdAccountSchema):
    """An ad account whose spend is brought in. Tokens belong to the whole installation: the console sets them."""

    class Meta:
        unknown = RAISE
        exclude = ("workspace", "credential", "enabled")

    name = Text(longest=100, required=True, metadata={"examples": ["conta"]})

    @validates_schema
    def says_its_zone(self, data: dict[str, Any], **kwargs: Any) -> None:
        if "zone" not in data:
            raise ValidationError("must be there: days are days of it, such as America/Sao_Paulo", "zone")
