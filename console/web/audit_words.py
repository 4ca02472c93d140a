"""What people did, in words: every action that the audit log may hold. A test finds those that are missing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Flask
from flask_babel import gettext, lazy_gettext

from console.web.formats import NOTHING

ACTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "API key made": lazy_gettext("Made an API key"),
        "API key revoked": lazy_gettext("Revoked an API key"),
        "ad_account.add": lazy_gettext("Added an ad account"),
        "ad_account.remove": lazy_gettext("Removed an ad account"),
        "ad_account.set": lazy_gettext("Changed an ad account"),
        "alert.acknowledge": lazy_gettext("Looks after an alert"),
        "alert.resolve": lazy_gettext("Resolved an alert"),
        "alert_route.add": lazy_gettext("Added somebody to be told of alerts"),
        "alert_route.remove": lazy_gettext("Removed somebody who was told of alerts"),
        "alert_route.test": lazy_gettext("Sent a test of alerts"),
        "alert_rule.set": lazy_gettext("Changed a threshold of alerts"),
        "channel.add": lazy_gettext("Added a channel"),
        "channel.change": lazy_gettext("Changed a channel"),
        "channel.reconcile": lazy_gettext("Compared a channel with its provider"),
        "channel.reconcile.stored": lazy_gettext("Fetched what a channel had missed"),
        "channel.reveal": lazy_gettext("Looked at a channel's secrets"),
        "channel.rotate": lazy_gettext("Gave a channel new secrets"),
        "channel.rotate.finish": lazy_gettext("Ended a channel's previous secrets"),
        "channel.sample": lazy_gettext("Sent a sample through a channel"),
        "contact.erase": lazy_gettext("Asked for a person's erasure"),
        "contact.erased": lazy_gettext("Erased a person"),
        "contact.export": lazy_gettext("Exported a person's data"),
        "contact.merge": lazy_gettext("Found two contacts to be one person"),
        "contact.reveal": lazy_gettext("Looked at a person's name and number"),
        "contacts/consent.import": lazy_gettext("Imported consent of contacts"),
        "contacts/consent.set": lazy_gettext("Recorded a contact's consent"),
        "contacts/stage.import": lazy_gettext("Imported stages of contacts"),
        "contacts/stage.set": lazy_gettext("Changed a contact's stage"),
        "contacts/tags.import": lazy_gettext("Imported tags of contacts"),
        "contacts/tags.set": lazy_gettext("Changed a contact's tags"),
        "conversions.import": lazy_gettext("Imported conversions"),
        "conversions.set": lazy_gettext("Reported conversions"),
        "credential.add": lazy_gettext("Kept a token"),
        "credential.rotate": lazy_gettext("Replaced a token"),
        "dataset.add": lazy_gettext("Added a dataset"),
        "dataset.change": lazy_gettext("Changed a dataset"),
        "dataset.pause": lazy_gettext("Paused a dataset"),
        "dataset.probe": lazy_gettext("Had a dataset's token tried"),
        "dataset.resume": lazy_gettext("Let a dataset send again"),
        "deliveries.resolve": lazy_gettext("Settled deliveries by hand"),
        "deliveries.retry": lazy_gettext("Sent deliveries again"),
        "demo_data.fill": lazy_gettext("Made up demo data"),
        "demo_data.remove": lazy_gettext("Removed the demo data"),
        "endpoint.add": lazy_gettext("Added an endpoint"),
        "endpoint.change": lazy_gettext("Changed an endpoint"),
        "endpoint.disable": lazy_gettext("Gave up an endpoint that fails"),
        "endpoint.remove": lazy_gettext("Removed an endpoint"),
        "endpoint.rotate": lazy_gettext("Gave an endpoint a new secret"),
        "endpoint.test": lazy_gettext("Sent an endpoint a test"),
        "first owner created": lazy_gettext("Became the first owner"),
        "first owner's link made": lazy_gettext("Made the first owner's link"),
        "identity.move": lazy_gettext("Put a name with another contact"),
        "invitation accepted": lazy_gettext("Accepted an invitation"),
        "invitation revoked": lazy_gettext("Took an invitation back"),
        "invite": lazy_gettext("Invited somebody"),
        "keys.rotate": lazy_gettext("Sealed everything under the newest keys"),
        "log in": lazy_gettext("Logged in"),
        "member removed": lazy_gettext("Removed a member"),
        "notifications.retry": lazy_gettext("Sent notifications again"),
        "password changed": lazy_gettext("Changed a password"),
        "password reset": lazy_gettext("Chose a new password by a link"),
        "password reset link made": lazy_gettext("Made a link for a new password"),
        "recovery code used": lazy_gettext("Logged in with a recovery code"),
        "recovery codes renewed": lazy_gettext("Made new recovery codes"),
        "role changed": lazy_gettext("Changed a role"),
        "rule.add": lazy_gettext("Added a rule"),
        "rule.change": lazy_gettext("Changed a rule"),
        "rule.remove": lazy_gettext("Removed a rule"),
        "second factor off": lazy_gettext("Switched a second factor off"),
        "second factor on": lazy_gettext("Switched the second factor on"),
        "spend.add": lazy_gettext("Added spend by hand"),
        "spend.import": lazy_gettext("Imported spend from a file"),
        "spend.sync": lazy_gettext("Had spend pulled"),
        "touchpoints.import": lazy_gettext("Imported touchpoints"),
        "touchpoints.set": lazy_gettext("Reported touchpoints"),
        "trace.reveal": lazy_gettext("Looked at a delivery with its names"),
        "user created": lazy_gettext("Added a person"),
        "user disabled": lazy_gettext("Shut a person out"),
        "user enabled": lazy_gettext("Let a person in again"),
        "webhook.body": lazy_gettext("Opened a webhook's body"),
        "webhooks.drop": lazy_gettext("Deleted the webhooks of a day whose time was over"),
        "webhooks.replay": lazy_gettext("Had webhooks read again"),
        "workspace.add": lazy_gettext("Added a workspace"),
        "workspace.change": lazy_gettext("Changed a workspace"),
    }
)
"""Action -> what it is called. What an older version wrote and this one doesn't know shows as it is."""


def install(app: Flask) -> None:
    """The filters `action_words` and `detail_words` of templates."""
    app.jinja_env.filters["action_words"] = lambda action: ACTIONS.get(action, action)
    app.jinja_env.filters["detail_words"] = detail_words


def detail_words(value: Any) -> str:
    """A value of a line's detail: what is none as a dash, yes and no in words, several with what is between them."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, Mapping):
        return "; ".join(f"{name.replace('_', ' ')}: {detail_words(one)}" for name, one in value.items())
    return ", ".join(map(detail_words, value)) if isinstance(value, list) else str(value)
