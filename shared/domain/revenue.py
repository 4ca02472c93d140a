"""What a conversion is worth after all that was learnt of it: gross, and net of what was given back. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

_ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row of `conversion_changes`, as far as it touches the value. A refund or cancellation without a value is
    of everything."""

    kind: str
    value: Decimal | None
    currency: str | None
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True)
class Revenue:
    """`gross` is the last value said, `net` what remains of it after refunds and cancellations, never below zero."""

    gross: Decimal
    net: Decimal
    currency: str


def revenue(value: Decimal | None, currency: str | None, changes: Iterable[Change]) -> Revenue | None:
    """What a conversion with this first value is worth now; None while nobody has said a value.

    A change in another currency counts for nothing: it can't be taken from this one.
    """
    ordered = sorted(changes, key=lambda one: one.occurred_at)
    for change in ordered:
        if change.kind in ("value", "amendment") and change.value is not None and currency in (None, change.currency):
            value, currency = change.value, change.currency
    if value is None or currency is None:
        return None
    back = _ZERO
    for change in ordered:
        if change.kind in ("refund", "cancellation"):
            if change.value is None:
                back = value
            elif change.currency == currency:
                back += change.value
    return Revenue(gross=value, net=max(_ZERO, value - back), currency=currency)
