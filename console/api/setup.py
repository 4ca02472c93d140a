"""How a workspace is set up, for programs: channels, datasets, and who changed what."""

from typing import Any

from flask import abort
from flask_smorest import Blueprint
from marshmallow import fields, validate

from console.api.caller import caller
from console.api.paging import StrictQuery
from console.api.schemas.parts import page_of
from console.api.schemas.setup import AuditSchema, ChannelSchema, DatasetSchema
from console.team.roles import Role
from console.web.runtime import database
from shared.db.audit import entries
from shared.db.channels import all_channels
from shared.db.datasets import all_datasets

setup = Blueprint("setup", __name__, description="Channels, datasets and the audit log.")


class AuditQuery(StrictQuery):
    """Which lines."""

    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=500))
    before = fields.Integer(
        validate=validate.Range(min=1, max=2**63 - 1), metadata={"description": "Older than this id."}
    )


@setup.get("/channels")
@setup.arguments(StrictQuery, location="query", unknown=None)
@setup.response(200, page_of(ChannelSchema, "ChannelPage"))
def channels(_query: dict[str, Any]) -> dict[str, Any]:
    """List the channels of the workspace."""
    with database() as conn:
        names = {dataset.id: dataset.name for dataset in all_datasets(conn)}
        found = [one for one in all_channels(conn) if one.workspace == caller().workspace]
    rows = [{**one.__dict__, "dataset": names.get(one.dataset_id or 0)} for one in found]
    return {"data": rows, "next_cursor": None}


@setup.get("/datasets")
@setup.arguments(StrictQuery, location="query", unknown=None)
@setup.response(200, page_of(DatasetSchema, "DatasetPage"))
def datasets(_query: dict[str, Any]) -> dict[str, Any]:
    """List the datasets that channels of the workspace send to."""
    with database() as conn:
        used = {one.dataset_id for one in all_channels(conn) if one.workspace == caller().workspace}
        found = [one for one in all_datasets(conn) if one.id in used]
    return {"data": found, "next_cursor": None}


@setup.get("/audit")
@setup.arguments(AuditQuery, location="query", unknown=None)
@setup.response(200, page_of(AuditSchema, "AuditPage"))
def audit(query: dict[str, Any]) -> dict[str, Any]:
    """List who changed what, newest first. For owners who are logged in."""
    if caller().role is not Role.OWNER:
        abort(403, "The audit log is for owners of the workspace who are logged in, not for keys.")
    with database() as conn:
        found = entries(
            conn, workspace=caller().workspace, everything=False, before=query.get("before"), limit=query["limit"]
        )
    return {"data": found, "next_cursor": None}
