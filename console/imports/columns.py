"""What the columns of a file mean, by the names that shops and CRMs give them; and a row as the item it stands for."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from typing import Any

from console.errors import InvalidError
from shared.capi.event_names import NEEDS_VALUE

#: Field -> the headings that mean it, compared in lower case with everything but letters and digits left out.
PERSON = {
    "phone": ("phone", "phone number", "mobile", "telephone", "tel", "whatsapp", "whatsapp number", "celular",
              "telefone", "telefono", "teléfono", "handynummer", "telefon"),
    "email": ("email", "e-mail", "mail", "email address"),
    "bsuid": ("bsuid", "user id"),
    "click_id": ("click id", "ctwa clid", "clid"),
    "id": ("contact id", "contact"),
}  # fmt: skip
SALE = {
    "event_name": ("event name", "event", "conversion name", "type"),
    "occurred_at": ("occurred at", "time", "date", "datetime", "timestamp", "event time", "conversion time",
                    "order date", "created at", "sold at", "closed at", "data", "fecha", "datum"),
    "value": ("value", "amount", "total", "revenue", "price", "conversion value", "valor", "importe", "betrag"),
    "currency": ("currency", "currency code", "conversion currency", "moeda", "moneda", "währung"),
    "order_id": ("order id", "order", "order number", "order no", "transaction id", "invoice", "pedido"),
    "order_source": ("order source", "shop", "store"),
    "event_id": ("event id",),
    "idempotency_key": ("idempotency key", "key"),
    "cost": ("cost", "cost of goods"),
    "channel": ("channel", "business number"),
}  # fmt: skip
TOUCHPOINT = {
    "occurred_at": SALE["occurred_at"],
    "external_id": ("external id", "record id", "lead id", "deal id", "id"),
    "ad_id": ("ad id", "source id", "ad"),
    "source_url": ("source url", "url", "ad url", "link"),
    "headline": ("headline", "ad name", "title"),
    "source_app": ("source app", "app", "placement", "source"),
    "channel": SALE["channel"],
}
FIELDS: Mapping[str, Mapping[str, Sequence[str]]] = {"conversions": SALE, "touchpoints": TOUCHPOINT}
#: Without these a file can't be what it is said to be.
_NEEDED = {"conversions": ("occurred_at",), "touchpoints": ("occurred_at", "external_id")}

_POINT = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_COMMA = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a file is to be read: what a time without a zone and a number mean, and what all rows have in common."""

    zone: tzinfo = UTC
    time_format: str | None = None
    decimal_comma: bool = False
    defaults: Mapping[str, str] = field(default_factory=dict)


def columns_of(kind: str, headings: Sequence[str]) -> dict[str, int]:
    """Which column holds which field; `contact.` stands before those that name the person. Raises InvalidError."""
    names = {_bare(name): f"contact.{key}" for key, known in PERSON.items() for name in known}
    names |= {_bare(name): key for key, known in FIELDS[kind].items() for name in (key, *known)}
    found: dict[str, int] = {}
    for place, heading in enumerate(headings):
        meant = names.get(_bare(heading))
        if meant is not None:
            if meant in found:
                raise InvalidError(f"Two columns mean {meant.removeprefix('contact.')}: rename or remove one of them.")
            found[meant] = place
    if not any(name.startswith("contact.") for name in found):
        raise InvalidError("No column says who it was: there must be a phone, email, bsuid, click_id or contact_id.")
    if missing := [name for name in _NEEDED[kind] if name not in found]:
        raise InvalidError(
            f"There is no column {', '.join(missing)}. docs/conversions.md lists the names that are known."
        )
    return found


class Rows:
    """Turns rows into items as the API takes them; it counts rows that are alike, so that each has a key of its own."""

    def __init__(self, kind: str, columns: Mapping[str, int], reading: Reading) -> None:
        self._kind = kind
        self._columns = columns
        self._reading = reading
        self._alike: Counter[str] = Counter()

    def item(self, cells: Sequence[str], *, now: datetime) -> dict[str, Any]:
        """The JSON item of one row. Raises ValueError, whose text says what is wrong with which field."""
        said = {name: cells[place].strip() for name, place in self._columns.items() if place < len(cells)}
        said = {**self._reading.defaults, **{name: text for name, text in said.items() if text}}
        contact = {name.removeprefix("contact."): text for name, text in said.items() if name.startswith("contact.")}
        item: dict[str, Any] = {name: text for name, text in said.items() if not name.startswith("contact.")}
        item["contact"] = {name: _whole(text) if name == "id" else text for name, text in contact.items()}
        if "occurred_at" in item:
            item["occurred_at"] = _moment(item["occurred_at"], self._reading, now)
        for name in ("value", "cost"):
            if name in item:
                item[name] = _number(name, item[name], decimal_comma=self._reading.decimal_comma)
        if self._kind == "conversions":
            item.setdefault("event_name", "Purchase")
            named = any(item.get(name) for name in ("order_id", "event_id", "idempotency_key"))
            if item["event_name"] in NEEDS_VALUE and not named:
                item["idempotency_key"] = self._own_key(said)
        return item

    def _own_key(self, said: Mapping[str, str]) -> str:
        """A key from what the row says: the same row of the same file is the same sale, a second one alike is not."""
        text = "\x1f".join(f"{name}={said[name]}" for name in sorted(said))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._alike[digest] += 1
        return f"row:{digest}:{self._alike[digest]}"


def _bare(heading: str) -> str:
    return re.sub(r"[\W_]", "", heading.casefold())


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else text


def _moment(text: str, reading: Reading, now: datetime) -> str:
    """A time as ISO 8601 with its zone. A date alone is the end of that day: a click of that day then lies before."""
    if re.fullmatch(r"[0-9]{9,10}(\.[0-9]+)?", text):
        return datetime.fromtimestamp(float(text), UTC).isoformat()
    try:
        moment = (
            datetime.strptime(text, reading.time_format) if reading.time_format else datetime.fromisoformat(text)  # noqa: DTZ007
        )
    except ValueError:
        form = (
            f"like {reading.time_format}" if reading.time_format else "like 2026-11-24 18:00 or 2026-11-24T18:00+01:00"
        )
        raise ValueError(f"occurred_at: must be a time {form} (--time-format names another form)") from None
    is_date = len(text) == 10 if reading.time_format is None else "%H" not in reading.time_format
    if is_date and moment.time() == time.min:
        moment = datetime.combine(moment.date(), time(23, 59, 59), moment.tzinfo)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=reading.zone)
        return min(aware, max(now, aware.replace(hour=0, minute=0, second=0))).isoformat()
    return (moment if moment.tzinfo else moment.replace(tzinfo=reading.zone)).isoformat()


def _number(name: str, text: str, *, decimal_comma: bool) -> str:
    """A number with a point and no marks between its thousands."""
    bare = text.replace(" ", "").replace("\u00a0", "")
    if decimal_comma:
        bare = bare.replace(".", "") if _COMMA.fullmatch(bare) else bare
        return bare.replace(",", ".") if bare.count(",") <= 1 and "." not in bare else bare
    if _POINT.fullmatch(bare) and "." in bare:
        return bare.replace(",", "")
    if "," in bare:
        raise ValueError(f"{name}: has a comma, which may mean two things: say --decimal-comma, or write 1234.50")
    return bare
