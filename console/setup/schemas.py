"""What may be said of a credential, a dataset and a channel: one vocabulary for commands, files and the API.

A schema loads a whole new thing, or with `partial=True` a change to one: what isn't said isn't touched.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from zoneinfo import available_timezones

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from console.errors import invalid
from shared.capi.event_names import META_NAMES, NEEDS_VALUE
from shared.domain.sentences import sentence
from shared.providers import PROVIDERS

#: Names are typed and printed, so they hold letters, digits and few signs else.
_NAME = re.compile(r"\w[\w .@+-]{0,63}")


class _Text(fields.String):
    """Text, where YAML may have read something else: bare digits are taken as they stand, the rest refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise ValidationError(sentence("must be text; put it in quotes"))
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.strip()


class _Switch(fields.String):
    """on, off or dry-run. YAML 1.1 reads a bare on or off as a boolean."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool):
            value = "on" if value else "off"
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text


class _Capitals(_Text):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).upper()


class _Moment(fields.Field[datetime]):
    """A time in ISO 8601, in UTC unless it names its offset. YAML reads it itself when it isn't in quotes."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValidationError(sentence("must be a time such as 2026-11-22T18:00:00Z")) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _name(value: str) -> None:
    if not _NAME.fullmatch(value):
        raise ValidationError(
            sentence("must be 1 to 64 letters, digits, spaces or . _ @ + -, and begin with a letter or digit")
        )


def _zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError(sentence("is not a time zone of the IANA database, such as Europe/Berlin"))


def _unknown_policy(value: Mapping[str, str]) -> None:
    resent = sorted(name for name in NEEDS_VALUE if value.get(name) == "resend")
    if resent:
        raise ValidationError(
            sentence(
                "{names} always has a value, and a value is never sent again by itself: Meta would count it twice. Say"
                " hold, and settle one by hand: ctwa deliveries resolve",
                names=", ".join(resent),
            )
        )


_META_ID = validate.Regexp(r"^[0-9]{1,20}$", error=sentence("must be Meta's numeric id, digits only"))
_WORD = validate.Regexp(r"^[\x21-\x7e]{1,100}$", error=sentence("must be printable ASCII without blanks"))


class _Strict(Schema):
    class Meta:
        unknown = RAISE


_NOT_HERE = "never goes into this file: name a variable or a file that holds it"


def _never_inline(_value: Any) -> None:
    raise ValidationError(_NOT_HERE)


class TokenSchema(_Strict):
    """A credential: a name for a Meta access token."""

    name = _Text(required=True, validate=_name)
    token = fields.String(
        required=True,
        validate=validate.Regexp(
            r"^[\x21-\x7e]{8,2000}$",
            error=sentence("must be Meta's access token: one line, no blanks or quotes around it"),
        ),
    )


class _LimitedDataUse(_Strict):
    """Meta's codes: country 1 is the United States, 0 lets Meta find out; states have four digits, 1000 California.

    https://developers.facebook.com/docs/marketing-apis/data-processing-options
    """

    country = fields.Integer(required=True, strict=True, validate=validate.OneOf([0, 1]))
    state = fields.Integer(load_default=0, strict=True)

    @validates_schema
    def fit_together(self, data: Mapping[str, int], **kwargs: Any) -> None:
        if data["state"] and not (data["country"] == 1 and 1000 <= data["state"] <= 1999):
            raise ValidationError(
                sentence("a state is one of Meta's codes from 1000 on, and only within country 1"), "state"
            )


class _DatasetEntry(_Strict):
    class Meta(_Strict.Meta):
        # As an attribute, `unknown` would be the schema's own setting.
        include: ClassVar = {
            "unknown": fields.Dict(
                keys=fields.String(validate=validate.OneOf(sorted(META_NAMES))),
                values=fields.String(validate=validate.OneOf(["resend", "hold"])),
                load_default=dict,
                validate=_unknown_policy,
            )
        }

    meta_id = _Text(required=True, validate=_META_ID)
    kind = fields.String(load_default="whatsapp", validate=validate.OneOf(["whatsapp", "page"]))
    profile = fields.String(load_default="whatsapp", validate=validate.OneOf(["whatsapp", "guide"]))
    waba_id = _Text(load_default=None, allow_none=True, validate=_META_ID)
    page_id = _Text(load_default=None, allow_none=True, validate=_META_ID)
    credential = _Text(load_default=None, allow_none=True)
    sending = _Switch(load_default="on", validate=validate.OneOf(["on", "off", "dry-run"]))
    batch_max = fields.Integer(load_default=50, strict=True, validate=validate.Range(min=1, max=1000))
    automatic = fields.String(load_default="show", validate=validate.OneOf(["show", "instead", "echo", "ignore"]))
    in_flight_max = fields.Integer(load_default=2, strict=True, validate=validate.Range(min=1, max=16))
    test_event_code = _Text(load_default=None, allow_none=True, validate=_WORD)
    test_event_until = _Moment(load_default=None, allow_none=True)
    regions = fields.String(load_default="send", validate=validate.OneOf(["send", "skip"]))
    restricted_countries = fields.List(
        _Capitals(validate=validate.Regexp(r"^[A-Z]{2}$", error=sentence("must be ISO 3166 codes such as DE"))),
        load_default=None,
        allow_none=True,
    )
    send_phone = fields.Boolean(load_default=False)
    send_email = fields.Boolean(load_default=False)
    limited_data_use = fields.Nested(_LimitedDataUse, load_default=None, allow_none=True)
    attribution_days = fields.Integer(load_default=28, strict=True, validate=validate.Range(min=1, max=365))
    consent = fields.String(load_default="not_required", validate=validate.OneOf(["not_required", "required"]))
    allow_zero_value = fields.Boolean(load_default=False)
    test = fields.Boolean(load_default=False)


class DatasetSchema(_DatasetEntry):
    """A dataset; `credential` is a credential's name, `test` leaves it out of every total.

    `unknown` says by event name what becomes of a delivery whose outcome is unknown; a value is held whatever it says.
    A `test_event_code` ends at `test_event_until`, or after an hour.
    """

    name = _Text(required=True, validate=_name)


class _ChannelFields(_Strict):
    provider = fields.String(required=True, validate=validate.OneOf(sorted(PROVIDERS)))
    dataset = _Text(load_default=None, allow_none=True)
    workspace = _Text(load_default="default", validate=_name)
    currency = _Capitals(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"^[A-Z]{3}$", error=sentence("must be an ISO 4217 code such as EUR")),
    )
    country = _Capitals(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"^[A-Z]{2}$", error=sentence("must be an ISO 3166 code such as DE")),
    )
    zone = fields.String(load_default="UTC", validate=_zone)
    posts = fields.String(load_default="ignore", validate=validate.OneOf(["ignore", "send"]))
    margin = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(min=0, max=100, error=sentence("must be a whole percentage from 0 to 100")),
    )
    unsigned = fields.Boolean(load_default=False)
    enabled = fields.Boolean(load_default=True)
    test = fields.Boolean(load_default=False)


class ChannelSchema(_ChannelFields):
    """A channel; `dataset` is a dataset's name, `secrets` values of the provider's secret fields."""

    name = _Text(required=True, validate=_name)
    secrets = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.Length(min=1, max=2000)),
        load_default=dict,
    )


class _CredentialEntry(_Strict):
    token_env = _Text()
    token_file = _Text()
    token = fields.Raw(validate=_never_inline)

    @validates_schema
    def has_one_source(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if ("token_env" in data) == ("token_file" in data):
            raise ValidationError("needs either token_env or token_file")


class _ChannelEntry(_ChannelFields):
    secrets = fields.Raw(validate=_never_inline)
    secrets_env = fields.Dict(keys=fields.String(), values=_Text())
    secrets_file = fields.Dict(keys=fields.String(), values=_Text())


class _RuleEntry(_Strict):
    workspace = _Text(load_default="default", validate=_name)
    channel = _Text(load_default=None, allow_none=True)
    enabled = fields.Boolean(load_default=False)
    when = fields.Dict(required=True)
    then = fields.Dict(required=True)


class RuleSchema(_RuleEntry):
    """A rule; `when` and `then` are checked by `shared.domain.rule_definitions`, `channel` is a channel's name."""

    name = _Text(required=True, validate=_name)


def _entries(entry: type[Schema]) -> fields.Dict:
    return fields.Dict(keys=_Text(validate=_name), values=fields.Nested(entry), load_default=dict)


class DocumentSchema(_Strict):
    """A declarative file: everything by name. Its secrets are names of variables or files."""

    credentials = _entries(_CredentialEntry)
    datasets = _entries(_DatasetEntry)
    channels = _entries(_ChannelEntry)
    rules = _entries(_RuleEntry)


def load(schema: type[Schema], values: Mapping[str, Any], *, what: str, partial: bool = False) -> dict[str, Any]:
    """`values` checked and completed. Raises InvalidError with all that is wrong, and never with a value."""
    try:
        loaded: dict[str, Any] = schema(partial=partial).load(dict(values))
    except ValidationError as error:
        raise invalid(what, problems(error)) from None
    return loaded


def problems(error: ValidationError) -> dict[str, Any]:
    """What marshmallow found wrong, as nested mappings of field to texts."""
    found: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    return found
