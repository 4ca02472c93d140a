"""The delivery core under any order of events: webhooks, claims, answers, deaths, late answers, sweeps.

Meta is played by `Remote`, which knows what it has really taken; after every step that is compared with the tables.
"""

import contextlib
import dataclasses
import json
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from psycopg.rows import dict_row

from shared.capi.answers import no_answer, not_sent, read_answer
from shared.db import deliveries as table
from shared.db.claims import claim_deliveries, recover_deliveries
from shared.db.conversions import NewConversion, insert_conversions
from shared.db.deliveries import NewDelivery, insert_deliveries
from shared.db.webhooks import recover_webhooks
from shared.domain.attribution import hash_click_id
from shared.domain.deliveries import EXPIRES_AFTER
from shared.ids import uuid7
from tests.integration.workers.world import graph_error
from workers import intake, sending

#: More of them find more; these take some seconds.
EXAMPLES = int(os.environ.get("DELIVERY_MACHINE_EXAMPLES", "12"))
NOW = datetime.now(UTC) - timedelta(minutes=1)
CLICKS = ["Af" + letter * 60 for letter in "abcd"]
TABLES = (
    "attempts, capi_requests, deliveries, conversions, touchpoints, messages, contact_identities, contacts, webhooks,"
    " channels, datasets, credentials"
)


class Died(BaseException):
    """The process is gone, in the middle of a request."""


class Tables:
    """Looks at and changes the tables over one connection, since thousands of steps do."""

    def __init__(self, url):
        self.conn = psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def rows(self, query, *parameters):
        return self.conn.execute(query, parameters).fetchall()

    def execute(self, query, *parameters):
        self.conn.execute(query, parameters)

    def deliveries(self):
        return self.rows("select * from deliveries order by id")


class SilentBell:
    def ring(self, work):
        return True

    def answer(self, work):
        pass


def received(count):
    return 200, {}, json.dumps({"events_received": count}).encode()


#: What may become of a request: whether Meta takes its events, and what comes back of it.
FATES = {
    "accepted": (True, received),
    "short": (True, lambda sent: received(max(sent - 1, 1)) if sent > 1 else (200, {}, b"{}")),
    "none received": (False, lambda sent: received(0)),
    "taken, no answer": (True, lambda sent: no_answer("ReadTimeout")),
    "lost on the way": (False, lambda sent: no_answer("ConnectionReset")),
    "not sent": (False, lambda sent: not_sent("ConnectionRefusedError")),
    "an event refused": (False, lambda sent: graph_error(400, 100, 2804087)),
    "the set-up refused": (False, lambda sent: graph_error(400, 100, 2804001)),
    "token": (False, lambda sent: graph_error(400, 190, 463)),
    "throttle": (False, lambda sent: graph_error(400, 4)),
    "outage": (False, lambda sent: graph_error(500, 2)),
    "busy page": (True, lambda sent: (503, {}, b"<html>")),
}
#: What happens around it: to the process that posts, or elsewhere while it waits.
TURNS = ["", "", "", "dies before", "dies after", "lease runs out", "is overtaken"]


class Remote:
    """Meta: takes events or doesn't, as `fates` say, one after another; the last one stays."""

    def __init__(self, machine):
        self.machine = machine
        self.taken = Counter()
        self.fates = [("accepted", "")]

    def post_events(self, dataset_meta_id, token, body):
        fate, turn = self.fates.pop(0) if len(self.fates) > 1 else self.fates[0]
        if turn == "dies before":
            raise Died
        events = json.loads(body)["data"]
        takes, answer_to = FATES[fate]
        if takes:
            self.taken.update(event["event_id"] for event in events)
        if turn == "dies after":
            raise Died
        if turn in ("lease runs out", "is overtaken"):
            self.machine.expire_leases()
            self.machine.take_back()
        if turn == "is overtaken":
            self.machine.repeat_unknown()
            self.machine.let_time_pass()
            self.fates = [("accepted", "")]
            self.machine.send_once()
        answer = answer_to(len(events))
        return answer if not isinstance(answer, tuple) else read_answer(*answer, sent=len(events))


class DeliveryCore(RuleBasedStateMachine):
    world = None
    tables = None

    def __init__(self):
        super().__init__()
        world = self.world
        self.tables.execute(f"truncate {TABLES} restart identity cascade")
        datasets = [world.add_dataset(name, meta_id=str(n), batch_max=4) for n, name in enumerate("ab", start=1)]
        self.channels = [world.add_channel(name, dataset_id=datasets[n]) for n, name in enumerate("ab")]
        self.remote = Remote(self)
        self.runtime = dataclasses.replace(world.runtime, bell=SilentBell(), graph=self.remote)
        self.delivered = set()
        self.accepted = set()
        self.bought = 0

    # What happens outside.

    @rule(click=st.sampled_from(CLICKS), message=st.integers(0, 2), channel=st.integers(0, 1))
    def a_webhook_comes_perhaps_again(self, click, message, channel):
        self.world.receive_sample(
            self.channels[channel], now=NOW, click_id=click, message_id=f"M.{message}.{click[2]}", phone="15550100001"
        )
        self.delivered.add(click)

    @rule(channel=st.integers(0, 1), tokens=st.integers(1, 3))
    def somebody_buys(self, channel, tokens):
        """A conversion with a value, stored twice as a repeated request would store it."""
        with self.runtime.pool.connection() as conn:
            contact = conn.execute("insert into contacts (workspace) values ('default') returning id").fetchone()[0]
            self.bought += 1
            key = f"order:shop:{self.bought}"
            row = conn.execute(
                "insert into messages (channel_id, message_id, contact_id, class, received_at, webhook_id,"
                " webhook_received_at) values (%s, %s, %s, 'ad', now(), %s, now()) returning id",
                [self.channels[channel], key, contact, uuid4()],
            ).fetchone()[0]
            touchpoint = conn.execute(
                "insert into touchpoints (message_id, contact_id, channel_id, class, click_id, click_hash, occurred_at)"
                " values (%s, %s, %s, 'ad', %s, %s, now()) returning id",
                [row, contact, self.channels[channel], "Af" + "z" * 60, key],
            ).fetchone()[0]
            for _ in range(tokens):
                conversion = NewConversion(
                    id=uuid7(), workspace="default", contact_id=contact, channel_id=self.channels[channel],
                    event_name="Purchase", occurred_at=datetime.now(UTC), value=Decimal("9.90"), currency="BRL",
                    order_id=key, source="api", touchpoint_id=touchpoint, attribution="click_id", business_key=key,
                    click_hash=None, is_test=False,
                )  # fmt: skip
                stored = insert_conversions(conn, [conversion])
                insert_deliveries(
                    conn,
                    [
                        NewDelivery(
                            conversion_id=one, dataset_id=channel + 1, event_name="Purchase", business_key=key,
                            event_id=f"purchase{self.bought}", event_time=conversion.occurred_at, has_value=True,
                            state="pending", reason=None, batch_cap=10, is_test=False,
                        )
                        for one in stored
                    ],
                )  # fmt: skip

    @rule()
    def let_time_pass(self):
        """Retries come due; pauses and throttles end."""
        self.tables.execute("update deliveries set next_attempt_at = now() where state = 'pending'")
        self.tables.execute("update credentials set throttled_until = null")
        self.tables.execute(
            "update datasets set pause_reason = null, pause_detail = null, paused_at = null, paused_until = null"
        )

    @rule(which=st.integers(0, 5))
    def an_event_grows_old(self, which):
        self.tables.execute(
            "update deliveries set event_time = now() - interval '6 days 13 hours' where id = %s"
            " and state in ('pending', 'unknown')",
            which,
        )

    # What our processes do.

    @rule()
    def intake_reads(self):
        intake.drain(self.runtime)

    @rule()
    def intake_dies(self):
        with self.runtime.pool.connection() as conn:
            intake.claim_webhooks(conn, token=uuid4(), lease_seconds=60)

    @rule()
    def a_claim_dies(self):
        with self.runtime.pool.connection() as conn:
            claim_deliveries(conn, token=uuid4(), lease_seconds=60)

    @rule(fates=st.lists(st.tuples(st.sampled_from(sorted(FATES)), st.sampled_from(TURNS)), min_size=1, max_size=4))
    def a_worker_sends(self, fates):
        self.remote.fates = list(fates)
        with contextlib.suppress(Died):
            self.send_once()

    @rule()
    def the_sweeper_sweeps(self):
        self.expire_leases()
        self.take_back()
        self.repeat_unknown()
        with self.runtime.pool.connection() as conn:
            table.expire_deliveries(conn, older_than_seconds=EXPIRES_AFTER.total_seconds())

    def send_once(self):
        token = uuid4()
        with self.runtime.pool.connection() as conn:
            dataset = claim_deliveries(conn, token=token, lease_seconds=60)
            claim = None if dataset is None else sending._load(self.runtime, conn, token, dataset)
        if claim is not None:
            sending.send_claim(self.runtime, claim, ends=time.monotonic() + 60)

    def expire_leases(self):
        for name, state in (("deliveries", "sending"), ("webhooks", "claimed")):
            self.tables.execute(f"update {name} set lease_until = now() - interval '1 second' where state = %s", state)

    def take_back(self):
        with self.runtime.pool.connection() as conn:
            recover_deliveries(conn)
            recover_webhooks(conn)

    def repeat_unknown(self):
        with self.runtime.pool.connection() as conn:
            table.resend_unknown(conn)

    # What must hold after every step.

    @invariant()
    def what_is_accepted_stays_so_and_meta_has_it(self):
        accepted = {row["id"]: row["event_id"] for row in self.tables.deliveries() if row["state"] == "accepted"}
        assert self.accepted <= set(accepted)
        assert all(self.remote.taken[event_id] for event_id in accepted.values())
        self.accepted = set(accepted)

    @invariant()
    def a_value_is_taken_once_and_a_lead_twice_only_by_policy(self):
        for row in self.tables.deliveries():
            taken = self.remote.taken[row["event_id"]]
            if row["has_value"]:
                assert taken <= 1
                assert row["resent"] == 0
            else:
                assert taken <= 1 + row["resent"]
                assert row["resent"] <= 1

    @invariant()
    def each_click_is_one_conversion_and_each_conversion_one_delivery(self):
        clicks = self.tables.rows(
            "select click_hash, count(*) from conversions where click_hash is not null group by 1"
        )
        assert all(row["count"] == 1 for row in clicks)
        (counts,) = self.tables.rows(
            "select (select count(*) from conversions) as conversions, (select count(*) from deliveries) as deliveries,"
            " (select count(*) from deliveries where event_name = 'Purchase') as purchases"
        )
        assert counts["conversions"] == counts["deliveries"]
        assert counts["purchases"] == self.bought

    @invariant()
    def a_lease_is_held_by_what_is_being_sent_and_by_nothing_else(self):
        for row in self.tables.deliveries():
            assert (row["state"] == "sending") == (row["lease_token"] is not None) == (row["lease_until"] is not None)
        assert not self.tables.rows(
            "select 1 from deliveries d where attempts <> (select count(*) from attempts a where a.delivery_id = d.id)"
        )

    def teardown(self):
        """In the end everything is decided, and nothing that came is missing."""
        self.remote.fates = [("accepted", "")]
        for _ in range(12):
            self.intake_reads()
            self.the_sweeper_sweeps()
            self.let_time_pass()
            self.send_once()
            self.send_once()
        left = {row["state"] for row in self.tables.deliveries()}
        assert left <= {"accepted", "rejected", "expired", "unknown"}
        found = {row["click_hash"] for row in self.tables.rows("select click_hash from conversions")}
        assert {hash_click_id(click) for click in self.delivered} <= found
        assert not self.tables.rows("select 1 from webhooks where state <> 'done'")
        self.what_is_accepted_stays_so_and_meta_has_it()
        self.a_value_is_taken_once_and_a_lead_twice_only_by_policy()


def test_nothing_is_lost_and_nothing_doubled_whatever_happens_in_whatever_order(world):
    class Machine(DeliveryCore):
        pass

    Machine.world, Machine.tables = world, Tables(world.url)
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
                # Shrinking replays thousands of steps; the steps of the first failure say enough.
                phases=(Phase.generate,),
            ),
        )
    finally:
        Machine.tables.conn.close()
