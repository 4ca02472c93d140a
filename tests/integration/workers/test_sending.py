"""Sending over a real database, with every kind of answer Meta may give."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.capi.answers import no_answer, not_sent
from shared.capi.payload import PayloadError, build_event
from shared.db.claims import claim_deliveries, count_attempts, leased_deliveries, recover_deliveries
from shared.db.datasets import pause_dataset
from shared.db.deliveries import resend_unknown
from shared.db.requests import start_request
from shared.ids import uuid7
from tests.integration.workers.world import TOKEN, graph_error
from workers import sending

OK = None


def ready(world, count=1, **dataset):
    channel = world.add_channel(dataset_id=world.add_dataset(**dataset))
    world.receive_ads(channel, count)
    world.intake()
    return channel


def test_a_lead_is_reported_as_meta_wants_it_and_its_answer_is_kept(world):
    ready(world)
    world.send()
    ((meta_id, token, content),) = world.graph.posted
    (event,) = content["data"]
    assert (meta_id, token) == ("1200000000000001", TOKEN)
    assert event["event_name"] == "LeadSubmitted"
    assert event["action_source"] == "business_messaging"
    assert event["user_data"]["whatsapp_business_account_id"] == "1000000000000001"
    (delivery,) = world.deliveries()
    assert (delivery["state"], delivery["attempts"], delivery["last_trace_id"]) == ("accepted", 1, "A1")
    (request,) = world.rows("select * from capi_requests")
    assert (request["verdict"], request["events_received"], request["events"]) == ("accepted", 1, 1)
    assert event["user_data"]["ctwa_clid"] not in json.dumps(request["body"])
    assert [row["outcome"] for row in world.rows("select outcome from attempts")] == ["received"]


def test_what_was_accepted_is_never_posted_again(world):
    ready(world, 3)
    for _ in range(3):
        world.send()
    assert len(world.graph.event_ids) == len(set(world.graph.event_ids)) == 3


def test_what_is_due_goes_in_requests_of_at_most_the_datasets_maximum(world):
    ready(world, 25, batch_max=10)
    world.send()
    assert sorted(len(content["data"]) for _, _, content in world.graph.posted) == [5, 10, 10]
    assert world.states() == ["accepted"] * 25


@pytest.mark.parametrize(
    ("answer", "state", "pause"),
    [
        (graph_error(500, 2), "pending", None),
        (graph_error(400, 190, 463), "pending", "token"),
        (graph_error(400, 200), "pending", "permission"),
        (graph_error(400, 100, 2804132), "pending", "link"),
        (graph_error(400, 100, 2804087), "rejected", None),
        (graph_error(400, 4), "pending", None),
        ((429, {}, b""), "pending", None),
        (not_sent("ConnectionRefusedError"), "pending", None),
        ((200, {}, b'{"events_received": 0}'), "pending", None),
        ((503, {}, b"<html>busy</html>"), "pending", None),  # unknown, and resent once by policy
        (no_answer("ReadTimeout"), "pending", None),
    ],
)
def test_each_kind_of_answer_moves_the_delivery_and_the_dataset_as_the_table_says(world, answer, state, pause):
    ready(world)
    world.graph.script.append(answer)
    world.send()
    (delivery,) = world.deliveries()
    assert delivery["state"] == state
    assert world.dataset()["pause_reason"] == pause


def test_a_throttle_rests_the_token_and_not_the_dataset(world):
    ready(world)
    world.graph.script.append(graph_error(400, 4))
    world.send()
    (credential,) = world.rows("select throttled_until > now() as throttled from credentials")
    assert credential["throttled"]
    world.send()
    assert len(world.graph.posted) == 1


def test_an_unknown_outcome_is_resent_once_alone_and_then_held(world):
    ready(world, 3)
    world.graph.script.extend([no_answer("ReadTimeout")] * 4)
    for _ in range(6):
        world.send()
    assert world.states() == ["unknown"] * 3
    sizes = [len(content["data"]) for _, _, content in world.graph.posted]
    assert sizes == [3, 1, 1, 1]
    assert {row["resent"] for row in world.deliveries()} == {1}


def test_an_unknown_event_with_a_value_is_held_at_once(world):
    ready(world)
    world.execute("update conversions set value = 19.99, currency = 'BRL'")
    world.execute("update deliveries set has_value = true")
    world.graph.script.append(no_answer("ReadTimeout"))
    world.send()
    world.send()
    assert world.states() == ["unknown"]
    assert len(world.graph.posted) == 1


@pytest.mark.parametrize("culprits", [1, 2, 5])
def test_the_refused_events_of_a_batch_are_found_and_all_others_accepted(world, culprits):
    ready(world, 32)
    bad = {row["event_id"] for row in world.deliveries()[:: 32 // culprits][:culprits]}

    def refuse_bad(events):
        return graph_error(400, 100, 2804087) if bad & {event["event_id"] for event in events} else OK

    world.graph.rule = refuse_bad
    world.send()
    rejected = {row["event_id"] for row in world.deliveries() if row["state"] == "rejected"}
    assert rejected == bad
    assert sorted(world.states()) == ["accepted"] * (32 - culprits) + ["rejected"] * culprits
    assert len(world.graph.posted) <= 1 + 2 * culprits * 5
    assert world.dataset()["pause_reason"] is None


def test_events_refused_alike_for_the_set_up_are_held_and_none_is_rejected(world):
    ready(world, 16)
    world.graph.rule = lambda events: graph_error(400, 100, 2804001)
    world.send()
    assert world.states() == ["pending"] * 16
    assert world.dataset()["pause_reason"] == "link"
    world.send()
    assert len(world.graph.posted) < 20


def test_code_1_that_never_ends_becomes_a_pause_for_the_link(world):
    ready(world)
    world.graph.rule = lambda events: graph_error(500, 1)
    for _ in range(8):
        world.execute("update datasets set paused_until = now() where pause_reason = 'meta_down'")
        world.send()
    assert world.dataset()["pause_reason"] == "link"
    assert len(world.graph.posted) == 5


def test_an_outage_pauses_the_dataset_and_a_small_claim_ends_the_pause(world):
    ready(world, 30)
    world.graph.rule = lambda events: not_sent("ConnectionRefusedError")
    for _ in range(6):
        world.send()
    assert world.dataset()["pause_reason"] == "meta_down"
    assert len(world.graph.posted) == 5
    world.graph.rule = None
    world.execute("update datasets set paused_until = now()")
    world.send()
    assert len(world.graph.posted[5][2]["data"]) == 10
    assert world.dataset()["pause_reason"] is None
    assert world.states() == ["accepted"] * 30


def test_a_dataset_without_its_waba_id_is_paused_before_anything_is_posted(world):
    ready(world, waba_id=None)
    world.send()
    assert world.graph.posted == []
    assert (world.dataset()["pause_reason"], world.dataset()["pause_detail"]) == ("link", "waba_id_missing")
    assert world.states() == ["pending"]


def test_dry_run_builds_and_posts_nothing_until_sending_is_switched_on(world):
    ready(world, sending="dry-run")
    assert world.send() == 1
    (delivery,) = world.deliveries()
    assert delivery["state"] == "pending"
    assert delivery["dry_run_at"] is not None
    assert world.graph.posted == []


def test_from_three_quarters_of_the_quota_on_there_is_one_request_at_a_time(world):
    ready(world, 20, batch_max=5)
    for percent, claims in ((None, 2), (75, 1)):
        world.execute("update credentials set usage_percent = %s", percent)
        tokens = [uuid7() for _ in range(4)]
        taken = []
        for token in tokens:
            with world.runtime.pool.connection() as conn:
                taken.append(claim_deliveries(conn, token=token, lease_seconds=60))
        assert sum(dataset is not None for dataset in taken) == claims
        world.execute(
            "update deliveries set state = 'pending', next_attempt_at = now(), lease_token = null, lease_until = null"
        )


def test_an_event_that_is_too_old_is_expired_and_the_others_of_its_batch_are_accepted(world):
    ready(world, 3)
    old = world.deliveries()[0]["id"]
    world.execute("update deliveries set event_time = %s where id = %s", datetime.now(UTC) - timedelta(days=7), old)
    world.send()
    assert world.states() == ["expired", "accepted", "accepted"]


def test_two_channels_with_two_datasets_cross_nothing(world):
    for number, name in enumerate(("brazil", "mexico"), start=1):
        dataset = world.add_dataset(name, token=f"EAA{name}", meta_id=f"120{number}", waba_id=f"100{number}")
        channel = world.add_channel(name, dataset_id=dataset)
        world.receive_ads(channel, 3) if number == 1 else world.receive_sample(channel, phone="15550209999")
    world.intake()
    world.send()
    seen = {
        (meta_id, token, event["user_data"]["whatsapp_business_account_id"])
        for meta_id, token, content in world.graph.posted
        for event in content["data"]
    }
    assert seen == {("1201", "EAAbrazil", "1001"), ("1202", "EAAmexico", "1002")}
    assert len(world.graph.event_ids) == 4


def test_a_claim_whose_process_died_before_its_request_is_sent_again(world):
    ready(world, 2)
    with world.runtime.pool.connection() as conn:
        claim_deliveries(conn, token=uuid7(), lease_seconds=0)
    with world.runtime.pool.connection() as conn:
        assert recover_deliveries(conn) == {"pending": 2}
    world.send()
    assert world.states() == ["accepted"] * 2


def test_a_claim_whose_process_died_after_its_request_was_started_is_unknown(world):
    ready(world, 2)
    token, request = uuid7(), uuid7()
    with world.runtime.pool.connection() as conn:
        dataset = claim_deliveries(conn, token=token, lease_seconds=60)
        ids = [delivery.id for delivery in leased_deliveries(conn, token)]
        start_request(
            conn, request_id=request, dataset_id=dataset, token=token, graph_version="v25.0", events=2, redacted_body={}
        )
        count_attempts(conn, token=token, ids=ids, request_id=request, lease_seconds=0)
    with world.runtime.pool.connection() as conn:
        assert recover_deliveries(conn) == {"unknown": 2}
        assert resend_unknown(conn) == 2
    world.send()
    assert world.states() == ["accepted"] * 2
    assert [len(content["data"]) for _, _, content in world.graph.posted] == [1, 1]


def test_a_late_answer_settles_what_became_unknown_meanwhile(world):
    ready(world)
    post = world.graph.post_events

    def answer_late(*arguments):
        answer = post(*arguments)
        world.execute("update deliveries set lease_until = now() - interval '1 second' where state = 'sending'")
        with world.runtime.pool.connection() as conn:
            assert recover_deliveries(conn) == {"unknown": 1}
        return answer

    world.graph.post_events = answer_late
    world.send()
    assert world.states() == ["accepted"]


def test_a_paused_dataset_costs_another_one_nothing(world):
    paused = world.add_channel("paused", dataset_id=world.add_dataset("paused", meta_id="1"))
    world.receive_ads(paused, 5)
    active = world.add_channel("active", dataset_id=world.add_dataset("active", meta_id="2"))
    world.receive_sample(active, phone="15550209999")
    world.intake()
    world.execute(
        "update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31'"
        " where name = 'paused'"
    )
    world.send()
    assert {meta_id for meta_id, _, _ in world.graph.posted} == {"2"}
    assert world.states() == ["pending"] * 5 + ["accepted"]


UNDECIDED = graph_error(400, 100, 2804001)


def split_until_one_is_refused_alone(world, then):
    """Four deliveries, refused together until one is alone; from then on `then(events)` decides."""
    ready(world, 4)
    refused_alone = []

    def rule(events):
        if refused_alone:
            return then(events)
        if len(events) == 1:
            refused_alone.append(events)
        return UNDECIDED

    world.graph.rule = rule


@pytest.mark.parametrize("trouble", [no_answer("ReadTimeout"), not_sent("ConnectionRefusedError"), graph_error(400, 4)])
def test_a_split_that_is_cut_short_by_trouble_pauses_nothing_and_rejects_nobody(world, trouble):
    split_until_one_is_refused_alone(world, lambda events: trouble)
    sending.send_claim(world.runtime, claimed(world), ends=time.monotonic() + 60)
    assert world.dataset()["pause_reason"] is None
    assert set(world.states()) == {"pending"}
    world.graph.rule = None
    world.execute("update credentials set throttled_until = null")
    world.send()
    assert world.states() == ["accepted"] * 4


def test_a_shutdown_in_the_middle_of_a_split_pauses_nothing_and_hands_everything_back(world):
    split_until_one_is_refused_alone(world, lambda events: OK)
    rule = world.graph.rule

    def stop_after_a_single(events):
        if len(events) == 1:
            world.runtime.stopping.set()
        return rule(events)

    world.graph.rule = stop_after_a_single
    world.send()
    assert world.dataset()["pause_reason"] is None
    assert world.states() == ["pending"] * 4
    world.runtime.stopping.clear()
    world.graph.rule = None
    world.send()
    assert world.states() == ["accepted"] * 4


def test_a_split_whose_time_is_up_goes_on_in_the_next_claim_from_where_it_was(world):
    ready(world, 16)
    culprit = world.deliveries()[3]["event_id"]
    world.graph.rule = lambda events: (
        graph_error(400, 100, 2804087) if culprit in {event["event_id"] for event in events} else OK
    )
    sizes = []
    for _ in range(12):
        world.execute("update deliveries set next_attempt_at = now() where state = 'pending'")
        claim = claimed(world)
        if claim is None:
            break
        before = len(world.graph.posted)
        sending.send_claim(world.runtime, claim, ends=time.monotonic() - 1)
        assert len(world.graph.posted) == before + 1
        sizes.append(len(world.graph.posted[-1][2]["data"]))
    assert max(sizes[1:]) <= 8
    assert sorted(world.states()) == ["accepted"] * 15 + ["rejected"]


def claimed(world):
    """One claim, as a drain makes it; None when nothing is due."""
    token = uuid7()
    with world.runtime.pool.connection() as conn:
        dataset = claim_deliveries(conn, token=token, lease_seconds=60)
        return None if dataset is None else sending._load(world.runtime, conn, token, dataset)


def test_events_held_for_the_set_up_are_not_rejected_one_by_one_when_it_is_resumed_too_early(world):
    ready(world, 16)
    world.graph.rule = lambda events: UNDECIDED
    for _ in range(3):
        world.send()
        world.execute(
            "update datasets set pause_reason = null, pause_detail = null, paused_at = null, paused_until = null"
        )
    assert world.states() == ["pending"] * 16


def test_an_answer_is_kept_although_postgres_is_read_only_for_a_moment(world, database_url):
    ready(world)
    post = world.graph.post_events

    def fail_over(*arguments):
        with psycopg.connect(database_url, autocommit=True) as admin:
            name = admin.info.dbname
            admin.execute(f"alter database {name} set default_transaction_read_only = on")
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        threading.Timer(1.0, writable).start()
        return post(*arguments)

    def writable():
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute("set default_transaction_read_only = off")
            admin.execute(f"alter database {admin.info.dbname} set default_transaction_read_only = off")
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

    world.graph.post_events = fail_over
    world.send()
    assert world.states() == ["accepted"]


@pytest.mark.parametrize("answer", [graph_error(400, 190, 463), not_sent("ConnectionRefusedError")])
def test_an_answer_that_comes_after_a_person_paused_the_dataset_does_not_take_its_place(world, answer):
    ready(world)
    world.execute("update datasets set failures = 10")
    post = world.graph.post_events

    def paused_meanwhile(*arguments):
        with world.runtime.pool.connection() as conn:
            pause_dataset(conn, 1, reason="by_hand", detail="stop", seconds=None)
        return post(*arguments)

    world.graph.post_events = paused_meanwhile
    world.graph.script.append(answer)
    world.send()
    assert (world.dataset()["pause_reason"], world.dataset()["pause_detail"]) == ("by_hand", "stop")


def test_an_event_that_cannot_be_built_keeps_no_other_from_being_sent(world, monkeypatch):
    ready(world, 3)
    culprit = world.deliveries()[1]["event_id"]

    def build(event, profile):
        if event.event_id == culprit:
            raise PayloadError("a defect of ours")
        return build_event(event, profile)

    monkeypatch.setattr("workers.sending.build_event", build)
    world.send()
    assert world.states() == ["accepted", "rejected", "accepted"]
    assert world.deliveries()[1]["reason"] == "event_cannot_be_built"
