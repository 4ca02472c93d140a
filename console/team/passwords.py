"""Passwords: what is asked of them, and argon2id.

Costs are OWASP's for argon2id, 19 MiB and two passes
(https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html). The rule is NIST's
(SP 800-63B, 3.1.1): length counts, no classes of characters, no known ones.
"""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from console.errors import InvalidError
from console.team.words import N_

SHORTEST = 12
LONGEST = 256
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: So many are worked out at once, whoever knocks: each takes 19 MiB and a core.
_TURNS = threading.Semaphore(2)
#: For a person who isn't there: telling so must take as long as a wrong password does. Of a word that nobody has, and
#: worked out beforehand: at each start of the console, and of `ctwa up`, it would take a twentieth of a second.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$0jPEK9pVbci7LlqA0r3pxw$p2qWv3geS/ySx2elPfd+wi52U3sl5pNnE6Ln9cDzDlA"
_KNOWN = ("password", "passwort", "contraseña", "senha", "qwerty", "123456", "abcdef", "letmein", "welcome", "iloveyou")


def check_password(password: str, *, email: str) -> None:
    """Raises InvalidError with what is wrong with a new password."""
    if len(password) < SHORTEST:
        raise InvalidError(N_("Choose a password of at least 12 characters; a few unrelated words are easy to keep."))
    if len(password) > LONGEST:
        raise InvalidError(N_("Choose a password of at most 256 characters."))
    plain = password.casefold()
    left = plain.replace(email, "").replace(email.partition("@")[0], "") if email else plain
    for word in _KNOWN:
        left = left.replace(word, "")
    if len(set(left)) < 5:
        raise InvalidError(N_("This password is easy to guess. Choose another one."))


def hash_password(password: str) -> str:
    """The argon2id hash, with its salt and costs."""
    with _TURNS:
        return _HASHER.hash(_bytes(password))


def is_password(hash_: str | None, password: str) -> bool:
    """Whether it is the password; without a hash it takes as long and is not."""
    with _TURNS:
        try:
            fits = _HASHER.verify(hash_ or _NOBODY, _bytes(password[: LONGEST + 1]))
        except (VerificationError, InvalidHashError):
            return False
    return fits and hash_ is not None


def is_outdated(hash_: str) -> bool:
    """Whether it was made at other costs than today's."""
    return _HASHER.check_needs_rehash(hash_)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
