"""Probes over a real database: tokens that die and are mended without a person looking."""

from datetime import UTC, datetime, timedelta

from shared.capi.inspection import Inspection
from shared.db.credentials import all_credentials, record_inspection, save_credential
from tests.integration.workers.world import graph_error
from workers.alerts import evaluate
from workers.probes import inspect_due, probe_due


def test_a_dead_token_pauses_its_dataset_before_an_event_fails_for_it(world):
    world.add_dataset()
    world.graph.probe_answer = graph_error(401, 190, 463)
    probe_due(world.runtime)
    assert world.dataset()["pause_reason"] == "token"
    assert world.graph.posted == []


def test_a_mended_token_resumes_its_dataset_and_what_waited_is_sent(world):
    channel = world.add_channel(dataset_id=world.add_dataset())
    world.receive_ads(channel, 2)
    world.intake()
    world.graph.script.append(graph_error(401, 190, 463))
    world.send()
    assert world.dataset()["pause_reason"] == "token"
    assert probe_due(world.runtime) == {"main": "ok"}
    world.send()
    assert world.dataset()["pause_reason"] is None
    assert world.states() == ["accepted", "accepted"]


def test_a_probe_does_not_end_pauses_that_it_cannot_judge(world):
    world.add_dataset()
    for reason in ("link", "by_hand", "meta_down"):
        world.execute(
            "update datasets set pause_reason = %s, paused_at = now(), paused_until = '9999-12-31', probed_at = null",
            reason,
        )
        assert probe_due(world.runtime) == {"main": "ok"}
        assert world.dataset()["pause_reason"] == reason


def test_a_probe_that_finds_meta_down_changes_nothing_but_its_own_result(world):
    world.add_dataset()
    world.graph.probe_answer = (503, {}, b"<html>")
    probe_due(world.runtime)
    assert world.dataset()["pause_reason"] is None
    assert world.dataset()["probe_result"] == "server_error_unclear"


def test_a_dataset_is_probed_once_an_hour_and_more_often_while_its_token_is_dead(world):
    world.add_dataset()
    assert probe_due(world.runtime) == {"main": "ok"}
    assert probe_due(world.runtime) == {}
    world.execute("update datasets set probed_at = now() - interval '10 minutes'")
    assert probe_due(world.runtime) == {}
    world.execute("update datasets set pause_reason = 'token', paused_at = now(), paused_until = '9999-12-31'")
    assert probe_due(world.runtime) == {"main": "ok"}


def test_a_pause_that_a_person_makes_during_a_probe_stays(world):
    world.add_dataset()
    world.execute("update datasets set pause_reason = 'token', paused_at = now(), paused_until = '9999-12-31'")
    probe = world.graph.probe

    def probe_while_somebody_pauses(*arguments):
        world.execute("update datasets set pause_reason = 'by_hand'")
        return probe(*arguments)

    world.graph.probe = probe_while_somebody_pauses
    assert probe_due(world.runtime) == {"main": "ok"}
    assert world.dataset()["pause_reason"] == "by_hand"


SOON = datetime.now(UTC) + timedelta(days=3)


def test_a_token_is_asked_about_now_and_then_and_what_meta_said_is_kept(world):
    world.add_dataset()
    world.graph.inspection = Inspection(result="ok", expires_at=SOON, scopes=("ads_management",))
    assert inspect_due(world.runtime) == {"token of main": "ok"}
    assert inspect_due(world.runtime) == {}
    [row] = world.rows("select * from credentials")
    assert (row["expires_at"], row["data_access_expires_at"], row["scopes"]) == (SOON, None, ["ads_management"])
    world.execute("update credentials set inspected_at = now() - interval '7 h'")
    world.graph.inspection = Inspection(result="meta_4")
    assert inspect_due(world.runtime) == {"token of main": "meta_4"}
    [row] = world.rows("select * from credentials")
    assert (row["inspection"], row["expires_at"]) == ("meta_4", SOON)


def test_a_token_that_ends_soon_is_an_alert_and_a_new_one_ends_it(world):
    world.add_channel(dataset_id=world.add_dataset())
    world.graph.inspection = Inspection(result="ok", expires_at=SOON)
    inspect_due(world.runtime)
    evaluate(world.runtime)
    assert [row["kind"] for row in world.rows("select kind from alerts")] == ["token_expiring"]
    with world.runtime.pool.connection() as conn:
        save_credential(conn, "token of main", world.runtime.token_ring.seal(b"new"))
    world.graph.inspection = Inspection(result="ok")
    assert inspect_due(world.runtime) == {"token of main": "ok"}
    world.execute("update alerts set last_seen_at = now() - interval '6 minutes'")
    evaluate(world.runtime)
    assert [row["state"] for row in world.rows("select state from alerts")] == ["resolved"]


def test_what_meta_said_of_a_token_that_was_replaced_meanwhile_is_not_kept(world):
    world.add_dataset()
    with world.runtime.pool.connection() as conn:
        [old] = all_credentials(conn)
        save_credential(conn, old.name, world.runtime.token_ring.seal(b"new"))
        record_inspection(conn, old, Inspection(result="invalid"))
        assert [one.inspection for one in all_credentials(conn)] == [None]


def test_a_token_that_no_key_opens_is_told_and_not_sent(world):
    world.add_dataset()
    world.execute("update credentials set token = %s", b"nonsense")
    assert inspect_due(world.runtime) == {"token of main": "cannot_decrypt"}
    assert world.graph.inspected == []


def test_a_token_that_nobody_uses_is_not_asked_about(world):
    world.add_dataset()
    world.execute("update datasets set sending = 'off'")
    assert inspect_due(world.runtime) == {}
