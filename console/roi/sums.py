"""From cells to sums: which event counts for which figure. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

from shared.db.roi import Cell, SpendCell
from shared.domain.roi import Sums

K = TypeVar("K", bound=Hashable)

#: Classes of conversations and conversions that came by an ad; the others stand aside and are in no total.
FROM_ADS = ("ad", "ad_without_click_id")
_CONVERSATIONS = {"ad": "with_click_id", "ad_without_click_id": "without_click_id", "organic": "organic"}
_EVENTS = {"Lead": "leads", "QualifiedLead": "qualified", "Purchase": "purchases"}
_META = ("impressions", "clicks", "link_clicks", "conversations_reported")


def add_up(cells: Iterable[tuple[K, Cell]], spend: Iterable[tuple[K, SpendCell]], *, currency: str) -> dict[K, Sums]:
    """The sums of each key. Sales in another currency than `currency` go into `elsewhere`; spend has it by contract.

    Conversions that Meta detected itself are in none of them: they stand beside ours and would count twice.
    """
    found: dict[K, dict[str, Any]] = defaultdict(dict)
    for key, cell in cells:
        _add_cell(found[key], cell, currency)
    for key, one in spend:
        values = found[key]
        values["spend"] = values.get("spend", Decimal(0)) + one.spend
        for name in _META:
            part = getattr(one, name)
            if part is not None:
                values[name] = values.get(name, 0) + part
    return {key: Sums(currency=currency, **values) for key, values in found.items()}


def _add_cell(values: dict[str, Any], cell: Cell, currency: str) -> None:
    wrote = cell.event_name == "conversation"
    name = _CONVERSATIONS.get(cell.message_class) if wrote else _EVENTS.get(cell.event_name)
    if name is None:
        return
    values[name] = values.get(name, 0) + cell.events
    if name != "purchases":
        return
    if cell.currency in ("", currency):
        for part in ("gross", "refunds", "cost", "costed"):
            values[part] = values.get(part, 0) + getattr(cell, part)
    else:
        elsewhere = values.setdefault("elsewhere", {})
        elsewhere[cell.currency] = elsewhere.get(cell.currency, Decimal(0)) + cell.gross - cell.refunds


def keyed(cells: Iterable[Cell], key: Callable[[Cell], K]) -> list[tuple[K, Cell]]:
    """Each cell with its key."""
    return [(key(cell), cell) for cell in cells]


def from_ads(cells: Iterable[Cell]) -> list[Cell]:
    """The cells of conversations and conversions that came by an ad, with its click id or without."""
    return [cell for cell in cells if cell.message_class in FROM_ADS]


def main_currency(cells: Iterable[Cell]) -> str:
    """The currency most of the sales were made in, where no ad account says one; '' without sales."""
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for cell in cells:
        if cell.event_name == "Purchase" and cell.currency:
            amounts[cell.currency] += cell.events
    return max(sorted(amounts), key=lambda currency: amounts[currency], default="")
