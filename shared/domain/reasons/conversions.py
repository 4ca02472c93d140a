"""Why a reported item is refused, whose click a conversion is, and why a rule failed."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.domain.reasons.reason import NOTHING, Reason, reason

_USE_KEY = "Nothing. If it was another one, report it with its own order_id, event_id or idempotency_key."
SUBMISSIONS: Mapping[str, Reason] = MappingProxyType(
    {
        "contact_unknown": reason(
            "The workspace has no contact of this id.", "Name the person by phone, BSUID, e-mail or click id."
        ),
        "person_missing": reason(
            "Nothing says whom it is about.", "Give a phone, BSUID, e-mail, click id or contact id."
        ),
        "channel_unknown": reason(
            "The workspace has no channel of this name.",
            "Correct the name (`ctwa channels` lists them), or leave it out: the click's channel is taken.",
        ),
        "zero_value": reason(
            "A purchase of nothing tells Meta's optimisation that sales are worth nothing.",
            "Report it once it has a value, or without one to let it wait; or allow zero values on the dataset.",
        ),
        "currency_unknown": reason(
            "The value has no currency, and neither has the channel of the sale.",
            "Report the currency, or give the channel one, then report it again.",
        ),
        "currency_differs": reason(
            "The value is in another currency than the conversion that it changes.",
            "Report the change in the currency of the conversion: money of two currencies can't be taken together.",
        ),
        "malformed": reason(
            "The item has not the form it needs.", "Correct what the details name, then report it again."
        ),
        "same_order": reason("This event of the order is known already.", _USE_KEY),
        "same_key": reason("A conversion with this key is known already.", _USE_KEY),
        "same_click": reason("This event may happen once per click, and has happened.", _USE_KEY),
        "same_contact": reason("This event may happen once per contact, and has happened.", _USE_KEY),
        "same_message": reason("This rule has fired on this message already.", NOTHING),
        "same_conversion": reason("The conversion is known already.", _USE_KEY),
        "same_change": reason("The contact's change is known already.", NOTHING),
        "same_touchpoint": reason("The channel has a touchpoint of this external id already.", NOTHING),
        "duplicate_other_value": reason(
            "The conversion is known with another value, and keeps that one.",
            "To change its value, report it again with amends: true.",
        ),
        "value": reason("It gave its value to a conversion that had none.", NOTHING),
        "amendment": reason("It changed the value of a conversion.", NOTHING),
    }
)
"""Why a reported item is refused, what it duplicates, or what it changed."""

ATTRIBUTION: Mapping[str, Reason] = MappingProxyType(
    {
        "click_id": reason("It is the Lead of a new click.", NOTHING),
        "ad_message": reason("It is the Lead of an ad message without a click id.", NOTHING),
        "click_id_came_later": reason("The click id of its message came later.", NOTHING),
        "detected_by_meta": reason("Meta detected it in the chat.", NOTHING),
        "last_click": reason("This was the last ad click before it, within the window.", NOTHING),
        "last_ad_message": reason(
            "The last ad message before it has no click id: it counts for the ad, and can't be sent.", NOTHING
        ),
        "last_post": reason("The last message before it came from a post, which the channel reports.", NOTHING),
        "named_click": reason("Its report named this click.", NOTHING),
        "named_click_came": reason("Its report named this click, whose message came later.", NOTHING),
        "late_click": reason("The click became known after the conversion, and was the last one before it.", NOTHING),
        "order": reason("It belongs to the click of its order's purchase.", NOTHING),
        "no_ad": reason("The contact has never come by an ad.", NOTHING),
        "clicks_too_old": reason(
            "The contact's ad clicks before it are older than the attribution window.",
            "Nothing, unless the window of the dataset is too short for your sales.",
        ),
        "clicks_came_after": reason("The contact's ad clicks all came after it.", NOTHING),
        "click_id_unknown": reason(
            "Its report named a click id that no message has brought yet.",
            "Nothing: it is completed when that message comes. If it doesn't, check what the report sends.",
        ),
    }
)
"""Why a conversion belongs to a touchpoint, or to none."""

FLAGS: Mapping[str, Reason] = MappingProxyType(
    {
        "click_older_than_7_days": reason(
            "Its click is older than 7 days: it is sent, and Meta will probably not attribute it.", NOTHING
        ),
        "currency_from_channel": reason(
            "Its report had no currency, so the channel's was taken.", "Report the currency with each value."
        ),
        "maybe_twin": reason(
            "Another source reported the same amount of the same contact within a day.",
            "Compare the two. Give both the same order_id and they are one.",
        ),
    }
)
"""What is worth knowing of a conversion."""

RULES: Mapping[str, Reason] = MappingProxyType(
    {
        "defect": reason(
            "The rule met a defect of ours. The message it looked at is stored all the same.",
            "Report it with the version in use and `ctwa rules show NAME --json`.",
        ),
        "too_slow": reason(
            "The rule took so long on one message that it was left out for the rest of the batch.",
            "Make its patterns simpler: ctwa rules set NAME --pattern RE2.",
        ),
    }
)
