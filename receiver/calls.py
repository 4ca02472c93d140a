"""Which calls of the API are let in, and how refusals are told: the checks before the body is read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from receiver.admission import Refused, form_problem
from receiver.head import Head
from receiver.keys import Keys
from shared.api_keys import bearer_key
from shared.db.api_keys import DoorKey
from shared.domain.api_scopes import Scope
from shared.domain.submission_forms import check_key

#: The paths below /v1/ that take items, and the scope that a key needs for each.
SCOPE_OF: Mapping[str, Scope] = MappingProxyType(
    {
        "conversions": Scope.CONVERSIONS_WRITE,
        "contacts/stage": Scope.CONTACTS_WRITE,
        "contacts/tags": Scope.CONTACTS_WRITE,
        "contacts/consent": Scope.CONTACTS_WRITE,
    }
)

#: What is said of each refusal: a title, and what to do.
WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "unknown_path": ("Not found", f"Items are posted to {', '.join(f'/v1/{path}' for path in SCOPE_OF)}."),
        "method": ("Method not allowed", "Items are reported with POST. The console's API shows what became of them."),
        "no_key": (
            "No API key",
            "Send the header Authorization: Bearer ctwa_… with a key from `ctwa api-keys create`.",
        ),
        "unknown_key": (
            "API key not accepted",
            "The key is unknown or revoked. `ctwa api-keys list` shows those there are.",
        ),
        "scope": ("Not allowed", "The key lacks the scope for this path. `ctwa api-keys create --scope` gives it."),
        "framing": ("Bad request", "The request's length is given twice, or in a form that no server takes."),
        "length_required": ("Length required", "Send a Content-Length."),
        "too_large": ("Too large", "Split the items over several requests."),
        "headers_too_large": ("Headers too large", "Send fewer or shorter headers."),
        "media_type": ("Unsupported media type", "Send JSON, with Content-Type: application/json."),
        "content_encoding": ("Unsupported encoding", "Send the body as it is, or with Content-Encoding: gzip."),
        "idempotency_key": ("Bad Idempotency-Key", "Send 1 to 196 characters of printable ASCII."),
        "unreadable": ("Body not understood", "Correct the body and send it again. Nothing of it was stored."),
        "malformed": (
            "Items not understood",
            "Correct the fields under `errors` and send all items again. Nothing of this request was stored.",
        ),
        "limited": ("Too many refused requests", "Wait as long as Retry-After says, and use a key that is accepted."),
        "slow": ("Timeout", "The body did not come in time. Send it again."),
        "incomplete": ("Body incomplete", "The body was shorter than announced. Send it again."),
        "keys_unknown": ("Not ready", "The keys could not be read yet. Send the same request again."),
        "memory": ("Overloaded", "Send the same request again."),
        "not_durable": ("Not stored", "Nothing durable is left to store it. Send the same request again."),
        "late": ("Not stored in time", "Send the same request again, with the same keys: nothing is counted twice."),
        "unstorable": ("Not storable", "The database refuses this request. Look at the receiver's log."),
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """A request to the API whose body may be read. `kind` is its path below /v1/."""

    head: Head
    kind: str
    key: DoorKey
    key_text: str = field(repr=False)
    idempotency_key: str | None

    def refuse(self, reason: str) -> Refused:
        """Its refusal after all."""
        return Refused(reason)


def admit_call(head: Head, keys: Keys, *, max_body: int, chunked: bool) -> Call | Refused:
    """Every check that needs no body. `chunked` allows bodies without a Content-Length."""
    kind = head.path.rstrip("/")
    if kind not in SCOPE_OF:
        return Refused("unknown_path")
    if head.method != "POST":
        return Refused("method")
    key_text = bearer_key(head.headers.get("authorization", ""))
    if key_text is None:
        return Refused("no_key")
    if not keys.known:
        return Refused("keys_unknown")
    key = keys.get(key_text)
    if key is None:
        return Refused("unknown_key")
    reason = _problem(head, key, kind) or form_problem(head, max_body=max_body, chunked=chunked)
    if reason:
        return Refused(reason)
    given = head.headers.get("idempotency-key")
    try:
        return Call(head, kind, key, key_text, None if given is None else check_key(given))
    except ValueError:
        return Refused("idempotency_key")


def _problem(head: Head, key: DoorKey, kind: str) -> str | None:
    if SCOPE_OF[kind] not in key.scopes:
        return "scope"
    media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return "media_type"
    if head.headers.get("content-encoding", "identity").strip().lower() not in ("identity", "gzip"):
        return "content_encoding"
    return None
