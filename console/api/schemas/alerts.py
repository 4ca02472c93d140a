"""Alerts: what needs a person."""

from marshmallow import Schema, fields

from console.api.schemas.parts import optional_text, optional_time


class AlertSchema(Schema):
    """One alert, and what to do about it."""

    id = fields.Integer()
    kind = fields.String(metadata={"examples": ["dataset_paused"]})
    subject = fields.String(metadata={"description": "What it is about."})
    state = fields.String(metadata={"enum": ["open", "acknowledged", "resolved"]})
    title = fields.String()
    words = fields.String()
    next_step = fields.String()
    detail = fields.Dict()
    opened_at = fields.AwareDateTime()
    last_seen_at = fields.AwareDateTime(metadata={"description": "When it was last found to hold."})
    acknowledged_at = optional_time()
    acknowledged_by = optional_text(example="user:1")
    resolved_at = optional_time()
    resolved_by = optional_text("Null: it ended by itself.")
