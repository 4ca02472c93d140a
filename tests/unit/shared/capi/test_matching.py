"""The vectors of Meta's documentation, and what it leaves open."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.capi.matching import hash_email, hash_phone

EMAIL = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"


@pytest.mark.parametrize(
    ("digits", "hashed"),
    [
        ("16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        ("5531998877665", "c62a7b2ee6253f5d658fac0770cb9618d5c666656729908e820f6de087a5f787"),
        ("972541234567", "b2fd6fec46465f0f820c9627ab9cefa063d055c4766d2e3e6e499391be81236c"),
        ("447911123456", "40b5c38342a9c584ec707e8679b003f8c779c6aaa138c976ef94e049cc05208f"),
    ],
)
def test_a_number_is_hashed_as_meta_s_vectors_are(digits: str, hashed: str) -> None:
    assert hash_phone(digits) == (hashed,)


def test_a_number_that_whatsapp_writes_otherwise_is_sent_as_people_dial_it_too() -> None:
    dialled = hashlib.sha256(b"5531998877665").hexdigest()
    assert hash_phone("553198877665") == (hashlib.sha256(b"553198877665").hexdigest(), dialled)
    # The Mexican form with a 1 is no number any more, so only the dialled one goes.
    assert hash_phone("5215512345678") == (hashlib.sha256(b"525512345678").hexdigest(),)


@pytest.mark.parametrize(
    "digits", ["", "0", "12345", "016505551212", "+16505551212", "1650555121²", "x" * 64, "9" * 40]
)
def test_what_is_no_number_is_left_out(digits: str) -> None:
    assert hash_phone(digits) == ()


@pytest.mark.parametrize(
    "email",
    ["john_smith@gmail.com", " John_Smith@Gmail.com \n", EMAIL, EMAIL.upper()],
    ids=["plain", "untidy", "a", "b"],
)
def test_an_address_is_hashed_as_meta_s_vector_is(email: str) -> None:
    assert hash_email(email) == (EMAIL,)


@pytest.mark.parametrize("email", ["", "a", "a@b", "@b.c", "a b@c.d", "d41d8cd98f00b204e9800998ecf8427e"])
def test_what_is_no_address_is_left_out(email: str) -> None:
    assert hash_email(email) == ()


@given(st.text(max_size=80))
def test_nothing_that_comes_in_clear_goes_out_in_clear(text: str) -> None:
    for hashed in (*hash_phone(text), *hash_email(text)):
        assert len(hashed) == 64
        assert hashed == text.strip().lower() or hashed not in text
