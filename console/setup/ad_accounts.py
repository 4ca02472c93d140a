"""Ad accounts: adding one, changing one, removing one with its spend."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from marshmallow import Schema, ValidationError, fields, validate

from console.errors import ConflictError, InvalidError, NotFoundError
from console.setup.credentials import credential_named
from console.setup.schemas import load
from shared.db import audit
from shared.db.ad_accounts import (
    AdAccount,
    account_by_name,
    all_accounts,
    ask_for_sync,
    delete_account,
    insert_account,
    update_account,
)
from shared.db.workspaces import all_workspaces
from shared.domain.sentences import sentence


def _is_zone(text: str) -> None:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(sentence("must be a zone's name, such as America/Sao_Paulo")) from None


class AdAccountSchema(Schema):
    """What can be said of an ad account."""

    name = fields.String(validate=validate.Length(1, 100))
    workspace = fields.String(validate=validate.Length(1, 100))
    meta_id = fields.String(
        allow_none=True, validate=validate.Regexp(r"^[0-9]{3,20}$", error=sentence("must be the account's digits"))
    )
    currency = fields.String(
        allow_none=True, validate=validate.Regexp("^[A-Z]{3}$", error=sentence("must be like BRL"))
    )
    zone = fields.String(validate=_is_zone)
    credential = fields.String(allow_none=True)
    enabled = fields.Boolean()
    is_test = fields.Boolean(data_key="test")


def add_account(conn: psycopg.Connection[Any], said: Mapping[str, Any], *, actor: str) -> int:
    """Adds an ad account; its id. Raises InvalidError, ConflictError, NotFoundError."""
    values = _columns(conn, said)
    if account_by_name(conn, values["name"]) is not None:
        raise ConflictError(
            sentence("There is an ad account {name!r} already. `ctwa accounts set` changes it.", name=values["name"])
        )
    _check(conn, values, None)
    account_id = insert_account(conn, values)
    audit.record(
        conn,
        actor=actor,
        action="ad_account.add",
        subject=f"ad_account:{values['name']}",
        detail=_shown(values),
        workspace=values.get("workspace", "default"),
    )
    return account_id


def set_account(conn: psycopg.Connection[Any], name: str, said: Mapping[str, Any], *, actor: str) -> None:
    """Changes what `said` names. Raises InvalidError, ConflictError, NotFoundError."""
    account = account_named(conn, name)
    values = _columns(conn, said)
    if not values:
        raise InvalidError(sentence("Nothing to change was given."))
    _check(conn, values, account)
    update_account(conn, account.id, values)
    audit.record(
        conn,
        actor=actor,
        action="ad_account.set",
        subject=f"ad_account:{name}",
        workspace=account.workspace,
        detail=_shown(values),
    )


def remove_account(conn: psycopg.Connection[Any], name: str, *, actor: str) -> None:
    """Removes an ad account with its spend, ads and names. Raises NotFoundError."""
    account = account_named(conn, name)
    delete_account(conn, account.id)
    audit.record(
        conn, actor=actor, action="ad_account.remove", subject=f"ad_account:{name}", workspace=account.workspace
    )


def request_sync(conn: psycopg.Connection[Any], account: AdAccount, *, since: Any, actor: str) -> None:
    """Makes a pull due now. Raises InvalidError for an account that Meta isn't asked for."""
    if account.credential_id is None:
        raise InvalidError(
            sentence(
                "{name} has no token, so its spend comes from files. Give it one:"
                " ctwa accounts set {name!r} --credential NAME --meta-id ID",
                name=account.name,
            )
        )
    if not account.enabled:
        raise InvalidError(sentence("{name} is switched off: ctwa accounts set {name!r} --on", name=account.name))
    ask_for_sync(conn, account.id, since=since)
    audit.record(
        conn, actor=actor, action="spend.sync", subject=f"ad_account:{account.name}", workspace=account.workspace,
        detail={"since": str(since) if since else None},
    )  # fmt: skip


def account_named(conn: psycopg.Connection[Any], name: str) -> AdAccount:
    """The ad account of that name. Raises NotFoundError."""
    account = account_by_name(conn, name)
    if account is None:
        raise NotFoundError(f"There is no ad account {name!r}. `ctwa accounts list` names those there are.")
    return account


def _columns(conn: psycopg.Connection[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(said)
    if isinstance(given.get("meta_id"), str):
        given["meta_id"] = given["meta_id"].strip().removeprefix("act_")
    if isinstance(given.get("currency"), str):
        given["currency"] = given["currency"].strip()
    values = dict(load(AdAccountSchema, given, what=sentence("This ad account")))
    if "credential" in values:
        name = values.pop("credential")
        values["credential_id"] = credential_named(conn, name).id if name else None
    return values


def _check(conn: psycopg.Connection[Any], values: Mapping[str, Any], account: AdAccount | None) -> None:
    merged = {**(account.__dict__ if account else {"workspace": "default"}), **values}
    if merged.get("credential_id") and not merged.get("meta_id"):
        raise InvalidError(sentence("An account with a credential needs Meta's id of the account: --meta-id."))
    if merged["workspace"] not in {workspace.name for workspace in all_workspaces(conn)}:
        raise NotFoundError(f"There is no workspace {merged['workspace']!r}.")
    for other in all_accounts(conn, workspace=merged["workspace"]):
        is_other = account is None or other.id != account.id
        if is_other and merged.get("meta_id") and other.meta_id == merged["meta_id"]:
            raise ConflictError(sentence("Ad account {name!r} has this id at Meta already.", name=other.name))
        if is_other and other.name == merged["name"]:
            raise ConflictError(sentence("There is an ad account {name!r} already.", name=other.name))


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "name"}
