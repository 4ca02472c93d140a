"""Every reason code the product stores or shows, in plain words and with a next step.

A code `meta_<code>[_<subcode>]` stands for an error of Meta's; its words come from `shared.capi.verdicts`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.capi import verdicts
from shared.capi.verdicts import Meaning
from shared.domain.sentences import sentence
from shared.providers.reasons import UNPARSABLE


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What a code means, and what a person should do about it."""

    words: str
    next_step: str


def _reason(words: str, next_step: str) -> Reason:
    return Reason(words=sentence(words), next_step=sentence(next_step))


def _of(meaning: Meaning) -> Reason:
    return _reason(meaning.words, meaning.next_step)


_NOTHING = "Nothing: this is as it should be."
_BY_ITSELF = "Nothing: it is tried again by itself."
_FIX_AND_SEND = "Correct the conversion at its source, then send it again by hand."
_CANNOT_DECRYPT = _reason(
    "It was encrypted with a key this process does not have.",
    "Put the old key back into TOKEN_KEYS or SECRET_KEYS and restart.",
)
_COMPARE = "Compare with Events Manager, then settle it by hand as accepted, not taken or to be sent again."

SKIPPED: Mapping[str, Reason] = MappingProxyType(
    {
        "no_click_id": _reason(
            "The ad message carried no click id, so Meta could not attribute the event.",
            "Nothing for ads in WhatsApp Status. If all ads lack it, check the provider's attribution setting.",
        ),
        "unattributed": _reason(
            "The contact wrote on their own, or no ad click lies within the attribution window.", _NOTHING
        ),
        "scope": _reason(
            "This kind of conversion or message is not reported on this channel.",
            "Change the channel's policy if it should be reported.",
        ),
        "region": _reason(
            "The contact's country is one whose events this dataset holds back (by default the EU, EEA, UK and Japan).",
            "Nothing: Meta restricts messaging events there. `ctwa datasets set NAME --regions send` lets them go.",
        ),
        "duplicate": _reason("The same conversion is already reported to this dataset.", _NOTHING),
        "consent": _reason(
            "The contact has not agreed, or no longer agrees, to their data being used for ads.",
            "Record the contact's consent; the event can then be sent while it is young enough.",
        ),
        "no_permission": _reason(
            "Whoever reported the conversion may not have it sent to Meta.",
            "Give the API key the permission to send, or report the conversion with another key.",
        ),
        "meta_automatic": _reason(
            "Meta detected this conversion itself and counts it, so nothing is sent.",
            "Nothing. The dataset's policy for automatic events can say otherwise.",
        ),
        "erased": _reason("The person was erased at their request, so nothing more is sent about them.", _NOTHING),
        "disabled": _reason("Sending is switched off for this dataset.", "Switch sending on for conversions to come."),
    }
)
"""Why a delivery is `skipped`."""

HELD_UP: Mapping[str, Reason] = MappingProxyType(
    {
        "waiting_for_value": _reason(
            "The conversion needs a value and has none yet.",
            "Report the value within 6 days and 12 hours of the conversion.",
        ),
        "expired": _reason(
            "The conversion became older than 6 days and 12 hours unsent; Meta's limit is 7 days.",
            "Nothing for this one: it still counts in the return. Look for what held it up.",
        ),
        "process_died": _reason("The process that was sending it died after the request had started.", _COMPARE),
    }
)
"""Why a delivery is `waiting`, `expired`, or `unknown` without an answer."""

OUR_CHECKS: Mapping[str, Reason] = MappingProxyType(
    {
        "event_name_not_allowed": _reason(
            "Meta has no messaging event of this name.", "Use one of the 14 event names, in exact case."
        ),
        "event_id_invalid": _reason(
            "The event id is empty, longer than 512 characters or not printable ASCII.", _FIX_AND_SEND
        ),
        "click_id_missing": _reason("The event has no click id.", "Nothing: it cannot be attributed without one."),
        "click_id_too_long": _reason(
            "The click id is longer than 1024 characters, so it is not one of Meta's.",
            "Check what the provider puts into the click id field.",
        ),
        "click_id_malformed": _reason(
            "The click id holds characters no click id of Meta's has.",
            "Check that the provider passes the click id unchanged.",
        ),
        "event_time_too_old": _reason(
            "The conversion is older than 7 days.", "Nothing for this one. Report conversions within an hour."
        ),
        "event_time_in_future": _reason(
            "The conversion's time lies more than 5 minutes in the future.",
            "Correct the clock at the source.",
        ),
        "value_missing": _reason("The purchase has no value.", "Report the value, then send it again by hand."),
        "value_invalid": _reason("The value is negative, not a number, or absurdly large.", _FIX_AND_SEND),
        "currency_missing": _reason("The value has no currency.", "Report the currency, then send it again by hand."),
        "currency_not_accepted": _reason(
            "The currency is not an ISO 4217 code that Meta accepts.",
            "Report the value in a currency Meta accepts, then send it again by hand.",
        ),
        "contents_invalid": _reason("The list of items is malformed or an item has no id.", _FIX_AND_SEND),
        "custom_data_invalid": _reason("The custom data cannot be written as JSON.", _FIX_AND_SEND),
    }
)
"""Why a delivery is `rejected` before anything is sent (`shared.capi.payload.validate_event`)."""

OUTCOMES: Mapping[str, Reason] = MappingProxyType(
    {
        "event_cannot_be_built": _reason(
            "The event does not fit the form that Meta wants, which our checks should have found.",
            "Report it with the version in use; `ctwa deliveries retry` sends it once it is mended.",
        ),
        "not_sent": _reason("No connection to Meta came about, so nothing was sent.", _BY_ITSELF),
        "no_answer": _reason("The request left and no answer came, so Meta may have it or not.", _COMPARE),
        "answer_unreadable": _reason("Meta answered with success, but no count of events could be read.", _COMPARE),
        "partly_received": _reason("Meta says it received another number of events than were sent.", _COMPARE),
        "server_error_unclear": _reason("The server failed without saying whether it took the event.", _COMPARE),
        "not_received": _reason(
            "Meta answered with success and received none of the events.",
            "Nothing at first. After three times the dataset pauses: check its id and WhatsApp account.",
        ),
        "redirected": _reason(
            "The request was answered with a redirect, which is not followed lest the token be given away.",
            "If it lasts, look for a proxy or portal between this service and Meta.",
        ),
        "not_graph": _reason(
            "The request was refused by something that does not speak for Meta's Graph API.",
            "If it lasts, look for a proxy or firewall between this service and Meta.",
        ),
        "http_401": _of(verdicts.NOT_GRAPH_401),
        "http_403": _of(verdicts.NOT_GRAPH_403),
        "http_404": _of(verdicts.NOT_GRAPH_404),
        "http_413": _of(verdicts.NOT_GRAPH_413),
        "http_429": _of(verdicts.OTHER_429),
        "token_malformed": _reason(
            "The stored token holds spaces or characters that no token has.",
            "Copy the token again, without quotes or line breaks.",
        ),
    }
)
"""What an answer without a code of Meta's, or no answer, says of a delivery."""

PAUSES: Mapping[str, Reason] = MappingProxyType(
    {
        "token": _reason("Meta does not accept the token.", "Give the credential a new system-user token."),
        "permission": _reason(
            "The token may not write to this dataset.", "Grant what is missing in Meta Business settings."
        ),
        "link": _reason(
            "Dataset, WhatsApp account and settings do not fit together.",
            "Correct the dataset's settings, or resume it by hand once Meta's side is corrected.",
        ),
        "throttle": _reason("Meta's rate limit is reached.", "Nothing: sending goes on when the limit allows."),
        "meta_down": _reason("Meta does not answer.", "Nothing: a small request tries again every few minutes."),
        "by_hand": _reason("Somebody paused this dataset.", "Resume it when it should send again."),
        "waba_id_missing": _reason(
            "The dataset has no WhatsApp Business Account id, which Meta demands with every event.",
            "Set the id; it is in WhatsApp Manager under account settings.",
        ),
        "waba_id_malformed": _reason("The WhatsApp Business Account id is not a number.", "Correct the id."),
        "credential_missing": _reason("The dataset has no token.", "Give the dataset a credential."),
        "cannot_decrypt": _CANNOT_DECRYPT,
        "page_id_malformed": _reason("The Page id is not a number.", "Correct the id."),
    }
)
"""Why a dataset is paused, with the details of `shared.capi.payload.dataset_problem`."""

WEBHOOKS: Mapping[str, Reason] = MappingProxyType(
    {
        **{
            code: _reason(words, "Check that this channel's URL is set at the right provider, then replay it.")
            for code, words in UNPARSABLE.items()
        },
        "unknown_provider": _reason(
            "The channel is gone, or names a provider this version does not have.",
            "Restore the channel or correct its provider, then replay the webhook.",
        ),
        "cannot_decrypt": _CANNOT_DECRYPT,
        "adapter_failed": _reason(
            "The provider's adapter failed on this body, which is a defect of ours.",
            "Report it, and replay the webhook after the correction.",
        ),
        "cannot_be_stored": _reason(
            "What the body holds could not be stored.", "Report it, and replay the webhook after the correction."
        ),
        "unknown_sender": _reason(
            "The API key or workspace it came from is gone.", "Restore it, then replay the request."
        ),
        "unreadable_request": _reason(
            "The body is not of the form that its path needs.", "Correct it at its source, and report it again."
        ),
        "crashed_intake": _reason(
            "Five workers died while reading this body alone.",
            "Report it, and replay the webhook after the correction.",
        ),
    }
)
"""Why a webhook is rejected: mostly, that no provider's parser can read its body."""

OTHER_SIDE = "If it lasts, ask whoever runs the other side; it is tried again by itself."

ANSWERED = {
    "3": "Give the address it redirects to: redirects are not followed.",
    "4": "Check the address, and that the other side takes this kind of message.",
}

OUTBOUND: Mapping[str, Reason] = MappingProxyType(
    {
        "url_malformed": _reason(
            "This is not an address that can be posted to.",
            "Give a whole https:// address, without a user name, spaces or line breaks.",
        ),
        "url_not_https": _reason(
            "The address is not https, and what is posted could be read on its way.",
            "Use https. Only within a network of your own, with private addresses allowed, http is possible.",
        ),
        "address_refused": _reason(
            "The name leads into this machine or a private network, which is refused lest strangers reach into it.",
            "Use a public address, or say expressly that this one may be private (--allow-private).",
        ),
        "name_unknown": _reason("The address's name can't be resolved.", "Check its spelling and this host's DNS."),
        "connection_failed": _reason("No connection came about.", OTHER_SIDE),
        "tls_failed": _reason(
            "The other side's certificate is not valid for its name.", "Renew the certificate, or correct the name."
        ),
        "timed_out": _reason("The other side did not answer within 10 seconds.", OTHER_SIDE),
        "no_reply": _reason("The connection was cut before an answer came.", OTHER_SIDE),
        "smtp_not_set": _reason("There is no mail server to send by.", "Set SMTP_URL and MAIL_FROM for the workers."),
        "smtp_login_refused": _reason("The mail server refuses the user or password.", "Correct SMTP_URL."),
        "smtp_refused": _reason(
            "The mail server refuses the sender or the recipient.", "Correct MAIL_FROM, or the route's address."
        ),
        "smtp_failed": _reason("The mail server can't be reached, or broke off.", "Check SMTP_URL and the server."),
    }
)
"""Why a POST or a mail to an address that somebody typed in came to nothing (`shared.outbound`, `shared.mail`)."""

_USE_KEY = "Nothing. If it was another one, report it with its own order_id, event_id or idempotency_key."
ENDPOINTS: Mapping[str, Reason] = MappingProxyType(
    {
        "failing": _reason(
            "Nothing has arrived there for five days, so it is told nothing more.",
            "Mend the receiver, then: ctwa endpoints set NAME --enabled. What has waited is sent then.",
        ),
        "switched_off": _reason(
            "Somebody has switched this endpoint off.", "Nothing, or to go on: ctwa endpoints set NAME --enabled."
        ),
        "gone": _reason(
            "It answered 410, which says that it wants nothing more.",
            "Nothing, or give it another address and enable it: ctwa endpoints set NAME --url URL --enabled.",
        ),
    }
)
"""Why an endpoint of outgoing webhooks is disabled."""

SUBMISSIONS: Mapping[str, Reason] = MappingProxyType(
    {
        "contact_unknown": _reason(
            "The workspace has no contact of this id.", "Name the person by phone, BSUID, e-mail or click id."
        ),
        "person_missing": _reason(
            "Nothing says whom it is about.", "Give a phone, BSUID, e-mail, click id or contact id."
        ),
        "channel_unknown": _reason(
            "The workspace has no channel of this name.",
            "Correct the name (`ctwa channels` lists them), or leave it out: the click's channel is taken.",
        ),
        "zero_value": _reason(
            "A purchase of nothing tells Meta's optimisation that sales are worth nothing.",
            "Report it once it has a value, or without one to let it wait; or allow zero values on the dataset.",
        ),
        "currency_unknown": _reason(
            "The value has no currency, and neither has the channel of the sale.",
            "Report the currency, or give the channel one, then report it again.",
        ),
        "currency_differs": _reason(
            "The value is in another currency than the conversion that it changes.",
            "Report the change in the currency of the conversion: money of two currencies can't be taken together.",
        ),
        "malformed": _reason(
            "The item has not the form it needs.", "Correct what the details name, then report it again."
        ),
        "same_order": _reason("This event of the order is known already.", _USE_KEY),
        "same_key": _reason("A conversion with this key is known already.", _USE_KEY),
        "same_click": _reason("This event may happen once per click, and has happened.", _USE_KEY),
        "same_contact": _reason("This event may happen once per contact, and has happened.", _USE_KEY),
        "same_message": _reason("This rule has fired on this message already.", _NOTHING),
        "same_conversion": _reason("The conversion is known already.", _USE_KEY),
        "same_change": _reason("The contact's change is known already.", _NOTHING),
        "same_touchpoint": _reason("The channel has a touchpoint of this external id already.", _NOTHING),
        "duplicate_other_value": _reason(
            "The conversion is known with another value, and keeps that one.",
            "To change its value, report it again with amends: true.",
        ),
        "value": _reason("It gave its value to a conversion that had none.", _NOTHING),
        "amendment": _reason("It changed the value of a conversion.", _NOTHING),
    }
)
"""Why a reported item is refused, what it duplicates, or what it changed."""

ATTRIBUTION: Mapping[str, Reason] = MappingProxyType(
    {
        "click_id": _reason("It is the Lead of a new click.", _NOTHING),
        "ad_message": _reason("It is the Lead of an ad message without a click id.", _NOTHING),
        "click_id_came_later": _reason("The click id of its message came later.", _NOTHING),
        "detected_by_meta": _reason("Meta detected it in the chat.", _NOTHING),
        "last_click": _reason("This was the last ad click before it, within the window.", _NOTHING),
        "last_ad_message": _reason(
            "The last ad message before it has no click id: it counts for the ad, and can't be sent.", _NOTHING
        ),
        "last_post": _reason("The last message before it came from a post, which the channel reports.", _NOTHING),
        "named_click": _reason("Its report named this click.", _NOTHING),
        "named_click_came": _reason("Its report named this click, whose message came later.", _NOTHING),
        "late_click": _reason("The click became known after the conversion, and was the last one before it.", _NOTHING),
        "order": _reason("It belongs to the click of its order's purchase.", _NOTHING),
        "no_ad": _reason("The contact has never come by an ad.", _NOTHING),
        "clicks_too_old": _reason(
            "The contact's ad clicks before it are older than the attribution window.",
            "Nothing, unless the window of the dataset is too short for your sales.",
        ),
        "clicks_came_after": _reason("The contact's ad clicks all came after it.", _NOTHING),
        "click_id_unknown": _reason(
            "Its report named a click id that no message has brought yet.",
            "Nothing: it is completed when that message comes. If it doesn't, check what the report sends.",
        ),
    }
)
"""Why a conversion belongs to a touchpoint, or to none."""

FLAGS: Mapping[str, Reason] = MappingProxyType(
    {
        "click_older_than_7_days": _reason(
            "Its click is older than 7 days: it is sent, and Meta will probably not attribute it.", _NOTHING
        ),
        "currency_from_channel": _reason(
            "Its report had no currency, so the channel's was taken.", "Report the currency with each value."
        ),
        "maybe_twin": _reason(
            "Another source reported the same amount of the same contact within a day.",
            "Compare the two. Give both the same order_id and they are one.",
        ),
    }
)
"""What is worth knowing of a conversion."""

_PLAIN_NUMBER = "Write it as 1234.56, or say --decimal."
_BY_DAY = "Export it from Ads Manager with the breakdown By time > Day, then import again."
SPEND: Mapping[str, Reason] = MappingProxyType(
    {
        "ad_account_not_seen": _reason(
            "The token sees no ad account of this id.",
            "Check the id, and give the token's system user the ad account in Meta Business settings.",
        ),
        "ads_read_missing": _reason(
            "The token may not read this ad account.",
            "Make a token with ads_read for a system user who may view the account's performance.",
        ),
        "insights_throttled": _reason("Meta's limit for reading insights is reached.", _BY_ITSELF),
        "insights_too_much": _reason(
            "Meta finds that too much was asked for at once.", "Pull fewer days: ctwa spend sync with a later --since."
        ),
        "report_failed": _reason("Meta could not prepare the report of spend.", _BY_ITSELF),
        "insights_unreadable": _reason(
            "What Meta answered is not what it documents.", "Report it with the version in use; it is tried again."
        ),
        "still_pulling": _reason("It is not finished yet and goes on by itself.", "Look: ctwa accounts list."),
        "number_invalid": _reason("A number of this line can't be read.", _PLAIN_NUMBER),
        "number_ambiguous": _reason("A number like 1.234 can be a thousand or one and a bit.", _PLAIN_NUMBER),
        "number_negative": _reason("The amount is below zero.", "Leave credits out: spend can't be negative."),
        "date_invalid": _reason("The day can't be read.", "Write it as 2026-11-20."),
        "date_ambiguous": _reason("A day like 03/04/2026 can be in March or April.", "Say --dates dmy or mdy."),
        "not_by_day": _reason("The line is the sum of several days.", _BY_DAY),
        "id_invalid": _reason("The id is not a number.", "Check the column of ids."),
        "id_rounded": _reason("A spreadsheet has rounded the id.", "Import the file as Ads Manager made it."),
        "currency_invalid": _reason("The currency is not three letters.", "Write it as USD."),
        "spend_currency_unknown": _reason(
            "Neither the file nor the ad account names a currency.", "Say it: ctwa accounts set NAME --currency USD."
        ),
        "spend_currency_differs": _reason(
            "The currency is another than the ad account's, and is never converted.",
            "Import it into an ad account of its own.",
        ),
        "day_from_meta": _reason("The spend of this day came from Meta already.", _NOTHING),
        "other_level": _reason(
            "This day is known at another level, such as by campaign, and would count twice.",
            "Keep to one level a day: ads, ad sets, campaigns or the account.",
        ),
        "twice_in_file": _reason(
            "The file has this ad and day twice.", "Export it without other breakdowns such as age or placement."
        ),
    }
)
"""Why spend was not pulled from Meta, or a line of a file not taken."""

RULES: Mapping[str, Reason] = MappingProxyType(
    {
        "defect": _reason(
            "The rule met a defect of ours. The message it looked at is stored all the same.",
            "Report it with the version in use and `ctwa rules show NAME --json`.",
        ),
        "too_slow": _reason(
            "The rule took so long on one message that it was left out for the rest of the batch.",
            "Make its patterns simpler: ctwa rules set NAME --pattern RE2.",
        ),
    }
)

_SPEND_CODES = {
    "meta_100_33": "ad_account_not_seen",
    "meta_100_1487534": "insights_too_much",
    "meta_10": "ads_read_missing",
    **{f"meta_{code}": "ads_read_missing" for code in (200, 270, 272, 273, 294, 299)},
    "meta_17_2446079": "insights_throttled",
    "meta_4_1504022": "insights_throttled",
    "meta_80000_2446079": "insights_throttled",
    "meta_80004_2446079": "insights_throttled",
    **{f"meta_{code}": "insights_throttled" for code in (4, 17, 613, 80000, 80004)},
}


def spend_reason(code: str) -> str:
    """The code that tells of a refusal in terms of spend; the same one where the usual words fit."""
    return _SPEND_CODES.get(code, code)


TABLES: tuple[Mapping[str, Reason], ...] = (
    SKIPPED,
    HELD_UP,
    OUR_CHECKS,
    OUTCOMES,
    PAUSES,
    WEBHOOKS,
    OUTBOUND,
    ENDPOINTS,
    SUBMISSIONS,
    ATTRIBUTION,
    FLAGS,
    SPEND,
    RULES,
)
"""Every table above. A code that stands in two of them has the same words in both."""

REASONS: Mapping[str, Reason] = MappingProxyType({code: reason for table in TABLES for code, reason in table.items()})


UNKNOWN = _reason("This code is not known to this version.", "Report it with the version in use.")


def explain(code: str) -> Reason:
    """The words and next step for any stored code; an unheard-of code gets an answer that says so."""
    if reason := REASONS.get(code):
        return reason
    if match := re.fullmatch(r"meta_(-?[0-9]{1,10})(?:_(-?[0-9]{1,10}))?", code):
        number, subcode = int(match[1]), int(match[2]) if match[2] else None
        unlisted = verdicts.OTHER_100 if number == 100 else verdicts.OTHER_4XX
        return _of(verdicts.meaning_of(number, subcode) or unlisted)
    if match := re.fullmatch(r"answered_([0-9]{3})", code):
        words = sentence("The other side answered {status} instead of 2xx.", status=match[1])
        return _reason(words, ANSWERED.get(match[1][0], OTHER_SIDE))
    return UNKNOWN
