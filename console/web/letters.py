"""What the letters say, in the language of the page that they are sent from."""

from datetime import timedelta

from flask_babel import gettext

from console.team.letters import Letter
from console.web.words import duration


def invitation(email: str, url: str, *, workspace: str, lasts: timedelta) -> Letter:
    """To somebody who is invited."""
    text = gettext(
        "You are invited to the workspace %(workspace)s. Open this link to accept; it is good for %(time)s, and for"
        " one use:",
        workspace=workspace,
        time=duration(lasts),
    )
    return Letter(
        to=email,
        subject=gettext("Invitation to %(workspace)s", workspace=workspace),
        text=_letter(text, url, gettext("If you expected no invitation, leave it: without the link nothing happens.")),
    )


def new_password(email: str, url: str, *, lasts: timedelta) -> Letter:
    """To somebody who needs a new password."""
    text = gettext(
        "Open this link to choose a new password; it is good for %(time)s, and for one use:", time=duration(lasts)
    )
    return Letter(
        to=email,
        subject=gettext("A new password"),
        text=_letter(text, url, gettext("If you didn't ask for one, leave it: your password stays as it is.")),
    )


def _letter(text: str, url: str, otherwise: str) -> str:
    return f"{text}\n\n{url}\n\n{otherwise}\n"
