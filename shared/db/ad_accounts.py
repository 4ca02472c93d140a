"""The `ad_accounts` table: whose spend is fetched, by which token, and how far the fetching is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class AdAccount:
    """One ad account. Its days are days of `zone`; its money is in `currency` (None: not read from Meta yet)."""

    id: int
    workspace: str
    #: Without `act_`. None: spend comes from files and by hand only.
    meta_id: str | None
    name: str
    currency: str | None
    zone: str
    credential_id: int | None
    enabled: bool
    is_test: bool
    #: The last day of the last whole pull.
    synced_until: date | None
    last_synced_at: datetime | None
    #: A reason code.
    last_error: str | None
    last_error_at: datetime | None
    next_sync_at: datetime
    wanted_since: date | None
    #: The days of the pull that runs or goes on later; None when none does.
    sync_since: date | None
    sync_until: date | None
    sync_started_at: datetime | None
    sync_cursor: str | None
    sync_rows: int
    report_run_id: str | None
    report_percent: int | None
    lease_token: UUID | None


_COLUMNS = (
    "id, workspace, meta_id, name, currency, zone, credential_id, enabled, is_test, synced_until, last_synced_at,"
    " last_error, last_error_at, next_sync_at, wanted_since, sync_since, sync_until, sync_started_at, sync_cursor,"
    " sync_rows, report_run_id, report_percent, lease_token"
)
_CHANGEABLE = ("name", "workspace", "meta_id", "currency", "zone", "credential_id", "enabled", "is_test")


def all_accounts(conn: psycopg.Connection[Any], *, workspace: str | None = None) -> list[AdAccount]:
    """Every ad account, of one workspace if given, by name."""
    with conn.cursor(row_factory=class_row(AdAccount)) as cursor:
        cursor.execute(
            f"select {_COLUMNS} from ad_accounts where %(workspace)s::text is null or workspace = %(workspace)s"
            " order by name",
            {"workspace": workspace},
        )
        return cursor.fetchall()


def account_by_name(conn: psycopg.Connection[Any], name: str) -> AdAccount | None:
    """The ad account of this name."""
    with conn.cursor(row_factory=class_row(AdAccount)) as cursor:
        cursor.execute(f"select {_COLUMNS} from ad_accounts where name = %s", [name])
        return cursor.fetchone()


def account_by_id(conn: psycopg.Connection[Any], account_id: int) -> AdAccount | None:
    """The ad account with this id of ours."""
    with conn.cursor(row_factory=class_row(AdAccount)) as cursor:
        cursor.execute(f"select {_COLUMNS} from ad_accounts where id = %s", [account_id])
        return cursor.fetchone()


def insert_account(conn: psycopg.Connection[Any], values: Mapping[str, Any]) -> int:
    """Adds an ad account; its id. `values` holds changeable columns by name."""
    columns = [column for column in _CHANGEABLE if column in values]
    marks = ", ".join(f"%({column})s" for column in columns)
    row = conn.execute(
        sql.SQL(f"insert into ad_accounts ({', '.join(columns)}) values ({marks}) returning id"), dict(values)
    ).fetchone()
    assert row is not None
    return int(row[0])


def update_account(conn: psycopg.Connection[Any], account_id: int, values: Mapping[str, Any]) -> None:
    """Sets those changeable columns that `values` names, and lets the next pull come at once."""
    changes = ", ".join(f"{column} = %({column})s" for column in _CHANGEABLE if column in values)
    conn.execute(
        sql.SQL(f"update ad_accounts set {changes}, next_sync_at = now(), updated_at = now() where id = %(id)s"),
        {**values, "id": account_id},
    )


def delete_account(conn: psycopg.Connection[Any], account_id: int) -> None:
    """Deletes an ad account with its spend, days, ads and names."""
    for table in ("ad_spend_daily", "ad_account_days", "ad_names", "ads"):
        conn.execute(sql.SQL("delete from {} where account_id = %s").format(sql.Identifier(table)), [account_id])
    conn.execute("delete from ad_accounts where id = %s", [account_id])


def ask_for_sync(conn: psycopg.Connection[Any], account_id: int, *, since: date | None) -> None:
    """Makes the next pull due now, from `since` on if that is earlier than its usual days."""
    conn.execute(
        """
        update ad_accounts set next_sync_at = now(), wanted_since = least(wanted_since, %s), updated_at = now()
        where id = %s
        """,
        [since, account_id],
    )


def claim_account(conn: psycopg.Connection[Any], *, seconds: float, overdue_seconds: float = 0) -> AdAccount | None:
    """Takes the account that has been due longest, under a lease; None when none is due.

    `overdue_seconds`: only one that has waited so long.
    An account whose token is throttled waits until Meta allows more.
    """
    with conn.cursor(row_factory=class_row(AdAccount)) as cursor:
        cursor.execute(
            f"""
            update ad_accounts set lease_token = %(token)s, lease_until = now() + make_interval(secs => %(seconds)s)
            where id = (
                select a.id from ad_accounts a join credentials c on c.id = a.credential_id
                where a.enabled and a.next_sync_at <= now() - make_interval(secs => %(overdue)s)
                  and (a.lease_until is null or a.lease_until < now())
                  and (c.throttled_until is null or c.throttled_until < now())
                order by a.next_sync_at limit 1 for update of a skip locked
            ) returning {_COLUMNS}
            """,
            {"token": uuid4(), "seconds": seconds, "overdue": overdue_seconds},
        )
        return cursor.fetchone()


_PULL = (
    "currency", "zone", "sync_since", "sync_until", "sync_started_at", "sync_cursor", "sync_rows",
    "report_run_id", "report_percent", "wanted_since",
)  # fmt: skip


def save_pull(
    conn: psycopg.Connection[Any], account: AdAccount, values: Mapping[str, Any], *, lease_seconds: float
) -> bool:
    """Keeps how far a pull is and renews its lease; False when the lease was lost: then nothing may be written."""
    changes = "".join(f"{column} = %({column})s, " for column in _PULL if column in values)
    cursor = conn.execute(
        sql.SQL(
            f"update ad_accounts set {changes} lease_until = now() + make_interval(secs => %(seconds)s),"
            " updated_at = now() where id = %(id)s and lease_token = %(token)s"
        ),
        {**values, "id": account.id, "token": account.lease_token, "seconds": lease_seconds},
    )
    return cursor.rowcount == 1


def finish_pull(conn: psycopg.Connection[Any], account: AdAccount, *, again_seconds: float) -> bool:
    """Ends a whole pull and its lease; False when the lease was lost. What somebody asked for meanwhile stays."""
    cursor = conn.execute(
        """
        update ad_accounts set synced_until = greatest(synced_until, sync_until), last_synced_at = now(),
               last_error = null, last_error_at = null,
               next_sync_at = case when wanted_since < sync_since then now()
                   else now() + make_interval(secs => %(again)s) end,
               wanted_since = case when wanted_since < sync_since then wanted_since end,
               sync_since = null, sync_until = null, sync_started_at = null, sync_cursor = null,
               report_run_id = null, report_percent = null, lease_token = null, lease_until = null, updated_at = now()
        where id = %(id)s and lease_token = %(token)s
        """,
        {"id": account.id, "token": account.lease_token, "again": again_seconds},
    )
    return cursor.rowcount == 1


def put_off_pull(
    conn: psycopg.Connection[Any],
    account: AdAccount,
    *,
    seconds: float,
    error: str | None = None,
    start_over: bool = False,
) -> None:
    """Gives the lease back; the pull goes on in `seconds` where it is, or from its start. `error` is a reason code."""
    conn.execute(
        """
        update ad_accounts set next_sync_at = now() + make_interval(secs => %(seconds)s),
               last_error = coalesce(%(error)s, last_error),
               last_error_at = case when %(error)s::text is null then last_error_at else now() end,
               sync_cursor = case when %(over)s then null else sync_cursor end,
               report_run_id = case when %(over)s then null else report_run_id end,
               report_percent = case when %(over)s then null else report_percent end,
               lease_token = null, lease_until = null, updated_at = now()
        where id = %(id)s and lease_token = %(token)s
        """,
        {
            "id": account.id, "token": account.lease_token, "seconds": seconds, "error": error, "over": start_over,
        },
    )  # fmt: skip
