"""Webhooks as they came in: listed, one opened, and read again, which is looked at first."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from console.replay import REPLAYABLE, forecast, replay, webhooks_to_replay
from console.team.roles import Role
from console.web.access import least, membership, person
from console.web.cursors import cursor_of, split_cursor
from console.web.delivery_words import WEBHOOK_STATES
from console.web.errors import back_to
from console.web.own import own_channels
from console.web.runtime import database, runtime
from console.webhooks import describe_webhook, open_body
from shared.db.results import WebhookFilter, WebhookRow, list_webhooks
from shared.queue import Work

webhooks = Blueprint("webhooks", __name__, url_prefix="/w/<int:workspace_id>/webhooks")
_PAGE = 50
#: So many are read again in one go.
LIMIT = 1000


@webhooks.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """The newest webhooks of this workspace's channels."""
    with database() as conn:
        channels = own_channels(conn)
        which, arguments = _asked({channel.id for channel in channels})
        place = split_cursor(request.args.get("before", ""))
        after = (place[0], UUID(place[1])) if place and _is_uuid(place[1]) else None
        # Without a channel there are none, and looking for them would read everybody's.
        found = list_webhooks(conn, which, limit=_PAGE + 1, after=after) if channels else []
    return render_template(
        "webhooks.html",
        rows=found[:_PAGE],
        channels=channels,
        states=WEBHOOK_STATES,
        arguments=arguments,
        older=cursor_of(found[_PAGE - 1].received_at, found[_PAGE - 1].id) if len(found) > _PAGE else None,
    )


@webhooks.get("/<uuid:webhook_id>")
@least(Role.VIEWER)
def webhook(webhook_id: UUID) -> ResponseReturnValue:
    """One webhook: what was made of it, without its body."""
    return render_template("webhook.html", webhook=describe_webhook(_own(webhook_id)), body=None)


@webhooks.post("/<uuid:webhook_id>/body")
@least(Role.OPERATOR)
@back_to("webhooks.webhook")
def body(webhook_id: UUID) -> ResponseReturnValue:
    """The same with its body, which holds people's numbers; the audit log keeps who asked."""
    row = _own(webhook_id)
    with database() as conn:
        opened = open_body(conn, runtime().ring, row, actor=person().actor, workspace=membership().workspace)
    return render_template("webhook.html", webhook=describe_webhook(row), body=opened)


@webhooks.post("/replay")
@least(Role.OPERATOR)
@back_to("webhooks.page")
def again() -> ResponseReturnValue:
    """Says what reading these webhooks again would change; with `really`, has intake do it."""
    with database() as conn:
        channels = own_channels(conn)
        which, arguments = _asked({channel.id for channel in channels})
        rows = webhooks_to_replay(conn, _replayable(which), limit=LIMIT)
        if request.form.get("really") != "1":
            found = forecast(conn, runtime().ring, rows)
            return render_template("replay.html", forecast=found, arguments=arguments, limit=LIMIT)
        replayed = replay(conn, [row.id for row in rows], actor=person().actor, workspace=membership().workspace)
    if replayed:
        runtime().ring_for(Work.INTAKE)
    flash(ngettext("%(num)s webhook is read again.", "%(num)s webhooks are read again.", replayed), "ok")
    return redirect(url_for("webhooks.page", **arguments), 303)


def _own(webhook_id: UUID) -> WebhookRow:
    with database() as conn:
        found = list_webhooks(conn, WebhookFilter(workspace=membership().workspace, ids=[webhook_id]), limit=1)
    return found[0] if found else abort(404)


def _asked(channel_ids: set[int]) -> tuple[WebhookFilter, dict[str, Any]]:
    """The filter that the request asks for, and its words as they go into addresses and forms."""
    state = request.values.get("state", "")
    channel = request.values.get("channel", type=int)
    one = request.values.get("id", "")
    arguments = {
        "state": state if state in WEBHOOK_STATES else "",
        "channel": str(channel) if channel in channel_ids else "",
        "id": one if _is_uuid(one) else "",
    }
    which = WebhookFilter(
        workspace=membership().workspace,
        ids=[UUID(arguments["id"])] if arguments["id"] else (),
        states=[state] if arguments["state"] else (),
        channel_id=channel if arguments["channel"] else None,
    )
    return which, {name: value for name, value in arguments.items() if value}


def _replayable(which: WebhookFilter) -> WebhookFilter:
    """Of these, those that have been read: all that could not be, unless a state or a webhook was named."""
    states = [state for state in which.states if state in REPLAYABLE]
    return WebhookFilter(**{**which.__dict__, "states": states or (REPLAYABLE if which.ids else ["rejected"])})


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
