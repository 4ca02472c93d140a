from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.record import KEPT_HEADERS, kept_headers, kept_query, make_record
from shared.ids import uuid7
from tests.unit.receiver.makers import RING, TOKEN, admitted


def test_the_body_is_kept_sealed_and_whole() -> None:
    body = b"\x00\xff not \xed\xa0\x80 text"
    record = make_record(admitted(), body, webhook_id=uuid7(), received_at=datetime.now(UTC), ring=RING)
    assert body not in record.body
    assert RING.open(record.body) == body
    assert record.body_bytes == len(body)


def test_only_headers_on_the_list_are_kept() -> None:
    secret_ones = {
        "authorization": "Bearer abc",
        "cookie": "a=b",
        "x-hub-signature-256": "sha256=ab",
        "x-webhook-secret": "abc",
        "x-forwarded-for": "203.0.113.5",
    }
    assert kept_headers({**secret_ones, "content-type": "application/json"}) == {"content-type": "application/json"}
    assert not KEPT_HEADERS & secret_ones.keys()


def test_a_secret_in_a_kept_header_or_the_path_is_taken_out() -> None:
    record = make_record(
        admitted(path=f"hook/{TOKEN}/post", headers={"user-agent": f"x {TOKEN}"}, query=f"a=1&b={TOKEN}"),
        b"",
        webhook_id=uuid7(),
        received_at=datetime.now(UTC),
        ring=RING,
    )
    assert (record.path, record.headers, record.query) == (
        "hook/[secret]/post",
        {"user-agent": "x [secret]"},
        "a=1",
    )


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("type=message&token=abc", "type=message"),
        ("hub.mode=subscribe&hub.verify_token=abc&hub.challenge=1", "hub.mode=subscribe&hub.challenge=1"),
        ("api_key=1&API-KEY=2&Signature=3&sig=4&pwd=5&x-auth=6&jwt=7&ok=8", "ok=8"),
        ("bodySHA256=ab", "bodySHA256=ab"),
        ("&".join(f"a{n}=1" for n in range(60)), ""),
    ],
)
def test_parameters_that_name_a_secret_are_left_out(query: str, kept: str) -> None:
    assert kept_query(query) == kept


@given(st.text(), st.text(), st.text())
def test_postgres_can_store_whatever_comes(agent: str, path: str, query: str) -> None:
    record = make_record(
        admitted(path=path, headers={"user-agent": agent}, query=query),
        b"",
        webhook_id=uuid7(),
        received_at=datetime.now(UTC),
        ring=RING,
    )
    for text in (record.path, record.query, record.headers["user-agent"]):
        assert "\x00" not in text
        text.encode("utf-8")
