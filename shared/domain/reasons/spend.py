"""Why spend is not pulled, or a line of a file not taken."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.domain.reasons.reason import BY_ITSELF, NOTHING, Reason, reason

_PLAIN_NUMBER = "Write it as 1234.56, or say --decimal."
_BY_DAY = "Export it from Ads Manager with the breakdown By time > Day, then import again."
SPEND: Mapping[str, Reason] = MappingProxyType(
    {
        "ad_account_not_seen": reason(
            "The token sees no ad account of this id.",
            "Check the id, and give the token's system user the ad account in Meta Business settings.",
        ),
        "ads_read_missing": reason(
            "The token may not read this ad account.",
            "Make a token with ads_read for a system user who may view the account's performance.",
        ),
        "insights_throttled": reason("Meta's limit for reading insights is reached.", BY_ITSELF),
        "insights_too_much": reason(
            "Meta finds that too much was asked for at once.", "Pull fewer days: ctwa spend sync with a later --since."
        ),
        "report_failed": reason("Meta could not prepare the report of spend.", BY_ITSELF),
        "insights_unreadable": reason(
            "What Meta answered is not what it documents.", "Report it with the version in use; it is tried again."
        ),
        "still_pulling": reason("It is not finished yet and goes on by itself.", "Look: ctwa accounts list."),
        "number_invalid": reason("A number of this line can't be read.", _PLAIN_NUMBER),
        "number_ambiguous": reason("A number like 1.234 can be a thousand or one and a bit.", _PLAIN_NUMBER),
        "number_negative": reason("The amount is below zero.", "Leave credits out: spend can't be negative."),
        "date_invalid": reason("The day can't be read.", "Write it as 2026-11-20."),
        "date_ambiguous": reason("A day like 03/04/2026 can be in March or April.", "Say --dates dmy or mdy."),
        "not_by_day": reason("The line is the sum of several days.", _BY_DAY),
        "id_invalid": reason("The id is not a number.", "Check the column of ids."),
        "id_rounded": reason("A spreadsheet has rounded the id.", "Import the file as Ads Manager made it."),
        "currency_invalid": reason("The currency is not three letters.", "Write it as USD."),
        "spend_currency_unknown": reason(
            "Neither the file nor the ad account names a currency.", "Say it: ctwa accounts set NAME --currency USD."
        ),
        "spend_currency_differs": reason(
            "The currency is another than the ad account's, and is never converted.",
            "Import it into an ad account of its own.",
        ),
        "day_from_meta": reason("The spend of this day came from Meta already.", NOTHING),
        "other_level": reason(
            "This day is known at another level, such as by campaign, and would count twice.",
            "Keep to one level a day: ads, ad sets, campaigns or the account.",
        ),
        "twice_in_file": reason(
            "The file has this ad and day twice.", "Export it without other breakdowns such as age or placement."
        ),
    }
)
"""Why spend was not pulled from Meta, or a line of a file not taken."""

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
