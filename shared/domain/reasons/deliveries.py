"""Why a delivery is where it is, and why a dataset is paused."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.capi import verdicts
from shared.domain.reasons.reason import BY_ITSELF, CANNOT_DECRYPT, COMPARE, FIX_AND_SEND, NOTHING, Reason, of, reason

SKIPPED: Mapping[str, Reason] = MappingProxyType(
    {
        "no_click_id": reason(
            "The ad message carried no click id, so Meta could not attribute the event.",
            "Nothing for ads in WhatsApp Status. If all ads lack it, check the provider's attribution setting.",
        ),
        "unattributed": reason(
            "No ad click of the contact's counts: they wrote on their own, clicked afterwards or too long before.",
            NOTHING,
        ),
        "scope": reason(
            "This kind of conversion or message is not reported on this channel.",
            "Change the channel's policy if it should be reported.",
        ),
        "region": reason(
            "The contact's country is one whose events this dataset holds back (by default the EU, EEA, UK and Japan).",
            "Nothing: Meta restricts messaging events there. `ctwa datasets set NAME --regions send` lets them go.",
        ),
        "duplicate": reason("The same conversion is already reported to this dataset.", NOTHING),
        "consent": reason(
            "The contact has not agreed, or no longer agrees, to their data being used for ads.",
            "Record the contact's consent; the event can then be sent while it is young enough.",
        ),
        "no_permission": reason(
            "Whoever reported the conversion may not have it sent to Meta.",
            "Give the API key the permission to send, or report the conversion with another key.",
        ),
        "meta_automatic": reason(
            "Meta detected this conversion itself and counts it, so nothing is sent.",
            "Nothing. The dataset's policy for automatic events can say otherwise.",
        ),
        "erased": reason("The person was erased at their request, so nothing more is sent about them.", NOTHING),
        "disabled": reason("Sending is switched off for this dataset.", "Switch sending on for conversions to come."),
    }
)
"""Why a delivery is `skipped`."""

HELD_UP: Mapping[str, Reason] = MappingProxyType(
    {
        "waiting_for_value": reason(
            "The conversion needs a value and has none yet.",
            "Report the value within 6 days and 12 hours of the conversion.",
        ),
        "expired": reason(
            "The conversion became older than 6 days and 12 hours unsent; Meta's limit is 7 days.",
            "Nothing for this one: it still counts in the return. Look for what held it up.",
        ),
        "process_died": reason("The process that was sending it died after the request had started.", COMPARE),
    }
)
"""Why a delivery is `waiting`, `expired`, or `unknown` without an answer."""

OUR_CHECKS: Mapping[str, Reason] = MappingProxyType(
    {
        "event_name_not_allowed": reason(
            "Meta has no messaging event of this name.", "Use one of the 14 event names, in exact case."
        ),
        "event_id_invalid": reason(
            "The event id is empty, longer than 512 characters or not printable ASCII.", FIX_AND_SEND
        ),
        "click_id_missing": reason("The event has no click id.", "Nothing: it cannot be attributed without one."),
        "click_id_too_long": reason(
            "The click id is longer than 1024 characters, so it is not one of Meta's.",
            "Check what the provider puts into the click id field.",
        ),
        "click_id_malformed": reason(
            "The click id holds characters no click id of Meta's has.",
            "Check that the provider passes the click id unchanged.",
        ),
        "event_time_too_old": reason(
            "The conversion is older than 7 days.", "Nothing for this one. Report conversions within an hour."
        ),
        "event_time_in_future": reason(
            "The conversion's time lies more than 5 minutes in the future.",
            "Correct the clock at the source.",
        ),
        "value_missing": reason("The purchase has no value.", "Report the value, then send it again by hand."),
        "value_invalid": reason("The value is negative, not a number, or absurdly large.", FIX_AND_SEND),
        "currency_missing": reason("The value has no currency.", "Report the currency, then send it again by hand."),
        "currency_not_accepted": reason(
            "The currency is not an ISO 4217 code that Meta accepts.",
            "Report the value in a currency Meta accepts, then send it again by hand.",
        ),
        "contents_invalid": reason("The list of items is malformed or an item has no id.", FIX_AND_SEND),
        "custom_data_invalid": reason("The custom data cannot be written as JSON.", FIX_AND_SEND),
    }
)
"""Why a delivery is `rejected` before anything is sent (`shared.capi.payload.validate_event`)."""

OUTCOMES: Mapping[str, Reason] = MappingProxyType(
    {
        "event_cannot_be_built": reason(
            "The event does not fit the form that Meta wants, which our checks should have found.",
            "Report it with the version in use; `ctwa deliveries retry` sends it once it is mended.",
        ),
        "not_sent": reason("No connection to Meta came about, so nothing was sent.", BY_ITSELF),
        "no_answer": reason("The request left and no answer came, so Meta may have it or not.", COMPARE),
        "answer_unreadable": reason("Meta answered with success, but no count of events could be read.", COMPARE),
        "partly_received": reason("Meta says it received another number of events than were sent.", COMPARE),
        "server_error_unclear": reason("The server failed without saying whether it took the event.", COMPARE),
        "not_received": reason(
            "Meta answered with success and received none of the events.",
            "Nothing at first. After three times the dataset pauses: check its id and WhatsApp account.",
        ),
        "redirected": reason(
            "The request was answered with a redirect, which is not followed lest the token be given away.",
            "If it lasts, look for a proxy or portal between this service and Meta.",
        ),
        "not_graph": reason(
            "The request was refused by something that does not speak for Meta's Graph API.",
            "If it lasts, look for a proxy or firewall between this service and Meta.",
        ),
        "http_401": of(verdicts.NOT_GRAPH_401),
        "http_403": of(verdicts.NOT_GRAPH_403),
        "http_404": of(verdicts.NOT_GRAPH_404),
        "http_413": of(verdicts.NOT_GRAPH_413),
        "http_429": of(verdicts.OTHER_429),
        "token_malformed": reason(
            "The stored token holds spaces or characters that no token has.",
            "Copy the token again, without quotes or line breaks.",
        ),
    }
)
"""What an answer without a code of Meta's, or no answer, says of a delivery."""

PAUSES: Mapping[str, Reason] = MappingProxyType(
    {
        "token": reason("Meta does not accept the token.", "Give the credential a new system-user token."),
        "permission": reason(
            "The token may not write to this dataset.", "Grant what is missing in Meta Business settings."
        ),
        "link": reason(
            "Dataset, WhatsApp account and settings do not fit together.",
            "Correct the dataset's settings, or resume it by hand once Meta's side is corrected.",
        ),
        "throttle": reason("Meta's rate limit is reached.", "Nothing: sending goes on when the limit allows."),
        "meta_down": reason("Meta does not answer.", "Nothing: a small request tries again every few minutes."),
        "by_hand": reason("Somebody paused this dataset.", "Resume it when it should send again."),
        "waba_id_missing": reason(
            "The dataset has no WhatsApp Business Account id, which Meta demands with every event.",
            "Set the id; it is in WhatsApp Manager under account settings.",
        ),
        "waba_id_malformed": reason("The WhatsApp Business Account id is not a number.", "Correct the id."),
        "credential_missing": reason("The dataset has no token.", "Give the dataset a credential."),
        "cannot_decrypt": CANNOT_DECRYPT,
        "page_id_malformed": reason("The Page id is not a number.", "Correct the id."),
    }
)
"""Why a dataset is paused, with the details of `shared.capi.payload.dataset_problem`."""
