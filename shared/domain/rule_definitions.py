"""The JSON of a rule, checked: one vocabulary for commands, files, the API and the table. Pure.

{"when": {"on": "outgoing", "keywords": ["agendado"], "by": "human"}, "then": {"event": "QualifiedLead"}}
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from shared.capi.event_names import META_NAMES, inside_name
from shared.domain.amounts import Decimals
from shared.domain.keywords import fold
from shared.domain.patterns import Pattern, PatternError, compile_pattern
from shared.domain.rules import Definition, Marks, Scope, Trigger, Value
from shared.domain.sentences import sentence
from shared.domain.signals import Author
from shared.domain.submission_fields import MAX_LABEL, UNSTORABLE, Text
from shared.domain.submission_schemas import MAX_TAGS

PURCHASE = "Purchase"
MAX_DELAY = timedelta(days=6)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}

_CONFIRM = sentence(
    "must be true for this: the rule would report sales on the strength of words alone, and Meta would learn from every"
    " wrong one. An order message, a stage, a tag, or a value taken from a message of yours is surer"
)
_TEXTUAL = frozenset({Trigger.INBOUND, Trigger.OUTGOING})
#: What has a text that a value can be taken from.
_SPEAKING = frozenset({*_TEXTUAL, Trigger.TEMPLATE, Trigger.ORDER, Trigger.MEDIA, Trigger.PAYMENT, Trigger.FIRST_REPLY})
_NAMED = frozenset({Trigger.STAGE, Trigger.TAG, Trigger.TEMPLATE, Trigger.AUTOMATIC})
#: What happens by no message of ours: it can't be once for each.
_WITHOUT_MESSAGE = frozenset({Trigger.STAGE, Trigger.TAG})
#: What a business does on purpose or Meta says: a sale needs no second word.
_SURE = frozenset({Trigger.STAGE, Trigger.TAG, Trigger.ORDER, Trigger.AUTOMATIC})
#: What is said of the conversion, so that without one it says nothing.
_OF_EVENT = ("value", "currency", "delay", "once", "order_pattern")


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
        loaded: dict[str, Any] = _RuleSchema().load(parts)
    except ValidationError as error:
        raise DefinitionError(error.normalized_messages()) from None  # type: ignore[no-untyped-call]
    when, then = loaded["when"], loaded["then"]
    problems: dict[str, dict[str, list[str]]] = {"when": {}, "then": {}}
    _check_when(when, problems["when"])
    _check_then(when, then, problems["then"])
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


class _Text(fields.String):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValidationError("must be text; put it in quotes")
        return str(value).strip()


class _Texts(fields.Field[list[str]]):
    """One text, or a list of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        listed = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        texts = [str(one).strip() for one in listed if isinstance(one, str | int) and not isinstance(one, bool)]
        if len(texts) != len(listed) or not 1 <= len(texts) <= 50:
            raise ValidationError(sentence("must be a text, or a list of 1 to 50 texts"))
        if any(not fold(one) or len(one) > 200 for one in texts):
            raise ValidationError(sentence("each must have 1 to 200 characters, and not only signs"))
        return texts


class _PatternField(fields.Field[Pattern]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Pattern:
        if not isinstance(value, str):
            raise ValidationError("must be a pattern, as text")
        try:
            return compile_pattern(value)
        except PatternError as error:
            raise ValidationError(sentence("can't be used as a pattern: {why}", why=str(error))) from None


class _Tags(fields.Field[list[str]]):
    """One tag, or a list of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_TAGS:
            raise ValidationError(sentence("must be a tag, or a list of 1 to {most} tags", most=MAX_TAGS))
        return [str(Text(longest=MAX_LABEL, required=True).deserialize(one)) for one in listed]


class _Delay(fields.Field[timedelta]):
    """A time such as 30min."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> timedelta:
        text = value.strip() if isinstance(value, str) else ""
        digits = text.rstrip("smindh")
        unit = _UNITS.get(text[len(digits) :])
        if not unit or not digits.isascii() or not digits.isdigit() or len(digits) > 7:
            raise ValidationError(sentence("must be like 90s, 30min, 2h or 1d"))
        delay = timedelta(**{unit: int(digits)})
        if not timedelta() < delay <= MAX_DELAY:
            raise ValidationError(
                sentence("must be more than nothing and at most 6d: Meta takes nothing older than 7 days")
            )
        return delay


class _Amount(fields.Field[Decimal]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        try:
            amount = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else Decimal("NaN")
        except ArithmeticError:
            amount = Decimal("NaN")
        if isinstance(value, bool) or not amount.is_finite() or not 0 < amount < Decimal("1e12"):
            raise ValidationError(sentence("must be an amount above zero, such as 49.90"))
        return amount


def _event(value: str) -> None:
    if inside_name(value) is None:
        raise ValidationError(f"must be one of {', '.join(META_NAMES)}: Meta takes no other of a chat")


def _choice(kind: type[Any]) -> validate.OneOf:
    return validate.OneOf([one.value for one in kind], error="must be one of {choices}")


class _Strict(Schema):
    class Meta:
        unknown = RAISE


class _WhenSchema(_Strict):
    on = fields.String(required=True, validate=_choice(Trigger))
    keywords = _Texts()
    pattern = _PatternField()
    is_ = _Texts(data_key="is")
    by = fields.String(load_default="any", validate=validate.OneOf(["any", "human", "automation"]))
    number = fields.Integer(strict=True, validate=validate.Range(min=1, max=1000))


class _ValueSchema(_Strict):
    fixed = _Amount()
    pattern = _PatternField()
    decimals = fields.String(load_default="auto", validate=_choice(Decimals))
    order = fields.Boolean()


class _ThenSchema(_Strict):
    event = fields.String(validate=_event)
    stage = Text(longest=MAX_LABEL)
    add_tags = _Tags()
    remove_tags = _Tags()
    value = fields.Nested(_ValueSchema)
    currency = _Text(validate=validate.Regexp(r"^[A-Z]{3}$", error=sentence("must be an ISO 4217 code such as EUR")))
    delay = _Delay()
    once = fields.String(validate=_choice(Scope))
    order_pattern = _PatternField()
    confirm_purchase = fields.Boolean(load_default=False)


class _RuleSchema(_Strict):
    when = fields.Nested(_WhenSchema, required=True)
    then = fields.Nested(_ThenSchema, required=True)


def _check_when(when: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    on = Trigger(when["on"])
    if on in _TEXTUAL and ("keywords" in when) == ("pattern" in when):
        problems["keywords"] = [sentence("{on} needs either keywords or a pattern", on=on)]
    if on not in _TEXTUAL:
        for name in ("keywords", "pattern"):
            if name in when:
                problems[name] = [f"only inbound and outgoing look for it, {on} doesn't"]
    if "is" in problems or ("is_" in when) != (on in _NAMED):
        problems["is"] = [
            sentence("{on} needs it", on=on) if on in _NAMED else sentence("{on} has no name to compare with", on=on)
        ]
    if ("number" in when) != (on is Trigger.NUMBER):
        problems["number"] = [
            sentence("{on} needs it", on=on) if on is Trigger.NUMBER else sentence("only message_number counts")
        ]
    if when["by"] != "any" and on is not Trigger.OUTGOING:
        problems["by"] = ["only outgoing messages are told by who wrote them"]


def _check_then(when: Mapping[str, Any], then: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    on, value = Trigger(when["on"]), then.get("value")
    _check_marks(when, then, problems)
    if value is not None:
        sources = [name for name in ("fixed", "pattern", "order") if value.get(name)]
        if len(sources) != 1:
            problems["value"] = [sentence("needs one of fixed, pattern and order")]
        elif "pattern" in sources and on not in _SPEAKING:
            problems["value"] = [sentence("{on} has no text to take it from", on=on)]
        elif "order" in sources and on not in (Trigger.ORDER, Trigger.AUTOMATIC):
            problems["value"] = [sentence("{on} has no order to take it from", on=on)]
    if "order_pattern" in then and on not in _SPEAKING:
        problems["order_pattern"] = [sentence("{on} has no text to take it from", on=on)]
    once = then.get("once")
    if once == Scope.ORDER and on is not Trigger.ORDER and "order_pattern" not in then:
        problems["once"] = [
            sentence("once per order needs an order message, or an order_pattern that finds its number")
        ]
    if once == Scope.MESSAGE and on in _WITHOUT_MESSAGE:
        problems["once"] = [sentence("{on} happens without a message: say click or contact", on=on)]
    if "order_pattern" in then and once not in (None, Scope.ORDER):
        problems["order_pattern"] = [sentence("is for once: order")]
    if _needs_confirmation(when, then) and not then["confirm_purchase"]:
        problems["confirm_purchase"] = [_CONFIRM]


def _check_marks(when: Mapping[str, Any], then: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    if not {"event", "stage", "add_tags", "remove_tags"} & then.keys():
        problems["event"] = [sentence("say what follows: event, stage, add_tags or remove_tags")]
    elif "event" not in then:
        problems |= {name: [sentence("is of a conversion: say its event too")] for name in _OF_EVENT if name in then}
    if both := set(then.get("add_tags", ())) & set(then.get("remove_tags", ())):
        problems["remove_tags"] = [
            sentence("would take off what add_tags puts on: {tags}", tags=", ".join(sorted(both)))
        ]
    if when["on"] == Trigger.STAGE and "stage" in then and fold(then["stage"]) in map(fold, when.get("is_", ())):
        problems["stage"] = [sentence("is the stage that the rule looks at: the contact is there already")]


def _event_name(then: Mapping[str, Any]) -> str | None:
    return inside_name(then["event"]) if "event" in then else None


def _needs_confirmation(when: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """Whether it makes sales of what may be none: of what a person wrote, or of words without an amount."""
    on = Trigger(when["on"])
    if _event_name(then) != PURCHASE or on in _SURE:
        return False
    takes_amount = bool(then.get("value", {}).get("pattern"))
    return not (on in (Trigger.OUTGOING, Trigger.TEMPLATE) and takes_amount)


def _warnings(when: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    if _needs_confirmation(when, then):
        found.append(
            sentence(
                "This rule reports sales without an order and on words alone. Try it first: ctwa rules try FILE"
                " --since 7d"
            )
        )
    if _event_name(then) == PURCHASE and "value" not in then:
        found.append(sentence("Its sales have no value: each waits until a value comes, and isn't sent before."))
    return found


def _definition(when: Mapping[str, Any], then: Mapping[str, Any]) -> Definition:
    on, value = Trigger(when["on"]), then.get("value")
    return Definition(
        on=on,
        event_name=_event_name(then),
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
    is_sale = _event_name(then) == PURCHASE and on not in _WITHOUT_MESSAGE
    return Scope.MESSAGE if is_sale else Scope.CLICK


def _in_full(when: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    on = Trigger(when["on"])
    full_when = {("is" if name == "is_" else name): _plain(value) for name, value in when.items()}
    if on is not Trigger.OUTGOING:
        full_when.pop("by")
    full_then = {name: _plain(value) for name, value in then.items()}
    if "event" in then:
        full_then["event"] = _event_name(then)
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
