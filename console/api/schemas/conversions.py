"""Conversions, and what became of reports."""

from marshmallow import Schema, fields

from console.api.schemas.parts import Words, money, optional_text, optional_time


class AdSchema(Schema):
    """An ad as far as it is known; names come with the spend of ad accounts."""

    ad_id = optional_text(example="120210000000000001")
    ad_name = optional_text()
    campaign_id = optional_text()
    campaign_name = optional_text()


class DeliveryStateSchema(Schema):
    """Where one delivery is."""

    id = fields.Integer()
    dataset = fields.String()
    state = fields.String(metadata={"examples": ["accepted"]})
    reason = optional_text()
    words = Words("reason")


class ConversionSchema(AdSchema):
    """One conversion, the click it belongs to, and why."""

    id = fields.UUID()
    contact_id = fields.Integer()
    channel = optional_text()
    event_name = fields.String(metadata={"examples": ["Purchase"]})
    occurred_at = fields.AwareDateTime()
    created_at = fields.AwareDateTime()
    value = money()
    currency = optional_text(example="EUR")
    order_id = optional_text(example="A-1001")
    source = fields.String(metadata={"examples": ["api"]})
    attribution = fields.String(metadata={"examples": ["last_click"]})
    attribution_words = Words("attribution")
    flags = fields.List(fields.String())
    touchpoint_id = fields.Integer(allow_none=True)
    touched_at = optional_time("When the click came.")
    rule_id = fields.Integer(allow_none=True)
    is_test = fields.Boolean()
    deliveries = fields.List(fields.Nested(DeliveryStateSchema))


class ChangeSchema(Schema):
    """What was learnt of a conversion after its birth."""

    kind = fields.String(metadata={"examples": ["refund"]})
    value = money()
    currency = optional_text()
    occurred_at = fields.AwareDateTime()
    source = fields.String()
    created_at = fields.AwareDateTime()


class SubmissionSchema(Schema):
    """What became of one reported item. `processing`: it is stored, and no worker has looked at it yet."""

    id = fields.UUID()
    kind = optional_text(example="conversion")
    received_at = optional_time()
    state = fields.String(
        metadata={"enum": ["processing", "stored", "changed", "duplicate", "refused", "unreadable"]},
    )
    reason = optional_text()
    words = Words("reason")
    next_step = Words("reason", next_step=True)
    detail = optional_text("Which field, and what it needs.")
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
