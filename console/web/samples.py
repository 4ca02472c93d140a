"""Set-up: a sample through a test channel, so that the whole way is seen without a phone."""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from console.errors import InvalidError, UnavailableError
from console.samples import counts_as_test, make_samples, post_sample, signed_headers
from console.setup.channels import webhook_url
from console.team.roles import Role
from console.team.words import N_
from console.web.access import least, membership, person
from console.web.errors import back_to
from console.web.own import own_channel
from console.web.runtime import database, runtime
from shared.db import audit
from shared.providers.samples import list_samples

samples = Blueprint("samples", __name__, url_prefix="/w/<int:workspace_id>/setup/channels/<int:channel_id>/sample")


@samples.post("/")
@least(Role.OPERATOR)
@back_to("setup.channel")
def send(channel_id: int) -> ResponseReturnValue:
    """Posts one sample to the receiver, signed as the channel's provider signs."""
    base = runtime().settings.public_url
    if not base:
        raise UnavailableError(N_("Where the receiver is isn't known: set PUBLIC_URL."))
    case = request.form.get("case", "")
    with database() as conn:
        channel = own_channel(conn, channel_id)
        if not counts_as_test(conn, channel):
            raise InvalidError(N_("Samples go through test channels only, so that nothing made up counts."))
        if case not in list_samples(channel.provider):
            raise InvalidError(N_("There is no such sample."))
        audit.record(
            conn,
            actor=person().actor,
            action="channel.sample",
            subject=f"channel:{channel.name}",
            detail={"case": case},
            workspace=membership().workspace,
        )
    url = webhook_url(base, channel.key)
    [body] = make_samples(channel.provider, case, count=1)
    sent = post_sample(url, body, signed_headers(runtime().ring, channel, url, body))
    if sent.status is None:
        raise UnavailableError(N_("The receiver didn't answer at PUBLIC_URL. Is it running, and reached from here?"))
    if sent.status != 200:
        flash(gettext("The receiver refused the sample: HTTP %(status)s.", status=sent.status), "error")
    else:
        flash(gettext("The sample was taken in. What was understood of it shows below."), "ok")
    return redirect(url_for("setup.channel", channel_id=channel_id) + "#first", 303)
