"""Probes over a real database: tokens that die and are mended without a person looking."""

from tests.integration.workers.world import graph_error
from workers.probes import probe_due


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
