"""The JSON of a rule, checked: one vocabulary for commands, files, the API and the table. Pure.

{"when": {"on": "outgoing", "keywords": ["agendado"], "by": "human"}, "then": {"event": "QualifiedLead"}}
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from shared.capi.event_names import inside_name
from shared.domain.amounts import Decimals
from shared.domain.keywords import fold
from shared.domain.patterns import Pattern
from shared.domain.rule_checks import PURCHASE, WITHOUT_MESSAGE, check_then, check_when, event_name, needs_confirmation
from shared.domain.rule_schemas import DefinitionSchema
from shared.domain.rules import Definition, Marks, Scope, Trigger, Value
from shared.domain.sentences import sentence
from shared.domain.signals import Author
from shared.domain.submission_fields import UNSTORABLE


class DefinitionError(ValueError):
    """A definition can't be used. `problems` are texts by path, as marshmallow nests them."""

    def __init__(self, problems: Mapping[str, Any]) -> None:
        super().__init__("the definition of a rule can't be used")
        self.problems = problems


@dataclass(frozen=True)
class Checked:
    """A definition that can be used, its JSON in full with every default, and what a person should know of it."""

    definition: Definition
    written: Mapping[str, Any]
    warnings: tuple[str, ...]


def check_definition(written: Any) -> Checked:
    """Checks the JSON of a rule. Raises DefinitionError with everything that is wrong."""
    if not isinstance(written, Mapping):
        raise DefinitionError({"_schema": ["must be an object with when and then"]})
    if any(UNSTORABLE.search(text) for text in _texts_in(written)):
        raise DefinitionError({"_schema": ["holds a character that no database takes"]})
    try:
        parts = {name: _with_on(part) if name == "when" else part for name, part in written.items()}
        loaded: dict[str, Any] = DefinitionSchema().load(parts)
    except ValidationError as error:
        raise DefinitionError(error.normalized_messages()) from None  # type: ignore[no-untyped-call]
    when, then = loaded["when"], loaded["then"]
    problems: dict[str, dict[str, list[str]]] = {"when": {}, "then": {}}
    check_when(when, problems["when"])
    check_then(when, then, problems["then"])
    if problems["when"] or problems["then"]:
        raise DefinitionError({part: found for part, found in problems.items() if found})
    return Checked(_definition(when, then), _in_full(when, then), tuple(_warnings(when, then)))


def _texts_in(written: Any) -> Iterator[str]:
    """Every text in a definition, names of fields too."""
    if isinstance(written, str):
        yield written
    elif isinstance(written, Mapping):
        for name, value in written.items():
            yield from _texts_in(name)
            yield from _texts_in(value)
    elif isinstance(written, Sequence):
        for value in written:
            yield from _texts_in(value)


def _with_on(when: Any) -> Any:
    """The `when` with its key `on`, which YAML 1.1 reads as the boolean true where it isn't in quotes."""
    if not isinstance(when, Mapping) or True not in when or "on" in when:
        return when
    return {("on" if name is True else name): value for name, value in when.items()}


def read_definition(written: Mapping[str, Any]) -> Definition:
    """The definition in a row of the table. Raises DefinitionError if today's code can't use it."""
    return check_definition(written).definition


def _warnings(when: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    if needs_confirmation(when, then):
        found.append(
            sentence("This rule reports sales without an order and on words alone. Try it before it is switched on.")
        )
    if event_name(then) == PURCHASE and "value" not in then:
        found.append(sentence("Its sales have no value: each waits until a value comes, and isn't sent before."))
    return found


def _definition(when: Mapping[str, Any], then: Mapping[str, Any]) -> Definition:
    on, value = Trigger(when["on"]), then.get("value")
    return Definition(
        on=on,
        event_name=event_name(then),
        once=Scope(then.get("once") or _usual_scope(on, then)),
        keywords=tuple(fold(one) for one in when.get("keywords", ())),
        pattern=when.get("pattern"),
        names=frozenset(_names(on, when)),
        by=None if when["by"] == "any" else Author(when["by"]),
        number=when.get("number"),
        value=None
        if value is None
        else Value(
            fixed=value.get("fixed"),
            pattern=value.get("pattern"),
            decimals=Decimals(value["decimals"]),
            from_order=bool(value.get("order")),
        ),
        currency=then.get("currency"),
        delay=then.get("delay"),
        order_pattern=then.get("order_pattern"),
        marks=Marks(
            stage=then.get("stage"),
            add=tuple(then.get("add_tags", ())),
            remove=tuple(then.get("remove_tags", ())),
        ),
    )


def _names(on: Trigger, when: Mapping[str, Any]) -> list[str]:
    given = when.get("is_", ())
    if on is Trigger.AUTOMATIC:
        given = [inside_name(one) or one for one in given]
    return [fold(one) for one in given]


def _usual_scope(on: Trigger, then: Mapping[str, Any]) -> Scope:
    """Two orders are two sales; everything else happens once for a click."""
    if on is Trigger.ORDER or "order_pattern" in then:
        return Scope.ORDER
    is_sale = event_name(then) == PURCHASE and on not in WITHOUT_MESSAGE
    return Scope.MESSAGE if is_sale else Scope.CLICK


def _in_full(when: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    on = Trigger(when["on"])
    full_when = {("is" if name == "is_" else name): _plain(value) for name, value in when.items()}
    if on is not Trigger.OUTGOING:
        full_when.pop("by")
    full_then = {name: _plain(value) for name, value in then.items()}
    if "event" in then:
        full_then["event"] = event_name(then)
        full_then.setdefault("once", _usual_scope(on, then).value)
    if not then["confirm_purchase"]:
        full_then.pop("confirm_purchase")
    return {"when": full_when, "then": full_then}


def _plain(value: Any) -> Any:
    """A loaded value as JSON."""
    match value:
        case Pattern():
            return value.written
        case timedelta():
            seconds = int(value.total_seconds())
            return next(f"{seconds // size}{unit}" for size, unit in _SIZES if seconds % size == 0)
        case Decimal():
            return format(value, "f")
        case Mapping():
            return {name: _plain(inner) for name, inner in value.items()}
        case _:
            return value


_SIZES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
