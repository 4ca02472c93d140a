"""Every CHECK and UNIQUE of the schema bites: what the code must never write, Postgres refuses."""

from datetime import UTC, datetime

import psycopg
import pytest

from shared.db.rollups import DAYS, Span, day_parameters
from tests.integration.db.makers import add_channel, add_dataset, add_deliveries, add_webhooks

TODAY = datetime.now(UTC).date()

#: The constraint, as Postgres defines it in short, and a change that breaks it alone.
BROKEN = {
    "datasets": [
        "meta_id = 'abc'", "kind = 'other'", "profile = 'other'", "waba_id = 'x'", "page_id = 'x'", "sending = 'maybe'",
        "batch_max = 0", "batch_max = 1001", "in_flight_max = 0", "in_flight_max = 17",
        "pause_reason = 'mood', paused_at = now(), paused_until = now()",
        "pause_reason = 'token'", "pause_reason = 'token', paused_at = now()",
        "pause_reason = 'token', paused_until = now()", "paused_until = now()", "paused_at = now()",
        "test_event_code = 'TEST1'", "test_event_until = now()",
        "automatic_policy = 'maybe'", "attribution_days = 0", "region_policy = 'maybe'", "consent_policy = 'maybe'",
    ],
    "workspaces": ["name = ''", "click_days = 7", "title = ''"],
    "api_keys": ["scopes = '{}'"],
    "submissions": ["kind = 'other'", "source = 'other'", "state = 'other'", "state = 'refused'"],
    "conversion_changes": ["kind = 'other'", "value = -1", "currency = 'brl'", "source = 'other'", "currency = null"],
    "contacts": ["country = 'BRA'"],
    "delivery_counts": ["state = 'pending'"],
    "webhook_counts": ["kind = 'other'"],
    "roi_daily": ["basis = 'other'", "model = 'other'", "class = 'other'"],
    "ad_accounts": [
        "lease_until = now()", "sync_since = current_date", "sync_started_at = now()",
        "credential_id = 1, meta_id = null", "currency = 'brl'", "meta_id = 'act_1'", "report_run_id = 'x'",
    ],
    "ad_account_days": ["level = 'other'", "source = 'other'"],
    "ad_spend_daily": [
        "level = 'other'", "object_id = ''", "source = 'other'", "currency = 'brl'", "spend = -1", "impressions = -1",
        "reach = -1", "clicks = -1", "link_clicks = -1", "conversations_started = -1",
    ],
    "ad_names": ["level = 'account'"],
    "erasures": [
        "step = 'other'", "finished_at = now()", "step = 'done', finished_at = now(), names = 'x'",
        "contact_ids = '{}'",
    ],
    "endpoints": ["name = ''", "url = 'ftp://x'", "events = '{}'", "include = '{email}'", "disabled_at = now()"],
    "notifications": [
        "event = 'other'", "state = 'other', next_attempt_at = null", "next_attempt_at = null", "finished_at = now()",
        "lease_token = gen_random_uuid()", "lease_until = now()",
    ],
    "alert_rules": ["threshold = -1"],
    "alert_routes": ["kind = 'other'"],
    "alert_notices": ["state = 'other'", "lease_until = now()", "finished_at = now()"],
    "alerts": ["state = 'other'", "state = 'acknowledged'", "resolved_at = now()"],
    "users": ["email = 'Ana@example.com'", "totp_confirmed_at = now()"],
    "memberships": ["role = 'other'"],
    "one_time_links": [
        "kind = 'other', email = null, role = null", "role = 'other'", "user_id = 1", "email = null", "role = null",
    ],
    "rules": ["enabled = true", "enabled = true, enabled_at = now(), removed_at = now()"],
    "contact_changes": ["kind = 'other'", "source = 'other'"],
    "channels": [
        "key = 'short'", "currency = 'brl'", "currency = 'REAL'", "country = 'BRA'", "post_policy = 'maybe'",
        "margin_percent = 101",
    ],
    "webhooks": [
        "source = 'other'", "state = 'other'", "state = 'claimed'", "lease_token = gen_random_uuid()",
        "lease_until = now()", "state = 'claimed', lease_token = gen_random_uuid()", "state = 'done'",
        "finished_at = now()", "state = 'rejected', finished_at = now()",
    ],
    "contact_identities": ["kind = 'name'"],
    "messages": ["direction = 'up'", "class = 'other'"],
    "touchpoints": [
        "class = 'organic'", "click_hash = null", "source = 'other', message_id = null", "message_id = null",
    ],
    "conversions": ["currency = 'brl'", "source = 'other'", "value = 1", "cost = -1", "rule_version = 1"],
    "deliveries": [
        "event_id = ''", "event_id = repeat('x', 513)", "state = 'other', next_attempt_at = null",
        "batch_cap = 0", "batch_cap = 1001",
        "state = 'sending', next_attempt_at = null", "lease_token = gen_random_uuid()", "lease_until = now()",
        "state = 'sending', next_attempt_at = null, lease_token = gen_random_uuid()",
        "next_attempt_at = null", "state = 'unknown', reason = 'x', next_attempt_at = null", "unknown_since = now()",
        "state = 'accepted', next_attempt_at = null, finished_at = now()", "accepted_at = now()",
        "state = 'accepted', next_attempt_at = null, accepted_at = now()", "finished_at = now()",
        "state = 'expired', next_attempt_at = null",
        "state = 'rejected', next_attempt_at = null, finished_at = now()",
        "state = 'skipped', next_attempt_at = null, finished_at = now()",
        "state = 'waiting', next_attempt_at = null",
        "state = 'unknown', next_attempt_at = null, unknown_since = now()",
    ],
}  # fmt: skip

SPEND_ALERTS_AND_TEAM = """
insert into ad_accounts (name, meta_id) values ('main', '1');
insert into ad_account_days (account_id, day, level, source) values (1, current_date, 'ad', 'csv');
insert into ad_spend_daily (account_id, day, level, object_id, currency, spend, source)
    values (1, current_date, 'ad', '1', 'BRL', 1, 'csv');
insert into ad_names (account_id, level, object_id, name) values (1, 'ad', '1', 'Spring');
insert into erasures (workspace, contact_ids, requested_by) values ('default', '{1}', 'test');
insert into endpoints (workspace, name, url, events, secrets, created_by)
    values ('default', 'crm', 'https://x', '{delivery.finished}', '', 'test');
insert into notifications (endpoint_id, event, occurred_at) values (1, 'test', now());
insert into alert_rules (kind) values ('intake_silent');
insert into alert_routes (name, kind, target, shown, created_by) values ('ops', 'slack', '', 'x', 'test');
insert into alert_notices (id, route_id) values (gen_random_uuid(), 1);
insert into alerts (kind, subject) values ('intake_silent', '');
insert into users (email) values ('ana@example.com');
insert into memberships (user_id, workspace, role) values (1, 'default', 'owner');
insert into one_time_links (hash, kind, email, workspace, role, created_by, expires_at)
    values ('h', 'invitation', 'eva@example.com', 'default', 'viewer', 'test', now());
"""


@pytest.fixture
def stocked(conn):
    """One good row in every table that has a CHECK."""
    dataset = add_dataset(conn)
    channel = add_channel(conn, dataset_id=dataset)
    add_deliveries(conn, dataset, channel, 1)
    add_webhooks(conn, channel, 1)
    conn.execute(
        "insert into contact_identities (contact_id, workspace, kind, hash_key, hash)"
        " values (1, 'default', 'phone', 'k', 'h')"
    )
    conn.execute(
        "insert into messages (channel_id, message_id, contact_id, class, received_at, webhook_id, webhook_received_at)"
        " values (1, 'm', 1, 'ad', now(), gen_random_uuid(), now())"
    )
    conn.execute(
        "insert into touchpoints (message_id, contact_id, channel_id, class, click_id, click_hash, occurred_at)"
        " values (1, 1, 1, 'ad', 'c', 'h', now())"
    )
    conn.execute(
        "insert into api_keys (workspace, name, start, hash, scopes, created_by)"
        " values ('default', 'shop', 'ck_1', 'h', '{conversions}', 'test')"
    )
    conn.execute(
        "insert into submissions (id, workspace, kind, source, webhook_id, webhook_received_at, state)"
        " values (gen_random_uuid(), 'default', 'conversion', 'api', gen_random_uuid(), now(), 'stored')"
    )
    conn.execute(
        "insert into conversion_changes (id, conversion_id, kind, value, currency, occurred_at, source, business_key)"
        " select gen_random_uuid(), id, 'refund', 1, 'BRL', now(), 'api', 'r' from conversions"
    )
    conn.execute(
        "insert into contact_changes (contact_id, kind, value, occurred_at, source)"
        " values (1, 'stage', 'won', now(), 'api')"
    )
    conn.execute("insert into first_touches (contact_id, touchpoint_id) values (1, 1)")
    conn.execute(f"insert into roi_daily {DAYS}", day_parameters(conn, "default", "UTC", Span(first=TODAY, last=TODAY)))
    conn.execute(
        "insert into delivery_counts (workspace, dataset_id, hour, state, is_test, count)"
        " values ('default', 1, now(), 'accepted', false, 1)"
    )
    conn.execute(
        "insert into webhook_counts (channel_id, hour, kind, code, count, last_at)"
        " values (1, now(), 'read', '', 1, now())"
    )
    conn.execute("insert into rules (workspace, name, definition) values ('default', 'qualified', '{}')")
    conn.execute(SPEND_ALERTS_AND_TEAM)
    conn.commit()
    return conn


def refused(conn, statement):
    """The name of the constraint that refuses the statement, or None."""
    try:
        conn.execute(statement)
    except psycopg.errors.CheckViolation as error:
        return error.diag.constraint_name
    finally:
        conn.rollback()
    return None


def test_every_check_bites(stocked):
    bitten = set()
    for table, changes in BROKEN.items():
        for change in changes:
            name = refused(stocked, f"update {table} set {change}")
            assert name is not None, f"{table}: {change}"
            bitten.add((table, name))
    rows = stocked.execute(
        "select c.relname, k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid"
        " where k.contype = 'c' and not c.relispartition and c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert {tuple(row) for row in rows} - bitten == set()


#: What may be there once only: the same row again, or one that differs where it may not.
TWICE = """
insert into credentials (name, token) values ('main', '');
insert into datasets (name, meta_id) values ('main', '1');
insert into channels (key, name, provider, secrets) values ('sales-key-0123456789', 'x', 'whapi', '');
insert into channels (key, name, provider, secrets) values ('another-key-0123456789', 'sales', 'whapi', '');
insert into contact_identities (contact_id, workspace, kind, hash_key, hash)
    values (1, 'default', 'phone', 'x', 'h');
insert into messages (channel_id, message_id, contact_id, class, received_at, webhook_id, webhook_received_at)
    values (1, 'm', 1, 'organic', now(), gen_random_uuid(), now());
insert into touchpoints (message_id, contact_id, channel_id, class, occurred_at) values (1, 1, 1, 'ad', now());
insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source, attribution,
                         business_key)
    select gen_random_uuid(), workspace, contact_id, channel_id, event_name, now(), 'api', 'x', business_key
    from conversions;
insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,
                        next_attempt_at)
    select conversion_id, dataset_id, event_name, 'other', 'e', now(), 'pending', now() from deliveries;
insert into workspaces (name) values ('default');
insert into api_keys (workspace, name, start, hash, scopes, created_by)
    values ('default', 'shop', 'ck_2', 'other', '{conversions}', 'test');
insert into api_keys (workspace, name, start, hash, scopes, created_by)
    values ('default', 'other', 'ck_3', 'h', '{conversions}', 'test');
insert into conversion_changes (id, conversion_id, kind, occurred_at, source, business_key)
    select gen_random_uuid(), id, 'refund', now(), 'csv', 'r' from conversions;
insert into first_touches (contact_id, touchpoint_id) values (1, 2);
insert into rules (workspace, name, definition) values ('default', 'qualified', '{}');
insert into webhooks (id, received_at, source, source_id, method, headers, body, body_bytes)
    select id, received_at, 'channel', 2, 'GET', '{}', '', 0 from webhooks
"""


def test_what_may_be_there_once_is_refused_twice(stocked):
    for statement in TWICE.split(";"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            stocked.execute(statement)
        stocked.rollback()


def test_a_click_is_one_event_of_a_name_but_any_number_of_orders(stocked):
    insert = (
        "insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source, attribution,"
        " business_key, click_hash, order_id) values (gen_random_uuid(), 'default', 1, 1, %s, now(), 'api', 'x', %s,"
        " 'hash', %s)"
    )
    stocked.execute(insert, ["Qualified", "a", None])
    stocked.execute(insert, ["Purchase", "b", "1"])
    stocked.execute(insert, ["Purchase", "c", "2"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        stocked.execute(insert, ["Qualified", "d", None])


def test_one_event_of_a_dataset_has_one_delivery_that_is_not_skipped(stocked):
    stocked.execute(
        "insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source, attribution,"
        " business_key) select gen_random_uuid(), 'other', 1, 1, 'Lead', now(), 'api', 'x', business_key"
        " from conversions"
    )
    twin = (
        "insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,"
        " reason, next_attempt_at, finished_at) select c.id, 1, 'Lead', c.business_key, 'e', now(), {}"
        " from conversions c where workspace = 'other'"
    )
    with pytest.raises(psycopg.errors.UniqueViolation), stocked.transaction():
        stocked.execute(twin.format("'pending', null, now(), null"))
    stocked.execute(twin.format("'skipped', 'duplicate', null, now()"))
