import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.privacy import mask_identity, named, strip_payload
from shared.crypto import KeyRing, generate_key


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("phone", "15550100123", "+1555•••0123"),
        ("phone", "4915112345678", "+4915•••5678"),
        ("phone", "12345", "+1•••"),
        ("bsuid", "US.13491208655302741918", "US.1•••"),
        ("lid", "123456789012345@lid", "1234•••"),
    ],
)
def test_a_name_of_a_person_is_recognisable_and_no_more(kind: str, value: str, shown: str) -> None:
    assert mask_identity(kind, value) == shown


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True))
def test_no_phone_is_ever_shown_whole(phone: str) -> None:
    shown = mask_identity("phone", phone)
    assert len(shown.replace("+", "").replace("•", "")) < len(phone)


def test_secrets_and_pictures_are_taken_out_wherever_they_stand_and_the_rest_stays() -> None:
    payload = {
        "messages": [
            {
                "text": "hello",
                "jpegThumbnail": "/9j/AAAA",
                "ad": {"previewImage": [1, 2, 3], "title": "Sale", "ctwa": "AfClick"},
                "apikey": "canary",
            }
        ],
        "access_token": "canary",
        "preview": {"url": "https://example.com"},
        "long": "x" * 5000,
    }
    assert strip_payload(payload) == {
        "messages": [
            {
                "text": "hello",
                "jpegThumbnail": "[8 characters]",
                "ad": {"previewImage": "[picture]", "title": "Sale", "ctwa": "AfClick"},
                "apikey": "[removed]",
            }
        ],
        "access_token": "[removed]",
        "preview": {"url": "https://example.com"},
        "long": "x" * 200 + "… [5000 characters]",
    }


def test_a_name_without_a_value_says_whether_it_is_a_hash_or_its_key_is_lost():
    ring, other = KeyRing([generate_key()], name="SECRET_KEYS"), KeyRing([generate_key()], name="SECRET_KEYS")
    sealed = ring.seal(b"15550100123")
    assert named(ring, "phone", sealed) == {"kind": "phone", "value": "+1555•••0123", "key_lost": False}
    assert named(ring, "phone", sealed, reveal=True)["value"] == "15550100123"
    assert named(other, "phone", sealed) == {"kind": "phone", "value": None, "key_lost": True}
    assert named(ring, "phone", None) == {"kind": "phone", "value": None, "key_lost": False}
