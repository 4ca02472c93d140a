"""Contacts and their touchpoints."""

from marshmallow import Schema, fields

from console.api.schemas.conversions import AdSchema, ConversionSchema
from console.api.schemas.parts import optional_text, optional_time


class TouchSchema(AdSchema):
    """One ad message, or one taken over from another system."""

    id = fields.Integer()
    contact_id = fields.Integer()
    channel = fields.String()
    occurred_at = fields.AwareDateTime()
    message_class = fields.String(data_key="class", metadata={"examples": ["ad"]})
    source = fields.String(metadata={"enum": ["message", "import"]})
    external_id = optional_text()
    has_click_id = fields.Boolean()
    headline = optional_text()
    source_url = optional_text()
    source_app = optional_text()
    first_reply_at = optional_time("When a person of the business first answered.")
    is_test = fields.Boolean()


class IdentitySchema(Schema):
    """One name of a person, shortened."""

    kind = fields.String(metadata={"examples": ["phone"]})
    value = optional_text(example="+1555•••0123")


class ContactSchema(Schema):
    """A person: where they came from and what they did."""

    id = fields.Integer()
    merged_contacts = fields.List(fields.Integer())
    identities = fields.List(fields.Nested(IdentitySchema))
    country = optional_text(example="DE")
    stage = optional_text()
    tags = fields.List(fields.String())
    consent = fields.Boolean(allow_none=True)
    created_at = fields.AwareDateTime()
    erased_at = optional_time()
    url = fields.String(metadata={"description": "This contact, for a link in a CRM."})
    first_touch = fields.Nested(TouchSchema, allow_none=True)
    last_touch = fields.Nested(TouchSchema, allow_none=True)
    conversions = fields.List(fields.Nested(ConversionSchema), metadata={"description": "The newest 50."})
