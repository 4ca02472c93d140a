"""Why a part of a webhook was left out, or a whole one could not be read: codes, and what to say of them."""

from collections.abc import Mapping
from types import MappingProxyType

#: Counted in `Parsed.ignored`. The raw body is kept whatever is ignored, so each of these can be read again
#: later.
IGNORED: Mapping[str, str] = MappingProxyType(
    {
        "action": "A vote, pin, comment or the like on an earlier message; not a new message.",
        "api_send": "Sent by the business through the provider's API.",
        "broadcast": "A broadcast list, not a conversation with one person.",
        "calls": "Call notices; only messages are read.",
        "channel_state": "News of the connection itself (health, QR code, account), not of a message.",
        "chats": "Changes to the chat list; the messages come in webhooks of their own.",
        "contact_sync": "The business's address book, synchronised from its app.",
        "contacts": "Changes to contacts, not messages.",
        "duplicate_in_batch": "The same id twice in one request; the first was kept.",
        "duplicate_key": "A JSON object named the same key twice; the last value was used.",
        "echo": "Sent by the business from its own WhatsApp app.",
        "edit": "An edit of an earlier message.",
        "empty": "The request held nothing to read.",
        "erased": "A message of somebody who was erased after they had written it. The raw body is deleted.",
        "errors": "Errors reported by the provider; they carry no message.",
        "from_me": "Sent by the business, not by a person.",
        "group": "A group message; only one-to-one conversations count.",
        "groups": "Changes to groups, not messages.",
        "history": "Past conversations, synchronised when the number was connected.",
        "labels": "Changes to labels, not messages.",
        "malformed": "A part had another type than documented, so it was not read.",
        "message_update": "Changes to messages that came before.",
        "newsletter": "A post in a WhatsApp channel.",
        "no_message_id": "A message without a usable id cannot be told from its redelivery.",
        "no_sender": "A message that names no sender cannot be put down to a person.",
        "other_channel": "A message on another channel than WhatsApp (SMS, Instagram, Messenger).",
        "other_event": "Messages in a webhook whose event says it is about something else.",
        "other_event_type": "An event about something else than messages (templates, contacts, calls, the account).",
        "other_field": "A webhook field other than messages and automatic_events.",
        "other_object": "A webhook of another Meta product, not of WhatsApp.",
        "placeholder": "A message whose content has not come yet; it comes later, under the same id.",
        "presences": "Who is online or typing.",
        "reaction": "An emoji reaction to an earlier message.",
        "revoke": "A deleted message.",
        "stale_ad_block": "A reply to a status, carrying an old ad block; the message counts as organic.",
        "status_story": "A status (story), not a message to the business.",
        "statuses": "Delivery receipts (sent, delivered, read, failed, payment).",
        "system": "A notice made by WhatsApp, such as a changed number.",
        "unknown_message": "An automatic event about a message that never came here.",
        "unparsed": "A shape the provider does not document; the raw body is kept.",
        "user_actions": "Clicks on marketing messages; their click id is of another kind.",
        "user_id_update": "A person's WhatsApp id changed; no message.",
    }
)

#: The reasons of UnparsableError.
UNPARSABLE: Mapping[str, str] = MappingProxyType(
    {
        "bad_encoding": "The body is not valid text in UTF-8, UTF-16 or UTF-32.",
        "bad_gzip": "The body starts like gzip but cannot be decompressed.",
        "bad_number": "The body holds a number that no system can store (NaN, Infinity or far too large).",
        "empty_body": "The body is empty.",
        "not_an_object": "The body is JSON but not an object; check that the URL belongs to this provider.",
        "not_json": "The body is neither JSON nor a form; check the format in the provider's settings.",
        "too_complex": "The body has more values than a webhook can have.",
        "too_deep": "The body is nested deeper than a webhook can be.",
        "too_large": "The body is larger than allowed after decompression.",
    }
)
