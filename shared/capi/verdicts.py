"""What Meta's error codes mean for a delivery: one table, with plain words and a next step for each row.

Meta publishes no such table (its page documents only codes 100, 190 and 200 for this edge:
https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api). The rows come from recorded
live answers, from Graph's general error page
(https://developers.facebook.com/docs/graph-api/guides/error-handling) and from the source of other senders.
Only numbers are looked at: titles and messages are localised and reworded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Verdict(StrEnum):
    """What one answer, or its absence, says of the request that was sent."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    THROTTLE = "throttle"
    CONFIG = "config"
    SPLIT_DROP = "split_drop"
    SPLIT_CONFIG = "split_config"
    DROP = "drop"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    NOT_RECEIVED = "not_received"


class PauseReason(StrEnum):
    """Why a dataset sends nothing for now."""

    TOKEN = "token"  # noqa: S105
    PERMISSION = "permission"
    LINK = "link"
    THROTTLE = "throttle"
    META_DOWN = "meta_down"
    BY_HAND = "by_hand"


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """One row: the verdict, why it happens, what a person should do, and what it pauses."""

    verdict: Verdict
    words: str
    next_step: str
    pause: PauseReason | None = None
    event_level: bool = False


def _retry(words: str, next_step: str = "Nothing: it is tried again by itself.") -> Meaning:
    return Meaning(verdict=Verdict.RETRY, words=words, next_step=next_step)


def _throttle(words: str) -> Meaning:
    step = "Nothing: sending goes on when Meta's limit allows. If it happens daily, ask Meta for a higher tier."
    return Meaning(
        verdict=Verdict.THROTTLE,
        words=words,
        next_step=step,
        pause=PauseReason.THROTTLE,
    )


def _config(pause: PauseReason, words: str, next_step: str) -> Meaning:
    return Meaning(verdict=Verdict.CONFIG, words=words, next_step=next_step, pause=pause)


def _link(words: str, next_step: str) -> Meaning:
    """A row that, with several events in the request, may still be the fault of one of them."""
    return Meaning(
        verdict=Verdict.SPLIT_CONFIG,
        words=words,
        next_step=next_step,
        pause=PauseReason.LINK,
    )


def _refused(words: str, next_step: str) -> Meaning:
    return Meaning(verdict=Verdict.SPLIT_DROP, words=words, next_step=next_step)


def _bad_event(words: str, next_step: str) -> Meaning:
    """A row whose cause lies in the event alone: it never counts against the dataset."""
    return Meaning(verdict=Verdict.SPLIT_DROP, words=words, next_step=next_step, event_level=True)


_RENEW = "Make a new system-user token in Meta Business settings and give it to this dataset's credential."
_GRANT = "Give the token's app and system user the missing permission in Meta Business settings."
_REPORT = "Report this with the trace id: the body this service built was not to Meta's liking."
_FIX_AND_SEND = "Correct the conversion at its source, then send it again by hand."
_CHECK_LINK = "Check the dataset id and the WhatsApp Business Account id against Events Manager."

CODES: Mapping[int, Meaning] = MappingProxyType(
    {
        1: _retry(
            "Meta reported an unknown error: a passing one, or token, dataset and account do not fit.",
            "Nothing at first. If it lasts, check that dataset, WhatsApp account and token belong together.",
        ),
        2: _retry("Meta's service was temporarily unavailable."),
        3: _config(
            PauseReason.PERMISSION,
            "The app lacks the capability for this call.",
            _GRANT,
        ),
        4: _throttle("The app reached Meta's request limit."),
        10: _config(
            PauseReason.PERMISSION,
            "The token has no permission for this dataset.",
            _GRANT,
        ),
        17: _throttle("The user or ad account reached Meta's request limit."),
        32: _throttle("The Page reached Meta's request limit."),
        33: _config(
            PauseReason.PERMISSION,
            "Meta does not find the dataset, or the token may not see it.",
            _CHECK_LINK,
        ),
        102: _config(PauseReason.TOKEN, "The session behind the token has ended.", _RENEW),
        104: _config(
            PauseReason.TOKEN,
            "The app demands a proof of its secret (appsecret_proof) with every call.",
            "Switch off 'Require app secret' in the app's advanced settings, or use a token of another app.",
        ),
        190: _config(
            PauseReason.TOKEN,
            "The access token is invalid, expired or revoked.",
            _RENEW,
        ),
        270: _config(
            PauseReason.PERMISSION,
            "The app has development access only, or the token lacks whatsapp_business_manage_events.",
            "First add whatsapp_business_manage_events to the token; only then ask for app review.",
        ),
        294: _config(
            PauseReason.PERMISSION,
            "The token lacks the ads_management permission.",
            _GRANT,
        ),
        341: _throttle("The app reached a temporary limit."),
        368: _config(
            PauseReason.PERMISSION,
            "Meta blocked the account for a policy reason.",
            "Find the block in Meta's Account Quality page and appeal it.",
        ),
        506: Meaning(
            verdict=Verdict.DROP,
            words="Meta took the event for a duplicate of one it has.",
            next_step="Nothing: Meta has it already.",
        ),
        613: _throttle("The calls exceeded a custom rate limit."),
        803: _config(PauseReason.LINK, "The dataset id does not exist at Meta.", _CHECK_LINK),
        2635: _config(
            PauseReason.LINK,
            "The Graph API version in use has been switched off.",
            "Set a current Graph API version in the settings and restart the workers.",
        ),
        5000: _retry("Meta reported an unknown error."),
        21009: _retry("The dataset is temporarily not ready to take events."),
    }
)

RANGES: tuple[tuple[range, Meaning], ...] = (
    (
        range(200, 300),
        _config(
            PauseReason.PERMISSION,
            "The token lacks a permission for this call.",
            _GRANT,
        ),
    ),
    (
        range(80000, 80015),
        _throttle("The business reached the request limit of this use case."),
    ),
)

_INVALID = _refused("Meta found invalid data in the event.", _FIX_AND_SEND)

SUBCODES_OF_100: Mapping[int, Meaning] = MappingProxyType(
    {
        33: _config(
            PauseReason.PERMISSION,
            "Meta does not find the dataset, or the token's system user is not assigned to it.",
            "Assign the system user to the dataset with the task UPLOAD, and check the dataset id.",
        ),
        2044055: _config(PauseReason.LINK, "The dataset id does not exist at Meta.", _CHECK_LINK),
        2804001: _INVALID,
        2804003: _bad_event(
            "The conversion was more than 7 days old when it reached Meta.",
            "Nothing for this event. Look for why it was late, and send conversions within an hour.",
        ),
        2804004: _bad_event(
            "The conversion's time lies in the future, or was given in milliseconds.",
            "Correct the clock or the time at the source.",
        ),
        2804007: _INVALID,
        2804008: _refused("The list of items is malformed or an item has no id.", _FIX_AND_SEND),
        2804009: _bad_event(
            "The purchase has no value.",
            "Send the purchase's value, then send it again by hand.",
        ),
        2804010: _bad_event(
            "The purchase has no currency.",
            "Send the currency, then send it again by hand.",
        ),
        2804011: _bad_event(
            "Meta does not accept this currency.",
            "Report the value in a currency Meta accepts, then send it again by hand.",
        ),
        2804016: _INVALID,
        2804017: _INVALID,
        2804019: _refused("A parameter every event needs is missing.", _REPORT),
        2804023: _bad_event(
            "The event has a value and no currency.",
            "Send the currency, then send it again by hand.",
        ),
        2804030: _refused(
            "The data processing options (limited data use) do not fit together.",
            _REPORT,
        ),
        2804036: _refused("The lead id is invalid.", _FIX_AND_SEND),
        2804043: _refused("The app information of the event is invalid.", _REPORT),
        2804048: _INVALID,
        2804050: _refused("The event says too little of the customer for Meta to match it.", _REPORT),
        2804063: _refused("The messaging channel is missing.", _REPORT),
        2804064: _refused("The event has a field that messaging events must not have.", _REPORT),
        2804065: _link("The Page in the event is not the dataset's Page.", _CHECK_LINK),
        2804066: _bad_event(
            "Meta does not accept this event name for messaging events.",
            "Use one of Meta's names. If the dataset has the profile 'guide', switch it to 'whatsapp'.",
        ),
        2804069: _link("Meta misses the Page id.", _CHECK_LINK),
        2804071: _bad_event(
            "The click id is missing.",
            "Nothing: without a click id an event cannot be attributed.",
        ),
        2804072: _bad_event(
            "The Page in the event is not the Page the ad ran on.",
            "Check which Page the ad uses; its events belong to that Page's dataset.",
        ),
        2804075: _refused("The Instagram user id is missing.", _REPORT),
        2804079: _refused("The Instagram account id is missing.", _REPORT),
        2804081: _bad_event(
            "The order has no currency.",
            "Send the currency, then send it again by hand.",
        ),
        2804087: _bad_event(
            "Meta does not know this click id: it is invented, altered, expired or of another business.",
            "Check that the number belongs to the dataset's WhatsApp account and its provider alters no id.",
        ),
        2804116: _link(
            "The event names neither a WhatsApp Business Account nor a Page.",
            _CHECK_LINK,
        ),
        2804118: _config(
            PauseReason.LINK,
            "The dataset belongs to another WhatsApp Business Account.",
            _CHECK_LINK,
        ),
        2804131: _config(
            PauseReason.LINK,
            "No Page is linked to this dataset, and the event names one.",
            "Use the WhatsApp Business Account's dataset and its id, or link the Page in Events Manager.",
        ),
        2804132: _config(
            PauseReason.LINK,
            "No WhatsApp Business Account is linked to this dataset; a website pixel never has one.",
            "Use the dataset of the WhatsApp Business Account (POST /{waba id}/dataset gives its id).",
        ),
        2804133: _config(
            PauseReason.LINK,
            "No Instagram account is linked to this dataset.",
            _CHECK_LINK,
        ),
    }
)

OTHER_100 = _refused(
    "Meta refused a parameter of the event.",
    "Read Meta's message; correct it and send it by hand.",
)
OTHER_4XX = _refused("Meta refused the event with a code not seen before.", _REPORT)
OTHER_5XX = _retry("Meta had an internal error and took nothing.")
OTHER_TRANSIENT = _retry("Meta had a temporary error and took nothing.")
OTHER_429 = _throttle("Meta asked to send less often.")
REQUEST_LEVEL_100 = _config(PauseReason.PERMISSION, "Meta refused the request as a whole.", _REPORT)
NOT_GRAPH_401 = _config(PauseReason.TOKEN, "The request was answered 'not authorised'.", _RENEW)
NOT_GRAPH_403 = _config(PauseReason.PERMISSION, "The request was answered 'forbidden'.", _GRANT)
NOT_GRAPH_404 = _config(PauseReason.LINK, "The address of the dataset does not exist.", _CHECK_LINK)
NOT_GRAPH_413 = _refused("The request was too large.", "Nothing: smaller requests are sent.")


def meaning_of(code: int, subcode: int | None) -> Meaning | None:
    """The row for a code and subcode, or None when the code, or a subcode of 100, is not listed."""
    if code == 100:
        return None if subcode is None else SUBCODES_OF_100.get(subcode)
    if code in CODES:
        return CODES[code]
    return next((meaning for codes, meaning in RANGES if code in codes), None)
