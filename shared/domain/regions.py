"""Where people are, as far as their number tells, and where Meta takes no messaging events.

Meta's own automatic events are "not available" in the European Union, the European Economic Area, the United Kingdom
and Japan (https://developers.facebook.com/documentation/business-messaging/whatsapp/embedded-signup/automatic-events-api),
and an event that is reported for somebody there can be refused as a "Messaging Event in a Messaging Restricted Region"
(https://respond.io/help/workflows/step-send-conversions-api-event). Codes are ISO 3166-1 alpha-2.
"""

from collections.abc import Sequence

import phonenumbers

_EU = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK "
    # Parts of a member state with a calling code of their own: https://eur-lex.europa.eu, Article 355 TFEU.
    "AX BL GF GP MF MQ RE YT"
)
_REST_OF_EEA = "IS LI NO"
# Guernsey, Jersey and the Isle of Man have the United Kingdom's numbering plan: who is where can't be told apart.
_UNITED_KINGDOM = "GB GG IM JE"
RESTRICTED = frozenset(f"{_EU} {_REST_OF_EEA} {_UNITED_KINGDOM} JP".split())
"""Countries where `region_policy` skip holds back, unless a dataset names its own."""


def country_of(phone: str | None) -> str | None:
    """The country of a number given as digits with its country code; None when they are no number.

    Of several countries under one code (+1, +7, +44) the one whose numbering plan has the number, or else the main
    one: an invented or very new number still has a country.
    """
    if not phone:
        return None
    region = _only_region(phone) or _region_by_plan(phone)
    # 001 is the world (satellite and toll-free codes), ZZ is nowhere.
    return region if region.isalpha() and region != "ZZ" else None


def _only_region(phone: str) -> str | None:
    """The country whose code this number begins with, where no other has the code: most of the world, and at once."""
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(phone[:length]) if phone.isdecimal() else 0, ())
        # Shorter and longer ones are no numbers, as `phonenumbers` has it.
        if len(regions) == 1 and 2 <= len(phone) - length <= 17:
            return regions[0]
    return None


def _region_by_plan(phone: str) -> str:
    try:
        number = phonenumbers.parse(f"+{phone}")
    except phonenumbers.NumberParseException:
        return "ZZ"
    return phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(
        number.country_code or 0
    )


def region_allowed(country: str | None, *, policy: str, restricted: Sequence[str] | None) -> bool:
    """Whether a dataset's policy lets events about somebody there go to Meta.

    `restricted` are the dataset's own countries (None: RESTRICTED). Somebody of unknown country may be sent: the
    policy is about what Meta refuses, and the channel's consent policy is the stricter tool.
    """
    if policy != "skip" or country is None:
        return True
    return country not in (RESTRICTED if restricted is None else restricted)
