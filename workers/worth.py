"""What a reported conversion is worth, and in which currency. Everything is pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.capi.event_names import NEEDS_CURRENCY, NEEDS_VALUE
from shared.db.channels import IntakeChannel
from shared.db.conversions import StoredConversion
from shared.domain.business_keys import CORRECTIONS, purchase_among
from shared.domain.submissions import SubmittedConversion
from workers.reported import Stored


@dataclass(frozen=True)
class Worth:
    """An amount and its currency, and what is worth knowing about them."""

    value: Decimal | None
    currency: str | None
    flags: tuple[str, ...] = ()


def worth_of(
    item: SubmittedConversion,
    *,
    channel: IntakeChannel | None,
    target: IntakeChannel | None,
    siblings: Sequence[StoredConversion],
) -> Worth | Stored:
    """The value and its currency, where need be that of the order or the channel; or why it is refused.

    `target` is the channel whose dataset is told, `siblings` are what is known of the order.
    """
    purchase = purchase_among(siblings)
    if item.value == 0 and item.event_name in NEEDS_VALUE and not (target and target.dataset_allow_zero_value):
        return Stored(state="refused", reason="zero_value")
    if item.event_name in CORRECTIONS and purchase and item.currency and purchase.currency not in (None, item.currency):
        return Stored(state="refused", reason="currency_differs", detail=purchase.currency)
    if item.currency or (item.value is None and item.event_name not in NEEDS_CURRENCY - NEEDS_VALUE):
        return Worth(item.value, item.currency)
    if purchase and purchase.currency:
        return Worth(item.value, purchase.currency)
    if channel and channel.currency:
        flags = ("currency_from_channel",) if item.value is not None else ()
        return Worth(item.value, channel.currency, flags)
    if item.value is None:
        return Worth(None, None)
    return Stored(state="refused", reason="currency_unknown")
