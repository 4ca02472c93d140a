"""Which texts are the address of a mailbox that we write to. Pure."""

import re

_ATOM = r"[\w!#$%&'*+/=^`{|}~-]+"
#: RFC 5321's mailbox without quotes, comments and address literals, and with letters of every language. Without `?` as
#: well: a piece between `=?` and `?=` is an encoded word (RFC 2047) to whoever reads the header.
_MAILBOX = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@[\w-]+(?:\.[\w-]+)*")


def is_mailbox(text: str) -> bool:
    """Whether it is one address such as jane@example.com, and nothing a mail's header could take for more."""
    return len(text) <= 254 and len(text.partition("@")[0]) <= 64 and _MAILBOX.fullmatch(text) is not None
