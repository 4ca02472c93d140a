"""Set-up, its first page: the channels of a workspace, what is wrong with each, and the way to another one."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.doctor.examine import examine
from console.doctor.findings import Severity
from console.doctor.gather import gather
from console.doctor.hints import HINTS
from console.errors import NotFoundError
from console.samples import best_sample, counts_as_test
from console.setup.channels import (
    add_channel,
    change_channel,
    described,
    finish_rotation,
    reveal_secrets,
    rotate_secrets,
    webhook_url,
)
from console.team.roles import Role
from console.team.words import N_
from console.web.access import least, membership, person
from console.web.errors import back_to
from console.web.own import choosable_datasets, own_channel, own_channels
from console.web.runtime import database, runtime
from console.webhooks import describe_webhook
from shared.db.channels import Channel, open_secrets
from shared.db.results import WebhookFilter, list_webhooks
from shared.providers import PROVIDERS
from shared.providers.samples import list_samples

setup = Blueprint("setup", __name__, url_prefix="/w/<int:workspace_id>/setup")
#: What a form says of a channel; switches are apart, since a box that isn't ticked isn't sent.
_TEXTS = ("name", "dataset", "currency", "country", "zone", "posts")
_PREFIX = "secret."


@setup.get("/")
@least(Role.VIEWER)
def page() -> ResponseReturnValue:
    """Every channel with what the doctor finds, the worst first in each."""
    with database() as conn:
        facts = gather(conn, runtime().ring, own_channels(conn), public_url=runtime().settings.public_url)
    found = [(one, _faults(examine(one))) for one in facts]
    return render_template("setup.html", channels=found)


@setup.get("/channels/new")
@least(Role.OWNER)
def new() -> ResponseReturnValue:
    """Choosing a provider, then saying what the channel is."""
    provider = PROVIDERS.get(request.args.get("provider", ""))
    with database() as conn:
        datasets = choosable_datasets(conn)
    return render_template(
        "channel_new.html",
        provider=provider,
        hints=HINTS[provider.name] if provider else None,
        providers=sorted(PROVIDERS.values(), key=lambda one: (one.name != "whapi", one.title.lower())),
        datasets=datasets,
    )


@setup.post("/channels")
@least(Role.OWNER)
@back_to("setup.new")
def add() -> ResponseReturnValue:
    """Adds a channel, and shows its address and secrets, the secrets this once."""
    values = {**_said(), "provider": request.form.get("provider", ""), "workspace": membership().workspace}
    values |= {"test": request.form.get("test") == "1", "secrets": _secrets()}
    with database() as conn:
        _check_dataset(conn, values.get("dataset"))
        made = add_channel(conn, runtime().ring, values, actor=person().actor)
        channel = own_channel(conn, made.id)
    return _show(channel, made.secrets)


@setup.get("/channels/<int:channel_id>")
@least(Role.VIEWER)
def channel(channel_id: int) -> ResponseReturnValue:
    """One channel: its address, what the doctor says, and what can be changed."""
    with database() as conn:
        found = own_channel(conn, channel_id)
    return _show(found, None)


@setup.get("/channels/<int:channel_id>/first")
@least(Role.VIEWER)
def first(channel_id: int) -> ResponseReturnValue:
    """The newest webhook of a channel and what was understood of it; asks again until there is one that was read."""
    with database() as conn:
        found = own_channel(conn, channel_id)
        which = WebhookFilter(workspace=membership().workspace, channel_id=channel_id)
        rows = list_webhooks(conn, which, limit=1)
    return render_template("first_webhook.html", channel=found, webhook=describe_webhook(rows[0]) if rows else None)


@setup.post("/channels/<int:channel_id>")
@least(Role.OWNER)
@back_to("setup.channel")
def change(channel_id: int) -> ResponseReturnValue:
    """Changes what the form says."""
    with database() as conn:
        found = own_channel(conn, channel_id)
        changes: dict[str, Any] = _said()
        if changes.get("dataset") != described(conn, found)["dataset"]:
            _check_dataset(conn, changes.get("dataset"))
        changed = change_channel(conn, runtime().ring, found.name, changes, actor=person().actor)
    flash(gettext("Changed.") if changed else gettext("Nothing was different."), "ok")
    return redirect(url_for("setup.channel", channel_id=channel_id), 303)


@setup.post("/channels/<int:channel_id>/switch")
@least(Role.OWNER)
@back_to("setup.channel")
def switch(channel_id: int) -> ResponseReturnValue:
    """Switches a channel on or off."""
    enabled = request.form.get("enabled") == "1"
    with database() as conn:
        found = own_channel(conn, channel_id)
        change_channel(conn, runtime().ring, found.name, {"enabled": enabled}, actor=person().actor)
    flash(gettext("The channel is on.") if enabled else gettext("The channel is off: its webhooks get a 404."), "ok")
    return redirect(url_for("setup.channel", channel_id=channel_id), 303)


@setup.post("/channels/<int:channel_id>/secrets")
@least(Role.OWNER)
@back_to("setup.channel")
def secrets(channel_id: int) -> ResponseReturnValue:
    """Shows a channel's secrets; the audit log keeps who asked."""
    with database() as conn:
        found = own_channel(conn, channel_id)
        held = reveal_secrets(conn, runtime().ring, found, actor=person().actor)
    return _show(found, held[0] if held else {})


@setup.post("/channels/<int:channel_id>/rotate")
@least(Role.OWNER)
@back_to("setup.channel")
def rotate(channel_id: int) -> ResponseReturnValue:
    """Gives a channel new secrets beside the present ones, and shows them."""
    with database() as conn:
        found = own_channel(conn, channel_id)
        complete = rotate_secrets(conn, runtime().ring, found.name, _secrets(), actor=person().actor)
        rotated = own_channel(conn, channel_id)
    return _show(rotated, complete)


@setup.post("/channels/<int:channel_id>/rotate/finish")
@least(Role.OWNER)
@back_to("setup.channel")
def finish(channel_id: int) -> ResponseReturnValue:
    """Forgets the previous secrets."""
    with database() as conn:
        finish_rotation(conn, runtime().ring, own_channel(conn, channel_id).name, actor=person().actor)
    flash(gettext("The previous secrets are no longer taken."), "ok")
    return redirect(url_for("setup.channel", channel_id=channel_id), 303)


def _show(found: Channel, shown: Any) -> ResponseReturnValue:
    with database() as conn:
        [facts] = gather(conn, runtime().ring, [found], public_url=runtime().settings.public_url)
        return render_template(
            "channel.html",
            channel=found,
            said=described(conn, found),
            provider=facts.provider,
            hints=facts.hints,
            findings=examine(facts),
            url=webhook_url(runtime().settings.public_url, found.key),
            address_known=bool(runtime().settings.public_url),
            secrets=shown,
            cases=list_samples(found.provider),
            best_case=best_sample(found.provider),
            takes_samples=counts_as_test(conn, found),
            rotating=len(open_secrets(runtime().ring, found.secrets)) > 1,
            datasets=choosable_datasets(conn),
        )


def _said() -> dict[str, Any]:
    """What the form says of a channel; an empty field is none."""
    return {name: request.form[name].strip() or None for name in _TEXTS if name in request.form}


def _secrets() -> dict[str, str]:
    """The secrets that were typed."""
    given = {name.removeprefix(_PREFIX): value.strip() for name, value in request.form.items() if _PREFIX in name}
    return {name: value for name, value in given.items() if value}


def _check_dataset(conn: Any, name: str | None) -> None:
    """A workspace's owner chooses among what the workspace has; others are not theirs to send to."""
    if name and name not in {one.name for one in choosable_datasets(conn)}:
        raise NotFoundError(N_("There is no such dataset for this workspace."))


def _faults(findings: Any) -> Any:
    return [one for one in findings if one.severity is not Severity.OK]
