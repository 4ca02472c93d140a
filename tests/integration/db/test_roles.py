"""The database's roles: each can do its whole work, and nothing that is another's."""

import dataclasses
from datetime import UTC, datetime

import psycopg
import pytest

from shared.crypto import generate_key
from shared.db.pool import open_pool
from shared.db.webhooks import NewWebhook, insert_webhooks
from shared.ids import uuid7
from tests.integration.db.makers import add_channel, add_dataset, add_deliveries, add_webhooks
from workers import upkeep
from workers.sweeper import Sweeper

ROLES = ("ctwa_receiver", "ctwa_worker", "ctwa_console")
TABLES = (
    "credentials", "datasets", "channels", "webhooks", "contacts", "contact_identities", "messages", "touchpoints",
    "conversions", "deliveries", "capi_requests", "attempts", "audit_log", "heartbeats", "workspaces", "submissions",
    "rules", "rule_versions", "conversion_changes", "first_touches", "contact_changes", "api_keys",
    "roi_daily", "roi_zones", "roi_changes", "delivery_counts", "webhook_counts",
    "alerts", "alert_rules", "alert_routes", "alert_notices", "spools",
    "ad_accounts", "ad_account_days", "ad_spend_daily", "ads", "ad_names",
    "erasures", "tombstones", "endpoints", "notifications",
)  # fmt: skip
#: Only the console knows who works in it.
TEAM_TABLES = ("users", "memberships", "recovery_codes", "user_sessions", "one_time_links", "login_throttles")


def acting_as(conn, role):
    """The same connection with that role's rights only."""
    conn.rollback()
    conn.execute(f"set role {role}")
    conn.commit()
    return conn


@pytest.fixture
def stocked(conn):
    """A row in every table that a statement below touches."""
    dataset = add_dataset(conn)
    channel = add_channel(conn, dataset_id=dataset)
    add_deliveries(conn, dataset, channel, 1)
    add_webhooks(conn, channel, 1)
    conn.execute("insert into audit_log (actor, action, subject) values ('a', 'b', 'c')")
    conn.commit()
    return conn


#: A statement, and who may run it. What is in nobody's hand but the owner's has an empty set.
RECEIVER, WORKER, CONSOLE = ({role} for role in ROLES)
STATEMENTS = [
    ("select id, key, provider, secrets, unsigned, enabled from channels", RECEIVER | WORKER | CONSOLE),
    ("select name from channels", WORKER | CONSOLE),
    ("select id, workspace, hash, scopes, is_test, revoked_at from api_keys", RECEIVER | WORKER | CONSOLE),
    ("select name, created_by from api_keys", WORKER | CONSOLE),
    ("update api_keys set last_used_at = now()", WORKER | CONSOLE),
    ("update api_keys set revoked_at = now()", CONSOLE),
    ("update rules set enabled = false", CONSOLE),
    ("delete from roi_changes", WORKER),
    ("update roi_daily set events = 0", WORKER),
    ("delete from delivery_counts", WORKER),
    ("update delivery_counts set count = 0", set()),
    ("delete from webhook_counts", WORKER),
    ("update webhook_counts set count = 0", set()),
    ("update ad_accounts set next_sync_at = now()", WORKER | CONSOLE),
    ("update ad_accounts set credential_id = null", CONSOLE),
    ("delete from ad_accounts", CONSOLE),
    ("delete from ad_spend_daily", WORKER | CONSOLE),
    ("update rule_versions set actor = 'x'", set()),
    ("update conversion_changes set value = 1", WORKER),
    ("update contact_changes set actor = 'x'", WORKER),
    ("select * from channels", WORKER | CONSOLE),
    ("select 1 from webhooks", WORKER | CONSOLE),
    ("select token from credentials", WORKER | CONSOLE),
    *[
        (f"select 1 from {table}", WORKER | CONSOLE)
        for table in TABLES
        if table not in ("channels", "webhooks", "api_keys")
    ],
    *[(f"select 1 from {table}", CONSOLE) for table in TEAM_TABLES],
    ("update users set name = 'x'", CONSOLE),
    ("delete from users", set()),
    ("delete from user_sessions", set()),
    ("delete from memberships", CONSOLE),
    ("update alerts set acknowledged_by = 'x'", WORKER | CONSOLE),
    ("insert into alerts (kind, subject) values ('a', 'b')", WORKER),
    ("delete from alerts", set()),
    ("insert into alert_rules (kind) values ('a')", CONSOLE),
    ("delete from alert_routes", CONSOLE),
    ("delete from alert_notices", WORKER),
    ("update alert_notices set reason = 'x'", WORKER),
    ("select report_spool('h', 1, 0)", RECEIVER),
    ("insert into spools (host, bytes, set_aside) values ('h', 1, 0)", set()),
    ("update credentials set expires_at = now()", WORKER | CONSOLE),
    ("update channels set enabled = false", CONSOLE),
    ("update channels set secrets = ''", CONSOLE),
    ("delete from channels", set()),
    ("update credentials set token = ''", CONSOLE),
    ("update credentials set throttled_until = now()", WORKER | CONSOLE),
    ("update datasets set sending = 'off'", CONSOLE),
    ("update datasets set credential_id = null", CONSOLE),
    ("update datasets set last_claimed_at = now()", WORKER | CONSOLE),
    ("delete from datasets", set()),
    ("update webhooks set state = 'done', finished_at = now()", WORKER | CONSOLE),
    ("delete from webhooks", WORKER),
    ("delete from webhooks_default", WORKER),
    ("update deliveries set reason = 'x'", WORKER | CONSOLE),
    ("delete from deliveries", set()),
    ("delete from conversions", set()),
    ("delete from attempts", set()),
    ("delete from messages", set()),
    ("update conversions set attribution = 'x'", WORKER),
    ("update contacts set stage = 'x'", WORKER),
    ("update touchpoints set headline = 'x'", WORKER),
    ("insert into erasures (workspace, contact_ids, names, requested_by) values ('x', '{1}', '', 'x')", CONSOLE),
    ("update erasures set step = 'rows'", WORKER),
    ("insert into tombstones values ('x', 'phone', '', 'k', now())", WORKER),
    ("delete from tombstones", set()),
    ("update endpoints set url = 'https://x'", CONSOLE),
    ("update endpoints set failures = 0", WORKER | CONSOLE),
    ("update notifications set attempts = 0", WORKER | CONSOLE),
    ("select wanted_by_endpoints('test')", set()),
    ("delete from contact_identities", WORKER | CONSOLE),
    ("insert into audit_log (actor, action, subject) values ('a', 'b', 'c')", WORKER | CONSOLE),
    ("update audit_log set actor = 'x'", set()),
    ("delete from audit_log", set()),
    ("insert into heartbeats (process) values ('x')", WORKER),
    ("insert into credentials (name, token) values ('x', '')", CONSOLE),
    ("select make_webhook_days('2030-01-01', 1)", WORKER),
    ("select drop_webhook_days('2000-01-01')", WORKER),
    ("create table public.mine ()", set()),
    ("truncate webhooks", set()),
    ("drop table webhooks_default", set()),
    ("alter table deliveries disable trigger all", set()),
    ("create role mine", set()),
    ("select rolpassword from pg_authid", set()),
    ("update schema_migrations set checksum = ''", set()),
    ("copy credentials to program 'true'", set()),
]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_run_its_statements_and_no_other(stocked, role):
    acting_as(stocked, role)
    wrong = []
    for statement, allowed in STATEMENTS:
        try:
            stocked.execute(statement)
            may = True
        except psycopg.errors.InsufficientPrivilege:
            may = False
        stocked.rollback()
        if may is not (role in allowed):
            wrong.append((statement, may))
    assert wrong == []


def test_the_table_of_statements_touches_every_table(conn):
    rows = conn.execute(
        "select c.relname from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace"
        " and not c.relispartition and c.relname <> 'schema_migrations'"
    ).fetchall()
    assert {name for (name,) in rows} <= {*TABLES, *TEAM_TABLES}


def test_the_receiver_stores_webhooks_twice_without_seeing_one(stocked):
    acting_as(stocked, "ctwa_receiver")
    webhook = NewWebhook(
        id=uuid7(), received_at=datetime.now(UTC), source="channel", source_id=1, method="POST", path="", query="",
        headers={}, body=b"sealed", body_bytes=1,
    )  # fmt: skip
    for _ in range(2):
        insert_webhooks(stocked, [webhook])
    stocked.commit()
    stocked.execute("reset role")
    assert stocked.execute("select count(*) from webhooks where body_bytes = 1").fetchone() == (1,)


@pytest.fixture
def as_worker(world):
    """The world with the workers' own role behind its pool."""
    narrow = open_pool(world.url, process="test", size=4)
    narrow.kwargs["options"] += " -c role=ctwa_worker"
    world.runtime = dataclasses.replace(world.runtime, pool=narrow)
    yield world
    narrow.close()


def test_the_workers_role_is_enough_for_everything_workers_do(as_worker):
    with as_worker.runtime.pool.connection() as conn:
        assert conn.execute("select current_user").fetchone() == ("ctwa_worker",)
    channel = as_worker.add_channel(dataset_id=as_worker.add_dataset())
    as_worker.receive_sample(channel, phone="15550100001")
    as_worker.receive_sample(channel, "ad_without_click_id", phone="15550100002")
    as_worker.receive_sample(channel, "organic", phone="15550100003")
    as_worker.receive(channel, b"not json")
    as_worker.intake()
    as_worker.send()
    Sweeper(as_worker.runtime).sweep()
    upkeep.prune(as_worker.runtime)
    assert sorted(as_worker.states()) == ["accepted", "skipped"]
    assert as_worker.rows("select 1 from heartbeats")


def test_a_role_cannot_log_in_before_it_has_a_password(postgres_url, database_url):
    for role in ROLES:
        with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|password"):
            psycopg.connect(database_url, user=role, password=generate_key(), connect_timeout=5)


def test_a_temporary_table_does_not_stand_in_for_a_day(stocked):
    acting_as(stocked, "ctwa_worker")
    stocked.execute("create temporary table webhooks_20300101 ()")
    assert stocked.execute("select make_webhook_days('2030-01-01', 1)").fetchone() == (1,)
