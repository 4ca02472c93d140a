"""A forgotten password: a link by mail to whoever has an account, and the same answer to everybody else."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg

from console.team.links import reset_link
from console.team.login import normal_email
from shared.db.one_time_links import resets_lately
from shared.db.users import user_by_email
from shared.logs import get_logger

log = get_logger(__name__)
_ACTOR = "login page"
#: So many letters an hour are enough for a person, and no flood for one who asked for none.
_LETTERS_AN_HOUR = 3


def send_reset(
    connect: Callable[[], AbstractContextManager[psycopg.Connection[Any]]],
    email: str,
    send: Callable[[str, str], str | None],
) -> None:
    """Makes a link for the account of this address, if there is one that can log in, and sends it.

    `send` takes the address and the link's token, and returns a reason code if the mail was not taken. What came of it
    is in the log, by the user's id.
    """
    with connect() as conn:
        user = user_by_email(conn, normal_email(email))
        if user is None or user.disabled_at or not user.has_password:
            return
        if resets_lately(conn, user.id, made_by=_ACTOR) >= _LETTERS_AN_HOUR:
            log.warning("no more letters for now", user_id=user.id)
            return
        token = reset_link(conn, user_id=user.id, actor=_ACTOR)
    # Once it is committed: a letter whose link nobody knows would be worse than none.
    reason = send(user.email, token)
    log.info("reset by mail", user_id=user.id, reason=reason)
