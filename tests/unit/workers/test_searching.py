"""Finding a person in raw bodies, however a provider writes them, and not finding them by chance."""

import gzip
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import HashRing, generate_key
from shared.db.wiping import KeptWebhook
from shared.ids import uuid7
from shared.naming import name_hashes
from shared.providers.samples import load_sample
from shared.wanted import Wanted
from workers.searching import Search

PHONE = "5531998877665"
RING = HashRing([generate_key()])
WANTED = Wanted(names=[("phone", PHONE), ("email", "Maria@Example.com"), ("bsuid", "BR.ABCDEF")], texts=["ARAkClick"])


def webhook(*, provider: str | None = "whapi", query: str = "") -> KeptWebhook:
    return KeptWebhook(
        id=uuid7(), received_at=datetime.now(UTC), provider=provider, method="POST", path="", query=query, headers={},
        body=b"",
    )  # fmt: skip


def is_in(body: bytes, wanted: Wanted = WANTED, **more: str) -> bool:
    return Search(wanted, RING).is_in(webhook(**more), body)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"from": PHONE}),
        json.dumps({"from": f"{PHONE}@s.whatsapp.net"}),
        json.dumps({"chat": f"false_{PHONE}@c.us_3EB0"}),
        json.dumps({"phone": "+55 (31) 99887-7665"}),
        json.dumps({"phone": f"00{PHONE}"}),
        # WhatsApp's own form of the number, without the ninth digit.
        json.dumps({"from": int(PHONE)}),
        "From=" + f"whatsapp%3A%2B{PHONE}",
        urlencode({"Body": "write to maria@example.com"}),
        json.dumps({"email": "MARIA@EXAMPLE.COM"}),
        json.dumps({"email": "maria@example.com"}).replace("@", "\\u0040"),
        json.dumps({"user_id": "BR.ABCDEF"}),
        json.dumps({"ctwa_clid": "ARAkClick"}),
        f"not even JSON {PHONE}",
    ],
)
def test_somebody_is_found_however_they_are_written(body: str) -> None:
    assert is_in(body.encode())
    assert is_in(gzip.compress(body.encode()))


@pytest.mark.parametrize(
    "body",
    [
        "",
        json.dumps({"from": "5531998877666"}),
        # Part of a longer number, such as an id of Meta's.
        json.dumps({"id": f"9{PHONE}"}),
        json.dumps({"id": f"{PHONE}12"}),
        json.dumps({"numbers": [553199, 8877665]}),
        "\x1f\x8bnot gzip",
    ],
)
def test_nobody_is_found_by_chance(body: str) -> None:
    assert not is_in(body.encode("latin-1"))


def test_somebody_is_found_in_a_query() -> None:
    assert is_in(b"{}", query=f"from={PHONE}")


def test_a_name_that_is_short_or_only_a_hash_is_found_where_the_adapter_reads_it() -> None:
    body = load_sample("whapi", "ad", now=datetime.now(UTC), phone="12345", click_id="ARAkAnother0123456789abcdefgh")
    short = Wanted(names=[("phone", "12345")])
    hashed = Wanted(hashes=[("phone", one.digest.hex()) for one in name_hashes(RING, "phone", "12345")])
    assert is_in(body, short)
    assert is_in(body, hashed)
    assert not is_in(b'{"text": "12345"}', short)
    assert not is_in(body, Wanted(hashes=[("phone", "00")]))
    assert not is_in(body, hashed, provider="gone")


@given(st.binary(max_size=300))
def test_no_body_breaks_the_search(body: bytes) -> None:
    assert is_in(body) in (True, False)


def test_what_is_wanted_survives_being_kept() -> None:
    kept = Wanted.from_json(WANTED.as_json())
    assert (list(kept.names), list(kept.texts)) == (list(WANTED.names), list(WANTED.texts))
