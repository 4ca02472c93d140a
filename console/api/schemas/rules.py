"""Rules, their versions, and what one would have made."""

from marshmallow import Schema, fields

from console.api.schemas.parts import Words, money, optional_text, optional_time


class RuleSchema(Schema):
    """A rule as it is now."""

    id = fields.Integer()
    name = fields.String()
    channel = optional_text("Null: every channel of the workspace.")
    enabled = fields.Boolean()
    enabled_at = optional_time("It looks at what came from then on.")
    version = fields.Integer()
    when = fields.Dict()
    then = fields.Dict()
    fired = fields.Integer(metadata={"description": "The conversions and changes of contacts that it made."})
    last_fired_at = optional_time()
    failures = fields.Integer()
    failed_at = optional_time()
    failure = optional_text()
    failure_words = Words("failure")
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
    text = optional_text()
    value = money()
    currency = optional_text()
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
    values = fields.Dict(keys=fields.String(), values=money(), metadata={"description": "Sums by currency."})
    marks = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Contacts by the stage or tag they get."},
    )
    samples = fields.List(fields.Nested(SampleSchema))
