"""Spend: kept by day and ad, never twice, with gaps that are gaps; names with their history; one puller at a time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from shared.db import ad_accounts, spend
from shared.db.ads import Ad, names_of, save_ads
from tests.integration.db.makers import one

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 11, day) for day in (16, 17, 18))


def add_account(conn, name="main", **columns):
    return ad_accounts.insert_account(conn, {"name": name, "meta_id": "42", "currency": "BRL"} | columns)


def pullable(conn, name="main"):
    token = one(conn, "insert into credentials (name, token) values (%s, '') returning id", name)
    return add_account(conn, name, credential_id=token, meta_id=str(token))


def row(account, **columns):
    usual = {
        "day": MONDAY,
        "level": "ad",
        "object_id": "7",
        "currency": "BRL",
        "spend": Decimal("1.50"),
        "source": "meta",
    }
    return spend.Spend(account_id=account, **usual | columns)


def facts(conn, **options):
    return spend.spend_facts(conn, "default", MONDAY, WEDNESDAY, **options)


def test_a_second_pull_replaces_figures_and_drops_what_is_gone(conn):
    account = add_account(conn)
    spend.open_days(conn, account, [MONDAY])
    spend.save_spend(conn, [row(account), row(account, object_id="8")])
    started = datetime.now(UTC)
    spend.save_spend(conn, [row(account, spend=Decimal("2.00"))])
    assert spend.close_days(conn, account, MONDAY, TUESDAY, started=started) == 1
    assert [(one.ad_id, one.spend) for one in facts(conn)] == [("7", Decimal("2.00"))]
    assert spend.synced_days(conn, account, MONDAY, WEDNESDAY) == {MONDAY, TUESDAY}


def test_a_day_is_kept_at_one_level(conn):
    account = add_account(conn)
    spend.note_days(conn, account, [MONDAY], "campaign", "csv")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        spend.save_spend(conn, [row(account, source="csv")])


def test_what_a_file_said_gives_way_to_meta(conn):
    account = add_account(conn)
    spend.note_days(conn, account, [MONDAY], "campaign", "csv")
    spend.save_spend(conn, [row(account, level="campaign", object_id="3", source="csv")])
    spend.open_days(conn, account, [MONDAY])
    assert facts(conn) == []
    assert spend.synced_days(conn, account, MONDAY, MONDAY) == set()


def test_test_accounts_are_left_out_unless_asked_for(conn):
    account = add_account(conn, is_test=True)
    spend.note_days(conn, account, [MONDAY], "ad", "csv")
    assert spend.save_spend(conn, [row(account, source="csv")]) == 1
    assert spend.save_spend(conn, [row(account, source="csv")]) == 0
    assert facts(conn) == []
    assert len(facts(conn, include_test=True)) == 1


def test_names_have_a_history_and_a_deleted_ad_keeps_its_last(conn):
    account = add_account(conn)
    for name in ("Old", "New", "New"):
        save_ads(conn, [Ad(account_id=account, ad_id="7", ad_name=name, campaign_id="3", campaign_name="Camp")])
    save_ads(conn, [Ad(account_id=account, ad_id="7", status="DELETED")], refreshed=True)
    assert [one.name for one in names_of(conn, account, "ad", "7")] == ["Old", "New"]
    spend.open_days(conn, account, [MONDAY])
    spend.save_spend(conn, [row(account)])
    assert [(one.ad_name, one.campaign_name) for one in facts(conn)] == [("New", "Camp")]


def test_an_account_is_pulled_by_one_worker_and_found_again_when_it_dies(conn):
    pullable(conn)
    first = ad_accounts.claim_account(conn, seconds=60)
    assert first is not None
    assert ad_accounts.claim_account(conn, seconds=60) is None
    conn.execute("update ad_accounts set lease_until = now() - interval '1 second'")
    second = ad_accounts.claim_account(conn, seconds=60)
    assert second is not None
    assert not ad_accounts.save_pull(conn, first, {"sync_rows": 1}, lease_seconds=60)
    assert ad_accounts.save_pull(conn, second, {"sync_rows": 1}, lease_seconds=60)


def test_a_throttled_token_lets_its_accounts_wait(conn):
    pullable(conn)
    conn.execute("update credentials set throttled_until = now() + interval '1 hour'")
    assert ad_accounts.claim_account(conn, seconds=60) is None


def test_days_asked_for_during_a_pull_are_pulled_next(conn):
    account_id = pullable(conn)
    account = ad_accounts.claim_account(conn, seconds=60)
    window = {"sync_since": TUESDAY, "sync_until": WEDNESDAY, "sync_started_at": datetime.now(UTC)}
    ad_accounts.save_pull(conn, account, window, lease_seconds=60)
    ad_accounts.ask_for_sync(conn, account_id, since=MONDAY - timedelta(days=30))
    assert ad_accounts.finish_pull(conn, account, again_seconds=3600)
    again = ad_accounts.claim_account(conn, seconds=60)
    assert again is not None
    assert again.wanted_since == MONDAY - timedelta(days=30)


def test_an_account_goes_with_everything_of_it(conn):
    account = add_account(conn)
    spend.open_days(conn, account, [MONDAY])
    spend.save_spend(conn, [row(account)])
    save_ads(conn, [Ad(account_id=account, ad_id="7", ad_name="A")])
    ad_accounts.delete_account(conn, account)
    assert ad_accounts.all_accounts(conn) == []
