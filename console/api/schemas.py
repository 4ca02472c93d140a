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
    return fields.Decimal(as_string=True, allow_none=True, metadata={"type": "string", "examples": ["129.90"]})


class _Words(fields.Field[str]):
    """A code in words."""

    def __init__(self, of: str, *, next_step: bool = False) -> None:
        about = "What to do." if next_step else f"The {of} in words."
        super().__init__(dump_only=True, allow_none=True, metadata={"type": "string", "description": about})
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
        fields.Nested("DeliveryTraceSchema"),
        metadata={"description": "As under /deliveries/{id}, with every attempt and what Meta answered."},
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


class AttemptSchema(Schema):
    """One try to send it: what Meta was told, and what it answered."""

    number = fields.Integer()
    started_at = fields.AwareDateTime()
    finished_at = _time()
    outcome = _text(example="answered")
    verdict = _text()
    http_status = fields.Integer(allow_none=True)
    code = fields.Integer(allow_none=True)
    subcode = fields.Integer(allow_none=True)
    events = fields.Integer(metadata={"description": "How many events were in the request."})
    events_received = fields.Integer(allow_none=True)
    trace_id = _text("Meta's fbtrace_id.")
    title = _text()
    message = _text()
    milliseconds = fields.Integer(allow_none=True)
    graph_version = fields.String()
    request_id = fields.UUID()
    event = fields.Dict(allow_none=True, metadata={"description": "The event as it was sent, without what is secret."})


class DeliveryTraceSchema(Schema):
    """A delivery with every attempt."""

    id = fields.Integer()
    dataset = fields.String()
    state = fields.String(metadata={"examples": ["accepted"]})
    reason = _text()
    words = _text("Why it is where it is.")
    next_step = _text("What to do.")
    event_name = fields.String()
    event_id = fields.String()
    event_time = fields.AwareDateTime()
    created_at = fields.AwareDateTime()
    next_attempt_at = _time()
    dry_run_at = _time()
    accepted_at = _time()
    finished_at = _time()
    test = fields.Boolean()
    attempts = fields.List(fields.Nested(AttemptSchema))


class WebhookTraceSchema(Schema):
    """The webhook that a message came in."""

    id = fields.UUID()
    received_at = fields.AwareDateTime()
    state = _text()
    body = fields.String(metadata={"enum": ["kept", "deleted", "erased"]})
    body_deleted_at = _time()


class MessageContactSchema(Schema):
    """Whose message it is."""

    id = fields.Integer()
    identities = fields.List(fields.Nested(IdentitySchema))


class MessageTraceSchema(Schema):
    """The message."""

    message_id = fields.String()
    channel = fields.String()
    message_class = fields.String(data_key="class", attribute="class", metadata={"examples": ["ad"]})
    kind = _text()
    sent_at = _time()
    received_at = fields.AwareDateTime()
    contact = fields.Nested(MessageContactSchema)
    test = fields.Boolean()


class TouchTraceSchema(Schema):
    """The ad message that a conversion belongs to; click ids are shortened."""

    message_class = fields.String(data_key="class", attribute="class", metadata={"examples": ["ad"]})
    click_id = _text()
    click_id_purged_at = _time()
    ad_id = _text()
    source_type = _text()
    source_url = _text()
    source_app = _text()
    headline = _text()
    body = _text()
    media_type = _text()
    media_url = _text()
    conversion_data = _text()
    flags = fields.List(fields.String())
    occurred_at = fields.AwareDateTime()


class FlagSchema(Schema):
    """What stands out about a conversion."""

    flag = fields.String()
    words = fields.String()


class ReportTraceSchema(Schema):
    """One report that made, changed or repeated a conversion."""

    id = fields.UUID()
    source = fields.String()
    api_key = _text()
    state = fields.String()
    reason = _text()
    words = _text()
    detail = _text()
    received_at = fields.AwareDateTime()
    webhook = fields.UUID()


class ChangeTraceSchema(ChangeSchema):
    """What was learnt of it later, and by which report."""

    submission = fields.UUID(allow_none=True)
    detail = fields.Raw(allow_none=True)


class ConversionTraceSchema(Schema):
    """The conversion, and where it comes from."""

    id = fields.UUID()
    event_name = fields.String()
    occurred_at = fields.AwareDateTime()
    value = _money()
    currency = _text()
    order_id = _text()
    source = fields.String()
    attribution = fields.String()
    attribution_words = fields.String()
    other_message = fields.Boolean(metadata={"description": "Whether another message's ad is its touchpoint."})
    created_at = fields.AwareDateTime()
    test = fields.Boolean()
    rule = _text()
    rule_version = fields.Integer(allow_none=True)
    rule_message = _text()
    flags = fields.List(fields.Nested(FlagSchema))
    submissions = fields.List(fields.Nested(ReportTraceSchema))
    changes = fields.List(fields.Nested(ChangeTraceSchema))


class TraceSchema(Schema):
    """The whole way of a delivery. What it doesn't have is null."""

    words = _text("Why there is no delivery.")
    next_step = _text()
    webhook = fields.Nested(WebhookTraceSchema, allow_none=True)
    message = fields.Nested(MessageTraceSchema, allow_none=True)
    touchpoint = fields.Nested(TouchTraceSchema, allow_none=True)
    conversion = fields.Nested(ConversionTraceSchema, allow_none=True)
    deliveries = fields.List(fields.Nested(DeliveryTraceSchema))


class RuleSchema(Schema):
    """A rule as it is now."""

    id = fields.Integer()
    name = fields.String()
    channel = _text("Null: every channel of the workspace.")
    enabled = fields.Boolean()
    enabled_at = _time("It looks at what came from then on.")
    version = fields.Integer()
    when = fields.Dict()
    then = fields.Dict()
    fired = fields.Integer(metadata={"description": "The conversions and changes of contacts that it made."})
    last_fired_at = _time()
    failures = fields.Integer()
    failed_at = _time()
    failure = _text()
    failure_words = _Words("failure")
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
    warnings = fields.List(fields.String(), metadata={"description": "What a person should know of it, when saved."})


class RuleVersionSchema(Schema):
    """What a rule said at some time, and who made it say so."""

    version = fields.Integer()
    when = fields.Dict()
    then = fields.Dict()
    actor = fields.String(metadata={"examples": ["api_key:1"]})
    created_at = fields.AwareDateTime()


class SampleSchema(Schema):
    """One message that a rule would have fired on; numbers are hidden."""

    at = fields.AwareDateTime()
    person = fields.String(metadata={"examples": ["+1555•••0123"]})
    text = _text()
    value = _money()
    currency = _text()
    new = fields.Boolean()


class TrialSchema(Schema):
    """What a rule would have made."""

    webhooks = fields.Integer(metadata={"description": "How many were read."})
    unreadable = fields.Integer()
    name = fields.String()
    fired = fields.Integer()
    new_conversions = fields.Integer()
    unattributed = fields.Integer(metadata={"description": "Without an ad, so never sent."})
    without_value = fields.Integer()
    values = fields.Dict(keys=fields.String(), values=_money(), metadata={"description": "Sums by currency."})
    marks = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Contacts by the stage or tag they get."},
    )
    samples = fields.List(fields.Nested(SampleSchema))


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
