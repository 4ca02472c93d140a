"""Key rings: what opens with which key, and that no key shows."""

import base64
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import CannotDecrypt, HashRing, KeyRing, KeyRingError, derive_keys, generate_key

OLD, NEW, OTHER = (generate_key() for _ in range(3))
RING = KeyRing([NEW], name="TOKEN_KEYS")
HASHES = HashRing([NEW, OLD])


@given(plain=st.binary(max_size=2000))
def test_what_is_sealed_opens_to_the_same_bytes_and_shows_none_of_them(plain):
    sealed = RING.seal(plain)
    assert RING.open(sealed) == plain
    assert len(plain) < 8 or plain not in sealed


def test_the_same_bytes_sealed_twice_look_different():
    assert RING.seal(b"token") != RING.seal(b"token")


def test_a_rotated_ring_opens_what_the_old_key_sealed_and_seals_with_the_new_one():
    sealed = KeyRing([OLD], name="TOKEN_KEYS").seal(b"token")
    both = KeyRing([NEW, OLD], name="TOKEN_KEYS")
    assert both.open(sealed) == b"token"
    assert RING.open(both.seal(b"token")) == b"token"
    assert RING.open(both.rotate(sealed)) == b"token"


@pytest.mark.parametrize("act", ["open", "rotate"])
def test_a_key_that_was_removed_too_early_is_said_plainly(act):
    sealed = KeyRing([OLD], name="SECRET_KEYS").seal(b"token")
    with pytest.raises(CannotDecrypt, match="no key of SECRET_KEYS"):
        getattr(KeyRing([NEW, OTHER], name="SECRET_KEYS"), act)(sealed)


@given(data=st.data())
def test_bytes_that_were_damaged_anywhere_do_not_open(data):
    sealed = RING.seal(b"a token")
    position = data.draw(st.integers(0, len(sealed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != sealed[position]))
    damaged = sealed[:position] + bytes([byte]) + sealed[position + 1 :]
    try:
        opened = RING.open(damaged)
    except CannotDecrypt:
        return
    # The last base64 characters carry bits that mean nothing; nothing else may differ.
    assert opened == b"a token"
    assert base64.urlsafe_b64decode(damaged) == base64.urlsafe_b64decode(sealed)


@given(junk=st.binary(max_size=300))
def test_bytes_that_were_never_sealed_do_not_open(junk):
    with pytest.raises(CannotDecrypt):
        RING.open(junk)


@pytest.mark.parametrize("make", [lambda keys: KeyRing(keys, name="HASH_KEYS"), HashRing])
@pytest.mark.parametrize(
    "bad",
    [
        "",
        "short",
        "not base64 at all, but long enough to be a key?",
        "é" * 43 + "=",
        pytest.param(NEW[:-8], id="cut short"),
    ],
)
def test_a_malformed_key_is_named_by_ring_and_position_and_never_shown(make, bad):
    with pytest.raises(KeyRingError, match="HASH_KEYS: key 2") as caught:
        make([NEW, bad])
    shown = "".join(traceback.format_exception(caught.value))
    assert NEW not in shown
    assert len(bad) < 8 or bad not in shown


@pytest.mark.parametrize("make", [lambda keys: KeyRing(keys, name="HASH_KEYS"), HashRing])
def test_a_ring_without_keys_is_refused(make):
    with pytest.raises(KeyRingError, match="at least one key"):
        make([])


def test_no_ring_shows_a_key_when_printed():
    for ring in (RING, HASHES, KeyRing([OLD, NEW], name="SECRET_KEYS")):
        for shown in (repr(ring), str(ring), f"{ring}"):
            assert NEW not in shown
            assert OLD not in shown
            assert base64.urlsafe_b64decode(NEW).hex() not in shown


@given(kind=st.text(max_size=20), value=st.text(st.characters(), max_size=40))
def test_equal_identities_hash_alike_and_nothing_leads_back(kind, value):
    hashed = HASHES.hash(kind, value)
    assert hashed == HashRing([NEW]).hash(kind, value)
    assert hashed == HASHES.candidates(kind, value)[0]
    assert len(hashed.digest) == 32


@given(
    st.lists(st.tuples(st.sampled_from(["phone", "bsuid"]), st.text(max_size=10)), min_size=2, max_size=2, unique=True)
)
def test_different_identities_hash_differently(pair):
    first, second = pair
    assert HASHES.hash(*first).digest != HASHES.hash(*second).digest


def test_a_look_up_during_a_rotation_tries_every_key_newest_first():
    old = HashRing([OLD]).hash("phone", "15550100001")
    candidates = HASHES.candidates("phone", "15550100001")
    assert old in candidates
    assert [one.key_id for one in candidates] == [HASHES.hash("phone", "x").key_id, old.key_id]


def test_the_id_of_a_key_depends_on_the_key_alone():
    assert HashRing([OLD, NEW]).hash("a", "b").key_id == HashRing([OLD]).hash("c", "d").key_id
    assert HashRing([OLD]).hash("a", "b").key_id != HashRing([NEW]).hash("a", "b").key_id


def test_a_generated_key_fits_every_ring():
    key = generate_key()
    assert KeyRing([key], name="TOKEN_KEYS").open(KeyRing([key], name="TOKEN_KEYS").seal(b"x")) == b"x"
    assert HashRing([key]).hash("phone", "1")


def test_derived_keys_differ_by_ring_and_purpose_and_are_always_the_same():
    keys = [generate_key(), generate_key()]
    cookies = derive_keys(keys, purpose="cookies")
    assert derive_keys(keys, purpose="cookies") == cookies
    assert len({*cookies, *derive_keys(keys, purpose="throttle")}) == 4
    assert {len(key) for key in cookies} == {32}
