"""What takes an order back changes its purchase, whichever of the two was reported first. Everything is pure."""

from collections.abc import Sequence
from uuid import UUID

from shared.db.conversion_changes import NewChange
from shared.db.conversions import NewConversion, StoredConversion
from shared.domain.business_keys import CORRECTIONS, PURCHASE, purchase_among
from workers.reported import Reported


def corrections_of(
    conversion: NewConversion, siblings: Sequence[StoredConversion], reported: Reported
) -> list[NewChange]:
    """The changes of a purchase that a conversion makes, or that others of its order, `siblings`, make of it."""
    if conversion.event_name == PURCHASE:
        return [
            _take_back(conversion.id, conversion.currency, one, reported)
            for one in siblings
            if one.event_name in CORRECTIONS
        ]
    purchase = purchase_among(siblings)
    if purchase is None or conversion.event_name not in CORRECTIONS:
        return []
    return [_take_back(purchase.id, purchase.currency, conversion, reported)]


def _take_back(
    purchase_id: UUID,
    purchase_currency: str | None,
    correction: NewConversion | StoredConversion,
    reported: Reported,
) -> NewChange:
    in_other_currency = correction.value is not None and purchase_currency not in (None, correction.currency)
    return NewChange(
        conversion_id=purchase_id,
        kind=CORRECTIONS[correction.event_name],
        value=correction.value,
        currency=correction.currency if correction.value is not None else None,
        occurred_at=correction.occurred_at,
        source=reported.source,
        business_key=correction.business_key,
        submission_id=reported.submission_id,
        is_test=reported.is_test,
        detail={"conversion": str(correction.id)} | ({"other_currency": True} if in_other_currency else {}),
    )
