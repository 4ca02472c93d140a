"""Graph's error answers: one class for the shape, one table for the refusals of `/events`.

Meta publishes no table of these subcodes. The texts are those that live answers were recorded with; where
only the number is known, the text is ours.
"""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class GraphError:
    """One error answer. `hint` is for the sandbox's own log and page; it never goes over the wire."""

    message: str
    code: int
    subcode: int | None = None
    status: int = 400
    type: str = "OAuthException"
    title: str | None = None
    user_msg: str | None = None
    is_transient: bool | None = None
    error_data: str | dict[str, Any] | None = None
    hint: str | None = None

    def body(self, fbtrace_id: str) -> dict[str, Any]:
        """The JSON document as Graph answers it: absent members are left out."""
        members = {
            "message": self.message,
            "type": self.type,
            "code": self.code,
            "error_data": self.error_data,
            "error_subcode": self.subcode,
            "is_transient": self.is_transient,
            "error_user_title": self.title,
            "error_user_msg": self.user_msg,
            "fbtrace_id": fbtrace_id,
        }
        return {"error": {key: value for key, value in members.items() if value is not None}}

    def with_hint(self, hint: str) -> "GraphError":
        return replace(self, hint=hint)

    def in_words(self) -> str:
        """One line for a person: what was wrong, from the most telling text there is."""
        return self.hint or self.user_msg or self.title or self.message


# Subcode of code 100: title, text. `{}` takes what the rule found.
EVENT_ERRORS: dict[int, tuple[str, str]] = {
    2804001: ("Invalid Event Data", "{}"),
    2804003: (
        "Event Timestamp Too Old",
        (
            "The timestamp for this event is too far in the past. Events need to be sent from your server "
            "within 7 days of when they occurred. Enter a timestamp that has occurred within the last 7 days."
        ),
    ),
    2804004: (
        "Event Timestamp In The Future",
        ("The timestamp for this event is in the future. Enter a timestamp, in seconds, that has already occurred."),
    ),
    2804008: (
        "Invalid Contents Parameter",
        "The contents parameter must be a list of objects with an id. {}",
    ),
    2804009: (
        "Missing Value for Purchase Event",
        "Your purchase event doesn't include a value parameter. The value must be a number.",
    ),
    2804010: (
        "Missing Currency for Purchase Event",
        "Your purchase event doesn't include a currency parameter. Send an ISO 4217 code.",
    ),
    2804011: ("Invalid Currency For Purchase Event", "The currency {} is not a valid ISO 4217 code."),
    2804019: ("Missing Required Server Event Parameter", "{} is required"),
    2804023: ("Missing Currency", "The event has a value but no currency. Send an ISO 4217 code."),
    2804030: ("Invalid Data Processing Options", "The data processing options are not valid: {}"),
    2804036: ("Invalid Lead ID", "The lead_id parameter must be the 15 to 17 digit id of a lead ad's lead."),
    2804050: (
        "Not Enough Customer Information",
        "The customer information parameters of this event are too few or too broad to match anyone.",
    ),
    2804063: (
        "Missing Messaging Channel",
        ("Events with action source business_messaging need a messaging_channel: whatsapp, messenger or instagram."),
    ),
    2804064: (
        "Messaging Event Invalid Arguments",
        "These arguments are not allowed for business_messaging events, remove all invalid arguments: {}",
    ),
    2804065: ("Page Does Not Match Dataset", "The page_id of this event is not the Page of this dataset."),
    2804066: (
        "Messaging Event Invalid Event Type",
        (
            'The event name parameter value "{}" provided for your events with business_messaging action '
            'source is invalid. Provide a valid value for the event name parameter such as "Purchase" or '
            '"LeadSubmitted".'
        ),
    ),
    2804069: ("Missing Page ID", "Events from channel messenger need user_data.page_id."),
    2804071: ("Messaging Event Missing Ctwa Clid", "Events from channel whatsapp need user_data.ctwa_clid."),
    2804072: (
        "Page Does Not Match Click",
        "The page_id of this event is not the Page of the ad that was clicked.",
    ),
    2804075: ("Missing Instagram-Scoped ID", "Events from channel instagram need user_data.ig_sid."),
    2804079: ("Missing Instagram Account ID", "Events from channel instagram need user_data.ig_account_id."),
    2804081: (
        "OrderCreated event currency missing",
        "There is no currency provided in custom_data for OrderCreated event.",
    ),
    2804087: ("Messaging Event Invalid Ctwa Clid", "The ctwa_clid parameter is invalid"),
    2804116: (
        "Missing Page ID or WhatsApp Business Account ID",
        (
            "Your event {} with action source business_messaging from channel whatsapp has neither page_id "
            "nor whatsapp_business_account_id"
        ),
    ),
    2804131: (
        "No Page Associated to Dataset",
        "For CTM and CTWA events the dataset must have an associated Page.",
    ),
    2804132: (
        "No WhatsApp Business Account Linked to This Dataset",
        (
            "The WhatsApp Business Account of this event is not linked to this dataset. Create or read its "
            "dataset with POST /{{WABA_ID}}/dataset and send the event there."
        ),
    ),
    2804133: ("No Instagram Account Linked to This Dataset", "This dataset has no such Instagram account."),
}


def event_error(subcode: int, found: str = "") -> GraphError:
    """The refusal with code 100 and this subcode; `found` goes into its text."""
    title, text = EVENT_ERRORS[subcode]
    return GraphError(
        "Invalid parameter", 100, subcode, title=title, user_msg=text.format(found[:100]), is_transient=False
    )


def parameter_error(text: str) -> GraphError:
    """A request-level refusal: `(#100) …`, without a subcode."""
    return GraphError(f"(#100) {text}", 100)


def unknown_path(path: str) -> GraphError:
    """What a version or a path that never existed is answered with."""
    return GraphError(f"Unknown path components: {path}", 2500)


def object_missing(object_id: str, verb: str = "post") -> GraphError:
    """The id does not exist, or the token may not see it: Graph does not say which."""
    return GraphError(
        f"Unsupported {verb} request. Object with ID '{object_id}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        100,
        33,
        type="GraphMethodException",
    )


def token_error(text: str, subcode: int | None = None, status: int = 401) -> GraphError:
    """Code 190. Both HTTP 401 and 400 are recorded for it."""
    return GraphError(text, 190, subcode, status=status)


TOKEN_MISSING = GraphError("An access token is required to request this resource.", 104)
TOKEN_UNKNOWN = token_error("Invalid OAuth access token - Cannot parse access token")
TOKEN_EXPIRED = token_error("Error validating access token: Session has expired.", 463)
TOKEN_REVOKED = token_error("Error validating access token: The user has not authorized the application.", 458)
SCOPE_MISSING = GraphError(
    "(#270) This Ads API request is not allowed for apps with development access level (Access is by default "
    "for all apps). Please request for upgrade.",
    270,
)
PROOF_MISSING = GraphError(
    "API calls from the server require an appsecret_proof argument", 100, type="GraphMethodException"
)
PROOF_WRONG = GraphError("Invalid appsecret_proof provided in the API argument", 100, type="GraphMethodException")
MISSING_PERMISSION = GraphError("(#100) Missing Permission", 100)
UNVERSIONED = GraphError(
    "(#2635) You are calling a deprecated version of the Ads API. Please update to the latest version.", 2635
)
