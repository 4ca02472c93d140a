"""A person is erased: nothing of them is left in any table, opened with every key, or in the spool, and nothing that
comes again brings them back."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from receiver.drain import Drain
from receiver.spool import Spool
from shared.crypto import CannotDecrypt, HashRing, KeyRing, generate_key
from shared.db.webhooks import NewWebhook
from shared.domain.submissions import Person
from shared.ids import uuid7
from shared.providers.samples import load_sample
from tests.integration.console.commands import Cli
from tests.integration.workers.reports import report, sale
from tests.integration.workers.world import World
from workers import erasing
from workers.identities import Identities

PHONE, OTHER = "5531998877665", "5531991112233"
CLICK, OTHERS_CLICK = "ARAkMariaClickId0123456789abcdefgh", "ARAkOtherClickId0123456789abcdefgh"
EMAIL = "maria.erased@example.com"
TEXT = "my very own words"
BSUID = "BR.1A2B3C4D5E6F"
FOREVER = (PHONE, CLICK, EMAIL, TEXT, BSUID)


def sample(phone: str, click_id: str, *, now: datetime, **more: Any) -> bytes:
    return load_sample("whapi", "ad", now=now, phone=phone, click_id=click_id, **more)


def live_through(world: World, channel: int, *, now: datetime) -> bytes:
    """A person's whole life here; the body of their first message."""
    first = sample(PHONE, CLICK, now=now - timedelta(hours=2), message_id=f"false_{PHONE}@c.us_3EB0")
    world.receive(channel, first)
    # Two people in one webhook, and a receipt that names the person without a message.
    both = json.loads(sample(OTHER, OTHERS_CLICK, now=now - timedelta(hours=1), message_id="other-1"))
    both["messages"] += json.loads(sample(PHONE, CLICK, now=now, message_id="maria-2"))["messages"]
    world.receive(channel, json.dumps(both).encode())
    receipt = {"statuses": [{"recipient_id": f"+{PHONE[:2]} ({PHONE[2:4]}) {PHONE[4:]}"}]}
    world.receive(channel, json.dumps(receipt).encode())
    world.receive(channel, f"not readable, but it names {EMAIL.upper()}".encode())
    world.intake()
    world.send()
    seal = world.runtime.secret_ring.seal
    [row] = world.rows("select contact_id from messages where message_id = 'maria-2'")
    contact = row["contact_id"]
    with psycopg.connect(world.url) as conn:
        for kind, value in (("email", EMAIL), ("bsuid", BSUID)):
            hashed = world.runtime.identities.hash_ring.hash(kind, value)
            conn.execute(
                "insert into contact_identities (contact_id, workspace, kind, hash_key, hash, ciphertext)"
                " values (%s, 'default', %s, %s, %s, %s)",
                [contact, kind, hashed.key_id, hashed.digest, seal(value.encode())],
            )
        conn.execute("update messages set text = %s where contact_id = %s", [seal(TEXT.encode()), contact])
        conn.execute(
            "update contacts set stage = %s, tags = %s, consent = true, consent_at = now() where id = %s",
            [TEXT, [TEXT], contact],
        )
        conn.execute(
            "insert into contact_changes (contact_id, kind, value, occurred_at, source)"
            " values (%s, 'tag_added', %s, now(), 'api')",
            [contact, TEXT],
        )
        conn.execute(
            "insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, value, currency,"
            " order_id, source, touchpoint_id, attribution, business_key, custom_data)"
            " select gen_random_uuid(), 'default', %s, channel_id, 'Purchase', now(), 99.50, 'BRL', 'A-1', 'api',"
            " touchpoint_id, 'click_id', 'order:default:A-1', %s from conversions where contact_id = %s limit 1",
            [contact, json.dumps({"note": EMAIL}), contact],
        )
        conn.execute(
            "insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,"
            " next_attempt_at, has_value) select id, (select id from datasets), 'Purchase', business_key, 'e-purchase',"
            " occurred_at, 'pending', now(), true from conversions where event_name = 'Purchase'"
        )
    return first


def everything(url: str, rings: list[KeyRing]) -> str:
    """All rows of all tables as text, every sealed column opened with every key."""
    found = []
    with psycopg.connect(url, row_factory=dict_row) as conn:
        tables = conn.execute(
            "select relname from pg_class where relkind in ('r', 'p') and not relispartition"
            " and relnamespace = 'public'::regnamespace"
        ).fetchall()
        for table in tables:
            for row in conn.execute(f"select * from {table['relname']}").fetchall():
                found += [f"{table['relname']}.{column}={_shown(value, rings)}" for column, value in row.items()]
    return "\n".join(found)


def _shown(value: object, rings: list[KeyRing]) -> str:
    if not isinstance(value, bytes):
        return json.dumps(value, default=str, ensure_ascii=False)
    for ring in rings:
        try:
            return ring.open(value).decode("utf-8", "replace")
        except CannotDecrypt:
            continue
    return value.decode("latin-1")


def left_of(world: World, wanted: tuple[str, ...] = FOREVER) -> list[str]:
    """The lines in which something of the person still stands, however it is written."""
    lines = everything(world.url, [world.runtime.secret_ring, world.runtime.token_ring]).splitlines()
    return [
        line
        for line in lines
        if any(one.lower() in re.sub(r"[\s()+-]", "", line).lower() or one in line for one in wanted)
    ]


def erase(cli: Cli, world: World, *who: str, **more: Any) -> Any:
    """The command, with the workers doing their part beside it."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.02):
            erasing.drain(world.runtime)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        return json.loads(cli("contacts", "erase", *who, "--yes", "--json", **more).stdout)
    finally:
        done.set()
        worker.join()


@pytest.fixture
def channel(world: World) -> int:
    return world.add_channel(dataset_id=world.add_dataset())


def test_nothing_of_the_person_is_left_anywhere_and_the_totals_stand(cli, world, channel):
    live_through(world, channel, now=datetime.now(UTC))
    assert left_of(world)
    erased = erase(cli, world, "--phone", "-", stdin=f"+{PHONE}\n")
    assert erased["step"] == "done"
    assert left_of(world) == []
    # What counts goes on counting, and leads to nobody.
    [purchase] = world.rows("select * from conversions where event_name = 'Purchase'")
    assert (purchase["value"], purchase["currency"], purchase["business_key"]) == (99.5, "BRL", "order:default:A-1")
    [lead] = world.rows(
        "select t.ad_id, t.click_hash, c.business_key from touchpoints t join conversions c on c.touchpoint_id = t.id"
        " where c.event_name = 'Lead' and t.click_purged_at is not null"
    )
    assert lead["ad_id"]
    assert lead["business_key"] == f"click:{lead['click_hash']}"
    # What waited is never sent, and says why.
    world.send()
    states = world.rows("select state, reason from deliveries where event_name = 'Purchase'")
    assert states == [{"state": "skipped", "reason": "erased"}]
    # The other person is as before, but for the body they shared.
    assert any(OTHERS_CLICK in line for line in left_of(world, (OTHERS_CLICK,)))
    trace = cli("delivery", "other-1").stdout
    assert "raw body deleted" in trace
    assert "erased at their request" in trace
    audited = world.rows("select action, detail from audit_log where starts_with(action, 'contact.eras') order by id")
    assert [row["action"] for row in audited] == ["contact.erase", "contact.erased"]
    assert PHONE not in json.dumps(audited)


def test_a_replay_a_redelivery_and_a_late_spool_bring_nobody_back(cli, world, channel, tmp_path: Path):
    now = datetime.now(UTC)
    first = live_through(world, channel, now=now)
    spool = Spool(tmp_path / "spool", ring=world.runtime.secret_ring, max_bytes=10_000_000)
    spool.prepare()
    spool.append([_webhook(world, channel, first, now - timedelta(hours=2))])
    erase(cli, world, "--phone", PHONE)
    # The provider tries again, with the same and with another id of the message.
    world.receive(channel, first)
    world.receive(channel, sample(PHONE, CLICK, now=now - timedelta(minutes=5), message_id="again"))
    # What a receiver had on its disk comes in now.
    assert Drain(world.url, spool=spool, ring=world.runtime.secret_ring).run() == 1
    cli("webhooks", "replay", "--since", "1d", "--state", "done", "--yes")
    world.intake()
    assert left_of(world) == []
    assert world.rows("select 1 from contact_identities where kind = 'phone'")[1:] == []
    kept = b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir())
    assert PHONE.encode() not in kept
    assert not list((tmp_path / "spool").glob("*.spool"))


def test_a_report_from_before_the_erasure_brings_nobody_back(cli, world, channel):
    live_through(world, channel, now=datetime.now(UTC))
    by_api = sale(
        person=Person(phone=PHONE, email=EMAIL, click_id=CLICK), order="A-2", value=Decimal(5), currency="BRL"
    )
    assert report(world, by_api)[0]["state"] == "stored"
    erase(cli, world, "--phone", PHONE)
    assert left_of(world) == []
    [again] = report(world, by_api)
    assert (again["state"], again["reason"], again["contact_id"]) == ("refused", "erased", None)
    # A click id leads to the contact that was erased, and so to nobody.
    [by_click] = report(world, sale(person=Person(click_id=CLICK), order="A-3"))
    assert (by_click["state"], by_click["reason"]) == ("refused", "erased")
    assert left_of(world) == []


def test_what_the_person_writes_afterwards_makes_a_new_contact(cli, world, channel):
    live_through(world, channel, now=datetime.now(UTC))
    erased = erase(cli, world, "--phone", PHONE)
    world.receive(
        channel, sample(PHONE, "ARAkNewClickId0123456789abcdefghij", now=datetime.now(UTC) + timedelta(seconds=5))
    )
    world.execute("update webhooks set received_at = received_at")
    world.intake()
    [person] = cli.json("contacts", "search", "--phone", PHONE)
    assert person["id"] != erased["contact"]
    assert person["erased_at"] is None
    assert person["held"]["touchpoints"] == 1


def test_tombstones_stand_under_every_key_there_is(cli, world, channel):
    now = datetime.now(UTC)
    first = live_through(world, channel, now=now)
    old = world.runtime.settings.hash_keys[0]
    new = generate_key()
    object.__setattr__(world.runtime, "identities", Identities(world.runtime.secret_ring, HashRing([new, old])))
    erase(cli, world, "--phone", PHONE, HASH_KEYS=f"{new},{old}")
    for keys in ([new, old], [new]):
        object.__setattr__(world.runtime, "identities", Identities(world.runtime.secret_ring, HashRing(keys)))
        world.receive(channel, first)
        world.intake()
        assert left_of(world) == []


def test_a_process_that_is_killed_loses_a_step_and_the_next_one_ends_it(cli, world, channel, monkeypatch):
    live_through(world, channel, now=datetime.now(UTC))
    cli("contacts", "erase", "--phone", PHONE, "--yes", "--no-wait")
    steps = 0

    class Killed(BaseException):
        pass

    def dies(*args: Any, **kwargs: Any) -> None:
        raise Killed

    while True:
        # Each round gets one step further: the step's own transaction, and then the process dies in the next.
        with pytest.MonkeyPatch.context() as patch:
            calls = iter([erasing._take_step, dies])
            patch.setattr(erasing, "_take_step", lambda *args, calls=calls: next(calls)(*args))
            try:
                erasing.drain(world.runtime)
            except Killed:
                steps += 1
                continue
            break
    assert steps >= 3
    assert world.rows("select step, names from erasures") == [{"step": "done", "names": None}]
    assert left_of(world) == []


def test_the_sweeper_erases_without_redis(cli, world, channel):
    live_through(world, channel, now=datetime.now(UTC))
    cli("contacts", "erase", "--phone", PHONE, "--yes", "--no-wait")
    world.execute("update erasures set requested_at = requested_at - interval '1 minute'")
    world.execute("update webhooks set received_at = received_at - interval '1 minute'")
    from workers.sweeper import Sweeper  # noqa: PLC0415

    Sweeper(world.runtime).sweep()
    assert world.rows("select step from erasures") == [{"step": "done"}]


def test_intake_that_is_behind_is_waited_for(cli, world, channel):
    first = live_through(world, channel, now=datetime.now(UTC))
    world.receive(channel, first)
    cli("contacts", "erase", "--phone", PHONE, "--yes", "--no-wait")
    erasing.drain(world.runtime)
    assert world.rows("select step from erasures") == [{"step": "webhooks"}]
    world.intake()
    erasing.drain(world.runtime)
    assert world.rows("select step from erasures") == [{"step": "done"}]
    assert left_of(world) == []


def test_a_dry_run_says_what_would_go_and_does_nothing(cli, world, channel):
    live_through(world, channel, now=datetime.now(UTC))
    before = left_of(world)
    said = cli("contacts", "erase", "--phone", PHONE, "--dry-run").stdout
    assert "3 names" in said
    assert PHONE not in said
    assert "1 events that wait" in said
    assert left_of(world) == before
    assert cli.json("contacts", "erase", "--phone", PHONE, "--dry-run")["erasure"] is None
    assert "Nobody is here to ask" in cli("contacts", "erase", "--phone", PHONE, code=2).output


def test_an_export_holds_it_all_in_one_document_and_is_audited(cli, world, channel):
    live_through(world, channel, now=datetime.now(UTC))
    text = cli("contacts", "export", "--phone", "-", stdin=PHONE).stdout
    document = json.loads(text)
    assert all(one in text for one in FOREVER)
    assert {row["value"] for row in document["identities"]} == {PHONE, EMAIL, BSUID}
    assert document["conversions"][-1]["value"] == "99.50"
    assert document["touchpoints"][0]["occurred_at"].endswith("Z")
    assert document["zones"] == {"sales": "UTC"}
    [audited] = world.rows("select subject, detail from audit_log where action = 'contact.export'")
    assert audited["subject"] == f"contact:{document['contact']}"
    assert PHONE not in json.dumps(audited)


def test_people_are_found_by_any_name_and_shown_with_it_shortened(cli, world, channel):
    live_through(world, channel, now=datetime.now(UTC))
    for who in (("--phone", f"+{PHONE}"), ("--email", EMAIL.upper()), ("--bsuid", BSUID), ("--phone", "553198877665")):
        [person] = cli.json("contacts", "search", *who)
        assert person["held"]["messages"] == 2
        assert PHONE not in json.dumps(person)
    assert "Nobody" in cli("contacts", "search", "--phone", "15550109999", code=1).stdout
    assert "Say who" in cli("contacts", "show", code=2).output
    assert "country code" in cli("contacts", "show", "--phone", "abc", code=2).output
    assert "BR" in cli("contacts", "show", str(person["id"])).stdout


def _webhook(world: World, channel: int, body: bytes, at: datetime) -> NewWebhook:
    return NewWebhook(
        id=uuid7(), received_at=at, source="channel", source_id=channel, method="POST", path="", query="", headers={},
        body=world.runtime.secret_ring.seal(body), body_bytes=len(body),
    )  # fmt: skip
