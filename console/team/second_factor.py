"""The second factor: six digits from an app (TOTP, RFC 6238), and recovery codes for when the phone is gone."""

import hmac
import secrets
import time
from typing import Any

import psycopg
import pyotp

from console.errors import InvalidError
from console.team.tokens import hash_token
from console.team.words import N_
from shared.crypto import KeyRing
from shared.db import audit, recovery_codes, user_sessions, users

_STEP = 30
#: A phone's clock may be off by one step.
_DRIFT = (0, -1, 1)
_CODES = 10
#: Without those that look like others.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ISSUER = "CTWA"


def begin(conn: psycopg.Connection[Any], ring: KeyRing, user_id: int) -> None:
    """Makes a secret to be confirmed by its first code. Raises InvalidError when one is in use already."""
    if users.secrets_of(conn, user_id).totp_confirmed_at:
        raise InvalidError(N_("The second factor is on already."))
    users.set_totp_secret(conn, user_id, ring.seal(pyotp.random_base32().encode()))


def pending_secret(conn: psycopg.Connection[Any], ring: KeyRing, user_id: int) -> str | None:
    """The secret that waits for its first code; None when there is none, or it is in use already."""
    found = users.secrets_of(conn, user_id)
    if found.totp_secret is None or found.totp_confirmed_at:
        return None
    return ring.open(found.totp_secret).decode()


def address(secret: str, email: str) -> str:
    """What an app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def confirm(conn: psycopg.Connection[Any], ring: KeyRing, user_id: int, code: str, *, session_id: int) -> list[str]:
    """Switches the second factor on, ends the person's other sessions; the recovery codes, told this once."""
    found = users.secrets_of(conn, user_id)
    if found.totp_secret is None or found.totp_confirmed_at or not _takes(conn, ring, found, code):
        raise InvalidError(N_("The code doesn't fit. Wait for the next one, and check the clock of your phone."))
    user_sessions.end_sessions(conn, user_id, but=session_id)
    codes = _new_codes(conn, user_id)
    audit.record(conn, actor=f"user:{user_id}", action="second factor on", subject=f"user:{user_id}")
    return codes


def renew_codes(conn: psycopg.Connection[Any], user_id: int) -> list[str]:
    """New recovery codes in the place of the old ones."""
    codes = _new_codes(conn, user_id)
    audit.record(conn, actor=f"user:{user_id}", action="recovery codes renewed", subject=f"user:{user_id}")
    return codes


def turn_off(conn: psycopg.Connection[Any], user_id: int, *, actor: str) -> None:
    """Takes the second factor and its codes away."""
    users.set_totp_secret(conn, user_id, None)
    recovery_codes.replace_codes(conn, user_id, [])
    audit.record(conn, actor=actor, action="second factor off", subject=f"user:{user_id}")


def proves(conn: psycopg.Connection[Any], ring: KeyRing, user_id: int, code: str) -> bool:
    """Whether this code, of the app or for recovery, lets the person in; it is used up by that."""
    found = users.secrets_of(conn, user_id)
    if _takes(conn, ring, found, code):
        return True
    if not recovery_codes.use_code(conn, user_id, _hash_code(code)):
        return False
    audit.record(conn, actor=f"user:{user_id}", action="recovery code used", subject=f"user:{user_id}")
    return True


def _takes(conn: psycopg.Connection[Any], ring: KeyRing, found: users.Secrets, code: str) -> bool:
    """Whether it is a code of now that was not used before."""
    digits = "".join(code.split())
    if found.totp_secret is None or not (digits.isascii() and digits.isdigit()):
        return False
    totp = pyotp.TOTP(ring.open(found.totp_secret).decode(), interval=_STEP)
    now = int(time.time()) // _STEP
    for step in (now + drift for drift in _DRIFT):
        if hmac.compare_digest(totp.generate_otp(step), digits):
            return users.take_totp_step(conn, found.id, step)
    return False


def _new_codes(conn: psycopg.Connection[Any], user_id: int) -> list[str]:
    codes = ["-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(3)) for _ in range(_CODES)]
    recovery_codes.replace_codes(conn, user_id, [_hash_code(code) for code in codes])
    return codes


def _hash_code(code: str) -> bytes:
    return hash_token("".join(code.lower().split()).replace("-", ""))
