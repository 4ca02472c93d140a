"""What may stand in a rule's JSON, field by field; what goes together is checked by `rule_checks`. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from shared.capi.event_names import META_NAMES, inside_name
from shared.domain.amounts import Decimals
from shared.domain.keywords import fold
from shared.domain.patterns import Pattern, PatternError, compile_pattern
from shared.domain.rules import Scope, Trigger
from shared.domain.sentences import sentence
from shared.domain.submission_fields import MAX_LABEL, Text
from shared.domain.submission_schemas import MAX_TAGS

MAX_DELAY = timedelta(days=6)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


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


class DefinitionSchema(_Strict):
    """A rule's `when` and `then`."""

    when = fields.Nested(_WhenSchema, required=True)
    then = fields.Nested(_ThenSchema, required=True)
