"""What a message of the Cloud API, or of a provider that keeps its form, says: its text and its order. Pure.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/
"""

from collections.abc import Mapping
from decimal import Decimal

from shared.domain.signals import Order
from shared.providers.base import Json
from shared.providers.body import amount, identifier, mapping, text

#: More items than any catalogue order has.
MAX_ITEMS = 500
#: Where each type of message has its text.
TEXTS = {
    "button": ("text",),
    "document": ("caption",),
    "image": ("caption",),
    "order": ("text",),
    "text": ("body",),
    "video": ("caption",),
}


def cloud_text(message: Mapping[str, Json]) -> str | None:
    """What the person typed or tapped, in the member that is named after the message's type; None for nothing."""
    kind = (text(message.get("type"), 64) or "").lower()
    content = mapping(message.get(kind))
    if kind == "interactive":
        replies = (mapping(content.get(name)).get("title") for name in ("button_reply", "list_reply"))
        return next((found for reply in replies if (found := text(reply))), None)
    return next((found for name in TEXTS.get(kind, ()) if (found := text(content.get(name)))), None)


def cloud_order(message: Mapping[str, Json]) -> Order | None:
    """The order of a message of the type `order`."""
    kind = (text(message.get("type"), 64) or "").lower()
    return catalogue_order(mapping(message.get("order"))) if kind == "order" else None


def catalogue_order(order: Mapping[str, Json]) -> Order | None:
    """The Cloud API's order of products: `product_items[]{product_retailer_id, quantity, item_price, currency}`.

    Its value is the sum of its items, where each has a price and all have one currency.
    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/order/
    """
    listed = order.get("product_items")
    items = [mapping(item) for item in listed] if isinstance(listed, list) else []
    if not 0 < len(items) <= MAX_ITEMS:
        return None
    contents: list[dict[str, object]] = []
    total: Decimal | None = Decimal(0)
    for item in items:
        quantity, price = amount(item.get("quantity")), amount(item.get("item_price"))
        total = None if total is None or quantity is None or price is None else total + quantity * price
        product = identifier(item.get("product_retailer_id"))
        if product and quantity is not None and quantity == int(quantity):
            contents.append(
                {"id": product, "quantity": int(quantity), **({} if price is None else {"item_price": price})}
            )
    currencies = {(text(item.get("currency"), 3) or "").upper() for item in items}
    currency = currencies.pop() if len(currencies) == 1 else ""
    known = len(currency) == 3 and currency.isascii() and currency.isalpha()
    return Order(
        value=total if known else None,
        currency=currency if known else None,
        contents=tuple(contents),
    )
