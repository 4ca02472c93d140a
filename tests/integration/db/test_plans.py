"""Every statement of the hot path finds its rows by an index, however many there are of others.

The statements are the product's own, run by its own functions; Postgres (auto_explain) says how it ran each.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from shared.db import (
    claims,
    contacts,
    conversions,
    deliveries,
    health,
    messages,
    quality,
    repairs,
    requests,
    results,
    touchpoints,
    webhooks,
)
from shared.ids import uuid7
from tests.bench.fill import BIG, Places, add_waiting, analyse, fill
from tests.bench.plans import watched
from tests.databases import with_database
from tests.integration.db.makers import add_channel, add_dataset

ROWS = 20_000
WAITING = 3_000
Conn = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def filled(postgres_url: str) -> Iterator[tuple[str, Places]]:
    """A database with `ROWS` of everything, and deliveries that wait, most of them for a paused dataset."""
    name = "test_plans"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"create database {name} template ctwa_template")
    url = with_database(postgres_url, name)
    with psycopg.connect(url, autocommit=True) as conn:
        live, paused = add_dataset(conn, "live"), add_dataset(conn, "paused", paused=True)
        places = Places(
            channel=add_channel(conn, "live", dataset_id=live),
            dataset=live,
            paused_channel=add_channel(conn, "paused", dataset_id=paused),
            paused_dataset=paused,
        )
        # A day's partition must be large enough for its index to be worth it.
        fill(conn, places, ROWS, days=3)
        add_waiting(conn, places.paused_channel, paused, first=1, count=WAITING)
        add_waiting(conn, places.channel, live, first=1, count=200)
        webhooks.insert_webhooks(conn, [_webhook(places.channel, number) for number in range(300)])
        analyse(conn)
    yield url, places
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")


def _webhook(channel: int, number: int) -> webhooks.NewWebhook:
    return webhooks.NewWebhook(
        id=uuid7(), received_at=datetime.now(UTC) + timedelta(microseconds=number), source="channel", source_id=channel,
        method="POST", path="", query="", headers={}, body=b"sealed", body_bytes=900,
    )  # fmt: skip


def _intake(conn: Conn, places: Places) -> None:
    token = uuid4()
    webhooks.insert_webhooks(conn, [_webhook(places.channel, 1)])
    claimed = webhooks.claim_webhooks(conn, token=token, lease_seconds=60, each=200)
    assert len(claimed) == 200
    webhooks.finish_webhooks(
        conn, token, [webhooks.IntakeResult(id=one.id, received_at=one.received_at, state="done") for one in claimed]
    )


def _crashed(conn: Conn, places: Places) -> None:
    webhooks.claim_webhooks(conn, token=uuid4(), lease_seconds=-1)
    assert webhooks.recover_webhooks(conn)
    token = uuid4()
    assert webhooks.claim_crashed_webhooks(conn, token=token, lease_seconds=60)
    webhooks.release_webhooks(conn, token)


def _messages(conn: Conn, places: Places) -> None:
    keys = [(places.channel, f"wamid.NEW{number}") for number in range(100)]
    messages.known_messages(conn, keys)
    new = [
        messages.NewMessage(
            channel_id=channel, message_id=message_id, contact_id=1, message_class="ad", kind="text", sent_at=None,
            received_at=datetime.now(UTC), webhook_id=uuid7(), webhook_received_at=datetime.now(UTC), is_test=False,
        )
        for channel, message_id in keys
    ]  # fmt: skip
    assert len(messages.upsert_messages(conn, new)) == len(new)
    messages.touchpoint_of_message(conn, keys[0], click_hash=None, before=datetime.now(UTC))


def _people(conn: Conn, places: Places) -> None:
    keys = [("default", "phone", number.to_bytes(32, "big")) for number in range(100)]
    assert contacts.find_contacts(conn, keys) == {}
    made = contacts.insert_contacts(conn, [contacts.NewContact("default", False)] * 100)
    contacts.insert_identities(
        conn,
        [
            (contact, contacts.NewIdentity(workspace=w, kind=kind, hash_key="k", hash=digest, ciphertext=b""))
            for contact, (w, kind, digest) in zip(made, keys, strict=True)
        ],
    )
    contacts.contacts_with_bsuid(conn, made[:10])
    contacts.merge_contacts(conn, made[0], made[1])
    contacts.delete_nameless_contacts(conn, made[:10])


def _clicks(conn: Conn, places: Places) -> None:
    conversions.complete_with_clicks(conn, {number: f"new {number}" for number in range(WAITING + 1, WAITING + 50)})
    clicks = [("default", f"new {number}") for number in range(50)]
    touchpoints.contacts_of_clicks(conn, clicks)
    conversions.conversions_that_name(conn, clicks)
    conversions.reattributable_conversions(conn, range(WAITING + 1, WAITING + 50))
    deliveries.withhold_duplicates(conn, 7, "Lead")


def _sending(conn: Conn, places: Places) -> None:
    token, request_id = uuid4(), uuid7()
    assert claims.claim_deliveries(conn, token=token, lease_seconds=60) == places.dataset
    ids = [one.id for one in claims.leased_deliveries(conn, token)]
    requests.start_request(
        conn, request_id=request_id, dataset_id=places.dataset, token=token, graph_version="v25.0", events=len(ids),
        redacted_body={},
    )  # fmt: skip
    claims.count_attempts(conn, token=token, ids=ids, request_id=request_id, lease_seconds=60)
    requests.finish_attempts(conn, request_id, ids, ["accepted"] * len(ids))
    settled = [claims.Outcome(id=one, state="accepted") for one in ids]
    assert claims.settle_deliveries(conn, token, settled, request_id=request_id) == len(ids)


def _lost(conn: Conn, places: Places) -> None:
    claims.claim_deliveries(conn, token=uuid4(), lease_seconds=-1)
    assert claims.recover_deliveries(conn)
    token = uuid4()
    claims.claim_deliveries(conn, token=token, lease_seconds=60)
    claims.release_deliveries(conn, token)


def _sweep(conn: Conn, places: Places) -> None:
    webhooks.webhook_backlog(conn)
    deliveries.delivery_backlog(conn)
    deliveries.resend_unknown(conn)
    deliveries.expire_deliveries(conn, older_than_seconds=6.5 * 86400)
    results.unknown_deliveries(conn)
    results.count_rejected_webhooks(conn, within=timedelta(hours=1))


def _page(**which: Any) -> Callable[[Conn, Places], None]:
    def show(conn: Conn, places: Places) -> None:
        page = results.list_deliveries(conn, results.DeliveryFilter(**which), limit=50)
        assert len(page) == 50
        last = (page[-1].created_at, page[-1].id)
        assert results.list_deliveries(conn, results.DeliveryFilter(**which), limit=50, after=last)

    return show


def _webhook_page(conn: Conn, places: Places) -> None:
    page = results.list_webhooks(conn, results.WebhookFilter(channel_id=places.channel), limit=50)
    results.list_webhooks(conn, results.WebhookFilter(), limit=50, after=(page[-1].received_at, page[-1].id))
    assert results.webhook_by_id(conn, page[0].id)
    assert results.webhook_body(conn, page[0])


def _trace(conn: Conn, places: Places) -> None:
    found = results.deliveries_named(conn, "777")
    assert found
    results.deliveries_named(conn, found[0].event_id)
    results.deliveries_of(conn, found[0].conversion_id)
    repairs.resolve_unknown(conn, [777], repairs.Resolution.ACCEPTED)


def _quality(conn: Conn, places: Places) -> None:
    now = datetime.now(UTC)
    which = quality.Which(workspace="default", since=now - timedelta(days=28), until=now)
    quality.duplicates_of(conn, which)
    quality.late_events(conn, which)
    quality.automatic_overlap(conn, which)
    # A sample of a thousand is so large a part of this small table that reading all of it would be right.
    assert quality.phoneless_people(conn, which, newest=20).people == 20


HOT: dict[str, Callable[[Conn, Places], None]] = {
    "intake: insert, claim, finish": _intake,
    "intake: after a crash": _crashed,
    "intake: messages": _messages,
    "intake: people": _people,
    "intake: clicks that come later": _clicks,
    "sending: claim, request, settle": _sending,
    "sending: leases that ran out": _lost,
    "sweeper": _sweep,
    "page: newest deliveries": _page(),
    "page: of a time": _page(since=datetime(2020, 1, 1, tzinfo=UTC)),
    "page: accepted": _page(states=("accepted",), test=False),
    "page: webhooks": _webhook_page,
    "one delivery's way": _trace,
    "page: data quality": _quality,
}


def _read_whole(url: str, work: Callable[[Conn], object]) -> list[str]:
    """Runs `work` and rolls it back; what it read from end to end. Days without rows don't count."""
    with psycopg.connect(url) as conn:
        large = {
            name
            for (name,) in conn.execute(
                # Shortly after midnight a day holds little but what waits, and is rightly read whole.
                "select relname from pg_class where relkind = 'r'"
                " and reltuples > case when relname like 'webhooks%' then 1000 else 300 end"
            ).fetchall()
            if name.startswith(BIG)
        }
        assert len(large) > len(BIG)
        with watched(conn) as plans:
            work(conn)
        conn.rollback()
    assert plans.found, "auto_explain said nothing"
    return plans.whole_tables_read(large)


@pytest.mark.parametrize("name", HOT)
def test_no_hot_statement_reads_a_big_table_from_end_to_end(filled: tuple[str, Places], name: str) -> None:
    url, places = filled
    assert _read_whole(url, lambda conn: HOT[name](conn, places)) == []


def test_a_statement_that_reads_a_whole_table_is_found(filled: tuple[str, Places]) -> None:
    found = _read_whole(filled[0], lambda conn: conn.execute("select count(*) from messages where kind = 'sticker'"))
    assert [text.partition(" ")[0] for text in found] == ["messages"]


def test_what_is_known_of_a_silent_channel_is_read_past_everybody_elses_rows(filled: tuple[str, Places]) -> None:
    url, places = filled
    with psycopg.connect(url) as conn:
        with watched(conn) as plans:
            traffic = health.channel_traffic(conn, [places.paused_channel])
        conn.rollback()
    assert not traffic[places.paused_channel].had_messages
    # All messages by their time are 500; what other tests rolled back is in the way as well.
    assert plans.blocks < 350
