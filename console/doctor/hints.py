"""Where each provider's webhooks are set up, and what usually is behind a fault seen in its traffic.

The sources are in docs/providers/<name>.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

#: What a Cloud API number behind any business solution provider can't carry.
_CLOUD = (
    "Ads placed in WhatsApp Status carry none, nor do numbers that are used in the Business app as well (coexistence)."
    " If that is not it, the provider may strip the ad block: compare with its log of one message."
)
#: What bridges of the WhatsApp Web protocol lose.
_BRIDGE = (
    "The bridge reads WhatsApp as a linked device, and an old version may drop the click id: update it, and open the"
    " chat on the phone now and then. Ads placed in WhatsApp Status carry none in any case."
)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """`where` are the screens of the webhook's settings; `subscribe` is what to choose there.

    `without_click_id` is what is behind ads that bring none. `twice` is why every message may come twice;
    `twice_is_usual` when the provider's recommended set-up does that. `undecrypted` is what to do about first messages
    whose content never came.
    """

    where: str
    subscribe: str
    without_click_id: str = _CLOUD
    twice: str = "Two webhooks, apps or subscriptions point at this channel's URL: remove one."
    twice_is_usual: bool = False
    undecrypted: str = ""


def _bridge(where: str, subscribe: str, *, without_click_id: str = _BRIDGE, twice: str | None = None) -> Hints:
    return Hints(
        where=where,
        subscribe=subscribe,
        without_click_id=without_click_id,
        twice=twice or Hints.twice,
        undecrypted="Update the bridge, and open the chat on the phone: the first message of an ad often comes as a"
        " placeholder that a linked device can't decrypt.",
    )


HINTS: Mapping[str, Hints] = {
    "whapi": Hints(
        where="Whapi's panel, the channel's settings, Webhooks",
        subscribe="Events: messages with post (and put). Mode: body, path or method. Statuses alone bring no lead.",
        without_click_id="Ads placed in WhatsApp Status carry none. Else see whether the raw webhook has"
        " context.ad.ctwa (ctwa webhook ID --body) and ask Whapi's support with that message's id.",
        twice_is_usual=True,
        undecrypted="Set send_undecrypted_ad to true in the webhook's parameters, so that Whapi reports ads whose"
        " message it could not decrypt, and leave webhook_max_age_seconds empty, so that late ones are sent. Then fetch"
        " what was missed: ctwa reconcile.",
    ),
    "meta_cloud": Hints(
        where="developers.facebook.com, your app, WhatsApp, Configuration, Webhook fields",
        subscribe="Subscribe to messages, and to automatic_events if the number has it.",
        twice="Two apps are subscribed to the WhatsApp Business Account and point here: unsubscribe one.",
    ),
    "360dialog": Hints(
        where="360dialog's Hub (or Partner Hub), Webhook", subscribe="Set the webhook's URL for the number's messages."
    ),
    "gupshup": Hints(
        where="Gupshup, your app, Webhooks",
        subscribe="Payload format: Meta format (v3), since version 2 carries nothing of the ad. Events: Messages.",
    ),
    "twilio": Hints(
        where="Twilio's console, Messaging, Senders, WhatsApp senders, your number (or the messaging service)",
        subscribe="Webhook URL for incoming messages, HTTP POST; leave the status callback URL empty.",
    ),
    "infobip": Hints(
        where="Infobip's portal, Developer tools, Subscriptions management",
        subscribe="A subscription of channel WhatsApp to Inbound message.",
    ),
    "ycloud": Hints(
        where="YCloud's console, Developers, Webhooks", subscribe="The event whatsapp.inbound_message.received."
    ),
    "vonage": Hints(
        where="Vonage's dashboard, Applications, your application, Capabilities, Messages",
        subscribe="The channel's URL is the Inbound URL, not the Status URL.",
    ),
    "waha": _bridge(
        "the session's configuration in WAHA, webhooks",
        "The event message, on the engine GOWS or NOWEB.",
        without_click_id="The engine WEBJS keeps the ad where nobody documents it: run the session on GOWS or NOWEB. "
        + _BRIDGE,
        twice="The session is subscribed to message and to message.any, which bring the same message: keep message.",
    ),
    "zernio": Hints(where="Zernio, Settings, Webhooks", subscribe="The event message.received."),
    "sinch": Hints(
        where="Sinch's dashboard, Conversation API, Apps, your app, Webhooks", subscribe="The trigger MESSAGE_INBOUND."
    ),
    "zapi": _bridge("Z-API's panel, the instance's webhooks", "The channel's URL under On message received."),
    "doubletick": Hints(
        where="DoubleTick, Settings, Webhooks",
        subscribe="The events MESSAGE_RECEIVED and CALL_TO_WHATSAPP_MESSAGE_RECEIVED.",
        twice_is_usual=True,
    ),
    "wasapi": Hints(
        where="Wasapi's webhooks",
        subscribe="The events message_facebook_advertising and receive_message.",
        twice_is_usual=True,
    ),
    "wati": Hints(where="Wati, Connectors, Webhooks", subscribe="The event Message Received."),
    "edna": Hints(where="edna Pulse, the channel's callback URL", subscribe="The callback for incoming messages."),
    "green_api": Hints(
        where="Green-API's console, the instance's settings",
        subscribe="Get notifications about incoming messages and files: on.",
    ),
    "evolution": _bridge(
        "Evolution's webhook of the instance (POST /webhook/set/{instance})",
        "The event MESSAGES_UPSERT.",
        without_click_id="Channels of the type WHATSAPP-BUSINESS drop the ad: point Meta's webhook here instead, as"
        " provider meta_cloud. " + _BRIDGE,
        twice="The instance's webhook and the global one (WEBHOOK_GLOBAL_URL) both point here, and the global copy"
        " comes late: keep the instance's.",
    ),
    "uazapi": _bridge(
        "UAZAPI's webhook of the instance (POST /webhook)",
        "The event messages; of excludeMessages never isGroupNo, which leaves out one-to-one chats.",
    ),
    "wuzapi": _bridge(
        "WuzAPI's webhook of the user (POST /webhook)",
        "The event Message.",
        twice="The user's webhook and the global one (WUZAPI_GLOBAL_WEBHOOK) both point here: keep the user's.",
    ),
    "gowa": _bridge(
        "GOWA's start options (--webhook, --webhook-events)",
        "The event message.",
        without_click_id="A version before pull request 631 has no referral. " + _BRIDGE,
    ),
}
