"""WhatsApp addresses in the forms that providers write them, pure.

Forms seen: `15550100123`, `+1 555 010-0123`, `whatsapp:+15550100123`, `15550100123@s.whatsapp.net`, `…@c.us`,
`15550100123:12@s.whatsapp.net` (a linked device), `98765432101234@lid` (a hidden number), `…@g.us` (group),
`…@newsletter`, `status@broadcast` or `stories` (status), `…@broadcast` (list).
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum


class AddressKind(StrEnum):
    """What an address names; `ID` is an id that has none of the known forms."""

    PHONE = "phone"
    LID = "lid"
    GROUP = "group"
    NEWSLETTER = "newsletter"
    STATUS = "status_story"
    BROADCAST = "broadcast"
    ID = "id"


@dataclass(frozen=True)
class Address:
    """`value` is digits for a phone, `<digits>@lid` for a LID, else the text itself."""

    kind: AddressKind
    value: str = field(repr=False)

    @property
    def digits(self) -> str:
        """The part before the server's name."""
        return self.value.partition("@")[0]


_SERVERS = {
    "s.whatsapp.net": AddressKind.PHONE,
    "c.us": AddressKind.PHONE,
    # Businesses whose number Meta hosts, https://github.com/tulir/whatsmeow/blob/main/types/jid.go.
    "hosted": AddressKind.PHONE,
    "lid": AddressKind.LID,
    "hosted.lid": AddressKind.LID,
    "g.us": AddressKind.GROUP,
    "newsletter": AddressKind.NEWSLETTER,
    "broadcast": AddressKind.BROADCAST,
}
_STATUS = frozenset({"status@broadcast", "stories"})
# Users of linked devices carry `:12` (device) or `.0:12` (agent and device) behind the digits.
_USER = re.compile(r"([0-9]{1,32})([.:][0-9]{1,5}){0,2}", re.ASCII)
_WRITTEN = re.compile(r"\+?[0-9][0-9 ().-]{0,40}", re.ASCII)


def read_address(text: str | None) -> Address | None:
    """Return what an address names, or None when there is none."""
    address = (text or "").strip()
    if address.lower().startswith("whatsapp:"):
        address = address[len("whatsapp:") :].strip()
    if not address:
        return None
    given, address = address, address.lower()
    if address in _STATUS:
        return Address(AddressKind.STATUS, address)
    user, at, server = address.partition("@")
    if not at:
        digits = phone_digits(address)
        return Address(AddressKind.PHONE, digits) if digits else Address(AddressKind.ID, given)
    kind = _SERVERS.get(server, AddressKind.ID)
    if kind in (AddressKind.PHONE, AddressKind.LID):
        match = _USER.fullmatch(user.removeprefix("+"))
        if match is None:
            return Address(AddressKind.ID, given)
        return Address(kind, match[1] if kind is AddressKind.PHONE else f"{match[1]}@lid")
    return Address(kind, given)


def phone_digits(text: str | None) -> str | None:
    """Return the digits of a written phone number (`+1 (555) 010-0123`), or None when it isn't one."""
    if not text or not _WRITTEN.fullmatch(text.strip()):
        return None
    return re.sub(r"[^0-9]", "", text)[:32]
