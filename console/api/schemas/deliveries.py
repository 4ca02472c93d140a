"""Deliveries, and the whole way of one."""

from marshmallow import Schema, fields

from console.api.schemas.contacts import IdentitySchema
from console.api.schemas.conversions import ChangeSchema
from console.api.schemas.parts import Words, money, optional_text, optional_time


class DeliverySchema(Schema):
    """One conversion to one dataset."""

    id = fields.Integer()
    conversion_id = fields.UUID()
    created_at = fields.AwareDateTime()
    state = fields.String(metadata={"examples": ["accepted"]})
    reason = optional_text()
    words = Words("reason")
    event_name = fields.String()
    event_id = fields.String()
    event_time = fields.AwareDateTime()
    dataset = fields.String()
    channel = optional_text()
    value = money()
    currency = optional_text()
    attempts = fields.Integer()
    next_attempt_at = optional_time()
    accepted_at = optional_time()
    finished_at = optional_time()
    last_http_status = fields.Integer(allow_none=True)
    last_code = fields.Integer(allow_none=True)
    last_subcode = fields.Integer(allow_none=True)
    last_trace_id = optional_text()
    is_test = fields.Boolean()


class AttemptSchema(Schema):
    """One try to send it: what Meta was told, and what it answered."""

    number = fields.Integer()
    started_at = fields.AwareDateTime()
    finished_at = optional_time()
    outcome = optional_text(example="answered")
    verdict = optional_text()
    http_status = fields.Integer(allow_none=True)
    code = fields.Integer(allow_none=True)
    subcode = fields.Integer(allow_none=True)
    events = fields.Integer(metadata={"description": "How many events were in the request."})
    events_received = fields.Integer(allow_none=True)
    trace_id = optional_text("Meta's fbtrace_id.")
    title = optional_text()
    message = optional_text()
    milliseconds = fields.Integer(allow_none=True)
    graph_version = fields.String()
    request_id = fields.UUID()
    event = fields.Dict(allow_none=True, metadata={"description": "The event as it was sent, without what is secret."})


class DeliveryTraceSchema(Schema):
    """A delivery with every attempt."""

    id = fields.Integer()
    dataset = fields.String()
    state = fields.String(metadata={"examples": ["accepted"]})
    reason = optional_text()
    words = optional_text("Why it is where it is.")
    next_step = optional_text("What to do.")
    event_name = fields.String()
    event_id = fields.String()
    event_time = fields.AwareDateTime()
    created_at = fields.AwareDateTime()
    next_attempt_at = optional_time()
    dry_run_at = optional_time()
    accepted_at = optional_time()
    finished_at = optional_time()
    test = fields.Boolean()
    attempts = fields.List(fields.Nested(AttemptSchema))


class WebhookTraceSchema(Schema):
    """The webhook that a message came in."""

    id = fields.UUID()
    received_at = fields.AwareDateTime()
    state = optional_text()
    body = fields.String(metadata={"enum": ["kept", "deleted", "erased"]})
    body_deleted_at = optional_time()


class MessageContactSchema(Schema):
    """Whose message it is."""

    id = fields.Integer()
    identities = fields.List(fields.Nested(IdentitySchema))


class MessageTraceSchema(Schema):
    """The message."""

    message_id = fields.String()
    channel = fields.String()
    message_class = fields.String(data_key="class", attribute="class", metadata={"examples": ["ad"]})
    kind = optional_text()
    sent_at = optional_time()
    received_at = fields.AwareDateTime()
    contact = fields.Nested(MessageContactSchema)
    test = fields.Boolean()


class TouchTraceSchema(Schema):
    """The ad message that a conversion belongs to; click ids are shortened."""

    message_class = fields.String(data_key="class", attribute="class", metadata={"examples": ["ad"]})
    click_id = optional_text()
    click_id_purged_at = optional_time()
    ad_id = optional_text()
    source_type = optional_text()
    source_url = optional_text()
    source_app = optional_text()
    headline = optional_text()
    body = optional_text()
    media_type = optional_text()
    media_url = optional_text()
    conversion_data = optional_text()
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
    api_key = optional_text()
    state = fields.String()
    reason = optional_text()
    words = optional_text()
    detail = optional_text()
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
    value = money()
    currency = optional_text()
    order_id = optional_text()
    source = fields.String()
    attribution = fields.String()
    attribution_words = fields.String()
    other_message = fields.Boolean(metadata={"description": "Whether another message's ad is its touchpoint."})
    created_at = fields.AwareDateTime()
    test = fields.Boolean()
    rule = optional_text()
    rule_version = fields.Integer(allow_none=True)
    rule_message = optional_text()
    flags = fields.List(fields.Nested(FlagSchema))
    submissions = fields.List(fields.Nested(ReportTraceSchema))
    changes = fields.List(fields.Nested(ChangeTraceSchema))


class TraceSchema(Schema):
    """The whole way of a delivery. What it doesn't have is null."""

    words = optional_text("Why there is no delivery.")
    next_step = optional_text()
    webhook = fields.Nested(WebhookTraceSchema, allow_none=True)
    message = fields.Nested(MessageTraceSchema, allow_none=True)
    touchpoint = fields.Nested(TouchTraceSchema, allow_none=True)
    conversion = fields.Nested(ConversionTraceSchema, allow_none=True)
    deliveries = fields.List(fields.Nested(DeliveryTraceSchema))
