"""Pulling spend from a real sandbox process into a real Postgres: whole, resumable, the token in no URL."""

import dataclasses
import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import requests

from shared.db import ad_accounts
from shared.db.credentials import save_credential
from shared.db.pool import open_pool
from shared.db.spend import spend_facts, synced_days
from workers import spend
from workers.capi.client import GraphClient

TOKEN = "EAAspendtoken0123456789"
TODAY = datetime.now(UTC).date()
ADS = [
    {
        "id": f"{100 + number}", "name": f"Ad {number}", "ad_set_id": "200", "ad_set_name": "Set",
        "campaign_id": "300", "campaign_name": "Campaign", "headline": "Chat with us",
    }
    for number in range(12)
]  # fmt: skip
FIXED = {"ad_id": "100", "day": TODAY.isoformat(), "spend": "12.34", "impressions": 1000, "conversations_started": 3}
CONFIG = {
    "ad_accounts": [
        {"id": "4001", "name": "Shop", "currency": "BRL", "zone": "UTC", "ads": ADS, "figures": [FIXED],
         "started_on": (TODAY - timedelta(days=80)).isoformat()},
    ],
    "tokens": [{"token": TOKEN}, {"token": "no-scope", "scopes": []}],
}  # fmt: skip


class Fake:
    """The sandbox as a process of its own."""

    def __init__(self, url):
        self.url = url

    def control(self, path, document):
        answer = requests.post(f"{self.url}/__sandbox/{path}", json=document, timeout=30)
        answer.raise_for_status()


@pytest.fixture
def fake(tmp_path):
    config = tmp_path / "sandbox.json"
    config.write_text(json.dumps(CONFIG))
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield Fake(re.search(r"http://\S+", process.stdout.readline())[0])
        process.terminate()


@pytest.fixture
def pulled(world, fake):
    """A world whose Graph is the sandbox, with one ad account."""
    world.runtime = dataclasses.replace(world.runtime, graph=GraphClient(fake.url, "v25.0"))
    add_account(world)
    return world


def add_account(world, token=TOKEN):
    with psycopg.connect(world.url) as conn:
        credential = save_credential(conn, "ads", world.runtime.token_ring.seal(token.encode()))
        if ad_accounts.account_by_name(conn, "shop") is None:
            ad_accounts.insert_account(conn, {"name": "shop", "meta_id": "4001", "credential_id": credential})


def account(world):
    with psycopg.connect(world.url) as conn:
        return ad_accounts.account_by_name(conn, "shop")


def pull(world, times=10):
    """Looks as often as the calendar would, with no time between, until nothing is under way."""
    for _ in range(times):
        world.execute("update ad_accounts set next_sync_at = now() where sync_since is not null or last_error is null")
        spend.sync_due(world.runtime)
        if account(world).sync_since is None or account(world).last_error:
            return


def facts(world):
    with psycopg.connect(world.url) as conn:
        return spend_facts(conn, "default", TODAY - timedelta(days=400), TODAY)


def test_the_first_pull_takes_months_by_a_report_and_knows_its_days(pulled):
    assert spend.sync_due(pulled.runtime) == 1
    assert account(pulled).report_run_id is not None
    assert facts(pulled) == []
    pull(pulled)
    found = facts(pulled)
    assert len(found) > spend.AGAIN_DAYS * len(ADS)
    (fixed,) = [one for one in found if one.ad_id == "100" and one.day == TODAY]
    assert (str(fixed.spend), fixed.currency, fixed.impressions, fixed.conversations_started) == (
        "12.34",
        "BRL",
        1000,
        3,
    )
    assert (fixed.ad_name, fixed.ad_set_name, fixed.campaign_name, fixed.zone) == ("Ad 0", "Set", "Campaign", "UTC")
    with psycopg.connect(pulled.url) as conn:
        days = synced_days(conn, account(pulled).id, TODAY - timedelta(days=400), TODAY)
    assert len(days) == spend.FIRST_DAYS
    assert pulled.rows("select distinct status, headline from ads") == [
        {"status": "ACTIVE", "headline": "Chat with us"}
    ]


def test_a_second_pull_pages_through_28_days_and_changes_nothing(pulled):
    pull(pulled)
    before = facts(pulled)
    pulled.execute("update ad_accounts set next_sync_at = now()")
    spend.sync_due(pulled.runtime)
    assert account(pulled).sync_rows > 250
    assert facts(pulled) == before


def test_changed_figures_and_names_replace_the_old(pulled, fake):
    pull(pulled)
    renamed = [{**ad, "name": f"New {ad['name']}"} for ad in ADS]
    changed = {**CONFIG["ad_accounts"][0], "ads": renamed, "figures": [{**FIXED, "spend": "13.00"}]}
    fake.control("config", {"ad_accounts": [changed]})
    pulled.execute("update ad_accounts set next_sync_at = now()")
    spend.sync_due(pulled.runtime)
    (fixed,) = [one for one in facts(pulled) if one.ad_id == "100" and one.day == TODAY]
    assert (str(fixed.spend), fixed.ad_name) == ("13.00", "New Ad 0")
    names = pulled.rows("select name from ad_names where object_id = '100' order by valid_from")
    assert [row["name"] for row in names] == ["Ad 0", "New Ad 0"]


def test_a_pull_cut_off_between_pages_goes_on_where_it_was(pulled, monkeypatch):
    pull(pulled)
    whole = facts(pulled)
    pulled.execute("delete from ad_spend_daily")
    pulled.execute("update ad_accounts set next_sync_at = now()")
    spend.sync_due(pulled.runtime, seconds=0.000001)
    spend.sync_due(pulled.runtime)
    assert account(pulled).sync_since is None
    since = TODAY - timedelta(days=spend.AGAIN_DAYS - 1)
    assert facts(pulled) == [one for one in whole if one.day >= since]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("throttle_business", "insights_throttled"), ("token_expired", "meta_190_463"), ("permission", "ads_read_missing"),
     ("object_missing", "ad_account_not_seen"), ("service_unavailable", "meta_2"), ("ok_not_json", "answer_unreadable"),
     ("http_503_html", "server_error_unclear"), ("half_body", "answer_unreadable")],
)  # fmt: skip
def test_a_fault_is_told_by_its_reason_and_the_next_pull_is_whole(pulled, fake, fault, reason):
    fake.control("faults", {"kind": fault, "dataset": "act_4001", "times": 1})
    spend.sync_due(pulled.runtime)
    assert account(pulled).last_error == reason
    assert account(pulled).next_sync_at > datetime.now(UTC)
    pulled.execute("update ad_accounts set next_sync_at = now(), last_error = null")
    pull(pulled)
    assert account(pulled).last_error is None
    assert facts(pulled)


def test_the_workers_role_is_enough(pulled):
    narrow = open_pool(pulled.url, process="test", size=2)
    narrow.kwargs["options"] += " -c role=ctwa_worker"
    pulled.runtime = dataclasses.replace(pulled.runtime, pool=narrow)
    pull(pulled)
    narrow.close()
    assert facts(pulled)


def test_a_token_without_ads_read_is_told(pulled):
    add_account(pulled, token="no-scope")
    spend.sync_due(pulled.runtime)
    assert account(pulled).last_error == "ads_read_missing"


def test_the_token_is_in_no_url_log_or_column(pulled, fake, caplog, capfd):
    urls = []
    session = requests.Session()
    session.hooks["response"].append(lambda response, **_: urls.append(response.request.url))
    pulled.runtime = dataclasses.replace(pulled.runtime, graph=GraphClient(fake.url, "v25.0", session=session))
    caplog.set_level(logging.DEBUG)
    pull(pulled)
    fake.control("faults", {"kind": "reset_before_reading", "dataset": "act_4001", "times": 1})
    pulled.execute("update ad_accounts set next_sync_at = now()")
    spend.sync_due(pulled.runtime)
    printed = capfd.readouterr()
    said = caplog.text + printed.out + printed.err
    assert "spend not pulled" in said
    assert any("after=" in url for url in urls)
    assert TOKEN not in said + " ".join(urls)
    assert TOKEN not in str(pulled.rows("select * from ad_accounts")) + str(pulled.rows("select * from audit_log"))
