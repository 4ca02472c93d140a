"""How states of deliveries and webhooks, and what an attempt came to, are called and coloured."""

import json
from datetime import timedelta
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext

from console.web.said import said
from console.web.words import duration
from shared.domain.deliveries import State
from shared.domain.reasons import explain

#: State -> its name, and the kind of its badge.
STATES = {
    State.ACCEPTED: (lazy_gettext("Accepted by Meta"), "ok"),
    State.PENDING: (lazy_gettext("To be sent"), "info"),
    State.SENDING: (lazy_gettext("Being sent"), "info"),
    State.WAITING: (lazy_gettext("Waits for its value"), "info"),
    State.UNKNOWN: (lazy_gettext("Outcome unknown"), "warning"),
    State.REJECTED: (lazy_gettext("Refused"), "danger"),
    State.EXPIRED: (lazy_gettext("Too old"), "danger"),
    State.SKIPPED: (lazy_gettext("Not sent"), ""),
}
WEBHOOK_STATES = {
    "new": (lazy_gettext("To be read"), "info"),
    "claimed": (lazy_gettext("Being read"), "info"),
    "done": (lazy_gettext("Read"), "ok"),
    "rejected": (lazy_gettext("Can't be read"), "danger"),
}
#: Why there is a conversion.
SOURCES = {
    "message": lazy_gettext("made by itself for the ad click"),
    "rule": lazy_gettext("made by a rule"),
    "api": lazy_gettext("reported by the API"),
    "csv": lazy_gettext("imported from a file"),
    "console": lazy_gettext("reported by hand"),
    "meta_automatic": lazy_gettext("found by Meta itself"),
}
_OUTCOMES = {"accepted": "ok", "rejected": "danger", "unknown": "warning", "not_sent": "warning"}


def install(app: Flask) -> None:
    """Filters for templates."""
    app.jinja_env.filters.update(
        state_words=lambda state: _of(STATES, state)[0],
        state_kind=lambda state: _of(STATES, state)[1],
        webhook_state_words=lambda state: _of(WEBHOOK_STATES, state)[0],
        webhook_state_kind=lambda state: _of(WEBHOOK_STATES, state)[1],
        source_words=lambda source: SOURCES.get(source, source),
        outcome_kind=lambda outcome: _OUTCOMES.get(outcome or "", "info"),
        reason_words=lambda code: said(explain(code).words) if code else "",
        reason_step=lambda code: said(explain(code).next_step) if code else "",
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
        lasting=lambda seconds: "–" if seconds is None else duration(timedelta(seconds=seconds)),
        sentence=lambda text: str(text)[:1].upper() + str(text)[1:],
        reason_name=lambda code: str(code).replace("_", " "),
    )


def _of(words: Any, state: str) -> tuple[Any, str]:
    return words.get(state, (state, ""))  # type: ignore[no-any-return]
