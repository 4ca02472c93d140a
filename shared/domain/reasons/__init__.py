"""Every reason code the product stores or shows, in plain words and with a next step.

A code `meta_<code>[_<subcode>]` stands for an error of Meta's; its words come from `shared.capi.verdicts`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from shared.capi import verdicts
from shared.domain.reasons.conversions import ATTRIBUTION, FLAGS, RULES, SUBMISSIONS
from shared.domain.reasons.deliveries import HELD_UP, OUR_CHECKS, OUTCOMES, PAUSES, SKIPPED
from shared.domain.reasons.reason import Reason, of, reason
from shared.domain.reasons.spend import SPEND, spend_reason
from shared.domain.reasons.webhooks import ANSWERED, ENDPOINTS, OTHER_SIDE, OUTBOUND, WEBHOOKS
from shared.domain.sentences import sentence

__all__ = [
    "ANSWERED", "ATTRIBUTION", "ENDPOINTS", "FLAGS", "HELD_UP", "OTHER_SIDE", "OUR_CHECKS", "OUTBOUND", "OUTCOMES",
    "PAUSES", "REASONS", "RULES", "SKIPPED", "SPEND", "SUBMISSIONS", "TABLES", "UNKNOWN", "WEBHOOKS", "Reason",
    "explain", "spend_reason",
]  # fmt: skip

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


UNKNOWN = reason("This code is not known to this version.", "Report it with the version in use.")


def explain(code: str) -> Reason:
    """The words and next step for any stored code; an unheard-of code gets an answer that says so."""
    if known := REASONS.get(code):
        return known
    if match := re.fullmatch(r"meta_(-?[0-9]{1,10})(?:_(-?[0-9]{1,10}))?", code):
        number, subcode = int(match[1]), int(match[2]) if match[2] else None
        unlisted = verdicts.OTHER_100 if number == 100 else verdicts.OTHER_4XX
        return of(verdicts.meaning_of(number, subcode) or unlisted)
    if match := re.fullmatch(r"answered_([0-9]{3})", code):
        words = sentence("The other side answered {status} instead of 2xx.", status=match[1])
        return reason(words, ANSWERED.get(match[1][0], OTHER_SIDE))
    return UNKNOWN
