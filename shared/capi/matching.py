"""A person's phone and e-mail as Meta matches them: normalised, then SHA-256, and left out when they can't be.

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters. Phones:
digits only, with the country code, without leading zeros. E-mails: no blanks around them, lower case.
"""

import hashlib
import re

import phonenumbers

from shared.domain.phones import canonical_phone

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_HASHED = re.compile(r"[0-9a-f]{64}")


def hash_phone(digits: str) -> tuple[str, ...]:
    """The hashes to send of a number as WhatsApp gives it; empty when it is no number.

    Two where WhatsApp writes the number otherwise than people dial it (Brazil, Mexico, Argentina): Meta takes a list.
    """
    forms = dict.fromkeys((digits, canonical_phone(digits)))
    return tuple(_sha256(form) for form in forms if _is_number(form))


def hash_email(email: str) -> tuple[str, ...]:
    """The hash to send of an address, alone in a tuple; empty when it is none. A SHA-256 stays as it is."""
    normalised = email.strip().lower()
    if _HASHED.fullmatch(normalised):
        return (normalised,)
    return (_sha256(normalised),) if _EMAIL.fullmatch(normalised) else ()


def _is_number(digits: str) -> bool:
    if not digits.isascii() or not digits.isdigit() or digits.startswith("0"):
        return False
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
