"""What rules read besides the messages that people send: what the business sent them, labels, and what was ordered.

Nothing here counts as somebody having written: no touchpoint, no lead. Texts are read in memory. Everything is pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Author(StrEnum):
    """Who of the business sent a message. UNKNOWN: the provider doesn't say, and it counts as neither."""

    HUMAN = "human"
    AUTOMATION = "automation"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What an order message says. `contents` are in Meta's form: id, quantity, item_price.

    `value` is in whole units of `currency`; None where the provider doesn't say it in a way that is documented.
    """

    order_id: str | None = None
    value: Decimal | None = None
    currency: str | None = None
    contents: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class OutgoingMessage:
    """One message that the business sent to a person, who is named as the sender of a `Message` is.

    `template` is the name of the template it was made of.
    """

    message_id: str
    author: Author
    phone: str | None = field(default=None, repr=False)
    bsuid: str | None = field(default=None, repr=False)
    parent_bsuid: str | None = field(default=None, repr=False)
    lid: str | None = field(default=None, repr=False)
    provider_id: str | None = field(default=None, repr=False)
    kind: str | None = None
    text: str | None = field(default=None, repr=False)
    template: str | None = None
    order: Order | None = field(default=None, repr=False)
    sent_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LabelChange:
    """A label that was put on the chat with a person, or taken off; the person is named as in a `Message`.

    `label` is its name, or the provider's id of it where no name comes with it.
    """

    label: str
    added: bool
    phone: str | None = field(default=None, repr=False)
    lid: str | None = field(default=None, repr=False)
    provider_id: str | None = field(default=None, repr=False)
    bsuid: str | None = field(default=None, repr=False)
    parent_bsuid: str | None = field(default=None, repr=False)
    at: datetime | None = None
