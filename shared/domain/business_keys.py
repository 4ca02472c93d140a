"""By what a reported conversion is the same one when it is reported again, by whatever way. Everything is pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from shared.domain.submissions import SubmittedConversion

PURCHASE = "Purchase"
#: Events that take back an order: the kind of change each makes of the order's Purchase.
CORRECTIONS = {"OrderCanceled": "cancellation", "OrderReturned": "refund"}


class Once(StrEnum):
    """How often a conversion may happen, where a rule says so.

    REPORTED: by its order or key, else once per click, else once per contact.
    """

    REPORTED = "reported"
    CONTACT = "contact"
    MESSAGE = "message"


@dataclass(frozen=True, kw_only=True)
class BusinessKey:
    """`key` is fixed at the conversion's birth; `click_hash` is set for what may happen once per click only.

    `known_as` are keys that the same conversion may have been stored under before its click or its person's other
    names were known.
    """

    key: str
    click_hash: str | None = None
    known_as: tuple[str, ...] = ()


def order_key(order_source: str, order_id: str) -> str:
    """The key of an order: the same by whatever way it is reported."""
    return f"order:{order_source}:{order_id}"


class _Named(Protocol):
    @property
    def event_name(self) -> str: ...


_OneNamed = TypeVar("_OneNamed", bound=_Named)


def purchase_among(conversions: Iterable[_OneNamed]) -> _OneNamed | None:
    """The purchase among what was reported of one order, if it is there yet."""
    return next((one for one in conversions if one.event_name == PURCHASE), None)


def belongs_to_order(key: str, order_source: str, order_id: str) -> bool:
    """Whether a conversion with this key and order id is of that source's order."""
    own = order_key(order_source, order_id)
    return key == own or key.startswith(f"{own}:by:")


def business_key(
    item: SubmittedConversion,
    *,
    contact_ids: tuple[int, ...],
    click_hash: str | None,
    message_id: str | None = None,
    once: Once = Once.REPORTED,
) -> BusinessKey:
    """The key of a reported conversion.

    `contact_ids` are the contact's own id and those of contacts merged into it, `click_hash` that of the click it
    belongs to. Several partial returns of one order are told apart by keys of their own.
    """
    own = (
        f"idem:{item.idempotency_key}" if item.idempotency_key else f"event:{item.event_id}" if item.event_id else None
    )
    contacts = tuple(f"contact:{contact_id}" for contact_id in contact_ids)
    if once is Once.MESSAGE:
        return BusinessKey(key=f"msg:{message_id}")
    if once is Once.CONTACT:
        return BusinessKey(key=contacts[0], known_as=contacts[1:])
    if item.order_id:
        order = order_key(item.order_source, item.order_id)
        return BusinessKey(key=f"{order}:by:{own}" if own and item.event_name in CORRECTIONS else order)
    if own:
        return BusinessKey(key=own)
    if click_hash:
        return BusinessKey(key=f"click:{click_hash}", click_hash=click_hash)
    return BusinessKey(key=contacts[0], known_as=contacts[1:])
