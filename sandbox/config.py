"""The configuration document: its schema, and how one is laid over a world.

The same document starts the sandbox (`--config`) and changes it while it runs (`POST /__sandbox/config`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from marshmallow import Schema, ValidationError, fields, validate

from sandbox.ads import Ad, AdAccount
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
    ad_accounts = fields.List(fields.String(validate=_NUMERIC_ID), allow_none=True)
    app_secret = fields.String(allow_none=True, validate=_NOT_EMPTY)
    expires_at = fields.AwareDateTime(allow_none=True)
    data_access_expires_at = fields.AwareDateTime(allow_none=True)


class AdSchema(Schema):
    id = fields.String(required=True, validate=_NUMERIC_ID)
    name = fields.String(required=True, validate=_NOT_EMPTY)
    ad_set_id = fields.String(required=True, validate=_NUMERIC_ID)
    ad_set_name = fields.String(required=True, validate=_NOT_EMPTY)
    campaign_id = fields.String(required=True, validate=_NUMERIC_ID)
    campaign_name = fields.String(required=True, validate=_NOT_EMPTY)
    status = fields.String(validate=_NOT_EMPTY)
    headline = fields.String()
    body = fields.String()
    daily_cents = fields.Integer(strict=True, validate=validate.Range(0, 10**9))


class FiguresSchema(Schema):
    ad_id = fields.String(required=True, validate=_NUMERIC_ID)
    day = fields.Date(required=True)
    spend = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))
    impressions = fields.Integer(strict=True, validate=validate.Range(min=0))
    reach = fields.Integer(strict=True, validate=validate.Range(min=0))
    clicks = fields.Integer(strict=True, validate=validate.Range(min=0))
    link_clicks = fields.Integer(strict=True, validate=validate.Range(min=0))
    conversations_started = fields.Integer(strict=True, validate=validate.Range(min=0))


class AdAccountSchema(Schema):
    id = fields.String(required=True, validate=_NUMERIC_ID)
    name = fields.String(validate=_NOT_EMPTY)
    currency = fields.String(validate=validate.Regexp("^[A-Z]{3}$"))
    zone = fields.String(validate=_NOT_EMPTY)
    seed = fields.Integer(strict=True)
    started_on = fields.Date()
    longest_days = fields.Integer(strict=True, validate=validate.Range(1, 1200))
    ads = fields.List(fields.Nested(AdSchema))
    figures = fields.List(fields.Nested(FiguresSchema))


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
    ad_accounts = fields.List(fields.Nested(AdAccountSchema))
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
        ad_accounts={**world.ad_accounts, **{row["id"]: _ad_account(row) for row in loaded.get("ad_accounts", ())}},
        clicks=_clicks(loaded.get("click_ids", {}), world.clicks),
        usage_percent=loaded.get("usage_percent", world.usage_percent),
    )
    _check_links(changed)
    return changed


def _dataset(row: dict[str, Any]) -> Dataset:
    return Dataset(**{"name": f"Dataset {row['id']}", **row})


def _ad_account(row: dict[str, Any]) -> AdAccount:
    """Its ads by themselves; a day's own figures by ad and day."""
    figures = {(one["ad_id"], one["day"]): one for one in row.get("figures", ())}
    named = {"name": f"Ad account {row['id']}", **row}
    return AdAccount(**{**named, "ads": [Ad(**ad) for ad in row.get("ads", ())], "figures": figures})


def _token(row: dict[str, Any]) -> Token:
    return Token(
        digest=digest(row["token"]),
        state=row.get("state", "ok"),
        scopes=frozenset(row.get("scopes", DEFAULT_SCOPES)),
        datasets=_some(row.get("datasets")),
        ad_accounts=_some(row.get("ad_accounts")),
        app_secret=row.get("app_secret"),
        expires_at=row.get("expires_at"),
        data_access_expires_at=row.get("data_access_expires_at"),
    )


def _some(ids: list[str] | None) -> frozenset[str] | None:
    """None: all of them."""
    return None if ids is None else frozenset(ids)


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
