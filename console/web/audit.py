"""Who did what: the audit log of a workspace; for those who own everything, of the whole installation."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from console.team.roles import Role
from console.web.access import least, membership, person
from console.web.cursors import row_number
from console.web.runtime import database
from shared.db.audit import entries
from shared.db.memberships import members_of

audit = Blueprint("audit", __name__, url_prefix="/w/<int:workspace_id>/audit")
_PAGE = 50


@audit.get("/")
@least(Role.OWNER)
def page() -> ResponseReturnValue:
    """The newest lines; `before` goes on from a line, `search` is a piece of who, what or whom."""
    search = request.args.get("search", "").strip()[:100]
    with database() as conn:
        found = entries(
            conn,
            workspace=membership().workspace,
            everything=person().owner_everywhere,
            search=search,
            before=row_number(request.args.get("before", "")),
            limit=_PAGE + 1,
        )
        names = {f"user:{one.id}": one.shown_name for one in members_of(conn, membership().workspace)}
    return render_template(
        "audit.html",
        entries=found[:_PAGE],
        names=names,
        search=search,
        older=found[_PAGE - 1].id if len(found) > _PAGE else None,
    )
