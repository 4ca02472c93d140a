"""Tables as they are after months: any number of people, each with an ad message, a Lead and an accepted delivery.

Postgres makes the rows itself, so that twenty million take minutes. Needs the owner's connection, who is superuser.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

#: Those that grow with the number of messages.
BIG = (
    "webhooks",
    "contacts",
    "contact_identities",
    "messages",
    "touchpoints",
    "conversions",
    "deliveries",
    "capi_requests",
    "attempts",
)
#: Over so many days they came, evenly.
DAYS = 28
_PER_REQUEST = 50


@dataclass(frozen=True)
class Places:
    """Where rows belong: two channels with their datasets, of which the second is paused. Ids of our rows."""

    channel: int
    dataset: int
    paused_channel: int
    paused_dataset: int


# n runs from %(first)s to %(last)s; the later, the younger. Hashes and uuids are as scattered as real ones.
_ROWS: dict[str, LiteralString] = {
    "contacts": """
        insert into contacts (id, workspace, created_at) overriding system value
        select n, 'default', {at} from {numbers}""",
    "contact_identities": """
        insert into contact_identities (id, contact_id, workspace, kind, hash_key, hash, ciphertext, created_at)
        overriding system value
        select n, n, 'default', 'phone', 'fill', sha256(('phone ' || n)::bytea), sha256(('sealed ' || n)::bytea), {at}
        from {numbers}""",
    "webhooks": """
        insert into webhooks (id, received_at, source, source_id, method, path, query, headers, body, body_bytes, state,
                              messages, automatic_events, duplicates, ignored, finished_at)
        select md5('webhook ' || n)::uuid, {at}, 'channel', %(channel)s, 'POST', '', '', '{{}}', sha256(n::text::bytea),
               900, 'done', 1, 0, 0, '{{}}', {at}
        from {numbers}""",
    "messages": """
        insert into messages (id, channel_id, message_id, contact_id, class, kind, sent_at, received_at, webhook_id,
                              webhook_received_at, created_at) overriding system value
        select n, %(channel)s, 'wamid.FILL' || md5('message ' || n), n, 'ad', 'text', {at}, {at},
               md5('webhook ' || n)::uuid, {at}, {at}
        from {numbers}""",
    "touchpoints": """
        insert into touchpoints (id, message_id, contact_id, channel_id, class, click_id, click_hash, ad_id,
                                 source_type, headline, occurred_at, created_at) overriding system value
        select n, n, n, %(channel)s, 'ad', 'AfFILL' || md5('click ' || n) || md5('id ' || n),
               encode(sha256(('click ' || n)::bytea), 'hex'), (120000000000000000 + n %% 500)::text, 'ad',
               'Spring sale', {at}, {at}
        from {numbers}""",
    "conversions": """
        insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source, touchpoint_id,
                                 attribution, business_key, click_hash, created_at)
        select md5('conversion ' || n)::uuid, 'default', n, %(channel)s, 'Lead', {at}, 'message', n, 'click_id',
               'click:' || encode(sha256(('click ' || n)::bytea), 'hex'),
               encode(sha256(('click ' || n)::bytea), 'hex'), {at}
        from {numbers}""",
    "deliveries": """
        insert into deliveries (id, conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,
                                attempts, accepted_at, finished_at, last_http_status, created_at, updated_at)
        overriding system value
        select n, md5('conversion ' || n)::uuid, %(dataset)s, 'Lead',
               'click:' || encode(sha256(('click ' || n)::bytea), 'hex'), md5('event ' || n), {at}, 'accepted', 1, {at},
               {at}, 200, {at}, {at}
        from {numbers}""",
    "capi_requests": """
        insert into capi_requests (id, dataset_id, lease_token, graph_version, events, body, started_at, finished_at,
                                   verdict, http_status, events_received, milliseconds)
        select md5('request ' || n)::uuid, %(dataset)s, md5('lease ' || n)::uuid, 'v25.0', %(per_request)s, '{{}}',
               {at}, {at}, 'accepted', 200, %(per_request)s, 300
        from {numbers} where n %% %(per_request)s = 0""",
    "attempts": """
        insert into attempts (delivery_id, number, request_id, started_at, finished_at, outcome)
        select n, 1, md5('request ' || (n - n %% %(per_request)s))::uuid, {at}, {at}, 'accepted'
        from {numbers} where n >= %(per_request)s""",
}
_NUMBERS = "generate_series(%(first)s::bigint, %(last)s::bigint) n"
_AT = "(now() - ((%(last)s - n) * (make_interval(days => %(days)s) / (%(last)s - %(first)s + 1))))"

_WAITING: LiteralString = """
with born as (
    insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source, touchpoint_id,
                             attribution, business_key)
    select gen_random_uuid(), 'default', n, %(channel)s, 'Lead', now() - interval '1 minute', 'message', n,
           'click_id', 'waiting:' || %(dataset)s || ':' || n
    from generate_series(%(first)s::bigint, %(last)s::bigint) n
    returning id, business_key, occurred_at
)
insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, state,
                        next_attempt_at)
select id, %(dataset)s, 'Lead', business_key, business_key, occurred_at, 'pending', now() - interval '1 second'
from born
"""


def fill(conn: psycopg.Connection[Any], places: Places, rows: int, *, days: int = DAYS) -> None:
    """Puts `rows` people with all that belongs to them into empty tables, and analyses them."""
    conn.execute("select make_webhook_days((now() at time zone 'UTC')::date - %s::integer, %s)", [days + 1, days + 9])
    values = {
        "channel": places.channel,
        "dataset": places.dataset,
        "first": 1,
        "last": rows,
        "per_request": _PER_REQUEST,
        "days": days,
    }
    with _without_indexes(conn):
        for table in BIG:
            if table in _ROWS:
                conn.execute(_ROWS[table].format(numbers=_NUMBERS, at=_AT), values)
    for table in ("contacts", "contact_identities", "messages", "touchpoints", "deliveries"):
        conn.execute(f"select setval(pg_get_serial_sequence('{table}', 'id'), %s)", [rows])


def add_waiting(conn: psycopg.Connection[Any], channel: int, dataset: int, *, first: int, count: int) -> None:
    """A conversion of `count` people from `first` on, each with a delivery that is due and was not sent."""
    values = {"channel": channel, "dataset": dataset, "first": first, "last": first + count - 1}
    conn.execute(_WAITING, values)


def analyse(conn: psycopg.Connection[Any]) -> None:
    """As autovacuum leaves the tables; not within a transaction."""
    for table in BIG:
        conn.execute(f"vacuum (analyze) {table}")


@contextmanager
def _without_indexes(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Takes away what is slow to keep up row by row, and puts it back: foreign keys' checks, unique keys, indexes."""
    conn.execute("set session_replication_role = replica")
    keys = conn.execute(
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
        " where contype = 'u' and conrelid::regclass::text = any(%s)",
        [list(BIG)],
    ).fetchall()
    for table, name, _ in keys:
        conn.execute(f"alter table {table} drop constraint {name}")
    indexes = conn.execute(
        "select c.relname, pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid"
        " where i.indrelid::regclass::text = any(%s) and not i.indisprimary",
        [list(BIG)],
    ).fetchall()
    for name, _ in indexes:
        conn.execute(f"drop index {name}")
    yield
    for _, definition in indexes:
        conn.execute(definition.replace(" ONLY ", " "))
    for table, name, definition in keys:
        conn.execute(f"alter table {table} add constraint {name} {definition}")
    conn.execute("set session_replication_role = origin")
