"""What every template may say: roles in words, languages, and where it is."""

from datetime import timedelta

from babel.dates import format_timedelta
from flask import Flask, g, request
from flask_babel import get_locale, lazy_gettext

from console.team.letters import can_send
from console.team.roles import Role
from console.web.access import may
from console.web.language import LANGUAGES, choose
from console.web.runtime import runtime

ROLE_NAMES = {
    Role.VIEWER: lazy_gettext("Viewer"),
    Role.OPERATOR: lazy_gettext("Operator"),
    Role.OWNER: lazy_gettext("Owner"),
}
ROLE_WORDS = {
    Role.VIEWER: lazy_gettext("Looks at everything, people's names and numbers masked."),
    Role.OPERATOR: lazy_gettext("Also repairs: sends again, settles, acknowledges alerts."),
    Role.OWNER: lazy_gettext("Also sets up: channels, datasets, rules, keys and people."),
}


def install(app: Flask) -> None:
    """Names for templates."""
    app.jinja_env.globals.update(languages=LANGUAGES, role_names=ROLE_NAMES, role_words=ROLE_WORDS)
    app.jinja_env.filters["duration"] = duration

    @app.context_processor
    def of_this_page() -> dict[str, object]:
        return {
            "language": choose(),
            "mails": can_send(runtime().settings),
            "here": request.full_path.rstrip("?") if request.method == "GET" else "",
            "may_own": bool(g.get("membership")) and may(Role.OWNER),
            "may_operate": bool(g.get("membership")) and may(Role.OPERATOR),
        }


def duration(value: timedelta) -> str:
    """A length of time in its largest fitting unit."""
    return format_timedelta(value, locale=get_locale())
