"""What the API answers: the form of each resource."""

from typing import Any

from marshmallow import Schema, fields

from shared.domain.reasons import explain


def _time(words: str | None = None) -> fields.AwareDateTime:
    return fields.AwareDateTime(allow_none=True, metadata={"description": words} if words else {})


def _text(words: str | None = None, example: str | None = None) -> fields.String:
    about = {"description": words} if words else {}
    return fields.String(allow_none=True, metadata=about | ({"examples": [example]} if example else {}))


def _money() -> fields.Decimal:
    return fields.Decimal(
        as_string=True, allow_none=True, metadata={"type": ["string", "null"], "examples": ["129.90"]}
    )


class _Words(fields.Field[str]):
    """A code in words."""

    def __init__(self, of: str, *, next_step: bool = False) -> None:
        about = "What to do." if next_step else f"The {of} in words."
        super().__init__(dump_only=True, allow_none=True, metadata={"type": ["string", "null"], "description": about})
        self._of, self._next = of, next_step

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str | None:
        code = obj.get(self._of) if isinstance(obj, dict) else getattr(obj, self._of)
        if code is None:
            return None
        return explain(code).next_step if self._next else explain(code).words


class AdSchema(Schema):
    """An ad as far as it is known; names come with the spend of ad accounts."""

    ad_id = _text(example="120210000000000001")
    ad_name = _text()
    campaign_id = _text()
    campaign_name = _text()


class DeliveryStateSchema(Schema):
    """Where one delivery is."""

    id = fields.Integer()
    dataset = fields.String()
    state = fields.String(metadata={"examples": ["accepted"]})
    reason = _text()
    words = _Words("reason")


class ConversionSchema(AdSchema):
    """One conversion, the click it belongs to, and why."""

    id = fields.UUID()
    contact_id = fields.Integer()
    channel = _text()
    event_name = fields.String(metadata={"examples": ["Purchase"]})
    occurred_at = fields.AwareDateTime()
    created_at = fields.AwareDateTime()
    value = _money()
    currency = _text(example="EUR")
    order_id = _text(example="A-1001")
    source = fields.String(metadata={"examples": ["api"]})
    attribution = fields.String(metadata={"examples": ["last_click"]})
    attribution_words = _Words("attribution")
    flags = fields.List(fields.String())
    touchpoint_id = fields.Integer(allow_none=True)
    touched_at = _time("When the click came.")
    rule_id = fields.Integer(allow_none=True)
    is_test = fields.Boolean()
    deliveries = fields.List(fields.Nested(DeliveryStateSchema))


class ChangeSchema(Schema):
    """What was learnt of a conversion after its birth."""

    kind = fields.String(metadata={"examples": ["refund"]})
    value = _money()
    currency = _text()
    occurred_at = fields.AwareDateTime()
    source = fields.String()
    created_at = fields.AwareDateTime()


class SubmissionSchema(Schema):
    """What became of one reported item. `processing`: it is stored, and no worker has looked at it yet."""

    id = fields.UUID()
    kind = _text(example="conversion")
    received_at = _time()
    state = fields.String(
        metadata={"enum": ["processing", "stored", "changed", "duplicate", "refused", "unreadable"]},
    )
    reason = _text()
    words = _Words("reason")
    next_step = _Words("reason", next_step=True)
    detail = _text("Which field, and what it needs.")
    contact_id = fields.Integer(allow_none=True)
    conversion_id = fields.UUID(allow_none=True)


class ConversionReportSchema(Schema):
    """What became of a reported conversion. `conversion` is the one it became, changed or repeats."""

    submission = fields.Nested(SubmissionSchema, allow_none=True)
    conversion = fields.Nested(ConversionSchema, allow_none=True)
    changes = fields.List(fields.Nested(ChangeSchema))
    deliveries = fields.List(
        fields.Dict(), metadata={"description": "As under /deliveries/{id}, with every attempt and what Meta answered."}
    )
    reports = fields.List(
        fields.Nested(SubmissionSchema), metadata={"description": "Every report that made, changed or repeated it."}
    )


class TouchSchema(AdSchema):
    """One ad message, or one taken over from another system."""

    id = fields.Integer()
    contact_id = fields.Integer()
    channel = fields.String()
    occurred_at = fields.AwareDateTime()
    message_class = fields.String(data_key="class", metadata={"examples": ["ad"]})
    source = fields.String(metadata={"enum": ["message", "import"]})
    external_id = _text()
    has_click_id = fields.Boolean()
    headline = _text()
    source_url = _text()
    source_app = _text()
    first_reply_at = _time("When a person of the business first answered.")
    is_test = fields.Boolean()


class IdentitySchema(Schema):
    """One name of a person, shortened."""

    kind = fields.String(metadata={"examples": ["phone"]})
    value = _text(example="+1555•••0123")


class ContactSchema(Schema):
    """A person: where they came from and what they did."""

    id = fields.Integer()
    merged_contacts = fields.List(fields.Integer())
    identities = fields.List(fields.Nested(IdentitySchema))
    country = _text(example="DE")
    stage = _text()
    tags = fields.List(fields.String())
    consent = fields.Boolean(allow_none=True)
    created_at = fields.AwareDateTime()
    erased_at = _time()
    url = fields.String(metadata={"description": "This contact, for a link in a CRM."})
    first_touch = fields.Nested(TouchSchema, allow_none=True)
    last_touch = fields.Nested(TouchSchema, allow_none=True)
    conversions = fields.List(fields.Nested(ConversionSchema), metadata={"description": "The newest 50."})


class DeliverySchema(Schema):
    """One conversion to one dataset."""

    id = fields.Integer()
    conversion_id = fields.UUID()
    created_at = fields.AwareDateTime()
    state = fields.String(metadata={"examples": ["accepted"]})
    reason = _text()
    words = _Words("reason")
    event_name = fields.String()
    event_id = fields.String()
    event_time = fields.AwareDateTime()
    dataset = fields.String()
    channel = _text()
    value = _money()
    currency = _text()
    attempts = fields.Integer()
    next_attempt_at = _time()
    accepted_at = _time()
    finished_at = _time()
    last_http_status = fields.Integer(allow_none=True)
    last_code = fields.Integer(allow_none=True)
    last_subcode = fields.Integer(allow_none=True)
    last_trace_id = _text()
    is_test = fields.Boolean()


class ChannelSchema(Schema):
    """One business number at one provider; never its secrets or its URL."""

    id = fields.Integer()
    name = fields.String()
    provider = fields.String()
    dataset = _text()
    currency = _text()
    country = _text()
    zone = fields.String()
    enabled = fields.Boolean()
    is_test = fields.Boolean()


class DatasetSchema(Schema):
    """Where Meta takes events, and whether it may be sent there now."""

    id = fields.Integer()
    name = fields.String()
    meta_id = fields.String()
    profile = fields.String()
    sending = fields.String(metadata={"examples": ["on"]})
    pause_reason = _text()
    pause_words = _Words("pause_reason")
    paused_until = _time()
    attribution_days = fields.Integer()
    consent_policy = fields.String()
    region_policy = fields.String()
    is_test = fields.Boolean()


class AuditSchema(Schema):
    """One line of the audit log."""

    id = fields.Integer()
    at = fields.AwareDateTime()
    actor = fields.String(metadata={"examples": ["user:1"]})
    action = fields.String()
    subject = fields.String()
    detail = fields.Dict()


def page_of(schema: type[Schema], name: str) -> type[Schema]:
    """A page of these: {data, next_cursor}."""
    made: type[Schema] = Schema.from_dict(
        {
            "data": fields.List(fields.Nested(schema)),
            "next_cursor": fields.String(
                allow_none=True, metadata={"description": "For the parameter cursor; null on the last page."}
            ),
        },
        name=name,
    )
    return made
