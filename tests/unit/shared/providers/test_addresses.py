"""One person in the many spellings of the providers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.providers.addresses import Address, AddressKind, phone_digits, read_address


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("15550100123", AddressKind.PHONE, "15550100123"),
        ("+1 (555) 010-0123", AddressKind.PHONE, "15550100123"),
        ("whatsapp:+15550100123", AddressKind.PHONE, "15550100123"),
        ("15550100123@s.whatsapp.net", AddressKind.PHONE, "15550100123"),
        ("15550100123@c.us", AddressKind.PHONE, "15550100123"),
        ("15550100123@S.WhatsApp.Net", AddressKind.PHONE, "15550100123"),
        ("15550100123:12@s.whatsapp.net", AddressKind.PHONE, "15550100123"),
        ("15550100123.0:12@s.whatsapp.net", AddressKind.PHONE, "15550100123"),
        ("98765432101234@lid", AddressKind.LID, "98765432101234@lid"),
        ("98765432101234:3@lid", AddressKind.LID, "98765432101234@lid"),
        ("15550100123:99@hosted", AddressKind.PHONE, "15550100123"),
        ("98765432101234:99@hosted.lid", AddressKind.LID, "98765432101234@lid"),
        ("120363000000000001@g.us", AddressKind.GROUP, "120363000000000001@g.us"),
        ("15550100123-1600000000@g.us", AddressKind.GROUP, "15550100123-1600000000@g.us"),
        ("120363000000000002@newsletter", AddressKind.NEWSLETTER, "120363000000000002@newsletter"),
        ("status@broadcast", AddressKind.STATUS, "status@broadcast"),
        ("stories", AddressKind.STATUS, "stories"),
        ("1700000000@broadcast", AddressKind.BROADCAST, "1700000000@broadcast"),
        ("Someone@interop", AddressKind.ID, "Someone@interop"),
        ("abc@s.whatsapp.net", AddressKind.ID, "abc@s.whatsapp.net"),
        ("@s.whatsapp.net", AddressKind.ID, "@s.whatsapp.net"),
        ("٠١٢٣", AddressKind.ID, "٠١٢٣"),
    ],
)
def test_an_address_is_told_by_its_form(written: str, kind: AddressKind, value: str) -> None:
    assert read_address(written) == Address(kind, value)


@pytest.mark.parametrize("nothing", [None, "", " ", "whatsapp:"])
def test_a_blank_address_is_none(nothing: str | None) -> None:
    assert read_address(nothing) is None


@pytest.mark.parametrize("written", [None, "", "x", "15550100123@c.us", "US.1349", "+", "1" * 60])
def test_what_is_no_written_number_has_no_digits(written: str | None) -> None:
    assert phone_digits(written) is None


@given(st.text())
def test_reading_an_address_never_raises_and_prints_nobody(written: str) -> None:
    address = read_address(written)
    assert address is None or repr(address) == f"Address(kind={address.kind!r})"
