"""How a workspace is set up, and who changed what."""

from marshmallow import Schema, fields

from console.api.schemas.parts import Words, optional_text, optional_time


class ChannelSchema(Schema):
    """One business number at one provider; never its secrets or its URL."""

    id = fields.Integer()
    name = fields.String()
    provider = fields.String()
    dataset = optional_text()
    currency = optional_text()
    country = optional_text()
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
    pause_reason = optional_text()
    pause_words = Words("pause_reason")
    paused_until = optional_time()
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
