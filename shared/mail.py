"""Mail by SMTP, to the server that SMTP_URL names.

`smtps://` speaks TLS from the start, `smtp://` by STARTTLS; `smtp://…?tls=off` is for a relay within one's own network.
"""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

from shared.mailbox import is_mailbox

#: For each step of the conversation.
STEP_SECONDS = 8


def send_mail(smtp_url: str, *, sender: str, to: str, subject: str, text: str, message_id: str) -> str | None:
    """Sends one message; a reason code why it was not taken, None if it was."""
    if not smtp_url or not sender:
        return "smtp_not_set"
    if not is_mailbox(to):
        return "smtp_refused"
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = _one_line(subject)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id}@{parseaddr(sender)[1].partition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        with _connected(smtp_url) as server:
            server.send_message(message)
    except smtplib.SMTPAuthenticationError:
        return "smtp_login_refused"
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError):
        return "smtp_refused"
    except ssl.SSLError:
        return "tls_failed"
    except TimeoutError:
        return "timed_out"
    except (OSError, smtplib.SMTPException):
        return "smtp_failed"
    return None


def _one_line(subject: str) -> str:
    """A subject may hold a name that somebody chose. An encoded word in it (RFC 2047) would be decoded by the header's
    own parser, and Python before 3.11.10 writes the line ends in it as they are: headers and a text of their choice.
    """
    return " ".join(subject.split()).replace("=?", "= ?")


def _connected(smtp_url: str) -> smtplib.SMTP:
    """A connection that is encrypted and logged in, as the URL says. Raises OSError and SMTPException."""
    parts = urlsplit(smtp_url)
    host, user = parts.hostname or "", unquote(parts.username or "")
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        context = ssl.create_default_context()
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=STEP_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=STEP_SECONDS)
    try:
        if parts.scheme == "smtp" and parse_qs(parts.query).get("tls") != ["off"]:
            server.starttls(context=ssl.create_default_context())
        if user:
            server.login(user, unquote(parts.password or ""))
    except (OSError, smtplib.SMTPException):
        server.close()
        raise
    return server
