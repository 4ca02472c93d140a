"""Why a webhook can't be read, and why what we send to addresses of people doesn't arrive."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.domain.reasons.reason import CANNOT_DECRYPT, Reason, reason
from shared.providers.reasons import UNPARSABLE

WEBHOOKS: Mapping[str, Reason] = MappingProxyType(
    {
        **{
            code: reason(words, "Check that this channel's URL is set at the right provider, then replay it.")
            for code, words in UNPARSABLE.items()
        },
        "unknown_provider": reason(
            "The channel is gone, or names a provider this version does not have.",
            "Restore the channel or correct its provider, then replay the webhook.",
        ),
        "cannot_decrypt": CANNOT_DECRYPT,
        "adapter_failed": reason(
            "The provider's adapter failed on this body, which is a defect of ours.",
            "Report it, and replay the webhook after the correction.",
        ),
        "cannot_be_stored": reason(
            "What the body holds could not be stored.", "Report it, and replay the webhook after the correction."
        ),
        "unknown_sender": reason(
            "The API key or workspace it came from is gone.", "Restore it, then replay the request."
        ),
        "unreadable_request": reason(
            "The body is not of the form that its path needs.", "Correct it at its source, and report it again."
        ),
        "crashed_intake": reason(
            "Five workers died while reading this body alone.",
            "Report it, and replay the webhook after the correction.",
        ),
    }
)
"""Why a webhook is rejected: mostly, that no provider's parser can read its body."""

OTHER_SIDE = "If it lasts, ask whoever runs the other side; it is tried again by itself."

ANSWERED = {
    "3": "Give the address it redirects to: redirects are not followed.",
    "4": "Check the address, and that the other side takes this kind of message.",
}

OUTBOUND: Mapping[str, Reason] = MappingProxyType(
    {
        "url_malformed": reason(
            "This is not an address that can be posted to.",
            "Give a whole https:// address, without a user name, spaces or line breaks.",
        ),
        "url_not_https": reason(
            "The address is not https, and what is posted could be read on its way.",
            "Use https. Only within a network of your own, with private addresses allowed, http is possible.",
        ),
        "address_refused": reason(
            "The name leads into this machine or a private network, which is refused lest strangers reach into it.",
            "Use a public address, or say expressly that this one may be private (--allow-private).",
        ),
        "name_unknown": reason("The address's name can't be resolved.", "Check its spelling and this host's DNS."),
        "connection_failed": reason("No connection came about.", OTHER_SIDE),
        "tls_failed": reason(
            "The other side's certificate is not valid for its name.", "Renew the certificate, or correct the name."
        ),
        "timed_out": reason("The other side did not answer within 10 seconds.", OTHER_SIDE),
        "no_reply": reason("The connection was cut before an answer came.", OTHER_SIDE),
        "smtp_not_set": reason("There is no mail server to send by.", "Set SMTP_URL and MAIL_FROM for the workers."),
        "smtp_login_refused": reason("The mail server refuses the user or password.", "Correct SMTP_URL."),
        "smtp_refused": reason(
            "The mail server refuses the sender or the recipient.", "Correct MAIL_FROM, or the route's address."
        ),
        "smtp_failed": reason("The mail server can't be reached, or broke off.", "Check SMTP_URL and the server."),
    }
)
"""Why a POST or a mail to an address that somebody typed in came to nothing (`shared.outbound`, `shared.mail`)."""

ENDPOINTS: Mapping[str, Reason] = MappingProxyType(
    {
        "failing": reason(
            "Nothing has arrived there for five days, so it is told nothing more.",
            "Mend the receiver, then: ctwa endpoints set NAME --enabled. What has waited is sent then.",
        ),
        "switched_off": reason(
            "Somebody has switched this endpoint off.", "Nothing, or to go on: ctwa endpoints set NAME --enabled."
        ),
        "gone": reason(
            "It answered 410, which says that it wants nothing more.",
            "Nothing, or give it another address and enable it: ctwa endpoints set NAME --url URL --enabled.",
        ),
    }
)
"""Why an endpoint of outgoing webhooks is disabled."""
