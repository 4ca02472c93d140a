"""Letters with a one-time link. The link and the address are in memory and in the mail, and nowhere else."""

import secrets
from dataclasses import dataclass

from shared.mail import send_mail
from shared.settings import Settings


@dataclass(frozen=True, kw_only=True, repr=False)
class Letter:
    """A mail to one person."""

    to: str
    subject: str
    text: str


def can_send(settings: Settings) -> bool:
    """Whether there is a mail server to send by."""
    return bool(settings.smtp_url and settings.mail_from)


def send(settings: Settings, letter: Letter) -> str | None:
    """Sends it now, which may take some seconds; a reason code why it was not taken, None if it was."""
    return send_mail(
        settings.smtp_url,
        sender=settings.mail_from,
        to=letter.to,
        subject=letter.subject,
        text=letter.text,
        message_id=secrets.token_hex(16),
    )
