"""An audit that can't fail proves nothing: each test spoils one record, and the audit has to say so."""

import time
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from shared.db.channels import insert_channel
from shared.db.datasets import insert_dataset
from tests.faults.audit import Expected, Findings, audit, canaries_in
from tests.faults.load import Ledger, Post, Sale, add_purchases
from tests.faults.servers import CLICK_CANARY, Target

Conn = psycopg.Connection[Any]
TARGET = Target("first", "whapi", "1200000000000001", "1000000000000001", "first-key-0123456789", "token", {})


@pytest.fixture
def purchases(conn: Conn) -> list[str]:
    """Three purchases that Meta has accepted, by their event ids."""
    dataset = insert_dataset(
        conn,
        {
            "name": "first", "meta_id": TARGET.meta_id, "kind": "whatsapp", "profile": "whatsapp",
            "waba_id": TARGET.waba_id, "page_id": None, "credential_id": None, "sending": "on", "batch_max": 50,
            "test_event_code": None, "is_test": False,
        },
    )  # fmt: skip
    insert_channel(
        conn,
        {
            "key": TARGET.key, "name": "first", "workspace": "default", "provider": "whapi", "secrets": b"sealed",
            "unsigned": False, "dataset_id": dataset, "currency": "USD", "country": None, "zone": "UTC",
            "post_policy": "ignore", "enabled": True, "is_test": False,
        },
    )  # fmt: skip
    bought = add_purchases(conn, TARGET, seed=1, first=1, count=3)
    conn.execute(
        "update deliveries set state = 'accepted', accepted_at = now(), finished_at = now(), next_attempt_at = null"
    )
    return bought


def _events(*event_ids: str) -> list[dict[str, Any]]:
    return [{"event_id": event_id, "received_at": time.time()} for event_id in event_ids]


def _audit(
    conn: Conn,
    purchases: list[str],
    received: list[dict[str, Any]],
    posts: list[Post] | None = None,
    sales: list[Sale] | None = None,
) -> Findings:
    ledger = Ledger(posts=posts or [], sales=sales or [])
    return audit(conn, ledger=ledger, purchases=purchases, received=received, expected=Expected())


def test_records_that_agree_have_no_problems(conn: Conn, purchases: list[str]) -> None:
    found = _audit(conn, purchases, _events(*purchases))

    assert (found.problems, found.lost, found.doubled, found.accepted) == ([], 0, 0, 3)


def test_an_acceptance_that_meta_never_saw_is_lost(conn: Conn, purchases: list[str]) -> None:
    assert _audit(conn, purchases, _events(*purchases[1:])).lost == 1


def test_a_purchase_without_a_delivery_is_lost(conn: Conn, purchases: list[str]) -> None:
    assert _audit(conn, [*purchases, "bought, and forgotten"], _events(*purchases)).lost == 1


def test_an_acknowledged_webhook_without_its_message_is_lost(conn: Conn, purchases: list[str]) -> None:
    post = Post(TARGET, "never stored", None, b"", acknowledged_at=time.time())

    assert _audit(conn, purchases, _events(*purchases), [post]).lost == 1


def test_a_sale_whose_report_was_acknowledged_and_has_no_end_is_lost(conn: Conn, purchases: list[str]) -> None:
    sale = Sale("sale-1", "key", b"", acknowledged_at=time.time(), promised={uuid4()})

    assert _audit(conn, purchases, _events(*purchases), sales=[sale]).lost == 1


def test_a_sale_that_two_reports_made_twice_is_a_problem(conn: Conn, purchases: list[str]) -> None:
    conn.execute("update conversions set order_id = 'sale-1'")
    sale = Sale("sale-1", "key", b"", acknowledged_at=time.time())

    found = _audit(conn, purchases, _events(*purchases), sales=[sale])

    assert (found.lost, [text.partition(":")[0] for text in found.problems]) == (0, ["sale-1"])


def test_a_delivery_that_is_neither_sent_nor_held_is_lost(conn: Conn, purchases: list[str]) -> None:
    conn.execute(
        "update deliveries set state = 'rejected', reason = 'x', accepted_at = null where event_id = %s", [purchases[0]]
    )

    assert _audit(conn, purchases, _events(*purchases[1:])).lost == 1


def test_a_purchase_that_is_at_meta_twice_is_a_problem(conn: Conn, purchases: list[str]) -> None:
    found = _audit(conn, purchases, _events(*purchases, purchases[0]))

    assert found.doubled == 1
    assert found.problems


def test_a_purchase_twice_is_a_problem_even_when_it_was_sent_again(conn: Conn, purchases: list[str]) -> None:
    conn.execute("update deliveries set resent = 1")

    assert _audit(conn, purchases, _events(*purchases, purchases[0])).problems


def test_an_event_that_no_delivery_stands_for_is_a_problem(conn: Conn, purchases: list[str]) -> None:
    assert _audit(conn, purchases, _events(*purchases, "a stranger")).problems


def test_a_lease_that_is_left_behind_is_a_problem(conn: Conn, purchases: list[str]) -> None:
    conn.execute(
        "update deliveries set state = 'sending', lease_token = gen_random_uuid(), lease_until = now(),"
        " accepted_at = null, finished_at = null where event_id = %s",
        [purchases[0]],
    )

    assert any("still sending" in problem for problem in _audit(conn, purchases, _events(*purchases)).problems)


def test_personal_data_in_a_log_is_found(tmp_path: Any) -> None:
    clean, dirty = tmp_path / "clean.log", tmp_path / "dirty.log"
    clean.write_text("webhooks stored\n")
    dirty.write_text(f"posted {CLICK_CANARY}0001\n")

    assert [text.split()[0].endswith("dirty.log") for text in canaries_in([clean, dirty])] == [True]
