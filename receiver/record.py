"""What is kept of an authenticated request: its bytes, sealed, and the little around them that is no secret. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from receiver.admission import Admitted
from receiver.calls import Call
from shared.crypto import KeyRing
from shared.db.webhooks import NewWebhook

#: Headers that help to read a body or to find it at the provider. Everything else is dropped, whatever it is.
KEPT_HEADERS = frozenset(
    {
        "content-encoding",
        "content-type",
        "i-twilio-idempotency-token",
        "svix-id",
        "svix-timestamp",
        "user-agent",
        "webhook-id",
        "webhook-timestamp",
        "x-request-id",
        "x-webhook-id",
        "x-webhook-request-id",
        "x-webhook-timestamp",
    }
)
MAX_HEADER_LENGTH = 512
MAX_QUERY_LENGTH = 2000
_SECRET_NAME = re.compile(r"(?i)token|secret|sign?ature|^sig$|key|auth|pass|pwd|credential|session|jwt|hmac")
#: Postgres takes no NUL, and no half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def make_record(
    admitted: Admitted, body: bytes, *, webhook_id: UUID, received_at: datetime, ring: KeyRing
) -> NewWebhook:
    """The row for one request. The body is sealed as it came, readable or not."""
    head, secrets = admitted.head, admitted.channel.secret_values
    return NewWebhook(
        id=webhook_id,
        received_at=received_at,
        source="channel",
        source_id=admitted.channel.id,
        method=head.method,
        path=_storable(_without(head.path, secrets)),
        query=kept_query(head.query, secrets),
        headers=kept_headers(head.headers, secrets),
        body=ring.seal(body),
        body_bytes=len(body),
    )


def make_call_record(call: Call, body: bytes, *, webhook_id: UUID, received_at: datetime, ring: KeyRing) -> NewWebhook:
    """The row for one request to the API: kept like a webhook, and read like one."""
    headers = kept_headers(call.head.headers, [call.key_text])
    if call.idempotency_key is not None:
        headers["idempotency-key"] = call.idempotency_key
    return NewWebhook(
        id=webhook_id,
        received_at=received_at,
        source="api_key",
        source_id=call.key.id,
        method=call.head.method,
        path=call.kind,
        query="",
        headers=headers,
        body=ring.seal(body),
        body_bytes=len(body),
    )


def kept_headers(headers: Mapping[str, str], secrets: Sequence[str] = ()) -> dict[str, str]:
    """The headers on the list, without any of `secrets`."""
    return {
        name: _storable(_without(headers[name], secrets))[:MAX_HEADER_LENGTH]
        for name in KEPT_HEADERS
        if name in headers
    }


def kept_query(query: str, secrets: Sequence[str] = ()) -> str:
    """The query without parameters whose name or value is a secret."""
    if not query:
        return ""
    try:
        pairs = parse_qsl(query[:MAX_QUERY_LENGTH], keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return ""
    kept = [
        (name, value)
        for name, value in pairs
        if not _SECRET_NAME.search(name) and _without(name + "\n" + value, secrets) == name + "\n" + value
    ]
    return _storable(urlencode(kept))


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("�", text)
