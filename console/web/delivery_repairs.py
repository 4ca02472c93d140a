"""What operators do about deliveries: settle unknown outcomes, and send again what may go, looked at first."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext

from console.repairs import AGAIN, HURRIED, STAYS, WHY_IT_STAYS, Retried, resolve, retry
from console.team.roles import Role
from console.web.access import least, membership, person
from console.web.deliveries import own_delivery
from console.web.delivery_filters import asked
from console.web.errors import back_to
from console.web.runtime import database, runtime
from shared.db.repairs import Resolution
from shared.db.results import DeliveryFilter
from shared.domain.deliveries import State
from shared.queue import Work

repairs = Blueprint("repairs", __name__, url_prefix="/w/<int:workspace_id>/deliveries")
#: So many are looked at in one go.
LIMIT = 1000
#: What a retry looks at unless a state is named: the rest is done, or not for it to decide.
_RETRIED = (State.REJECTED, State.SKIPPED, State.PENDING)
BECOMES = {
    AGAIN: (lazy_gettext("goes again"), "ok"),
    HURRIED: (lazy_gettext("is due now"), "ok"),
    STAYS: (lazy_gettext("stays"), ""),
}


@repairs.post("/<int:delivery_id>/retry")
@least(Role.OPERATOR)
@back_to("deliveries.delivery")
def one_again(delivery_id: int) -> ResponseReturnValue:
    """Sends one delivery again, if it may go."""
    with database() as conn:
        row = own_delivery(conn, delivery_id)
        which = DeliveryFilter(workspace=membership().workspace, ids=[row.id])
        result = retry(conn, which, limit=1, actor=person().actor)
    if result.moved:
        runtime().ring_for(Work.SENDING)
        flash(gettext("It goes again. Look at this page in a minute."), "ok")
    else:
        why = next((group.why for group in result.groups if group.why), None)
        flash(gettext("It stays as it is: %(why)s", why=WHY_IT_STAYS[why] if why else ""), "error")
    return redirect(url_for("deliveries.delivery", delivery_id=delivery_id), 303)


@repairs.post("/<int:delivery_id>/resolve")
@least(Role.OPERATOR)
@back_to("deliveries.delivery")
def settle(delivery_id: int) -> ResponseReturnValue:
    """Settles an outcome that is unknown."""
    try:
        resolution = Resolution(request.form.get("resolution", ""))
    except ValueError:
        abort(400)
    with database() as conn:
        row = own_delivery(conn, delivery_id)
        [settled] = resolve(conn, [row.id], resolution, actor=person().actor, workspace=membership().workspace)
    if settled.resolved:
        runtime().ring_for(Work.SENDING)
        flash(gettext("Settled."), "ok")
    else:
        flash(gettext("Its outcome is not unknown any more; nothing was changed."), "error")
    return redirect(url_for("deliveries.delivery", delivery_id=delivery_id), 303)


@repairs.post("/retry")
@least(Role.OPERATOR)
def many_again() -> ResponseReturnValue:
    """Says what sending again would come to; with `really`, does it."""
    really = request.form.get("really") == "1"
    with database() as conn, conn.transaction(force_rollback=not really):
        question = asked(conn)
        which = question.which if question.which.states else _with_states(question.which)
        result: Retried = retry(conn, which, limit=LIMIT, actor=person().actor)
    if not really:
        return render_template(
            "retry.html", question=question, result=result, becomes=BECOMES, why=WHY_IT_STAYS, limit=LIMIT
        )
    if result.moved:
        runtime().ring_for(Work.SENDING)
    flash(ngettext("%(num)s delivery goes again.", "%(num)s deliveries go again.", result.moved), "ok")
    return redirect(url_for("deliveries.page", **question.arguments), 303)


def _with_states(which: DeliveryFilter) -> DeliveryFilter:
    return DeliveryFilter(**{**which.__dict__, "states": _RETRIED})
