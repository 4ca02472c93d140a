"""Alerts over a real database: facts from rows, one alert however often it is found, and never a storm of notices."""

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from shared.db import alert_routes
from shared.db.alert_facts import gather
from shared.db.alert_notices import notice_by_id
from shared.db.alert_routes import Target, seal_target
from shared.db.alerts import acknowledge, list_alerts, resolve, set_rule
from workers import alerts
from workers.alerts import ROUNDS_AN_HOUR, evaluate


@pytest.fixture
def calm(world):
    """A world with a dataset and a channel, where nothing is wrong."""
    world.add_channel(dataset_id=world.add_dataset(), currency="BRL")
    return world


def add_route(world, name="ops", *, workspace=None, kind="webhook", address="https://hooks.example.com"):
    with psycopg.connect(world.url) as conn:
        conn.execute(
            "insert into workspaces (name) values (coalesce(%s, 'default')) on conflict do nothing", [workspace]
        )
        return alert_routes.insert_route(
            conn,
            workspace=workspace,
            name=name,
            kind=kind,
            target=seal_target(world.runtime.secret_ring, Target(address=address)),
            shown="hooks.example.com",
            allow_private=False,
            by="test",
        )


def kinds(world, state="open"):
    return [row["kind"] for row in world.rows("select kind from alerts where state = %s order by kind", state)]


def notices(world):
    return world.rows("select * from alert_notices order by created_at, id")


def pause(world, name="main", reason="by_hand"):
    world.execute(
        "update datasets set pause_reason = %s, paused_at = now(), paused_until = '9999-12-31' where name = %s",
        reason,
        name,
    )


def resume(world):
    world.execute("update datasets set pause_reason = null, paused_at = null, paused_until = null")


def not_seen_for(world, time):
    world.execute("update alerts set last_seen_at = now() - %s::interval where state <> 'resolved'", time)


def test_where_nothing_is_wrong_there_is_no_alert(calm):
    evaluate(calm.runtime)
    assert calm.rows("select * from alerts") == []


def test_an_alert_opens_once_however_often_it_is_found_and_ends_after_a_quiet_while(calm):
    pause(calm)
    for _ in range(3):
        evaluate(calm.runtime)
    assert kinds(calm) == ["dataset_paused"]
    resume(calm)
    evaluate(calm.runtime)
    assert kinds(calm) == ["dataset_paused"]
    not_seen_for(calm, "5 minutes 1 second")
    evaluate(calm.runtime)
    assert (kinds(calm), kinds(calm, "resolved")) == ([], ["dataset_paused"])
    pause(calm)
    evaluate(calm.runtime)
    assert (kinds(calm), kinds(calm, "resolved")) == (["dataset_paused"], ["dataset_paused"])


def test_numbers_follow_what_is_found(calm):
    calm.receive_ads(1, 2)
    calm.intake()
    calm.execute(
        "update deliveries set state = 'unknown', reason = 'no_answer', unknown_since = now() - interval '2 h',"
        " next_attempt_at = null where id = (select min(id) from deliveries)"
    )
    evaluate(calm.runtime)
    calm.execute(
        "update deliveries set state = 'unknown', reason = 'no_answer', unknown_since = now() - interval '2 h',"
        " next_attempt_at = null"
    )
    evaluate(calm.runtime)
    [row] = calm.rows("select * from alerts")
    assert (row["detail"]["count"], row["workspace"], row["subject"]) == (2, "default", "dataset:main")


def answered(code):
    """A request that Meta answered with this code, a moment ago."""
    return (
        "insert into capi_requests (id, dataset_id, lease_token, graph_version, events, body, code, subcode)"
        f" values (gen_random_uuid(), 1, gen_random_uuid(), 'v25.0', 1, '{{}}', {code})"
    )


WAITING = "state = 'waiting', reason = 'waiting_for_value', next_attempt_at = null"
REJECTED = "state = 'rejected', reason = 'meta_100_2804087', next_attempt_at = null"
UNKNOWN = "state = 'unknown', reason = 'no_answer', next_attempt_at = null"
#: What has to be true of rows for a kind to be found, and the kinds that are found.
ROWS = {
    "rejected": (f"update deliveries set {REJECTED}, finished_at = now() - interval '14 min'", ["failed"]),
    "rejected long ago": (f"update deliveries set {REJECTED}, finished_at = now() - interval '16 min'", []),
    "unknown": (f"update deliveries set {UNKNOWN}, unknown_since = now() - interval '61 s'", ["unknown"]),
    "unknown for a moment": (f"update deliveries set {UNKNOWN}, unknown_since = now() - interval '50 s'", []),
    "held unknown and old": (
        f"update deliveries set {UNKNOWN}, unknown_since = now(), event_time = now() - interval '5 d 13 h'",
        ["expiring"],
    ),
    "waiting and old": (
        f"update deliveries set {WAITING}, event_time = now() - interval '5 d 13 h'",
        ["expiring"],
    ),
    "paused and old": (
        "update deliveries set event_time = now() - interval '5 d 13 h', next_attempt_at = now() + interval '1 h'",
        ["expiring"],
    ),
    "a day and an hour left": (
        "update deliveries set event_time = now() - interval '5 d 11 h', next_attempt_at = now() + interval '1 h'",
        [],
    ),
    "due for long": ("update deliveries set next_attempt_at = now() - interval '6 min'", ["queue_age"]),
    "test mode": (
        "update datasets set test_event_code = 'T1', test_event_until = now() + interval '1 h'",
        ["test_mode"],
    ),
    "a code of tomorrow": (answered("987654, 3"), ["unknown_code"]),
    "a code that is known": (answered("190, 463"), []),
    "another currency": ("update conversions set value = 5, currency = 'USD'", ["currency_mismatch"]),
    "the channel's currency": ("update conversions set value = 5, currency = 'BRL'", []),
    "a token that ends": ("update credentials set expires_at = now() + interval '6 d'", ["token_expiring"]),
    "a token that is dead": ("update credentials set inspection = 'invalid'", ["token_invalid"]),
    "paused for its token": (
        "update datasets set pause_reason = 'token', paused_at = now(), paused_until = '9999-12-31'",
        ["token_invalid"],
    ),
    "a failed probe": ("update datasets set probe_result = 'meta_100_33'", ["probe_failed"]),
    "a spool that is not drained": (
        "insert into spools (host, bytes, set_aside, since) values ('h1', 9, 0, now() - interval '3 min')",
        ["spool"],
    ),
    "a file set aside": ("insert into spools (host, bytes, set_aside) values ('h1', 0, 1)", ["spool"]),
    "silence where there were ads": (
        "update messages set received_at = now() - interval '25 h'",
        ["no_ad_conversations"],
    ),
    "test rows": (
        "update datasets set is_test = true, pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31'",
        [],
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_what_is_in_the_tables_is_found(calm, case):
    change, expected = ROWS[case]
    calm.receive_ads(1, 8)
    calm.intake()
    calm.execute(change)
    evaluate(calm.runtime)
    assert kinds(calm) == expected


def test_a_burst_of_unreadable_webhooks_is_found(calm):
    for _ in range(10):
        calm.receive(1, b"not json")
    calm.intake()
    evaluate(calm.runtime)
    assert kinds(calm) == ["webhooks_unreadable"]


def test_a_fall_of_click_ids_is_found(calm):
    calm.receive_ads(1, 30)
    calm.intake()
    calm.execute(
        "update messages set received_at = now() - interval '30 h' where id <= (select min(id) + 14 from messages)"
    )
    evaluate(calm.runtime)
    assert kinds(calm) == []
    calm.execute("update messages set class = 'ad_without_click_id' where received_at > now() - interval '1 d'")
    evaluate(calm.runtime)
    assert kinds(calm) == ["click_id_fall"]


def test_what_a_person_resolved_stays_so_until_something_newer_is_found(calm):
    request = answered("987654, null")
    calm.execute(request)
    evaluate(calm.runtime)
    with calm.runtime.pool.connection() as conn:
        [alert] = list_alerts(conn)
        assert resolve(conn, alert.id, by="ana")
        assert not resolve(conn, alert.id, by="ana")
    evaluate(calm.runtime)
    assert kinds(calm) == []
    calm.execute(request)
    evaluate(calm.runtime)
    assert kinds(calm) == ["unknown_code"]


def test_a_kind_that_is_switched_off_or_has_another_threshold_is_not_found(calm):
    pause(calm)
    with calm.runtime.pool.connection() as conn:
        set_rule(conn, workspace=None, kind="dataset_paused", enabled=False, threshold=None)
        set_rule(conn, workspace=None, kind="dataset_paused", enabled=False, threshold=Decimal(1))
    evaluate(calm.runtime)
    assert kinds(calm) == []
    with calm.runtime.pool.connection() as conn:
        set_rule(conn, workspace="default", kind="dataset_paused", enabled=True, threshold=None)
    evaluate(calm.runtime)
    assert kinds(calm) == ["dataset_paused"]


def test_a_dataset_of_two_workspaces_is_the_installations(calm):
    calm.execute("insert into workspaces (name) values ('b')")
    calm.add_channel("other", dataset_id=1, workspace="b")
    with calm.runtime.pool.connection() as conn:
        assert [one.workspace for one in gather(conn).datasets] == [None]


def test_each_opening_and_each_end_is_told_once_to_every_route_that_it_concerns(calm):
    add_route(calm, "all")
    add_route(calm, "ours", workspace="default")
    add_route(calm, "theirs", workspace="b")
    pause(calm)
    for _ in range(3):
        evaluate(calm.runtime)
    assert sorted((row["route_id"], len(row["opened"])) for row in notices(calm)) == [(1, 1), (2, 1)]
    resume(calm)
    not_seen_for(calm, "6 minutes")
    for _ in range(3):
        evaluate(calm.runtime)
    assert [len(row["resolved"]) for row in notices(calm)] == [0, 0, 1, 1]


def test_what_lasts_is_told_again_once_a_day_until_somebody_looks_after_it(calm):
    add_route(calm)
    pause(calm)
    evaluate(calm.runtime)
    calm.execute("update alerts set told_at = now() - interval '25 h'")
    for _ in range(3):
        evaluate(calm.runtime)
    assert [len(row["reminded"]) for row in notices(calm)] == [0, 1]
    with calm.runtime.pool.connection() as conn:
        assert acknowledge(conn, 1, by="ana")
        assert not acknowledge(conn, 1, by="ana")
    calm.execute("update alerts set told_at = now() - interval '25 h'")
    evaluate(calm.runtime)
    assert len(notices(calm)) == 2
    assert kinds(calm, "acknowledged") == ["dataset_paused"]


def test_many_at_once_are_one_message(calm):
    add_route(calm)
    for number in range(5):
        calm.add_dataset(f"d{number}")
        pause(calm, f"d{number}")
    evaluate(calm.runtime)
    assert [len(row["opened"]) for row in notices(calm)] == [5]


def test_after_ten_rounds_in_an_hour_news_are_gathered(calm):
    add_route(calm)
    for number in range(ROUNDS_AN_HOUR + 5):
        calm.add_dataset(f"d{number}")
        pause(calm, f"d{number}")
        evaluate(calm.runtime)
    assert len(notices(calm)) == ROUNDS_AN_HOUR
    calm.execute("update alert_notices set created_at = created_at - interval '1 h'")
    evaluate(calm.runtime)
    assert [len(row["opened"]) for row in notices(calm)] == [1] * ROUNDS_AN_HOUR + [5]


def test_what_came_and_went_untold_is_never_told(calm):
    pause(calm)
    evaluate(calm.runtime)
    resume(calm)
    not_seen_for(calm, "6 minutes")
    evaluate(calm.runtime)
    add_route(calm)
    evaluate(calm.runtime)
    assert notices(calm) == []


def test_a_route_that_is_added_later_is_told_what_is_open(calm):
    pause(calm)
    evaluate(calm.runtime)
    add_route(calm)
    evaluate(calm.runtime)
    [row] = notices(calm)
    with calm.runtime.pool.connection() as conn:
        notice = notice_by_id(conn, row["id"])
    assert notice is not None
    assert notice.opened == [1]


def test_the_news_of_one_look_are_kept_whole_or_not_at_all(calm, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("killed here")

    add_route(calm)
    pause(calm)
    monkeypatch.setattr(alerts, "mark_told", fail)
    with pytest.raises(RuntimeError):
        evaluate(calm.runtime)
    monkeypatch.undo()
    assert (calm.rows("select * from alerts"), notices(calm)) == ([], [])
    evaluate(calm.runtime)
    assert len(notices(calm)) == 1


def test_the_list_is_by_state_and_workspace_newest_first_in_pages(calm):
    calm.execute("insert into workspaces (name) values ('b')")
    for number, workspace in enumerate((None, "default", "b")):
        calm.execute(
            "insert into alerts (workspace, kind, subject, opened_at)"
            " values (%s, 'unknown', 'x', now() - %s::interval)",
            workspace,
            timedelta(hours=number),
        )
    with calm.runtime.pool.connection() as conn:
        every = list_alerts(conn)
        assert [one.workspace for one in every] == [None, "default", "b"]
        assert [one.workspace for one in list_alerts(conn, workspaces=["b"])] == ["b"]
        assert [one.workspace for one in list_alerts(conn, limit=1, after=(every[0].opened_at, every[0].id))] == [
            "default"
        ]
        assert list_alerts(conn, states=["resolved"]) == []


ACCOUNT = (
    "insert into ad_accounts (name, meta_id, currency, zone, credential_id)"
    " values ('a', '1', 'BRL', 'America/Sao_Paulo', 1)"
)
#: Spend so many days ago, conversations that Meta says it started, hours without a message; the kinds that are found.
SPEND = {
    "spend and messages": (0, 5, 0, []),
    "spend and no message": (0, 5, 30, ["no_ad_conversations", "spend_without_conversations"]),
    "old spend and no message": (3, 5, 30, ["no_ad_conversations"]),
    "few of many captured": (2, 100, 0, ["capture_rate"]),
}


@pytest.mark.parametrize("case", SPEND)
def test_what_ads_cost_and_brought_is_compared(calm, case):
    days_ago, started, silent_hours, expected = SPEND[case]
    calm.receive_ads(1, 8)
    calm.intake()
    calm.execute(ACCOUNT)
    calm.execute("update messages set received_at = received_at - make_interval(hours => %s)", silent_hours)
    day = f"(now() at time zone 'America/Sao_Paulo')::date - {days_ago}"
    calm.execute(f"insert into ad_account_days (account_id, day, level, source) values (1, {day}, 'ad', 'meta')")
    calm.execute(
        "insert into ad_spend_daily (account_id, day, level, object_id, currency, spend, conversations_started, source)"
        f" values (1, {day}, 'ad', (select min(ad_id) from touchpoints), 'BRL', 10, %s, 'meta')",
        started,
    )
    evaluate(calm.runtime)
    assert kinds(calm) == expected


def test_spend_that_is_not_fetched_any_more_is_found_and_that_of_files_never(calm):
    calm.execute(ACCOUNT)
    calm.execute("update ad_accounts set last_synced_at = now() - interval '27 h'")
    calm.execute("insert into ad_accounts (name, created_at) values ('files', now() - interval '9 d')")
    evaluate(calm.runtime)
    assert [row["subject"] for row in calm.rows("select subject from alerts")] == ["ad_account:a"]
    assert kinds(calm) == ["spend_sync"]
