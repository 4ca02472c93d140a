"""The configuration document: its schema, and how one is laid over a world.

The same document starts the sandbox (`--config`) and changes it while it runs (`POST /__sandbox/config`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from marshmallow import Schema, ValidationError, fields, validate

from sandbox.world import DEFAULT_SCOPES, Click, Clicks, Dataset, Era, Token, TokenState, World, digest

_NUMERIC_ID = validate.Regexp(r"^[0-9]{3,25}$", error="Give the id as a string of digits.")
_NOT_EMPTY = validate.Length(min=1)


class DatasetSchema(Schema):
    id = fields.String(required=True, validate=_NUMERIC_ID)
    name = fields.String(validate=_NOT_EMPTY)
    waba_id = fields.String(allow_none=True, validate=_NUMERIC_ID)
    page_id = fields.String(allow_none=True, validate=_NUMERIC_ID)
    ig_account_id = fields.String(allow_none=True, validate=_NUMERIC_ID)
    era = fields.String(validate=validate.OneOf(get_args(Era)))


class TokenSchema(Schema):
    token = fields.String(required=True, validate=_NOT_EMPTY)
    state = fields.String(validate=validate.OneOf(get_args(TokenState)))
    scopes = fields.List(fields.String(validate=_NOT_EMPTY))
    datasets = fields.List(fields.String(validate=_NUMERIC_ID), allow_none=True)
    app_secret = fields.String(allow_none=True, validate=_NOT_EMPTY)
    expires_at = fields.AwareDateTime(allow_none=True)
    data_access_expires_at = fields.AwareDateTime(allow_none=True)


class WabaSchema(Schema):
    id = fields.String(required=True, validate=_NUMERIC_ID)
    name = fields.String(required=True, validate=_NOT_EMPTY)


class ClickSchema(Schema):
    value = fields.String(required=True, validate=_NOT_EMPTY)
    waba_id = fields.String(allow_none=True, validate=_NUMERIC_ID)
    page_id = fields.String(allow_none=True, validate=_NUMERIC_ID)
    ad_id = fields.String(allow_none=True, validate=_NUMERIC_ID)
    clicked_at = fields.AwareDateTime(allow_none=True)


class ClicksSchema(Schema):
    strict = fields.Boolean(truthy={True}, falsy={False})
    bad = fields.List(fields.String(validate=_NOT_EMPTY))
    registered = fields.List(fields.Nested(ClickSchema))


class ConfigSchema(Schema):
    datasets = fields.List(fields.Nested(DatasetSchema))
    tokens = fields.List(fields.Nested(TokenSchema))
    wabas = fields.List(fields.Nested(WabaSchema))
    click_ids = fields.Nested(ClicksSchema)
    usage_percent = fields.Integer(strict=True, validate=validate.Range(0, 100))


class ConfigError(ValueError):
    """The document is not a configuration; `problems` says which members, nested as the document is."""

    def __init__(self, problems: Any) -> None:
        super().__init__("The sandbox configuration has errors.")
        self.problems = problems


def apply(document: object, world: World) -> World:
    """`world` with the document laid over it: entries are added, or replaced whole by their id.

    Raises ConfigError, with every problem at once and no value of the document in it.
    """
    if not isinstance(document, Mapping):
        raise ConfigError({"_schema": ["Give a JSON object."]})
    try:
        loaded = ConfigSchema().load(document)
    except ValidationError as error:
        raise ConfigError(error.messages) from None
    changed = replace(
        world,
        datasets={**world.datasets, **{row["id"]: _dataset(row) for row in loaded.get("datasets", ())}},
        tokens={**world.tokens, **{token.digest: token for token in map(_token, loaded.get("tokens", ()))}},
        wabas={**world.wabas, **{row["id"]: row["name"] for row in loaded.get("wabas", ())}},
        clicks=_clicks(loaded.get("click_ids", {}), world.clicks),
        usage_percent=loaded.get("usage_percent", world.usage_percent),
    )
    _check_links(changed)
    return changed


def _dataset(row: dict[str, Any]) -> Dataset:
    return Dataset(**{"name": f"Dataset {row['id']}", **row})


def _token(row: dict[str, Any]) -> Token:
    datasets = row.get("datasets")
    return Token(
        digest=digest(row["token"]),
        state=row.get("state", "ok"),
        scopes=frozenset(row.get("scopes", DEFAULT_SCOPES)),
        datasets=None if datasets is None else frozenset(datasets),
        app_secret=row.get("app_secret"),
        expires_at=row.get("expires_at"),
        data_access_expires_at=row.get("data_access_expires_at"),
    )


def _clicks(row: dict[str, Any], clicks: Clicks) -> Clicks:
    registered = dict(clicks.registered)
    for entry in row.get("registered", ()):
        click = Click(digest(entry["value"]), *map(entry.get, ("waba_id", "page_id", "ad_id", "clicked_at")))
        registered[click.digest] = click
    return Clicks(
        strict=row.get("strict", clicks.strict),
        bad=clicks.bad | {digest(value) for value in row.get("bad", ())},
        registered=registered,
    )


def _check_links(world: World) -> None:
    """One WhatsApp Business Account or Page has one dataset, as at Meta."""
    owners: dict[str, str] = {}
    for dataset in world.datasets.values():
        for owner in filter(None, (dataset.waba_id, dataset.page_id, dataset.ig_account_id)):
            if owners.setdefault(owner, dataset.id) != dataset.id:
                raise ConfigError({"datasets": [f"{owners[owner]} and {dataset.id} are both linked to {owner}."]})


# What runs when no configuration is given, so that one command is enough to try it (docs/sandbox.md).
DEMO: dict[str, Any] = {
    "wabas": [{"id": "100000000000001", "name": "Demo Shop"}],
    "datasets": [
        {"id": "1000000000000001", "name": "Demo Shop Event Data", "waba_id": "100000000000001"},
        {"id": "1000000000000002", "name": "Demo pixel, by the guide", "era": "guide"},
        {"id": "1000000000000003", "name": "Demo website pixel"},
    ],
    "tokens": [{"token": "sandbox-token"}],
}
