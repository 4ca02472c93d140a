"""Rows made straight in SQL, many at once: what a test of a statement needs, and no more."""

from typing import Any

import psycopg


def add_dataset(conn: psycopg.Connection[Any], name: str = "main", *, paused: bool = False, **columns: Any) -> int:
    """A dataset with a credential of its own; its id."""
    credential = one(conn, "insert into credentials (name, token) values (%s, '') returning id", name)
    values = {"name": name, "meta_id": "1200000000000001", "waba_id": "1000000000000001"} | columns
    names = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    dataset = one(
        conn,
        f"insert into datasets ({names}, credential_id) values ({marks}, %s) returning id",
        *values.values(),
        credential,
    )
    if paused:
        conn.execute(
            "update datasets set pause_reason = 'by_hand', paused_at = now(), paused_until = '9999-12-31'"
            " where id = %s",
            [dataset],
        )
    return int(dataset)


def add_channel(conn: psycopg.Connection[Any], name: str = "sales", *, dataset_id: int | None = None) -> int:
    """A channel; its id."""
    return int(
        one(
            conn,
            "insert into channels (key, name, provider, secrets, dataset_id)"
            " values (%s, %s, 'whapi', '', %s) returning id",
            f"{name}-key-0123456789",
            name,
            dataset_id,
        )
    )


def add_deliveries(
    conn: psycopg.Connection[Any], dataset_id: int, channel_id: int, count: int, *, prefix: str = "", **columns: Any
) -> None:
    """`count` deliveries, pending and due unless `columns` says otherwise, each of a conversion of its own."""
    contact = one(conn, "insert into contacts (workspace) values ('default') returning id")
    values = {"state": "pending"} | columns
    if values["state"] == "pending":
        values = {"next_attempt_at": "now"} | values
    names = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    conn.execute(
        f"""
        with born as (
            insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, source,
                                     attribution, business_key)
            select gen_random_uuid(), 'default', %s, %s, 'Lead', now() - interval '1 minute', 'message', 'click_id',
                   %s || ':' || %s || ':' || n
            from generate_series(1, %s) n returning id, business_key
        )
        insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, {names})
        select id, %s, 'Lead', business_key, md5(business_key), now() - interval '1 minute', {marks} from born
        """,
        [contact, channel_id, prefix, dataset_id, count, dataset_id, *values.values()],
    )


def add_webhooks(conn: psycopg.Connection[Any], channel_id: int, count: int, **columns: Any) -> None:
    """`count` webhooks that came a moment ago, new unless `columns` says otherwise."""
    values = {"state": "new", "body": b"sealed", "body_bytes": 10} | columns
    names = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    conn.execute(
        f"""
        insert into webhooks (id, received_at, source, source_id, method, headers, {names})
        select gen_random_uuid(), clock_timestamp() - interval '1 second' + n * interval '1 microsecond', 'channel',
               %s, 'POST', '{{}}', {marks}
        from generate_series(1, %s) n
        """,
        [channel_id, *values.values(), count],
    )


def one(conn: psycopg.Connection[Any], query: str, *parameters: Any) -> Any:
    """The only value of the only row."""
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]
