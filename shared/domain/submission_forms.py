"""From the bytes of a request or of a part of a file to the items it holds, or to what is wrong with each. Pure.

The door checks with it before it stores, and the worker reads with it what was stored: the same bytes, time and key
give the same items.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import ValidationError

from shared.capi.event_names import NEEDS_VALUE
from shared.capi.payload import LONGEST_FUTURE
from shared.domain.submission_fields import MAX_ID
from shared.domain.submission_schemas import SCHEMAS
from shared.domain.submissions import (
    Item,
    Person,
    SubmittedConsent,
    SubmittedConversion,
    SubmittedStage,
    SubmittedTags,
    SubmittedTouchpoint,
)
from shared.providers.base import Json, Request, UnparsableError
from shared.providers.body import read_body

MAX_ITEMS = 500
#: Names that are no fields may be anything, a person's number too; only what looks like a name is repeated.
_NAME = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,63}")


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field, and how to mend it; `field` as in `contents[0].quantity`. Never holds a value."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


@dataclass(frozen=True)
class Malformed:
    """An item that has not the form it needs."""

    problems: tuple[FieldProblem, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


class UnreadableBody(Exception):
    """No items can be told apart in the body. The text says why and what to do, and holds nothing of the body."""


def parse_items(
    kind_path: str, body: bytes, *, received_at: datetime, idempotency_key: str | None = None
) -> list[Item | Malformed]:
    """The items of a body, in order: `{"data": [...]}` with 1 to 500 of them, or one item as it is.

    `kind_path` is a key of `shared.domain.submissions.KINDS`. `received_at` is the time of what says no other, and
    what the future begins at. `idempotency_key` is the request's: with several items, their place is added to it.
    Raises UnreadableBody.
    """
    values = _values(body)
    schema, build = SCHEMAS[kind_path](), _BUILD[kind_path]
    found: list[Item | Malformed] = []
    for place, value in enumerate(values):
        key = None if idempotency_key is None else idempotency_key if len(values) == 1 else f"{idempotency_key}:{place}"
        try:
            fields = schema.load(value)  # type: ignore[arg-type]
            _check_time(fields, received_at)
            found.append(build(fields, received_at, key))
        except ValidationError as error:
            found.append(Malformed(tuple(_flat(error.normalized_messages()))))  # type: ignore[no-untyped-call]
    return found


def check_key(key: str) -> str:
    """A request's idempotency key without the quotes it may stand in. Raises ValueError with what is wrong.

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ has it in quotes; most leave them out.
    """
    bare = key.strip()
    if len(bare) >= 2 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    # Room for the place that is added to it.
    if not 1 <= len(bare) <= MAX_ID - 4 or not (bare.isascii() and bare.isprintable()):
        raise ValueError(f"must be 1 to {MAX_ID - 4} characters of printable ASCII")
    return bare


def _values(body: bytes) -> Sequence[Json]:
    try:
        whole = read_body(Request(body=body))
    except UnparsableError as error:
        problem = str(error) if error.reason != "not_json" else "The body is not JSON."
    else:
        if not isinstance(whole, dict):
            raise UnreadableBody('The body must be an object: one item, or {"data": [...]} with several.')
        if "data" not in whole:
            return [whole]
        values = whole["data"]
        if len(whole) > 1:
            raise UnreadableBody('Beside "data" the body must have no other field.')
        if not isinstance(values, list) or not 1 <= len(values) <= MAX_ITEMS:
            raise UnreadableBody(f'"data" must be a list of 1 to {MAX_ITEMS} items. Split what is longer.')
        return values
    raise UnreadableBody(problem)


def _check_time(fields: Mapping[str, Any], received_at: datetime) -> None:
    moment = fields.get("occurred_at")
    if moment is not None and moment - received_at > LONGEST_FUTURE:
        raise ValidationError("is in the future: check the zone and the clock", "occurred_at")


def _person(fields: Mapping[str, Any]) -> Person:
    names = dict(fields["contact"])
    return Person(contact_id=names.pop("id", None), **names)


def _conversion(fields: dict[str, Any], _received_at: datetime, key: str | None) -> Item:
    own_key = fields.get("idempotency_key") or key
    if fields["event_name"] in NEEDS_VALUE and not (fields.get("order_id") or fields.get("event_id") or own_key):
        raise ValidationError(
            "must be there: a Purchase needs an order_id, an event_id or an idempotency_key (or the request an"
            " Idempotency-Key), so that it is counted once",
            "order_id",
        )
    named = {name: value for name, value in fields.items() if name not in ("contact", "idempotency_key")}
    if "contents" in named:
        named["contents"] = tuple(named["contents"])
    return SubmittedConversion(person=_person(fields), idempotency_key=own_key, **named)


def _stage(fields: dict[str, Any], received_at: datetime, _key: str | None) -> Item:
    return SubmittedStage(
        person=_person(fields), stage=fields["stage"], occurred_at=fields.get("occurred_at", received_at)
    )


def _tags(fields: dict[str, Any], received_at: datetime, _key: str | None) -> Item:
    return SubmittedTags(
        person=_person(fields),
        occurred_at=fields.get("occurred_at", received_at),
        add=tuple(dict.fromkeys(fields.get("add", ()))),
        remove=tuple(dict.fromkeys(fields.get("remove", ()))),
    )


def _consent(fields: dict[str, Any], received_at: datetime, _key: str | None) -> Item:
    return SubmittedConsent(
        person=_person(fields),
        given=fields["given"],
        occurred_at=fields.get("occurred_at", received_at),
        origin=fields.get("origin"),
    )


def _touchpoint(fields: dict[str, Any], _received_at: datetime, _key: str | None) -> Item:
    return SubmittedTouchpoint(
        person=_person(fields), **{name: value for name, value in fields.items() if name != "contact"}
    )


_BUILD: Mapping[str, Callable[[dict[str, Any], datetime, str | None], Item]] = {
    "conversions": _conversion,
    "contacts/stage": _stage,
    "contacts/tags": _tags,
    "contacts/consent": _consent,
    "touchpoints": _touchpoint,
}


def _flat(found: Any, field: str = "") -> list[FieldProblem]:
    """marshmallow's nested messages as one list, each with its whole path."""
    if isinstance(found, str):
        return [FieldProblem(field, found)]
    if isinstance(found, list):
        return [problem for one in found for problem in _flat(one, field)]
    problems: list[FieldProblem] = []
    for name, below in found.items():
        if name == "_schema":
            path = field
        elif isinstance(name, int):
            path = f"{field}[{name}]"
        else:
            shown = str(name) if _NAME.fullmatch(str(name)) else "(a name of another form)"
            path = f"{field}.{shown}" if field else shown
        problems += _flat(below, path)
    return problems
