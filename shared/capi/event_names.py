"""The names of conversions: ours and Meta's, in one table.

Meta's 14 names for business messaging, in exact case:
https://developers.facebook.com/documentation/ads-commerce/conversions-api/business-messaging. Its live API
refuses every other name, `Lead` too (100/2804066).
"""

from collections.abc import Mapping
from types import MappingProxyType

META_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "Lead": "LeadSubmitted",
        "QualifiedLead": "QualifiedLead",
        "Purchase": "Purchase",
        "InitiateCheckout": "InitiateCheckout",
        "AddToCart": "AddToCart",
        "ViewContent": "ViewContent",
        "OrderCreated": "OrderCreated",
        "OrderShipped": "OrderShipped",
        "OrderDelivered": "OrderDelivered",
        "OrderCanceled": "OrderCanceled",
        "OrderReturned": "OrderReturned",
        "CartAbandoned": "CartAbandoned",
        "RatingProvided": "RatingProvided",
        "ReviewProvided": "ReviewProvided",
    }
)
"""Our name, which is the guide's, to the name Meta's live API takes."""

NEEDS_VALUE = frozenset({"Purchase"})
NEEDS_CURRENCY = frozenset({"Purchase", "OrderCreated"})


def inside_name(name: str) -> str | None:
    """Our name for one given from outside (`LeadSubmitted` is `Lead`); None when Meta has no such event."""
    return next(
        (inside for inside, metas in META_NAMES.items() if name in (inside, metas)),
        None,
    )
